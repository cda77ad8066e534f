//! Store ports, the SQLite backend and the caches in front of it.

pub mod ports;
