//! A telephone that knows nothing of Frontdesk but its webhook: it signs and posts as Twilio does, and reads the
//! documents that come back with a reader of its own.

mod call;
mod document;
mod steps;

pub use call::{Call, Callee, Heard, PhoneError, SignedAs};
pub use document::{Document, Gather, NotTwiml, Record, Verb};
pub use steps::{Dialled, Next, Steps};
