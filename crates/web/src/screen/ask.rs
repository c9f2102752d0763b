//! Screens that ask before something is removed, screens that show a secret once, and choices that several forms have.

use tenantry_core::token::Overlap;

use super::{Block, Choice, Fault, FormView, Link, Part, Row, Screen, State};
use crate::texts::Texts;
use crate::view::filled;
use crate::visitor::Form;

/// A question before something is removed: it says what goes, and asks for a name.
pub(crate) struct Confirm {
    pub(crate) title: String,
    pub(crate) lead: String,
    /// The effects, kept and lost: the kind of a state, and a sentence.
    pub(crate) consequences: Vec<(&'static str, &'static str)>,
    /// The name to enter; empty when none is asked for.
    pub(crate) word: String,
    pub(crate) action: String,
    pub(crate) button: &'static str,
    pub(crate) back: Link,
}

impl Confirm {
    /// The fault of a form without the name. Capital letters and spaces at the ends do not matter.
    pub(crate) fn fault(&self, t: &'static Texts, form: &Form) -> Option<Fault> {
        let is_same = form.text("confirm").to_lowercase() == self.word.trim().to_lowercase();
        (!is_same && !self.word.is_empty()).then(|| Fault::new("confirm", t.screens.confirm_wrong))
    }

    pub(crate) fn screen(self, t: &'static Texts, entered: &Form, faults: Vec<Fault>) -> Screen {
        let Self { title, lead, consequences, word, action, button, back } = self;
        let row =
            |(kind, text): (&'static str, &str)| Row { state: Some(State::new(kind, text)), ..Row::new("") };
        let rows: Vec<Row> = consequences.into_iter().map(row).collect();
        let mut form = FormView::new(action, button, back.href.clone(), entered.clone(), faults).dangerous();
        if !word.is_empty() {
            let label = filled(t.screens.confirm, &word);
            form = form.input("text", ("confirm", &label, ""), "autocomplete=off spellcheck=false required");
        }
        let mut parts = Vec::new();
        if !rows.is_empty() {
            parts.push(Part::plain(Block::Consequences(rows)));
        }
        parts.push(Part::plain(Block::Form(form.broad())));
        Screen { back: Some(back), title, lead, parts, slim: true, ..Screen::default() }
    }
}

/// A secret that is shown once, and a call to try it with.
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) secret: String,
    /// Heading, sentence and text of an example; empty without one.
    pub(crate) example: (&'static str, &'static str, String),
    pub(crate) back: Link,
    pub(crate) stored: &'static str,
}

impl Shown {
    pub(crate) fn screen(self) -> Screen {
        let Self { title, lead, secret, example: (heading, text, example), back, stored } = self;
        let mut parts = vec![Part::plain(Block::Secret(secret))];
        if !example.is_empty() {
            parts.push(Part::titled(heading, text, Block::Code(example, true)));
        }
        parts.push(Part::plain(Block::Acts(vec![super::Act::to(back.href.clone(), stored, "")])));
        Screen { back: Some(back), title, lead, parts, slim: true, ..Screen::default() }
    }
}

/// Times for which an old secret works on.
pub(crate) fn overlaps(t: &'static Texts) -> Vec<Choice> {
    let choices = [
        ("0", t.screens.no_overlap),
        ("3600", t.screens.one_hour),
        ("86400", t.screens.one_day),
        ("604800", t.screens.seven_days),
        ("2592000", t.screens.thirty_days),
    ];
    choices.map(|(value, label)| Choice::new(value, label).chosen(value == "86400")).into()
}

/// The chosen time for which an old secret works on.
pub(crate) fn overlap(form: &Form) -> Overlap {
    let chosen = form.text("overlap").parse().ok().and_then(|seconds| Overlap::from_seconds(seconds).ok());
    chosen.unwrap_or_default()
}

/// Times until a token expires, in seconds; empty for never.
pub(crate) fn expiries(t: &'static Texts) -> Vec<Choice> {
    let choices = [
        ("2592000", t.screens.in_30_days),
        ("7776000", t.screens.in_90_days),
        ("31536000", t.screens.in_a_year),
        ("", t.screens.never_expires),
    ];
    choices.map(|(value, label)| Choice::new(value, label).chosen(value == "7776000")).into()
}
