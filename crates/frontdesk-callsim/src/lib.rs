//! Plays Twilio and its callers against a running front desk.
//!
//! Nothing here knows the product's code: documents are read with another reader, held against Twilio's rules and
//! carried out on a virtual clock; webhooks are signed, repeated and lost as Twilio does it.

pub mod address;
#[cfg(feature = "run")]
pub mod caller;
#[cfg(feature = "run")]
pub mod cli;
pub mod code;
pub mod document;
pub mod executor;
#[cfg(feature = "run")]
pub mod faults;
pub mod form;
#[cfg(feature = "run")]
pub mod network;
#[cfg(feature = "run")]
pub mod run;
#[cfg(feature = "run")]
pub mod server;
pub mod signature;

#[cfg(test)]
#[cfg(feature = "run")]
mod desk;
