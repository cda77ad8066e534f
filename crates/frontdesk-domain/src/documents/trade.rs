//! Names of trades.

use std::{fmt, hash, sync::Arc};

/// The name of a trade, as somebody wrote it; names that differ only in case or outer blanks are equal.
#[derive(Clone)]
pub struct TradeName {
    written: Arc<str>,
    folded: Arc<str>,
}

impl TradeName {
    /// Takes a name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let written = name.trim();
        Self {
            written: written.into(),
            folded: written.to_lowercase().into(),
        }
    }

    /// The name as it was written, for people.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name in lower case: equal for equal trades, for keys.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.folded
    }
}

impl PartialEq for TradeName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for TradeName {}

impl PartialOrd for TradeName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TradeName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl hash::Hash for TradeName {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for TradeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for TradeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_are_compared_without_case() {
        assert_eq!(TradeName::new("Dental"), TradeName::new(" DENTAL "));
        assert_ne!(TradeName::new("Dental"), TradeName::new("Dental care"));
        assert_eq!(TradeName::new("Dental").as_str(), "Dental");
    }
}
