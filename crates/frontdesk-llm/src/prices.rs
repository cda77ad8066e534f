//! Prices as data: what a model's tokens cost, from which day on, for requests of which size.

use std::sync::{Arc, LazyLock};

use frontdesk_domain::{
    ledger::{PriceRow, Usage},
    money::PicoUsd,
};
use jiff::civil::Date;

/// The prices that come with the program: `data/prices.json`, of November 2026.
static EMBEDDED: LazyLock<Vec<Arc<PriceRow>>> = LazyLock::new(|| {
    let rows = parse_rows(include_str!("../data/prices.json")).unwrap_or_default();
    rows.into_iter().map(Arc::new).collect()
});

/// Why a text holds no prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPrices {
    /// It is no JSON array of rows.
    #[error("is no JSON array of price rows such as {EXAMPLE}: {0}")]
    Shape(String),
    /// A row cannot be one.
    #[error("has a row {row} ({id}) that {detail}")]
    Row {
        /// Which one, from 1.
        row: usize,
        /// Its id.
        id: Arc<str>,
        /// What is wrong with it.
        detail: &'static str,
    },
}

const EXAMPLE: &str = r#"[{"id":"mine","provider":"local","model":"qwen*","effectiveFrom":"2026-01-01","input":0,"cached":0,"cacheWrite":0,"output":0}] (pico-USD a token: USD per million tokens × 1,000,000)"#;

/// Reads price rows: a JSON array of [`PriceRow`].
///
/// # Errors
/// It is none, or a row names no model.
pub fn parse_rows(json: &str) -> Result<Vec<PriceRow>, NotPrices> {
    let rows: Vec<PriceRow> = serde_json::from_str(json).map_err(|error| NotPrices::Shape(error.to_string()))?;
    for (row, price) in (1..).zip(&rows) {
        let refused = |detail| NotPrices::Row {
            row,
            id: Arc::clone(&price.id),
            detail,
        };
        if price.id.trim().is_empty() {
            return Err(refused("has no id: ledger entries name their price by it"));
        }
        if price.model.trim().is_empty() {
            return Err(refused("names no model; `*` stands for any number of characters"));
        }
    }
    Ok(rows)
}

/// The prices of all models that are known.
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    rows: Vec<Arc<PriceRow>>,
}

impl PriceTable {
    /// Those that come with the program.
    #[must_use]
    pub fn embedded() -> Self {
        Self { rows: EMBEDDED.clone() }
    }

    /// With an operator's own rows, which win over those before them where they say as much.
    #[must_use]
    pub fn with_rows(mut self, rows: Vec<PriceRow>) -> Self {
        self.rows.extend(rows.into_iter().map(Arc::new));
        self
    }

    /// The prices of a model on a day; `None` if it has none: it must not be asked, since nobody knows what it costs.
    ///
    /// The pattern that says most about the model decides, then the newest day, then the row that was added last.
    #[must_use]
    pub fn of(&self, model: &str, day: Date) -> Option<Prices> {
        let in_force = || {
            let rows = self.rows.iter().enumerate();
            rows.filter(|(_, row)| row.effective_from <= day && matches(&row.model, model))
        };
        let exactness = |row: &PriceRow| row.model.bytes().filter(|byte| *byte != b'*').count();
        let best = in_force().map(|(_, row)| exactness(row)).max()?;
        let mut bands: Vec<Arc<PriceRow>> = Vec::new();
        let mut rows: Vec<_> = in_force().filter(|(_, row)| exactness(row) == best).collect();
        rows.sort_by_key(|(at, row)| (row.above_prompt_tokens, row.effective_from, *at));
        for (_, row) in rows {
            match bands.last_mut() {
                Some(band) if band.above_prompt_tokens == row.above_prompt_tokens => *band = Arc::clone(row),
                _ => bands.push(Arc::clone(row)),
            }
        }
        // A band above a size is no price for requests below it.
        bands.first().is_some_and(|band| band.above_prompt_tokens == 0).then_some(Prices { bands })
    }
}

/// The prices of one model, by the size of the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// From the smallest; never empty, and the first holds from no token on.
    bands: Vec<Arc<PriceRow>>,
}

impl Prices {
    /// The most that a request can cost whose prompt has at most so many tokens and whose answer is limited to so many,
    /// and the row by which it would.
    #[must_use]
    pub fn worst(&self, prompt_bound: u64, max_tokens: u64) -> Option<(PicoUsd, Arc<PriceRow>)> {
        let reachable = self.bands.iter().filter(|band| band.above_prompt_tokens < prompt_bound.max(1));
        reachable
            .map(|row| (row.worst(prompt_bound, max_tokens), Arc::clone(row)))
            .max_by_key(|(amount, _)| *amount)
    }

    /// What a usage costs, and the row by which it does.
    #[must_use]
    pub fn bill(&self, usage: &Usage) -> Option<(PicoUsd, Arc<PriceRow>)> {
        let mut bands = self.bands.iter().rev();
        let row = bands.find(|band| band.above_prompt_tokens < usage.prompt.max(1))?;
        Some((row.cost(usage), Arc::clone(row)))
    }
}

