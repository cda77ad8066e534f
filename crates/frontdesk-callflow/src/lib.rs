//! The call path: what happens between a verified webhook and the document that answers it.
//!
//! Read [`turn::handle_turn`] first. Each step of DESIGN section 1 is a module named after it, and none of them fails:
//! what cannot be done is a value that the next step answers.

pub mod company;
pub mod flow;
pub mod limits;
pub mod llm;
pub mod meaning;
pub mod settings;
pub mod shares;
pub mod state;
pub mod turn;
pub mod webhook;

mod answer;
mod answers;
mod conversation;
mod emergency;
mod fallback;
mod flight;
mod foreign;
mod gatekeeper;
mod hints;
mod knowledge;
mod message;
mod other_instances;
mod priority;
mod record;
mod respond;
mod rules;
mod safety;
mod seen;
mod speech;
mod status;
mod trace;

#[cfg(test)]
mod tests;

pub use flow::{CallFlow, Deps};
pub use webhook::{Route, Webhook};
