//! The frontdesk binary as a library: configuration, wiring, the telephone that `call` and tests use, the commands.

pub mod config;
pub mod http_client;
pub mod phone;
