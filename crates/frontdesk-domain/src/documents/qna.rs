//! Questions with their answers, of a company or of a trade.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed, owner_of,
    reader::{
        Reader, parse,
        shapes::{boolean, is_one_line, list, slug, string, wording},
    },
    trade::TradeName,
    with_owner,
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
        parse(document, mode, |doc| qna(doc, Some(owner)))
    }

    /// Reads a Q&A document that says itself of which company it is.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse_of_company(document: &Value, mode: Mode<'_>) -> Result<(Owner, Parsed<Self>), Faults> {
        let owner = owner_of(
            document,
            "companyId",
            "the id of a company, of 24 hexadecimal digits",
            |id| id.parse().ok().map(Owner::Company),
        );
        Self::parse_owned(document, owner, mode)
    }

    /// Reads a Q&A document that says itself of which trade it is.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse_of_trade(document: &Value, mode: Mode<'_>) -> Result<(Owner, Parsed<Self>), Faults> {
        let owner = owner_of(
            document,
            "trade",
            "the name of a trade, as one line of 1 to 100 characters",
            |trade| {
                let name = TradeName::new(trade);
                let fits = (1..=100).contains(&name.as_str().chars().count());
                (fits && is_one_line(trade)).then_some(Owner::Trade(name))
            },
        );
        Self::parse_owned(document, owner, mode)
    }

    fn parse_owned(
        document: &Value,
        owner: Result<Owner, Faults>,
        mode: Mode<'_>,
    ) -> Result<(Owner, Parsed<Self>), Faults> {
        let known = owner.as_ref().ok().cloned();
        with_owner(owner, parse(document, mode, |doc| qna(doc, known.as_ref())))
    }
}

fn qna(doc: &mut Reader<'_, '_>, owner: Option<&Owner>) -> Option<Qna> {
    let id = doc.required("id", slug(QnaId::new));
    match owner {
        Some(Owner::Company(company)) => doc.owner("companyId", &company.to_string()),
        Some(Owner::Trade(trade)) => doc.owner("trade", trade.as_str()),
        // The caller has found this fault already.
        None => {
            doc.ignored("companyId");
            doc.ignored("trade");
        }
    }
    let question = doc.required("question", string(1..=500));
    let variants = doc.or("variants", json!([]), list(0..=200, string(1..=500)));
    let answer = doc.required("answer", wording(1..=2_000));
    let keywords = doc.or("keywords", json!([]), list(0..=200, string(1..=100)));
    let active = doc.or("active", true, boolean);
    doc.ignored("rev");
    doc.ignored("warnings");
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
