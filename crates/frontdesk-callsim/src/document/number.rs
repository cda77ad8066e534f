//! Which numbers Twilio dials.

use crate::code::{Code, Fault};

/// International prefixes that are premium everywhere below them, and North America's own.
const PREMIUM: [&str; 8] = ["+1900", "+1976", "+449", "+4487", "+339", "+49900", "+979", "+6119"];

/// Numbers of rescue services, which a `<Dial>` does not reach.
const RESCUE: [&str; 6] = ["911", "112", "999", "000", "110", "119"];

/// Why this number cannot be dialled, if it cannot.
pub(super) fn fault(written: &str) -> Option<Fault> {
    let number: String = written
        .chars()
        .filter(|character| !matches!(character, ' ' | '-' | '.' | '(' | ')'))
        .collect();
    if RESCUE.contains(&number.as_str()) {
        return Some(Fault::new(Code::BlockedNumber, format!("<Dial> {written}")));
    }
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let plausible = digits.chars().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    // Without a country Twilio takes a number for one of the account's own country.
    let shortest = if number.starts_with('+') { 8 } else { 10 };
    let long_enough = (shortest..=15).contains(&digits.len());
    let american = digits.strip_prefix('1').filter(|rest| rest.len() == 10);
    let wrong_american = number.starts_with("+1")
        && american.is_none_or(|rest| rest.starts_with(['0', '1']) || rest.get(3..4).is_some_and(|c| c == "0"));
    if !plausible || !long_enough || wrong_american {
        return Some(Fault::new(Code::InvalidNumber, format!("<Dial> {written}")));
    }
    let international = if number.starts_with('+') {
        number
    } else {
        format!("+1{digits}")
    };
    PREMIUM
        .iter()
        .any(|prefix| international.starts_with(prefix))
        .then(|| Fault::new(Code::PremiumNumber, format!("<Dial> {written}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: &str, want: Option<u16>) {
        assert_eq!(fault(number).map(|fault| fault.code.number()), want, "{number}");
    }

    #[test]
    fn a_number_is_dialled_as_people_write_it() {
        check("+19375550111", None);
        check("+1 (937) 555-0111", None);
        check("937.555.0111", None);
        check("+442071838750", None);
    }

    #[test]
    fn what_is_no_number_is_not_dialled() {
        for number in [
            "",
            "+1",
            "+1937555",
            "+10375550111",
            "+11375550111",
            "+19370550111",
            "front desk",
            "+1937555011122233",
            "+0123456789",
        ] {
            check(number, Some(21211));
        }
    }

    #[test]
    fn premium_and_rescue_numbers_are_not_dialled() {
        check("+19005550111", Some(21202));
        check("9005550111", Some(21202));
        check("+449098790001", Some(21202));
        check("911", Some(21216));
        check("112", Some(21216));
    }
}
