//! What a turn leaves open for the next one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::card;
use super::runs::{Digit, Gap};

/// A turn without numbers and with more words than this ends the number before it.
const HESITATION_WORDS: usize = 8;

/// The last digits of a turn and whether a code was just announced: what the next turn must be joined with.
///
/// It travels in the call's sealed state and nowhere else: its `Debug` output shows no digit, and it serialises to at
/// most 60 bytes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// At most 19 digits, with a blank where a group begins.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    groups: String,
    /// "CVV", "security code" or the like was said and no code followed.
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    code: bool,
    /// "social" or the like was said and no number followed.
    #[serde(rename = "s", default, skip_serializing_if = "is_false")]
    social: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("digits", &self.groups.chars().filter(char::is_ascii_digit).count())
            .field("code", &self.code)
            .field("social", &self.social)
            .finish()
    }
}

impl Tail {
    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && !self.code && !self.social
    }

    /// Whether a security code was announced.
    pub(super) fn asks_code(&self) -> bool {
        self.code
    }

    /// Whether a social security number was announced.
    pub(super) fn asks_social(&self) -> bool {
        self.social
    }

    /// The digits, as if they stood before those of this turn.
    pub(super) fn digits(&self) -> Vec<Digit> {
        let mut gap = Gap::Hard;
        let mut digits = Vec::with_capacity(card::LONGEST);
        // What was sealed was bounded; what a caller of this crate deserialised may not be.
        for c in self.groups.chars().take(2 * card::LONGEST) {
            match c.to_digit(10) {
                Some(value) => {
                    let value = u8::try_from(value).unwrap_or_default();
                    digits.push(Digit {
                        value,
                        source: None,
                        gap,
                        typed: false,
                    });
                    gap = Gap::Inside;
                }
                None => gap = Gap::Hard,
            }
        }
        digits
    }

    /// The tail of a turn that ends in these digits.
    pub(super) fn of(digits: &[Digit], code: bool, social: bool) -> Self {
        let mut groups = String::new();
        let skip = digits.len().saturating_sub(card::LONGEST);
        for digit in digits.iter().skip(skip) {
            if digit.gap != Gap::Inside && !groups.is_empty() {
                groups.push(' ');
            }
            groups.push(char::from(b'0' + digit.value));
        }
        Self { groups, code, social }
    }

    /// The tail after one more turn that says no number: "hold on" keeps the number open, a sentence ends it.
    pub(super) fn after_turn_without_numbers(&self, text: &str) -> Self {
        let words = text.split_whitespace().take(HESITATION_WORDS + 1).count();
        if words <= HESITATION_WORDS {
            self.clone()
        } else {
            Self::default()
        }
    }

    /// The same with what this turn announced.
    pub(super) fn asking(mut self, code: bool, social: bool) -> Self {
        self.code |= code;
        self.social |= social;
        self
    }
}
