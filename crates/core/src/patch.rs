//! A field of a partial update, which has three states: absent, `null`, or a value.

/// One field of a partial update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The field was not sent: it keeps its value.
    #[default]
    Absent,
    /// `null` was sent: an optional field is cleared, a required field keeps its value.
    Null,
    /// A value was sent: it replaces the field.
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

    /// The same state with a reference to the value.
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

    /// Applies the patch to an optional field: `null` clears it.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *field = None,
            Self::Value(value) => *field = Some(value),
        }
    }

    /// Applies the patch to a required field: `null` keeps its value.
    pub fn apply_required(self, field: &mut T) {
        if let Self::Value(value) = self {
            *field = value;
        }
    }
}

impl<T> Patch<Option<T>> {
    /// Treats an empty value, such as a blank text, as `null`.
    pub fn flatten(self) -> Patch<T> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null | Self::Value(None) => Patch::Null,
            Self::Value(Some(value)) => Patch::Value(value),
        }
    }
}
