//! Store ports, the `SQLite` backend and the caches in front of it.

pub mod blobs;
pub mod cache;
mod common;
pub mod instances;
pub mod leader;
#[cfg(feature = "mongo")]
pub mod mongo;
pub mod mongo_url;
pub mod moving;
pub mod ports;
pub mod queue;
pub mod recount;
pub mod redis;
pub mod redis_url;
pub mod seal;
pub mod sqlite;
pub mod system;
pub mod tasks;
