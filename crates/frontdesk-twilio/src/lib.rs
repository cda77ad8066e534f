//! What Twilio sends and what it wants back: forms, signatures, typed parameters and `TwiML`.
//!
//! Pure: no input or output, no clock, no random number. A turn meets the modules in this order:
//! [`form`] reads the body, [`signature`] proves who sent it, [`webhook`] names its parameters, and
//! [`twiml`] writes the answer.

pub mod form;
pub mod recording;
pub mod signature;
pub mod twiml;
pub mod webhook;
