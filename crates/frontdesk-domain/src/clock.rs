//! The time, as something that is handed in.

use jiff::Timestamp;

/// Tells the time of day. The binary hands in the system's clock, tests one that they set.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}
