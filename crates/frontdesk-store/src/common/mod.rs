//! What every backend does in the same way, whatever it stores it in.

pub(crate) mod analytics;
pub(crate) mod audit;
pub(crate) mod bills;
pub(crate) mod cause;
pub(crate) mod changed;
pub(crate) mod documents;
pub(crate) mod messages;
pub(crate) mod notices;
pub(crate) mod rotations;
pub(crate) mod unreadable;
