//! CSV text (RFC 4180) with lines that end in CR LF.
//!
//! A spreadsheet evaluates a cell that begins like a formula. Such a cell gets an apostrophe in front, which makes it
//! text.

use crate::values::check_name;

/// Appends a line.
pub fn line<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        append(out, field);
    }
    out.push_str("\r\n");
}

fn append(out: &mut String, field: &str) {
    let quoted = field.contains(['"', ',', '\r', '\n']);
    if quoted {
        out.push('"');
    }
    if is_like_a_formula(field) {
        out.push('\'');
    }
    for letter in field.chars() {
        if letter == '"' {
            out.push('"');
        }
        out.push(letter);
    }
    if quoted {
        out.push('"');
    }
}

/// Whether a spreadsheet could evaluate a field. It begins with a tab or a line break, or, after any whitespace and
/// invisible characters, with the sign of a formula, also in its full-width or small form.
#[must_use]
pub fn is_like_a_formula(field: &str) -> bool {
    const SIGNS: [char; 12] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫'];
    let is_skipped =
        |letter: char| letter.is_whitespace() || check_name(letter.encode_utf8(&mut [0; 4])).is_err();
    field.starts_with(['\t', '\r', '\n']) || field.trim_start_matches(is_skipped).starts_with(SIGNS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(fields: &[&str]) -> String {
        let mut out = String::new();
        line(&mut out, fields.iter().copied());
        out
    }

    /// Reads one line back.
    fn parsed(line: &str) -> Vec<String> {
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut letters = line.strip_suffix("\r\n").unwrap().chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                other => field.push(other),
            }
        }
        fields.push(field);
        fields
    }

    #[test]
    fn fields_are_plain_quoted_or_neutralized() {
        assert_eq!(
            text(&["a", "", "b,c", "say \"hi\"", "two\r\nlines"]),
            "a,,\"b,c\",\"say \"\"hi\"\"\",\"two\r\nlines\"\r\n"
        );
        assert_eq!(text(&["=1+1", "+1", "-1", "@x", "\tx", "\rx"]), "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\"\r\n");
        assert_eq!(text(&["a=1", "1-1", " a", "\u{3000}1", "('=1"]), "a=1,1-1, a,\u{3000}1,('=1\r\n");
    }

    #[test]
    fn every_form_of_a_formula_is_neutralized() {
        for sign in
            ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe6b}']
        {
            for before in ["", " ", "\t", "\r", "\n", "  \t ", "\u{a0}", "\u{3000}", "\u{feff}", "\u{200b} "]
            {
                let field = format!("{before}{sign}SUM(A1)");
                let cell = text(&[&field]);
                assert!(
                    cell.trim_start_matches('"').starts_with(&format!("'{field}")),
                    "{field:?}: {cell:?}"
                );
            }
        }
        assert_eq!(text(&["\tx", "\nx"]), "'\tx,\"'\nx\"\r\n");
    }

    proptest! {
        #[test]
        fn a_line_reads_back_and_no_cell_begins_like_a_formula(
            fields in prop::collection::vec("[-=+@\u{ff1d}\u{ff0b}\t\r\n\",a-c ]{0,6}", 1..5),
        ) {
            let borrowed: Vec<&str> = fields.iter().map(String::as_str).collect();
            let read = parsed(&text(&borrowed));
            prop_assert_eq!(read.len(), fields.len());
            for (read, field) in read.iter().zip(&fields) {
                let begins = read.starts_with(['\t', '\r', '\n'])
                    || read.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}']);
                prop_assert!(!begins);
                prop_assert_eq!(read.strip_prefix('\'').filter(|rest| rest == field).unwrap_or(read), field);
            }
        }
    }
}