/// Whether a pattern with `*` for any number of characters fits a whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(before) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const DAY: Date = date(2026, 11, 26);

    fn row(id: &str, model: &str, input: u64) -> PriceRow {
        PriceRow {
            id: id.into(),
            provider: "local".into(),
            model: model.into(),
            above_prompt_tokens: 0,
            effective_from: date(2026, 1, 1),
            input,
            cached: input,
            cache_write: input,
            output: input,
        }
    }

    fn chosen(table: &PriceTable, model: &str) -> Option<String> {
        let usage = Usage {
            prompt: 1,
            ..Usage::default()
        };
        Some(table.of(model, DAY)?.bill(&usage)?.1.id.to_string())
    }

    #[test]
    fn the_embedded_prices_are_those_of_the_research() {
        let table = PriceTable::embedded();
        let usage = Usage {
            prompt: 1_000_000,
            cached: 0,
            cache_write: 0,
            completion: 1_000_000,
        };
        let small = Usage {
            prompt: 100_000,
            completion: 100_000,
            ..usage
        };
        let cost = |model: &str, usage| table.of(model, DAY).unwrap().bill(usage).unwrap().0.to_string();
        assert_eq!(cost("gpt-6-luna", &small), "0.06");
        assert_eq!(cost("gpt-6-luna-2026-10-01", &small), "0.06");
        assert_eq!(cost("gpt-6.1-terra", &small), "0.6");
        assert_eq!(cost("gpt-6-sol", &small), "1.2");
        assert_eq!(cost("gpt-6-luna", &usage), "0.95", "double and one and a half above 272,000");
        assert!(EMBEDDED.iter().all(|row| row.input > 0 && row.output > 0 && row.cached > 0));
    }

    #[test]
    fn a_model_without_a_price_has_none() {
        assert_eq!(chosen(&PriceTable::embedded(), "gpt-7"), None);
        assert_eq!(chosen(&PriceTable::embedded(), "gpt-6-lun"), None);
        let future = PriceRow {
            effective_from: date(2027, 1, 1),
            ..row("future", "gpt-7", 1)
        };
        assert_eq!(chosen(&PriceTable::default().with_rows(vec![future]), "gpt-7"), None);
        let large = PriceRow {
            above_prompt_tokens: 1_000,
            ..row("large", "gpt-7", 1)
        };
        assert_eq!(chosen(&PriceTable::default().with_rows(vec![large]), "gpt-7"), None);
    }

    #[test]
    fn what_says_most_wins_then_the_newest_then_the_last() {
        let newer = PriceRow {
            effective_from: date(2026, 6, 1),
            ..row("newer", "gpt-6-luna*", 2)
        };
        let rows = vec![row("mine", "gpt-6-luna*", 1), newer, row("any", "*", 3), row("exact", "qwen:0.6b", 0)];
        let table = PriceTable::embedded().with_rows(rows);
        assert_eq!(chosen(&table, "gpt-6-luna").as_deref(), Some("newer"));
        assert_eq!(chosen(&table, "qwen:0.6b").as_deref(), Some("exact"));
        assert_eq!(chosen(&table, "llama").as_deref(), Some("any"));
    }

    #[test]
    fn the_worst_case_is_that_of_the_dearest_band_within_reach() {
        let prices = PriceTable::embedded().of("gpt-6-luna", DAY).unwrap();
        let (small, row) = prices.worst(4_000, 160).unwrap();
        assert_eq!((small.pico(), row.above_prompt_tokens), (4_000 * 125_000 + 160 * 500_000, 0));
        let (large, row) = prices.worst(300_000, 160).unwrap();
        assert_eq!(
            (large.pico(), row.above_prompt_tokens),
            (300_000 * 250_000 + 160 * 750_000, 272_000)
        );
        for prompt in [0, 1, 271_999, 272_000, 272_001, 300_000] {
            let usage = Usage {
                prompt,
                cached: 0,
                cache_write: prompt,
                completion: 160,
            };
            assert!(prices.bill(&usage).unwrap().0 <= large);
        }
    }

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, fits) in [
            ("gpt-6", "gpt-6", true),
            ("gpt-6", "gpt-6-x", false),
            ("gpt-6*", "gpt-6", true),
            ("*luna", "gpt-6-luna", true),
            ("g*6*luna*", "gpt-6-luna-1", true),
            ("g*6*luna", "gpt-6-luna-1", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn rows_that_are_none_are_refused_in_words() {
        assert!(parse_rows("{}").unwrap_err().to_string().contains("JSON array"));
        assert!(parse_rows(r#"[{"id":"x"}]"#).unwrap_err().to_string().contains("missing field"));
        let unnamed = r#"[{"id":"x","provider":"p","model":" ","effectiveFrom":"2026-01-01","input":1,"cached":1,"cacheWrite":1,"output":1}]"#;
        assert!(parse_rows(unnamed).unwrap_err().to_string().contains("row 1 (x) that names no model"));
    }
}
