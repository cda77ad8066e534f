//! The documents of DESIGN section 3, parsed: a value of one of these types is right.

pub mod company;
pub mod overlay;
pub mod prompts;
pub mod qna;
pub mod safety;
pub mod template;
