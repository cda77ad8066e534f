//! The HTTP server: voice routes, admin API, probes.
//!
//! [`router`] is the table of contents of all routes. The admin API is in `admin`, one module a resource; who may do
//! what is decided by the extractors of [`auth`]; errors are [`problem`]s.

pub mod auth;
pub mod health;
pub mod metrics;
pub mod notices;
pub mod probes;
pub mod problem;
pub mod router;
pub mod state;
pub mod voice;

mod admin;
mod docs;
mod extract;
mod openapi;

pub use notices::Notices;
pub use router::router;
pub use state::{App, Lifecycle, Parts};
