//! Imports of customers: many rows of a file, each of which creates or changes a customer as a single request would.

/// The form of an imported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A table whose first line names the columns.
    Csv,
    /// A JSON object on each line.
    JsonLines,
}

impl ImportFormat {
    const ALL: [Self; 2] = [Self::Csv, Self::JsonLines];

    /// The format's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// The treatment of a row whose external id or address an existing customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMatch {
    /// The row changes nothing.
    Skip,
    /// The row changes the customer.
    Update,
    /// The row fails, as a single creation does.
    Fail,
}

impl OnMatch {
    /// Every treatment.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Update, Self::Fail];

    /// The treatment's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Update => "update",
            Self::Fail => "fail",
        }
    }

    /// The treatment of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|treatment| treatment.as_str() == name)
    }
}

/// The state of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// The file is not complete yet. Nothing of it is carried out.
    Receiving,
    /// Rows are being carried out, or wait for a worker.
    Running,
    /// Every row is done.
    Completed,
    /// A caller stopped the import. The remaining rows are not carried out.
    Stopped,
    /// The remaining rows cannot be carried out.
    Failed,
}

impl ImportState {
    const ALL: [Self; 5] = [Self::Receiving, Self::Running, Self::Completed, Self::Stopped, Self::Failed];

    /// The state's name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether the import has ended.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Stopped | Self::Failed)
    }

    /// Whether the import has ended before its last row.
    #[must_use]
    pub const fn is_incomplete(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

/// The numbers of rows of an import that are done, by their outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Rows that created a customer.
    pub created: i64,
    /// Rows that changed a customer or added a member to it.
    pub updated: i64,
    /// Rows whose customer had the values already.
    pub unchanged: i64,
    /// Rows that matched a customer and were skipped.
    pub skipped: i64,
    /// Rows that a rule refused.
    pub failed: i64,
}

impl ImportCounts {
    /// The number of all rows that are done. The next row has the number after it.
    #[must_use]
    pub const fn done(self) -> i64 {
        let Self { created, updated, unchanged, skipped, failed } = self;
        created
            .saturating_add(updated)
            .saturating_add(unchanged)
            .saturating_add(skipped)
            .saturating_add(failed)
    }
}
