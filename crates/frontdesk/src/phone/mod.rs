//! A telephone that knows nothing of Frontdesk but its webhook: what it signs, reads and carries out is the call
//! simulator's, which shares no code with the answering side.

mod call;

pub use call::{Call, Callee, Dialled, Heard, Next, PhoneError, SignedAs};
