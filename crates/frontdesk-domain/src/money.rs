//! Money as whole pico-USD, never a float.

use std::{fmt, num::IntErrorKind, ops::Add, str::FromStr};

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

/// An amount that was read, and whether it stood there in whole pico-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAmount {
    /// The amount, rounded half to even.
    pub amount: PicoUsd,
    /// Whether nothing was rounded.
    pub is_exact: bool,
}

impl ReadAmount {
    /// Reads a JSON number: sign, digits, fraction and exponent.
    ///
    /// # Errors
    /// It is no number, or too large.
    pub fn new(text: &str) -> Result<Self, NotMoney> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, power_of_ten(exponent)?),
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
            return Ok(Self {
                amount: PicoUsd::ZERO,
                is_exact: true,
            });
        }
        let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
        // value = significant × 10^scale pico-dollars
        let count = |digits: usize| i64::try_from(digits).map_err(|_| NotMoney::TooLarge);
        let scale = exponent.saturating_add(count(DIGITS + trailing_zeros)? - count(fraction.len())?);
        let pico = match u32::try_from(scale) {
            Ok(scale) => significant
                .parse::<i64>()
                .ok()
                .and_then(|value| value.checked_mul(10_i64.checked_pow(scale)?)),
            Err(_) if scale > 0 => None,
            Err(_) => without_digits(significant, scale.unsigned_abs()),
        };
        let pico = pico
            .filter(|pico| *pico <= 9_000_000_000_000_000_000)
            .ok_or(NotMoney::TooLarge)?;
        Ok(Self {
            amount: PicoUsd(if negative { -pico } else { pico }),
            is_exact: scale >= 0,
        })
    }
}

/// An exponent; beyond any amount it does not matter how far.
fn power_of_ten(exponent: &str) -> Result<i64, NotMoney> {
    const BEYOND: i64 = 1_000_000_000_000;
    match exponent.parse::<i64>() {
        Ok(exponent) => Ok(exponent.clamp(-BEYOND, BEYOND)),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Ok(BEYOND),
            IntErrorKind::NegOverflow => Ok(-BEYOND),
            _ => Err(NotMoney::NotANumber),
        },
    }
}

/// A whole number without its last digits, rounded half to even; its last digit is no zero.
fn without_digits(number: &str, dropped: u64) -> Option<i64> {
    let Some(kept) = usize::try_from(dropped)
        .ok()
        .and_then(|dropped| number.len().checked_sub(dropped))
    else {
        return Some(0);
    };
    let (kept, dropped) = number.split_at_checked(kept)?;
    let below = if kept.is_empty() { 0 } else { kept.parse::<i64>().ok()? };
    let rounds_up = match dropped.bytes().next() {
        Some(b'5') => dropped.len() > 1 || below % 2 == 1,
        Some(first) => first > b'5',
        None => false,
    };
    below.checked_add(i64::from(rounds_up))
}

impl FromStr for PicoUsd {
    type Err = NotMoney;

    /// Reads a JSON number, rounded half to even to a whole pico-dollar.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        ReadAmount::new(text).map(|read| read.amount)
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
        check("0e99999999999999999999", Ok("0"));
    }

    #[test]
    fn digits_behind_the_twelfth_are_rounded_half_to_even() {
        check("145.49999999999997", Ok("145.5"));
        check("0.30000000000000004", Ok("0.3"));
        check("0.1000000000004999", Ok("0.1"));
        check("0.0000000000005", Ok("0"));
        check("0.0000000000015", Ok("0.000000000002"));
        check("0.0000000000025", Ok("0.000000000002"));
        check("0.00000000000250001", Ok("0.000000000003"));
        check("-0.0000000000015", Ok("-0.000000000002"));
        check("1e-13", Ok("0"));
        check("6e-13", Ok("0.000000000001"));
        check("9.99e-13", Ok("0.000000000001"));
        check("9e-400", Ok("0"));
        check("1e-99999999999999999999", Ok("0"));
        check("8999999.9999999999999", Ok("9000000"));
        check("9000000.0000000000005", Ok("9000000"));
        check("9000000.0000000000006", Err(NotMoney::TooLarge));
        let is_exact = |text| ReadAmount::new(text).map(|read| read.is_exact);
        assert_eq!(is_exact("145.500000000000000000"), Ok(true));
        assert_eq!(is_exact("145.49999999999997"), Ok(false));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        check("", Err(NotMoney::NotANumber));
        check("two hundred", Err(NotMoney::NotANumber));
        check("$5", Err(NotMoney::NotANumber));
        check("5.", Err(NotMoney::NotANumber));
        check("NaN", Err(NotMoney::NotANumber));
        check("Infinity", Err(NotMoney::NotANumber));
        check("1e", Err(NotMoney::NotANumber));
        check("1e5.5", Err(NotMoney::NotANumber));
        check("1e99999999999999999999", Err(NotMoney::TooLarge));
        check("123456789012345678901.5e-1", Err(NotMoney::TooLarge));
        check("9000001", Err(NotMoney::TooLarge));
        check("1e300", Err(NotMoney::TooLarge));
        check("99999999999999999999", Err(NotMoney::TooLarge));
    }
}
