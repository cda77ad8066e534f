//! Plays Twilio and its callers against a running front desk.
//!
//! Nothing here knows the product's code: documents are read with another reader, held against Twilio's rules and
//! carried out on a virtual clock; webhooks are signed, repeated and lost as Twilio does it.

pub mod address;
pub mod caller;
pub mod cli;
pub mod code;
pub mod document;
pub mod executor;
pub mod faults;
pub mod form;
pub mod network;
pub mod run;
pub mod server;
pub mod signature;

#[cfg(test)]
mod desk;
