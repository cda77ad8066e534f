//! Questions with their answers, of a company or of a trade.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed, owner_of,
    reader::{
        Reader, parse,
        shapes::{boolean, list, slug, string, wording},
    },
    trade::TradeName,
};
use crate::{
    ids::{CompanyId, QnaId},
    variables::Wording,
};

/// Whose a question is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A company's own.
    Company(CompanyId),
    /// Of every company of the trade.
    Trade(TradeName),
}

impl Owner {
    /// The company that a Q&A document names.
    ///
    /// # Errors
    /// It names none.
    pub fn company_of(document: &Value) -> Result<Self, Faults> {
        owner_of(document, "companyId", "the id of a company, of 24 hexadecimal digits").map(Self::Company)
    }

    /// The trade that a Q&A document names.
    ///
    /// # Errors
    /// It names none.
    pub fn trade_of(document: &Value) -> Result<Self, Faults> {
        match document.get("trade").and_then(Value::as_str).map(str::trim) {
            Some(trade) if (1..=100).contains(&trade.chars().count()) => Ok(Self::Trade(TradeName::new(trade))),
            _ => Err(Faults::one(
                "/trade",
                "should be the name of a trade, as text of 1 to 100 characters",
            )),
        }
    }
}

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
    pub answer: Wording,
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

impl Qna {
    /// Reads a Q&A document. `companyId` or `trade` may be left out, and must not name another owner. Give it
    /// its id before, with [`place_id`](super::place_id).
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, owner: &Owner, mode: Mode<'_>) -> Result<Parsed<Self>, Faults> {
        parse(document, mode, |doc| qna(doc, owner))
    }
}

fn qna(doc: &mut Reader<'_, '_>, owner: &Owner) -> Option<Qna> {
    let id = doc.required("id", slug(QnaId::new));
    match owner {
        Owner::Company(company) => doc.owner("companyId", &company.to_string()),
        Owner::Trade(trade) => doc.owner("trade", trade.as_str()),
    }
    let question = doc.required("question", string(1..=500));
    let variants = doc.or("variants", json!([]), list(0..=200, string(1..=500)));
    let answer = doc.required("answer", wording(1..=2_000));
    let keywords = doc.or("keywords", json!([]), list(0..=200, string(1..=100)));
    let active = doc.or("active", true, boolean);
    doc.ignored("rev");
    doc.server_time("createdAt");
    doc.server_time("updatedAt");
    Some(Qna {
        id: id?,
        question: question?,
        variants: variants?,
        answer: answer?,
        keywords: keywords?,
        active: active?,
    })
}
