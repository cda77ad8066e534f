//! The call path: what happens between a verified webhook and the document that answers it.
//!
//! Read [`turn::handle_turn`] first. Each step of DESIGN section 1 is a module named after it, and none of them fails:
//! what cannot be done is a value that the next step answers.

pub mod company;
pub mod flow;
pub mod settings;
pub mod state;
pub mod turn;

mod answer;
mod conversation;
mod fallback;
mod foreign;
mod gatekeeper;
mod knowledge;
mod message;
mod priority;
mod record;
mod rules;
mod safety;
mod speech;
mod status;
mod trace;

#[cfg(test)]
mod tests;

pub use flow::{CallFlow, Deps, Webhook};
