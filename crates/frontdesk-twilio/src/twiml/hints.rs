//! Words that a `<Gather>` should expect.

use std::sync::Arc;

/// The most hints that Twilio takes (its warning 13330).
const MAX_HINTS: usize = 500;
/// The longest hint, in characters.
const MAX_HINT: usize = 100;

/// Words and phrases that help the recogniser, within Twilio's limits: 500 of 100 characters. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints(Arc<str>);

impl Hints {
    /// Takes the first 500 phrases that are not blank; longer ones are cut at a word.
    ///
    /// Twilio separates hints by commas, so a comma in a phrase becomes a blank.
    pub fn new<P: AsRef<str>>(phrases: impl IntoIterator<Item = P>) -> Self {
        let mut joined = String::new();
        let mut count = 0;
        for phrase in phrases {
            let start = joined.len();
            let mut characters = 0;
            let words = phrase
                .as_ref()
                .split(|c: char| c.is_whitespace() || c.is_control() || c == ',');
            for word in words.filter(|word| !word.is_empty()) {
                let blank = usize::from(characters > 0);
                let length = word.chars().count();
                if characters + blank + length > MAX_HINT {
                    break;
                }
                joined.push_str(match (characters, start) {
                    (0, 0) => "",
                    (0, _) => ",",
                    _ => " ",
                });
                joined.push_str(word);
                characters += blank + length;
            }
            count += usize::from(characters > 0);
            if count == MAX_HINTS {
                break;
            }
        }
        Self(joined.into())
    }

    /// The phrases, separated by commas.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
