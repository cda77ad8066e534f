//! Measuring the ladder on labelled utterances: what is answered, what of it is right, whether confidence keeps its word.
//!
//! Texts come in and numbers and texts go out: whoever calls this reads files and clocks. The way is [`data`] (documents
//! and labels) or [`intents`] with [`tenants`] (an intent set as simulated businesses) → [`ladder`] (what is decided) →
//! [`outcome`] → [`report`] and [`plot`]. [`baseline`] compares two runs, [`tuning`] proposes thresholds, [`by_rules`] is
//! what the rules' coefficients are fitted with.

pub mod advice;
pub mod baseline;
pub mod by_rules;
pub mod data;
pub mod draw;
pub mod intents;
pub mod label;
pub mod ladder;
pub mod metrics;
pub mod outcome;
pub mod plot;
pub mod report;
pub mod tenants;
#[cfg(test)]
mod tests;
pub mod tuning;

pub use by_rules::{DEFAULT_THRESHOLDS, Tally, measure, walk};
pub use data::{Business, Businesses};
pub use label::{DataFault, Label, LabelSource, Labelled, read_utterances};

/// A count as a number to calculate with; counts of utterances are small.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
