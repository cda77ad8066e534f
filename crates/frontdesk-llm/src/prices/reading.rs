//! Reads price rows and says what is wrong with them, and what would be right.

use std::sync::Arc;

use frontdesk_domain::ledger::PriceRow;
use jiff::civil::Date;
use serde_json::{Map, Value};

/// Why a text is no list of prices.
#[derive(Debug, thiserror::Error)]
pub enum NotPrices {
    /// It is no JSON.
    #[error("the prices are no JSON")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but no array.
    #[error("the prices are no JSON array; write the rows between [ and ]")]
    NotAnArray,
    /// A row is no object.
    #[error("row {row} (counted from 0) is no JSON object")]
    NotAnObject {
        /// Its place, from 0.
        row: usize,
    },
    /// A row has a field that rows do not have.
    #[error("row {row} (counted from 0): there is no field `{field}`; the fields are {}", FIELDS.join(", "))]
    UnknownField {
        /// Its place, from 0.
        row: usize,
        /// The field.
        field: String,
    },
    /// A field of a row is missing or holds something else.
    #[error("row {row} (counted from 0): `{field}` must be {right}")]
    Field {
        /// Its place, from 0.
        row: usize,
        /// The field.
        field: &'static str,
        /// What would be right.
        right: &'static str,
    },
}

const FIELDS: [&str; 9] = [
    "id",
    "provider",
    "model",
    "abovePromptTokens",
    "effectiveFrom",
    "input",
    "cached",
    "cacheWrite",
    "output",
];

const A_NAME: &str = "a text that names the row, such as \"mine/llama-4/2026-11-01\"";
const A_PROVIDER: &str = "a text such as \"openai\"";
const A_MODEL: &str = "the model's name, with * for any number of characters, such as \"gpt-6-luna\"";
const A_SIZE: &str = "a whole number of tokens, such as 272000";
const A_DAY: &str = "the first day on which the row holds, such as \"2026-11-01\"";
const A_PRICE: &str = "a whole number of pico-USD a token: USD 0.10 per million tokens are 100000";

/// Reads a JSON array of price rows, as `data/prices.json` has them.
///
/// # Errors
/// Names the first row and field that is wrong.
pub fn parse_rows(json: &str) -> Result<Vec<PriceRow>, NotPrices> {
    let Value::Array(rows) = serde_json::from_str(json)? else {
        return Err(NotPrices::NotAnArray);
    };
    let rows = rows.into_iter().enumerate();
    rows.map(|(row, value)| match value {
        Value::Object(fields) => Row { row, fields }.read(),
        _ => Err(NotPrices::NotAnObject { row }),
    })
    .collect()
}

struct Row {
    row: usize,
    fields: Map<String, Value>,
}

impl Row {
    fn read(&self) -> Result<PriceRow, NotPrices> {
        if let Some(field) = self.fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            let (row, field) = (self.row, field.clone());
            return Err(NotPrices::UnknownField { row, field });
        }
        Ok(PriceRow {
            id: self.text("id", A_NAME)?,
            provider: self.text("provider", A_PROVIDER)?,
            model: self.text("model", A_MODEL)?,
            above_prompt_tokens: match self.fields.get("abovePromptTokens") {
                None => 0,
                Some(_) => self.number("abovePromptTokens", A_SIZE)?,
            },
            effective_from: self.day("effectiveFrom")?,
            input: self.number("input", A_PRICE)?,
            cached: self.number("cached", A_PRICE)?,
            cache_write: self.number("cacheWrite", A_PRICE)?,
            output: self.number("output", A_PRICE)?,
        })
    }

    fn text(&self, field: &'static str, right: &'static str) -> Result<Arc<str>, NotPrices> {
        let text = self.fields.get(field).and_then(Value::as_str);
        // A model with a blank around its name would match nothing, and nobody would see why.
        let text = text.filter(|text| !text.is_empty() && text.trim() == *text);
        text.map(Arc::from).ok_or_else(|| self.wrong(field, right))
    }

    fn number(&self, field: &'static str, right: &'static str) -> Result<u64, NotPrices> {
        let number = self.fields.get(field).and_then(Value::as_u64);
        number.ok_or_else(|| self.wrong(field, right))
    }

    fn day(&self, field: &'static str) -> Result<Date, NotPrices> {
        let text = self.fields.get(field).and_then(Value::as_str);
        let day = text.and_then(|text| text.parse().ok());
        day.ok_or_else(|| self.wrong(field, A_DAY))
    }

    const fn wrong(&self, field: &'static str, right: &'static str) -> NotPrices {
        let row = self.row;
        NotPrices::Field { row, field, right }
    }
}
