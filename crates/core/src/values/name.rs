//! The rule for the characters of names: of people, organizations, customers, tokens and webhook endpoints.
//!
//! Readers of a list, a mail or a log must be able to see a name and to tell it from another. Therefore a name has at
//! least one visible character, and these characters are refused: control characters and line separators, format
//! characters (general category Cf), and characters with the property `Default_Ignorable_Code_Point`.
//!
//! Some scripts and emoji need such characters inside a word. These are accepted:
//!
//! | character | where |
//! |---|---|
//! | U+200C, U+200D (joiners) | between two visible characters, neither of a script that has no use for them |
//! | variation selectors | after a visible character, unless its script has no use for them |
//! | U+E0020 to U+E007F (tags) | in an emoji flag of a region, after U+1F3F4 |
//!
//! The rule applies to requests. Stored names are read without it.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

use super::InvalidValue;

/// The black flag, which begins the emoji flag of a region.
const FLAG: char = '\u{1F3F4}';
/// The empty Braille pattern: a symbol without ink.
const BRAILLE_BLANK: char = '\u{2800}';

/// Checks the characters of a name. An empty text is accepted: the length of a name is another rule.
///
/// # Errors
/// When the text has a character that is refused, or no visible character. Plain spaces are accepted.
pub fn check_name(text: &str) -> Result<(), InvalidValue> {
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied();
        let code = u32::from(character);
        if is_ignorable(character) && !is_needed(before, character, after) {
            let reason = format!("a name cannot contain the invisible character U+{code:04X} here");
            return Err(InvalidValue::value_error(&reason));
        }
        if is_meaningless(character) {
            let reason =
                format!("a name cannot contain the character U+{code:04X}, which has no meaning of its own");
            return Err(InvalidValue::value_error(&reason));
        }
        before = Some(character);
    }
    // A name of plain spaces is accepted, as in tests/golden/recording.jsonl, exchange 326.
    if !text.chars().all(|character| character == ' ') && !text.chars().any(is_visible_base) {
        return Err(InvalidValue::value_error("a name needs at least one visible character"));
    }
    Ok(())
}

