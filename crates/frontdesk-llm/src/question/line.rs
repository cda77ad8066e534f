//! One entry as one line of the prompt.

use super::Offered;

/// So many of the texts that callers say are sent.
const SAYS: usize = 6;
/// Each of them has at most so many characters.
const SAYS_LENGTH: usize = 80;
/// A gist has at most so many characters.
const GIST_LENGTH: usize = 160;

/// `key | kind | name | "what callers say", "…" | gist`, without a line break.
pub(super) fn entry(offered: &Offered<'_>) -> String {
    let says = offered.says.iter().map(|text| cut(&flat(text), SAYS_LENGTH));
    let says: Vec<_> = says
        .filter(|text| !text.is_empty())
        .take(SAYS)
        .map(|text| format!("\"{text}\""))
        .collect();
    let parts = [
        flat(offered.key),
        offered.kind.as_str().to_owned(),
        flat(offered.name),
        says.join(", "),
        cut(&flat(offered.gist), GIST_LENGTH),
    ];
    parts.join(" | ")
}

/// The words of a text with single blanks between, so that a document's line break does not look like an entry of its own.
pub(super) fn flat(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most so many characters of a flat text: its whole words, or the start of a first word that is longer.
fn cut(text: &str, length: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(length) else {
        return text.to_owned();
    };
    let (start, rest) = text.split_at(end);
    let whole = if rest.starts_with(' ') {
        Some(start)
    } else {
        start.rsplit_once(' ').map(|(words, _)| words)
    };
    whole.unwrap_or(start).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, length: usize, expected: &str) {
        assert_eq!(cut(text, length), expected);
    }

    #[test]
    fn a_text_is_cut_between_words() {
        check("no heat", 7, "no heat");
        check("no heat at", 7, "no heat");
        check("no heat at", 9, "no heat");
        check("no heating", 7, "no");
    }

    #[test]
    fn a_word_longer_than_the_room_is_cut_within() {
        check("überlänge", 4, "über");
        check("", 4, "");
    }

    #[test]
    fn line_breaks_and_controls_are_blanks() {
        assert_eq!(flat("  a\r\n\tb\u{0}c \u{2028}d "), "a b c d");
    }
}
