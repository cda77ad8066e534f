//! Questions with their answers, of a company or of a trade.

use std::sync::Arc;

use serde::Deserialize;

use crate::ids::QnaId;

/// A question with its answer. Whose it is, the set that holds it knows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Qna {
    /// Unique within its company or trade.
    pub id: QnaId,
    /// The question in full.
    pub question: String,
    /// Other wordings of it.
    #[serde(default)]
    pub variants: Vec<String>,
    /// What is spoken; `{variable}` is filled in.
    pub answer: Arc<str>,
    /// Words that point to it.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Only active ones match.
    #[serde(default = "active")]
    pub active: bool,
}

const fn active() -> bool {
    true
}
