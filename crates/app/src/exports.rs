//! Limits the exports that one owner runs at once. Each chunk of an export is a list query.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::{App, Error, Requester, limits};

/// The exports in progress, by the id that they are counted under.
#[derive(Debug, Default)]
pub(crate) struct RunningExports(Mutex<HashMap<Option<Uuid>, Arc<()>>>);

/// An export in progress, until it is dropped.
#[derive(Debug)]
pub struct ExportPlace {
    _counted: Arc<()>,
}

impl App {
    /// Begins an export, which ends when the result is dropped.
    ///
    /// # Errors
    /// [`Error::TooManyExports`].
    pub fn begin_export(&self, by: &Requester) -> Result<ExportPlace, Error> {
        let mut running = self.exports.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An entry is one of the references to itself.
        running.retain(|_, place| Arc::strong_count(place) > 1);
        let place = running.entry(by.limited_as()).or_default();
        if Arc::strong_count(place) > limits::EXPORTS_PER_OWNER {
            return Err(Error::TooManyExports);
        }
        Ok(ExportPlace { _counted: Arc::clone(place) })
    }
}
