//! The values of a form that was sent, and what is wrong with them.

use tenantry_app::Error;

use crate::faults;
use crate::texts::Texts;
use crate::visitor::Form;

/// The fault of a field, told to the person who entered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The name of the field; empty for the whole form.
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(field: &'static str, message: &str) -> Self {
        Self { field, message: message.to_owned() }
    }
}

/// A form that is read. It collects every fault.
pub(crate) struct Reading<'a> {
    form: &'a Form,
    pub(crate) faults: Vec<Fault>,
}

impl<'a> Reading<'a> {
    pub(crate) const fn new(form: &'a Form) -> Self {
        Self { form, faults: Vec::new() }
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.form.text(name)
    }

    /// The value of a field, or a fault with this message.
    pub(crate) fn field<T, E>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        message: &str,
    ) -> Option<T> {
        let parsed = parse(self.form.text(field)).ok();
        if parsed.is_none() {
            self.faults.push(Fault::new(field, message));
        }
        parsed
    }

    /// The value of a field that may be empty. An empty one is no value.
    pub(crate) fn optional<T, E>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        message: &str,
    ) -> Option<T> {
        if self.form.text(field).is_empty() { None } else { self.field(field, parse, message) }
    }

    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }
}

/// The faults for which a use case refused a form. An error that says nothing about the form is returned as it is.
pub(crate) fn refused(t: &'static Texts, error: Error) -> Result<Vec<Fault>, Error> {
    match faults::of(t, &error) {
        Some(faults) => Ok(faults),
        None => Err(error),
    }
}
