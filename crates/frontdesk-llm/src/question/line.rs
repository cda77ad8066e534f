//! One entry as one line of the prompt.

use super::Offered;

/// So many of the texts that callers say are sent.
const SAYS: usize = 6;
/// Each of them has at most so many characters.
const SAYS_LENGTH: usize = 80;
/// A gist has at most so many characters.
const GIST_LENGTH: usize = 160;

/// Puts `key | kind | name | "what callers say", "…" | gist`, without a line break.
pub(super) fn put_entry(line: &mut String, offered: &Offered<'_>) {
    put_flat(line, offered.key, usize::MAX);
    *line += " | ";
    *line += offered.kind.as_str();
    *line += " | ";
    put_flat(line, offered.name, usize::MAX);
    *line += " | ";
    let says = offered.says.iter().filter(|text| words(text).next().is_some());
    for (number, text) in says.take(SAYS).enumerate() {
        *line += if number == 0 { "\"" } else { ", \"" };
        put_flat(line, text, SAYS_LENGTH);
        *line += "\"";
    }
    *line += " | ";
    put_flat(line, offered.gist, GIST_LENGTH);
}

/// Puts the words of a text with single blanks between, so that a document's line break does not look like an entry of its
/// own: as many whole words as have at most `length` characters, or the start of a first word that is longer.
pub(super) fn put_flat(line: &mut String, text: &str, length: usize) {
    // Nearly every text is as it is to be sent.
    if is_flat(text) {
        *line += beginning(text, length);
        return;
    }
    let mut left = length;
    for (number, word) in words(text).enumerate() {
        let blank = usize::from(number > 0);
        // Bytes are never fewer than characters, and counting those is slower.
        if word.len() + blank > left && word.chars().count() + blank > left {
            if number == 0 {
                line.extend(word.chars().take(left));
            }
            return;
        }
        if number > 0 {
            line.push(' ');
        }
        *line += word;
        left -= word.chars().count() + blank;
    }
}

/// Whether a text is ASCII words with single blanks between.
fn is_flat(text: &str) -> bool {
    let is_printed = text
        .bytes()
        .fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
    is_printed && !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ")
}

/// As many whole words of a flat text as have at most `length` characters, or the start of a first word that is longer.
fn beginning(text: &str, length: usize) -> &str {
    let Some((head, rest)) = text.split_at_checked(length) else {
        return text;
    };
    if rest.is_empty() || rest.starts_with(' ') {
        return head;
    }
    head.rsplit_once(' ').map_or(head, |(whole, _)| whole)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, length: usize, expected: &str) {
        assert_eq!(flat(text, length), expected);
    }

    fn flat(text: &str, length: usize) -> String {
        let mut line = String::new();
        put_flat(&mut line, text, length);
        line
    }

    #[test]
    fn a_text_is_cut_between_words() {
        check("no heat", 7, "no heat");
        check("no heat at", 7, "no heat");
        check("no heat at", 8, "no heat");
        check("no heat at", 9, "no heat");
        check("no heating", 7, "no");
        check("heating", 4, "heat");
    }

    /// The short way for flat texts says what the long one does.
    #[test]
    fn a_flat_text_is_cut_like_any_other() {
        for text in ["no heat at night", "a b c", "heating", "x", ""] {
            for length in 0..20 {
                let odd = format!(" {}", text.replace(' ', "\n "));
                assert_eq!(flat(text, length), flat(&odd, length), "{text:?} to {length}");
            }
        }
    }

    #[test]
    fn a_word_longer_than_the_room_is_cut_within() {
        check("überlänge", 4, "über");
        check("", 4, "");
    }

    #[test]
    fn line_breaks_and_controls_are_blanks() {
        assert_eq!(flat("  a\r\n\tb\u{0}c \u{2028}d ", usize::MAX), "a b c d");
    }
}
