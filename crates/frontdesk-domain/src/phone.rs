//! Phone numbers, the countries they lie in, and those that are never dialled.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod plan;

/// An E.164 number: `+`, then 7 to 15 digits of which the first is not zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(u64);

/// The text is not an E.164 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a phone number is written in E.164, such as +15551234567: a plus, the country code and the number, without blanks"
)]
pub struct NotAPhoneNumber;

impl FromStr for PhoneNumber {
    type Err = NotAPhoneNumber;

    fn from_str(text: &str) -> Result<Self, NotAPhoneNumber> {
        let digits = text.strip_prefix('+').ok_or(NotAPhoneNumber)?;
        let well_formed = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !well_formed {
            return Err(NotAPhoneNumber);
        }
        digits.parse().map(Self).map_err(|_| NotAPhoneNumber)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A country, by its ISO 3166 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is written as two capital letters (ISO 3166), such as US")]
pub struct NotACountry;

impl FromStr for Country {
    type Err = NotACountry;

    /// Reads the code of a country that has a telephone network.
    fn from_str(text: &str) -> Result<Self, NotACountry> {
        let known = plan::COUNTRIES.iter().any(|(_, code)| *code == text) || SHARED_PLANS.contains(&text);
        let code = <[u8; 2]>::try_from(text.as_bytes()).map_err(|_| NotACountry)?;
        if known { Ok(Self(code)) } else { Err(NotACountry) }
    }
}

/// Countries without a prefix of their own: they share that of a neighbour, whose code their numbers get.
const SHARED_PLANS: &[&str] = &["BL", "MF", "UM", "TF", "HM", "BV", "GS", "PN"];

/// Toll-free area codes of the North American plan, which its countries share.
const NORTH_AMERICAN_TOLL_FREE: [u64; 7] = [800, 833, 844, 855, 866, 877, 888];

/// Why a number is never dialled for a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever dials it pays extra.
    #[error("is a premium-rate number, which is never dialled")]
    Premium,
    /// It lies in no country.
    #[error("lies in no country (a satellite or global network) and is never dialled")]
    NoCountry,
    /// It is the company's own.
    #[error("is the company's own number: the call would come back to it")]
    Own,
    /// It lies in a country that is not allowed.
    #[error("lies in {0}, which is neither the company's country nor in `transfer.allowedCountries`")]
    Abroad(Country),
}

impl PhoneNumber {
    /// The country that the number lies in; none for networks of no country, such as satellites.
    ///
    /// By the longest prefix of the ITU's list; toll-free numbers of the North American plan count as `US`.
    #[must_use]
    pub fn country(self) -> Option<Country> {
        let digits = self.0.to_string();
        let code = (1..=7)
            .rev()
            .filter_map(|length| digits.get(..length))
            .find_map(|prefix| {
                let found = plan::COUNTRIES.binary_search_by_key(&prefix, |(known, _)| known).ok()?;
                plan::COUNTRIES.get(found).map(|(_, code)| code)
            })?;
        code.as_bytes().try_into().ok().map(Country)
    }

    /// Whether the caller pays extra for this number.
    #[must_use]
    pub fn is_premium(self) -> bool {
        let digits = self.0.to_string();
        // +1 NPA 976 xxxx is premium in every area code.
        let is_976 = self.north_american_area().is_some() && digits.get(4..7) == Some("976");
        is_976 || plan::PREMIUM.iter().any(|prefix| digits.starts_with(prefix))
    }

    /// Why this number must not be dialled for the company with the number `home` and these others, if it must not.
    #[must_use]
    pub fn refusal(self, home: Self, others: &[Self], allowed: &[Country]) -> Option<Refusal> {
        if self == home || others.contains(&self) {
            return Some(Refusal::Own);
        }
        if self.is_premium() {
            return Some(Refusal::Premium);
        }
        let shared = self
            .north_american_area()
            .is_some_and(|area| NORTH_AMERICAN_TOLL_FREE.contains(&area));
        if shared && home.north_american_area().is_some() {
            return None;
        }
        let Some(country) = self.country() else {
            return Some(Refusal::NoCountry);
        };
        let is_allowed = home.country() == Some(country) || allowed.contains(&country);
        (!is_allowed).then_some(Refusal::Abroad(country))
    }

