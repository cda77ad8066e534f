//! The words, documents, money and time of Frontdesk.
//!
//! Pure: this crate does no I/O, reads no clock and draws no random number. Whatever needs one
//! of these takes it as an argument.

pub mod address;
pub mod alert;
pub mod call_state;
pub mod clock;
pub mod confidence;
pub mod decision;
pub mod documents;
pub mod fnv;
pub mod health;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod notice;
pub mod phone;
pub mod record;
pub mod redaction;
pub mod rotation;
pub mod runbook;
pub mod time;
pub mod variables;
