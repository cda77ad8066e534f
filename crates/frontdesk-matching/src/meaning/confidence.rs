//! Evidence of meaning to probability: one logistic regression for all companies.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

/// The names of the features, in order.
pub const FEATURES: [&str; 14] = [
    "always",
    "logProbability",
    "lead",
    "logit",
    "cosine",
    "cosineLead",
    "nearest",
    "rules",
    "own",
    "cross",
    "apart",
    "unitApart",
    "companyQna",
    "tradeQna",
];

/// What speaks for a candidate, in the order of [`FEATURES`].
pub type Features = [f64; FEATURES.len()];

/// Coefficients with their provenance, as they stand in `data/meaning.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoefficientData {
    /// What they were fitted on, how, and when.
    pub provenance: String,
    /// The SHA-256 of the weights of the encoder that they were fitted with.
    pub model: String,
    /// By feature, where embeddings are there.
    pub semantic: BTreeMap<String, f64>,
    /// By feature, where words alone decide.
    pub lexical: BTreeMap<String, f64>,
}

/// The mapping from evidence to probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    semantic: Features,
    lexical: Features,
}

static EMBEDDED: LazyLock<Coefficients> = LazyLock::new(|| {
    // The file is embedded; a test holds that it parses and names every feature.
    let data: CoefficientData = serde_json::from_str(include_str!("../../data/meaning.json")).unwrap_or_default();
    Coefficients::new(&data)
});

impl Coefficients {
    /// Those that the build carries.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Takes coefficients by name; one that is not there is 0.
    #[must_use]
    pub fn new(data: &CoefficientData) -> Self {
        let of = |map: &BTreeMap<String, f64>| FEATURES.map(|name| map.get(name).copied().unwrap_or_default());
        Self {
            semantic: of(&data.semantic),
            lexical: of(&data.lexical),
        }
    }

    /// The probability that a candidate is right.
    #[must_use]
    pub fn probability(&self, is_lexical: bool, features: &Features) -> f64 {
        let coefficients = if is_lexical { &self.lexical } else { &self.semantic };
        let odds: f64 = coefficients.iter().zip(features).map(|(one, other)| one * other).sum();
        1.0 / (1.0 + (-odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_coefficients_name_every_feature() {
        let data: CoefficientData = serde_json::from_str(include_str!("../../data/meaning.json")).expect("it parses");
        assert!(FEATURES.iter().all(|name| data.semantic.contains_key(*name)));
        assert!(FEATURES.iter().all(|name| data.lexical.contains_key(*name)));
        assert!(!data.provenance.is_empty());
        assert_eq!(data.model.len(), 64);
    }
}
