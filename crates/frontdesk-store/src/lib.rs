//! Store ports, the `SQLite` backend and the caches in front of it.

pub mod blobs;
pub mod cache;
pub mod leader;
pub mod ports;
pub mod queue;
pub mod seal;
pub mod sqlite;
pub mod system;
pub mod tasks;
