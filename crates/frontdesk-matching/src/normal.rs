//! The one normal form in which utterances, triggers, questions, negatives, keywords and patterns meet.
//!
//! NFKC; curly quotes and apostrophes straight; soft hyphens, zero-width and direction marks gone; case folded; whatever
//! is no letter, digit, combining mark or apostrophe inside a word becomes one blank. Accents stay. Contractions stay as
//! they are written: what they mean is the matcher's business.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The normal form of a text: words of letters, digits and inner apostrophes, one blank between two of them.
///
/// Normalising twice changes nothing.
#[must_use]
pub fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    normalize_into(text, &mut out);
    out
}

/// Like [`normalize`], into a buffer that is cleared first.
fn normalize_into(text: &str, out: &mut String) {
    out.clear();
    let mut writer = Writer {
        out,
        gap: false,
        apostrophe: false,
    };
    if text.is_ascii() {
        for byte in text.bytes() {
            writer.put(if byte == b'`' {
                '\''
            } else {
                char::from(byte.to_ascii_lowercase())
            });
        }
        return;
    }
    // Lower case first and once more after NFKC: each can make work for the other.
    let folded = text.chars().filter_map(straight).flat_map(fold).nfkc();
    folded
        .flat_map(fold)
        .nfkc()
        .filter_map(straight)
        .for_each(|letter| writer.put(letter));
}

/// Joins words by one blank and keeps an apostrophe only between two letters of a word.
struct Writer<'a> {
    out: &'a mut String,
    gap: bool,
    apostrophe: bool,
}

impl Writer<'_> {
    fn put(&mut self, letter: char) {
        if letter.is_alphanumeric() {
            if self.gap && !self.out.is_empty() {
                self.out.push(' ');
            } else if self.apostrophe && !self.gap && !self.out.is_empty() {
                self.out.push('\'');
            }
            self.gap = false;
            self.apostrophe = false;
            self.out.push(letter);
        } else if letter == '\'' {
            // A second apostrophe in a row is a quotation mark.
            self.gap |= self.apostrophe || self.out.is_empty();
            self.apostrophe = true;
        } else if is_combining_mark(letter) && !self.gap && !self.apostrophe && !self.out.is_empty() {
            self.out.push(letter);
        } else {
            self.gap = true;
        }
    }
}

/// Straightens quotation marks and drops what has no width. Some of these decompose under NFKC, so this comes before it.
fn straight(letter: char) -> Option<char> {
    match letter {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '\u{2035}' | '\u{02b9}' | '\u{02bb}'
        | '\u{02bc}' | '\u{02bd}' | '\u{02c8}' | '\u{a78c}' | '\u{ff07}' | '\u{55a}' | '\u{7f4}' | '\u{60}'
        | '\u{b4}' => Some('\''),
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        other => Some(other),
    }
}

/// Case folding: lower case, with the two letters whose lower case still differs in writing only.
fn fold(letter: char) -> impl Iterator<Item = char> {
    let (first, second) = match letter {
        'ß' | 'ẞ' => ('s', Some('s')),
        'ς' => ('σ', None),
        other => (other, None),
    };
    first.to_lowercase().chain(second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(normalize(text), expected, "{text:?}");
    }

    #[test]
    fn punctuation_and_case_carry_nothing() {
        check("  Hello,   WORLD! It's 5:30 -- ok? ", "hello world it's 5 30 ok");
        check("", "");
        check("?!", "");
    }

    #[test]
    fn curly_apostrophes_are_straight() {
        for apostrophe in [
            '\'', '\u{2019}', '\u{2018}', '\u{02bc}', '\u{ff07}', '\u{201b}', '\u{b4}', '`',
        ] {
            check(&format!("Don{apostrophe}t"), "don't");
        }
    }

    #[test]
    fn quotation_marks_around_a_word_are_no_apostrophes() {
        check("it says 'low battery' on it", "it says low battery on it");
        check("\u{2018}no heat\u{2019}", "no heat");
        check("the neighbors' cat ''really'' isn't", "the neighbors cat really isn't");
        check("a'' b'''c", "a b c");
    }

    #[test]
    fn blanks_of_every_kind_are_one_blank() {
        check("no\u{a0}heat\u{2003}\u{3000}here\r\n\tnow", "no heat here now");
    }

    #[test]
    fn what_has_no_width_is_gone() {
        check("re\u{ad}sche\u{200b}dule\u{feff} it\u{202e}", "reschedule it");
    }

    #[test]
    fn an_accent_in_one_or_two_code_points_is_the_same() {
        check("Caf\u{e9}", "caf\u{e9}");
        check("Cafe\u{301}", "caf\u{e9}");
    }

    #[test]
    fn full_width_letters_are_letters() {
        check("\u{ff21}\u{ff23} \u{ff4f}\u{ff55}\u{ff54}", "ac out");
    }

    #[test]
    fn other_scripts_keep_their_words() {
        check("ΟΔΟΣ Straße नमस्ते", "οδοσ strasse नमस्ते");
        check("¿Está abierto mañana?", "está abierto mañana");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once.clone());
        }

        #[test]
        fn the_ascii_path_and_the_unicode_path_agree(text in "[ -~]{0,40}") {
            let long = normalize(&format!("{text} \u{200b}"));
            prop_assert_eq!(normalize(&text), long);
        }
    }
}
