//! How sure a matcher is.

use serde::{Deserialize, Serialize};

/// How sure a matcher is, from `0.0` (no evidence) to `1.0` (equal to a trigger).
///
/// Calibrated with caution: of the answers given at 0.7, at least 7 in 10 are right (ADR 0003). Invariant: never NaN and
/// never outside `0.0..=1.0`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

/// The number is NaN or outside the unit interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a confidence is a number from 0 to 1")]
pub struct OutsideUnitInterval;

impl Confidence {
    /// No evidence.
    pub const NONE: Self = Self(0.0);
    /// Equal after normalisation.
    pub const CERTAIN: Self = Self(1.0);

    /// Returns `None` for NaN and for values outside the unit interval.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The nearest confidence; NaN becomes [`Confidence::NONE`].
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() {
            Self::NONE
        } else {
            Self(value.clamp(0.0, 1.0))
        }
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = OutsideUnitInterval;

    fn try_from(value: f64) -> Result<Self, OutsideUnitInterval> {
        Self::new(value).ok_or(OutsideUnitInterval)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_unit_interval_is_a_confidence() {
        assert_eq!(Confidence::new(0.7).map(Confidence::get), Some(0.7));
        for value in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Confidence::new(value), None);
        }
        assert_eq!(Confidence::clamped(f64::NAN), Confidence::NONE);
        assert_eq!(Confidence::clamped(7.0), Confidence::CERTAIN);
    }
}