    /// The area code of a number of the North American plan.
    fn north_american_area(self) -> Option<u64> {
        let national = self
            .0
            .checked_sub(10_000_000_000)
            .filter(|national| *national < 10_000_000_000)?;
        Some(national / 10_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_reads_and_writes_the_same_text() {
        for text in ["+15551234567", "+4930123456", "+999999999999999", "+1234567"] {
            assert_eq!(number(text).to_string(), text);
        }
    }

    #[test]
    fn anything_but_e164_is_refused() {
        for text in [
            "",
            "+",
            "15551234567",
            "+0155512345",
            "+123456",
            "+1234567890123456",
            "+1 555 123 4567",
            "+1٣٣٣٣٣٣٣",
            "sip:a@b",
        ] {
            assert_eq!(text.parse::<PhoneNumber>(), Err(NotAPhoneNumber), "{text}");
        }
    }

    #[test]
    fn the_longest_prefix_names_the_country() {
        for (text, country) in [
            ("+15551234567", "US"),
            ("+14165550100", "CA"),
            ("+18095550100", "DO"),
            ("+18765550100", "JM"),
            ("+442079460000", "GB"),
            ("+441534555555", "JE"),
            ("+77015550100", "KZ"),
            ("+74955550100", "RU"),
            ("+390669812345", "VA"),
            ("+390612345678", "IT"),
            ("+35312345678", "IE"),
            ("+5999123456", "CW"),
        ] {
            assert_eq!(number(text).country().unwrap().as_str(), country, "{text}");
        }
        for text in ["+870123456789", "+881612345678", "+88213123456", "+979123456789"] {
            assert_eq!(number(text).country(), None, "{text}");
        }
    }

    #[test]
    fn the_tables_are_sorted_and_well_formed() {
        assert!(plan::COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(plan::PREMIUM.is_sorted());
        for (prefix, code) in plan::COUNTRIES {
            assert!(
                (1..=7).contains(&prefix.len()) && code.parse::<Country>().is_ok(),
                "{prefix}"
            );
        }
    }

    #[track_caller]
    fn refusal(text: &str, home: &str, allowed: &[&str]) -> Option<Refusal> {
        let allowed: Vec<Country> = allowed.iter().map(|code| code.parse().unwrap()).collect();
        number(text).refusal(number(home), &[], &allowed)
    }

    #[test]
    fn only_the_companys_country_and_allowed_ones_are_dialled() {
        const HOME: &str = "+19375550110";
        assert_eq!(refusal("+16145550100", HOME, &[]), None);
        assert_eq!(refusal("+18005550100", HOME, &[]), None);
        assert_eq!(
            refusal("+18005550100", "+14165550100", &[]),
            None,
            "toll-free is shared"
        );
        assert_eq!(
            refusal("+14165550100", HOME, &[]),
            Some(Refusal::Abroad("CA".parse().unwrap()))
        );
        assert_eq!(refusal("+14165550100", HOME, &["CA"]), None);
        assert_eq!(refusal("+881612345678", HOME, &["US"]), Some(Refusal::NoCountry));
    }

    #[test]
    fn premium_numbers_are_never_dialled() {
        for text in [
            "+19005550100",
            "+19379765555",
            "+449012345678",
            "+4990012345",
            "+979123456789",
        ] {
            assert_eq!(
                refusal(text, "+19375550110", &["US", "GB", "DE"]),
                Some(Refusal::Premium),
                "{text}"
            );
        }
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        for text in ["us", "USA", "", "ZZ", "U1"] {
            assert_eq!(text.parse::<Country>(), Err(NotACountry), "{text}");
        }
    }
}