/// The text on one line, without the characters that [`check_name`] refuses: runs of control characters, line separators
/// and spaces become one space, and other invisible characters are left out.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let before = line.chars().next_back();
        if character.is_whitespace() || character.is_control() {
            if before.is_some_and(|before| before != ' ') {
                line.push(' ');
            }
        } else if !is_meaningless(character)
            && (!is_ignorable(character) || is_needed(before, character, characters.peek().copied()))
        {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// A name of user input as a mail shows it: on one line, at most `length` characters, and with nothing in it that a mail
/// program turns into a link. A space follows each dot, colon, at sign and backslash inside a word, in all forms that
/// Unicode's compatibility mapping knows. So `evil.example/x` is shown as `evil. example/x`.
#[must_use]
pub fn unlinked(text: &str, length: usize) -> String {
    let line = one_line(text);
    let mut shown = String::with_capacity(line.len());
    let mut characters = line.chars().take(length).peekable();
    while let Some(character) = characters.next() {
        shown.push(character);
        if makes_links(character) && characters.peek().is_some_and(|next| *next != ' ') {
            shown.push(' ');
        }
    }
    if line.chars().nth(length).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

/// Whether a link can contain the character between other characters.
fn makes_links(character: char) -> bool {
    [character].into_iter().nfkc().any(|plain| matches!(plain, '.' | '\u{3002}' | ':' | '@' | '\\'))
}

fn is_ignorable(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Whether a character is for private use, no character at all, or stands for an object that the text does not have.
fn is_meaningless(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let is_noncharacter =
        u32::from(character) & 0xFFFE == 0xFFFE || matches!(character, '\u{FDD0}'..='\u{FDEF}');
    category == GeneralCategory::PrivateUse || is_noncharacter || character == '\u{FFFC}'
}

/// Whether a character is visible by itself. A combining mark is not.
fn is_visible_base(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let is_mark = matches!(
        category,
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
    );
    is_visible(character) && !is_mark
}

fn is_visible(character: char) -> bool {
    !is_ignorable(character) && !character.is_whitespace() && character != BRAILLE_BLANK
}

/// Whether an ignorable character has an effect between these two characters.
fn is_needed(before: Option<char>, character: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    match character {
        '\u{200C}' | '\u{200D}' => {
            let is_joined = |side: char| is_visible(side) && !is_script_without_joiners(side);
            (is_joined(before) || is_variation_selector(before)) && after.is_some_and(is_joined)
        }
        '\u{E0020}'..='\u{E007F}' => before == FLAG || matches!(before, '\u{E0020}'..='\u{E007E}'),
        _ => is_variation_selector(character) && is_visible(before) && !is_script_without_variations(before),
    }
}

const fn is_variation_selector(character: char) -> bool {
    matches!(
        character,
        '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
    )
}

fn is_script_without_variations(character: char) -> bool {
    matches!(
        CodePointMapData::<Script>::new().get(character),
        Script::Latin
            | Script::Greek
            | Script::Cyrillic
            | Script::Hangul
            | Script::Hiragana
            | Script::Katakana
    )
}

fn is_script_without_joiners(character: char) -> bool {
    is_script_without_variations(character)
        || character.is_ascii()
        || CodePointMapData::<Script>::new().get(character) == Script::Han
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_many_scripts_and_emoji_are_accepted() {
        for name in [
            "",
            "Zo\u{eb} M\u{fc}ller-L\u{fc}denscheidt, Inc. (\u{2122})",
            "\u{516c}\u{53f8}",
            "\u{8fbb}\u{E0100}\u{3055}\u{3093}",
            "\u{0645}\u{06cc}\u{200c}\u{062e}\u{0648}\u{0627}\u{0647}\u{0645}",
            "\u{0915}\u{094d}\u{200d}\u{0937}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} Family",
            "1\u{fe0f}\u{20e3} First",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} Tours",
            "\u{1f680} 100 %",
            "   ",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn invisible_characters_are_refused() {
        for name in [
            "\u{3164}",
            "\u{fe0f}",
            "\u{200b}",
            "\u{2800}",
            "\u{3000}\u{2800}",
            "\u{115f}\u{1160}",
            "\u{ffa0}a",
            "a\u{200b}b",
            "a\u{200d}b",
            "Acme\u{fe0f}",
            "\u{516c}\u{200d}\u{53f8}",
            "a\u{ad}b",
            "a\u{feff}",
            "\u{202e}emcA",
            "a\u{2066}b\u{2069}",
            "a\u{200e}",
            "a\tb",
            "a\r\nb",
            "a\u{2028}b",
            "a\u{7f}",
            "a\u{0}",
            "a\u{34f}b",
            "\u{645}\u{200c}",
            "\u{200d}\u{1f525}",
            "\u{1f525}\u{200d}\u{200d}\u{1f525}",
            "\u{8fbb}\u{e0100}\u{e0100}",
            "a\u{e0067}",
            "\u{e0001}a",
            "\u{300}",
            " \u{300}\u{20dd}",
            "a\u{fffc}",
            "\u{e000}a",
            "a\u{fdd0}",
            "a\u{10ffff}",
            "a\u{f0000}",
            "a\u{1fffe}",
        ] {
            let refused = check_name(name).expect_err(name);
            assert_eq!(refused.kind, "value_error", "{name}");
        }
        let message = check_name("a\u{200b}").unwrap_err().message;
        assert_eq!(message, "Value error, a name cannot contain the invisible character U+200B here");
    }

    #[test]
    fn a_name_in_a_mail_has_no_link() {
        for (name, shown) in [
            ("Visit https://evil.example now", "Visit https: //evil. example now"),
            ("evil.example/x", "evil. example/x"),
            ("www.evil.example", "www. evil. example"),
            ("mailto:eve@evil.example", "mailto: eve@ evil. example"),
            ("http://[::1]/ 10.0.0.1", "http: //[: : 1]/ 10. 0. 0. 1"),
            ("evil\u{3002}example evil\u{ff0e}example", "evil\u{3002} example evil\u{ff0e} example"),
            ("evil\u{ff61}example evil\u{2024}example", "evil\u{ff61} example evil\u{2024} example"),
            ("https\u{ff1a}//evil", "https\u{ff1a} //evil"),
            ("\\\\evil\\x", "\\ \\ evil\\ x"),
            ("evil\u{200b}.\u{200b}example", "evil. example"),
            ("\u{202e}emcA\u{2066}\r\nBcc: x", "emcA Bcc: x"),
            ("Acme Inc. & Co: 5", "Acme Inc. & Co: 5"),
            ("\u{0915}\u{094d}\u{200d}\u{0937}", "\u{0915}\u{094d}\u{200d}\u{0937}"),
        ] {
            assert_eq!(unlinked(name, 100), shown);
        }
        assert_eq!(unlinked("abcdef", 3), "abc\u{2026}");
    }

    proptest! {
        #[test]
        fn one_line_has_no_line_break_and_is_stable(text in any::<String>()) {
            let line = one_line(&text);
            let breaks = line.chars().filter(|c| c.is_control() || (c.is_whitespace() && *c != ' '));
            prop_assert_eq!(breaks.count(), 0);
            prop_assert_eq!(one_line(&line), line);
        }

        #[test]
        fn nothing_follows_what_makes_links(text in "[a-c.:@/\u{3002}\u{ff0e}\u{2025}\u{200b}\u{fe0f} ]{0,20}") {
            let shown: Vec<char> = unlinked(&text, 12).chars().collect();
            for pair in shown.windows(2) {
                prop_assert!(!makes_links(pair[0]) || matches!(pair[1], ' ' | '\u{2026}'), "{shown:?}");
            }
        }

        #[test]
        fn an_accepted_name_is_visible_unless_it_is_spaces(text in "\\PC{1,8}|[ \u{200b}-\u{200f}\u{fe0f}\u{3164}\u{2800}]{1,4}") {
            if check_name(&text).is_ok() {
                prop_assert!(text.chars().any(is_visible_base) || text.chars().all(|letter| letter == ' '));
            }
        }
    }
}
