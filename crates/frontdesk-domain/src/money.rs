//! Money as whole pico-USD, never a float.

use std::{fmt, ops::Add, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in pico-USD (10⁻¹² US dollar), at most about 9.2 million dollars.
///
/// Written as a decimal USD string (`"145.5"`), read from a JSON number or a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicoUsd(i64);

/// Why a text is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// Not a decimal number.
    #[error("is not a decimal number such as 200 or \"145.50\"")]
    NotANumber,
    /// Finer than a pico-dollar.
    #[error("has more than 12 digits behind the point")]
    TooFine,
    /// Beyond what 64 bits of pico-USD hold.
    #[error("is larger than 9,000,000 US dollars")]
    TooLarge,
}

const DIGITS: usize = 12;

impl PicoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Takes a number of pico-dollars.
    #[must_use]
    pub const fn from_pico(pico: i64) -> Self {
        Self(pico)
    }

    /// The number of pico-dollars.
    #[must_use]
    pub const fn pico(self) -> i64 {
        self.0
    }
}

impl Add for PicoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl FromStr for PicoUsd {
    type Err = NotMoney;

    /// Reads a JSON number: sign, digits, fraction and exponent, exactly.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NotMoney::NotANumber)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(NotMoney::NotANumber),
            None => (mantissa, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(NotMoney::NotANumber);
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
        // value = significant × 10^scale pico-dollars
        let count = |digits: usize| i64::try_from(digits).map_err(|_| NotMoney::TooLarge);
        let scale = i64::from(exponent) + count(DIGITS + trailing_zeros)? - count(fraction.len())?;
        let scale = u32::try_from(scale).map_err(|_| NotMoney::TooFine)?;
        let pico = significant
            .parse::<i64>()
            .ok()
            .and_then(|value| 10_i64.checked_pow(scale).and_then(|power| value.checked_mul(power)))
            .filter(|pico| *pico <= 9_000_000_000_000_000_000)
            .ok_or(NotMoney::TooLarge)?;
        Ok(Self(if negative { -pico } else { pico }))
    }
}

impl fmt::Display for PicoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pico = self.0.unsigned_abs();
        let (whole, fraction) = (pico / 1_000_000_000_000, pico % 1_000_000_000_000);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{fraction:012}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for PicoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PicoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<&str, NotMoney>) {
        assert_eq!(
            text.parse::<PicoUsd>()
                .map(|money| money.to_string())
                .as_deref()
                .map_err(|e| *e),
            want,
            "{text}"
        );
    }

    #[test]
    fn numbers_are_read_exactly() {
        check("200", Ok("200"));
        check("145.50", Ok("145.5"));
        check("0.000001", Ok("0.000001"));
        check("0.000000000001", Ok("0.000000000001"));
        check("1e-12", Ok("0.000000000001"));
        check("2E2", Ok("200"));
        check("2.0e+2", Ok("200"));
        check("-3.25", Ok("-3.25"));
        check("-0", Ok("0"));
        check("0e999999999", Ok("0"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        check("", Err(NotMoney::NotANumber));
        check("two hundred", Err(NotMoney::NotANumber));
        check("$5", Err(NotMoney::NotANumber));
        check("5.", Err(NotMoney::NotANumber));
        check("NaN", Err(NotMoney::NotANumber));
        check("1e-13", Err(NotMoney::TooFine));
        check("9000001", Err(NotMoney::TooLarge));
        check("1e300", Err(NotMoney::TooLarge));
        check("99999999999999999999", Err(NotMoney::TooLarge));
    }
}
