//! Tables as text: RFC 4180, with lines that end in CR LF, and fit for a spreadsheet, which would run a cell
//! that begins like a formula.

/// Appends a line.
pub(super) fn line<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a str>) {
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
    // What a formula, or a way to one, begins with: an apostrophe makes it text.
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
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
    fn writes_plain_quoted_and_neutralised_fields() {
        assert_eq!(
            text(&["a", "", "b,c", "say \"hi\"", "two\r\nlines"]),
            "a,,\"b,c\",\"say \"\"hi\"\"\",\"two\r\nlines\"\r\n"
        );
        assert_eq!(text(&["=1+1", "+1", "-1", "@x", "\tx", "\rx"]), "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\"\r\n");
        assert_eq!(text(&["a=1", "1-1"]), "a=1,1-1\r\n");
    }

    proptest! {
        #[test]
        fn reads_back_and_never_begins_like_a_formula(fields in prop::collection::vec("[-=+@\t\r\n\",a-c ]{0,6}", 1..5)) {
            let borrowed: Vec<&str> = fields.iter().map(String::as_str).collect();
            let read = parsed(&text(&borrowed));
            prop_assert_eq!(read.len(), fields.len());
            for (read, field) in read.iter().zip(&fields) {
                prop_assert!(!read.starts_with(['=', '+', '-', '@', '\t', '\r']));
                prop_assert_eq!(read.strip_prefix('\'').filter(|rest| rest == field).unwrap_or(read), field);
            }
        }
    }
}
