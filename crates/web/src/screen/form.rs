//! Forms: their fields, and what was entered.

use super::Fault;
use crate::visitor::Form;

/// A form. A field that was refused keeps its value and says what is wrong.
pub(crate) struct FormView {
    pub(crate) action: String,
    pub(crate) controls: Vec<Control>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) submit: &'static str,
    /// Whether the button warns.
    pub(crate) is_dangerous: bool,
    /// The page that the form leaves unchanged; empty when the form is part of a page.
    pub(crate) cancel: String,
    pub(crate) broad: bool,
    /// Whether the button matters less than others of the page.
    pub(crate) quiet: bool,
    /// Another button: the address it sends to, and its word; empty without one.
    pub(crate) other: (String, &'static str),
    entered: Form,
}

/// A field.
pub(crate) struct Control {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) hint: String,
    pub(crate) value: String,
    pub(crate) error: String,
    /// Further attributes, as HTML.
    pub(crate) attributes: &'static str,
}

/// The kind of a field.
pub(crate) enum Kind {
    /// An input of this type.
    Input(&'static str),
    /// A text of several lines.
    Area,
    Select(Vec<Choice>),
    /// One of several, each with an explanation.
    Radio(Vec<Choice>),
    /// Any of several.
    Boxes(Vec<Choice>),
}

/// A value that can be chosen.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    /// An explanation; can be empty.
    pub(crate) text: String,
    pub(crate) selected: bool,
    /// Whether the explanation is text for machines.
    pub(crate) mono: bool,
}

impl Choice {
    pub(crate) fn new(value: &str, label: &str) -> Self {
        let (value, label) = (value.to_owned(), label.to_owned());
        Self { value, label, text: String::new(), selected: false, mono: false }
    }

    pub(crate) fn with(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    pub(crate) fn chosen(self, selected: bool) -> Self {
        Self { selected, ..self }
    }
}

impl FormView {
    /// A form with what was entered and the faults in it.
    pub(crate) fn new(
        action: String,
        submit: &'static str,
        cancel: String,
        entered: Form,
        faults: Vec<Fault>,
    ) -> Self {
        let (is_dangerous, broad, quiet) = (false, false, false);
        let (controls, other) = (Vec::new(), (String::new(), ""));
        Self { action, controls, faults, submit, is_dangerous, cancel, broad, quiet, other, entered }
    }

    pub(crate) fn dangerous(self) -> Self {
        Self { is_dangerous: true, ..self }
    }

    /// The form with a button that sends it to another address.
    pub(crate) fn or(self, action: String, submit: &'static str) -> Self {
        Self { other: (action, submit), ..self }
    }

    pub(crate) fn broad(self) -> Self {
        Self { broad: true, ..self }
    }

    pub(crate) fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    fn control(
        mut self,
        kind: Kind,
        (name, label, hint): (&'static str, &str, &str),
        attributes: &'static str,
    ) -> Self {
        let fault = self.faults.iter().find(|fault| fault.field == name);
        let error = fault.map(|fault| fault.message.clone()).unwrap_or_default();
        let (label, hint, value) = (label.to_owned(), hint.to_owned(), self.entered.text(name).to_owned());
        self.controls.push(Control { kind, name, label, hint, value, error, attributes });
        self
    }

    /// The form with an input: its type, then name, label and hint.
    pub(crate) fn input(
        self,
        kind: &'static str,
        words: (&'static str, &str, &str),
        attributes: &'static str,
    ) -> Self {
        self.control(Kind::Input(kind), words, attributes)
    }

    pub(crate) fn area(self, words: (&'static str, &str, &str), attributes: &'static str) -> Self {
        self.control(Kind::Area, words, attributes)
    }

    pub(crate) fn select(self, words: (&'static str, &str, &str), choices: Vec<Choice>) -> Self {
        let choices = self.chosen(words.0, choices);
        self.control(Kind::Select(choices), words, "")
    }

    pub(crate) fn radio(self, words: (&'static str, &str, &str), choices: Vec<Choice>) -> Self {
        let choices = self.chosen(words.0, choices);
        self.control(Kind::Radio(choices), words, "")
    }

    pub(crate) fn boxes(self, words: (&'static str, &str, &str), choices: Vec<Choice>) -> Self {
        let choices = self.chosen(words.0, choices);
        self.control(Kind::Boxes(choices), words, "")
    }

    /// The choices with those that were entered. Without an entry, those that are chosen from the start.
    fn chosen(&self, name: &str, choices: Vec<Choice>) -> Vec<Choice> {
        let entered: Vec<&str> = self.entered.all(name).collect();
        if entered.is_empty() && self.faults.is_empty() {
            return choices;
        }
        let choose = |choice: Choice| {
            let selected = entered.contains(&choice.value.as_str());
            choice.chosen(selected)
        };
        choices.into_iter().map(choose).collect()
    }
}
