//! The ledger at length: against a model, and what is particular to its tables.

mod against_model;
mod model;
mod tables;
