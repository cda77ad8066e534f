//! What holds for every input from outside, whatever bytes it is made of.
//!
//! Each module has one function `holds`, which panics where its property does not hold. The tests run them over
//! `fuzz/corpus` and over random changes of it; the targets in `fuzz/` hand them to a fuzzer.

mod desk;
mod document;

pub mod action_state;
pub mod company;
pub mod form;
pub mod import;
pub mod signature;
pub mod twiml;

/// A property over any bytes.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target.
pub const ALL: [(&str, Property); 6] = [
    ("action-state", action_state::holds),
    ("company", company::holds),
    ("form", form::holds),
    ("import", import::holds),
    ("signature", signature::holds),
    ("twiml", twiml::holds),
];
