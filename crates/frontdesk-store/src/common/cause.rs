//! What a failed write says of what was to be written.

use crate::ports::StoreError;

/// Why a write failed, seen from what was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is itself what the store refuses: it does so for ever.
    Lasting,
    /// The store or the way to it: no write of that moment is to blame.
    Passing,
    /// Either.
    Unknown,
}

impl Cause {
    pub(crate) fn of(failure: &StoreError) -> Self {
        let StoreError::Unavailable { source, .. } = failure else {
            return Self::Unknown;
        };
        let known = crate::sqlite::cause(&**source);
        #[cfg(feature = "mongo")]
        let known = known.or_else(|| crate::mongo::cause(&**source));
        known.unwrap_or(Self::Unknown)
    }
}
