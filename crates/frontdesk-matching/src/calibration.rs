//! Evidence to probability: a conditional logit over the candidates of a source and "none of them".

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::evidence::{FEATURES, Features, NONE_FEATURES, NoneFeatures};

/// Coefficients with their provenance, as they stand in `data/calibration.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CalibrationData {
    /// What they were fitted on, how, and when.
    pub provenance: String,
    /// By the name of a candidate's feature.
    pub candidate: BTreeMap<String, f64>,
    /// By the name of a feature of "none of them".
    pub none: BTreeMap<String, f64>,
}

/// The mapping from evidence to probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    candidate: Features,
    none: NoneFeatures,
}

static EMBEDDED: LazyLock<Calibration> = LazyLock::new(|| {
    // The file is embedded; a test holds that it parses and names every feature.
    let data: CalibrationData = serde_json::from_str(include_str!("../data/calibration.json")).unwrap_or_default();
    Calibration::new(&data)
});

impl Calibration {
    /// The coefficients that the build carries.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Takes the coefficients by name; one that is not there is 0.
    #[must_use]
    pub fn new(data: &CalibrationData) -> Self {
        let of = |map: &BTreeMap<String, f64>, name: &str| map.get(name).copied().unwrap_or_default();
        Self {
            candidate: FEATURES.map(|name| of(&data.candidate, name)),
            none: NONE_FEATURES.map(|name| of(&data.none, name)),
        }
    }

    /// The log-odds of a candidate, up to a constant.
    #[must_use]
    pub fn candidate(&self, features: &Features) -> f64 {
        dot(&self.candidate, features)
    }

    /// The log-odds of "none of them", up to the same constant.
    #[must_use]
    pub fn none(&self, features: &NoneFeatures) -> f64 {
        dot(&self.none, features)
    }

    /// Turns log-odds of the candidates of one source into probabilities.
    pub fn probabilities(none: f64, log_odds: &mut [f64]) {
        let highest = log_odds.iter().copied().fold(none, f64::max);
        let mut sum = (none - highest).exp();
        for value in log_odds.iter_mut() {
            *value = (*value - highest).exp();
            sum += *value;
        }
        for value in log_odds.iter_mut() {
            *value /= sum;
        }
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_coefficients_name_every_feature() {
        let data: CalibrationData = serde_json::from_str(include_str!("../data/calibration.json")).expect("it parses");
        assert!(FEATURES.iter().all(|name| data.candidate.contains_key(*name)));
        assert!(NONE_FEATURES.iter().all(|name| data.none.contains_key(*name)));
        assert!(!data.provenance.is_empty());
    }

    #[test]
    fn probabilities_and_none_sum_to_one() {
        let mut values = [3.0, -900.0, 2.0];
        Calibration::probabilities(1.0, &mut values);
        let none = 1.0 - values.iter().sum::<f64>();
        assert!(none > 0.0 && values[0] > values[2] && values[1] >= 0.0);
        let mut huge = [1e6];
        Calibration::probabilities(-1e6, &mut huge);
        assert!((huge[0] - 1.0).abs() < 1e-9);
    }
}
