//! Tier 1 of the ladder: which scenario or Q&A answers an utterance, by rules, and how sure that is.
//!
//! Pure: no I/O, no clock, no random number. The path of an utterance is [`normal`] → [`knowledge::Knowledge::decide`]
//! → [`rules::Findings`], which the caller holds against its thresholds.

pub mod alike;
pub mod calibration;
pub mod evaluation;
pub mod evidence;
pub mod grouping;
mod hash;
pub mod knowledge;
pub mod language;
mod lexicon;
pub mod meaning;
pub mod normal;
mod patterns;
pub mod phrases;
mod piece;
pub mod rules;
pub mod safety;
mod spelling;
mod stem;
mod words;

pub use piece::Target;
