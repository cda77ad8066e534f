//! Tells contacts of notifications (ADR 0015).
//!
//! [`plan`] decides from a notification's state who is told, and is asked again whenever that state changes: what is not in
//! the outbox yet is put there, so that nothing is lost when a process is killed. [`courier`] sends what is in the outbox,
//! at least once each. While the store does not answer, it tells contacts without it.

pub mod channels;
pub mod courier;
pub mod plan;

mod book;
mod guard;
mod lanes;
mod mail;
mod message;
mod posts;

pub use channels::{Channels, ChannelsOptions, MailOptions, NotSent};
pub use courier::Courier;
