//! What models cost: the embedded price list, rows of the operator's own, and the price of one request.
//!
//! Prices are whole pico-USD a token: USD 0.10 per million tokens are 100,000.

mod reading;

use std::sync::Arc;

use frontdesk_domain::{
    ledger::{PriceRow, Usage},
    money::PicoUsd,
};
use jiff::civil::Date;
pub use reading::{NotPrices, parse_rows};

/// The price list that the binary has: prices of November 2026.
const EMBEDDED: &str = include_str!("../data/prices.json");

/// The prices of all models that may be asked.
///
/// A model is looked up by its name and the day. Of the patterns that match, the one with the fewest `*` decides, then the one
/// with the most other characters, then the one that was given last. Of its rows, each band of prompt sizes has the newest that
/// holds on that day.
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    /// Later ones win over earlier ones of the same pattern, band and day.
    rows: Vec<Arc<PriceRow>>,
}

impl PriceTable {
    /// The prices that the binary has. None of them is 0.
    #[must_use]
    pub fn embedded() -> Self {
        // A test reads them. Were they damaged, no model would have a price, and none would be asked.
        Self::default().with_rows(parse_rows(EMBEDDED).unwrap_or_default())
    }

    /// Adds rows, which win over earlier ones of the same model pattern, band and day.
    ///
    /// They may cost 0: a model on the operator's own machine is billed by nobody.
    #[must_use]
    pub fn with_rows(mut self, rows: Vec<PriceRow>) -> Self {
        self.rows.extend(rows.into_iter().map(Arc::new));
        self
    }

    /// What the model costs on that day (UTC). `None` means that its price is not known, so that it must not be asked.
    ///
    /// A pattern without a row for the smallest prompts (`abovePromptTokens` 0) prices nothing.
    #[must_use]
    pub fn of(&self, model: &str, day: Date) -> Option<Prices> {
        let matching = self
            .rows
            .iter()
            .filter(|row| row.effective_from <= day && matches(&row.model, model));
        let best = matching
            .clone()
            .filter(|row| row.above_prompt_tokens == 0)
            .max_by_key(|row| specificity(&row.model))?;
        let mut bands: Vec<Arc<PriceRow>> = Vec::new();
        for row in matching.filter(|row| row.model == best.model) {
            let of_the_band = bands
                .iter_mut()
                .find(|band| band.above_prompt_tokens == row.above_prompt_tokens);
            match of_the_band {
                Some(older) if older.effective_from <= row.effective_from => *older = Arc::clone(row),
                Some(_) => {}
                None => bands.push(Arc::clone(row)),
            }
        }
        bands.sort_by_key(|row| row.above_prompt_tokens);
        let mut bands = bands.into_iter();
        Some(Prices {
            base: bands.next()?,
            above: bands.collect(),
        })
    }
}

/// Fewer wildcards first, then more characters that must be there.
fn specificity(pattern: &str) -> (std::cmp::Reverse<usize>, usize) {
    let wildcards = pattern.matches('*').count();
    (std::cmp::Reverse(wildcards), pattern.len() - wildcards)
}

/// Whether the whole name fits the pattern, in which `*` stands for any number of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        // The first place is as good as any: what follows has the more room.
        let Some((_, after)) = name.split_once(part) else {
            return false;
        };
        name = after;
    }
    true
}

/// What one model costs on one day, by the size of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// For prompts up to the first band above.
    base: Arc<PriceRow>,
    /// For larger prompts, smaller bands first.
    above: Vec<Arc<PriceRow>>,
}

impl Prices {
    /// The most that a request of at most these tokens can cost, and by which row.
    ///
    /// It is the dearest of all bands that such a prompt can be billed at; a smaller prompt may be the dearer one.
    #[must_use]
    pub fn worst(&self, prompt_bound: u64, max_tokens: u64) -> (PicoUsd, Arc<PriceRow>) {
        let mut ends = self.above.iter().map(|row| row.above_prompt_tokens);
        let mut worst_of = |row: &Arc<PriceRow>| {
            let largest = ends.next().unwrap_or(u64::MAX).min(prompt_bound);
            (row.worst(largest, max_tokens), Arc::clone(row))
        };
        let base = worst_of(&self.base);
        let reachable = self.above.iter().filter(|row| row.above_prompt_tokens < prompt_bound);
        reachable
            .map(worst_of)
            .fold(base, |dearest, band| if band.0 > dearest.0 { band } else { dearest })
    }

    /// What this usage costs, by the row of the prompt's size, and that row.
    #[must_use]
    pub fn bill(&self, usage: &Usage) -> (PicoUsd, Arc<PriceRow>) {
        let mut bands = self.above.iter().rev();
        let row = bands
            .find(|row| row.above_prompt_tokens < usage.prompt)
            .unwrap_or(&self.base);
        (row.cost(usage), Arc::clone(row))
    }
}

#[cfg(test)]
mod tests;
