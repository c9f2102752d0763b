//! A field of a partial update: absent, `null` and a value are three different things.

/// What a partial update says of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The field was not sent: leave it as it is.
    #[default]
    Absent,
    /// `null` was sent: clear it, where it can be cleared.
    Null,
    /// A value was sent: replace it.
    Value(T),
}

impl<T> Patch<T> {
    /// The value, unless the field is absent or `null`.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The same with the value borrowed.
    pub fn as_ref(&self) -> Patch<&T> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(value),
        }
    }

    /// The same state with the value changed by `f`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(f(value)),
        }
    }

    /// Applies the patch to a field that `null` clears.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *field = None,
            Self::Value(value) => *field = Some(value),
        }
    }

    /// Applies the patch to a field that cannot be cleared: `null` leaves it as it is.
    pub fn apply_required(self, field: &mut T) {
        if let Self::Value(value) = self {
            *field = value;
        }
    }
}

impl<T> Patch<Option<T>> {
    /// A value that is itself empty (blank text) clears like `null`.
    pub fn flatten(self) -> Patch<T> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null | Self::Value(None) => Patch::Null,
            Self::Value(Some(value)) => Patch::Value(value),
        }
    }
}
