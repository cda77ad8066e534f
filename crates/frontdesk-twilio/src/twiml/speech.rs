//! Speech within limits: what XML can carry, what a voice takes at once, and where long speech is cut.

use std::borrow::Cow;

/// What `<Say>` takes at once after percent-encoding, whatever the voice (Twilio's error 13521).
const MAX_ENCODED: usize = 4_500;

/// The characters that a voice takes at once.
fn voice_limit(voice: Option<&str>) -> usize {
    match voice {
        None | Some("man" | "woman" | "alice") => 4_096,
        Some(voice) if voice.starts_with("Google.") => 5_000,
        // Polly's, the smallest limit, also stands in for voices that nobody has told us of.
        Some(_) => 3_000,
    }
}

/// The text without the characters that XML 1.0 cannot carry, not even escaped.
pub(super) fn legal(text: &str) -> Cow<'_, str> {
    // U+FFFE and U+FFFF begin with 0xEF in UTF-8.
    let suspicious = |byte: u8| (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xEF;
    if text.bytes().any(suspicious) && !text.chars().all(is_legal) {
        Cow::Owned(text.chars().filter(|character| is_legal(*character)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

const fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Whether nothing of the text can be heard: blanks and characters without width.
pub(super) fn is_blank(text: &str) -> bool {
    let silent =
        |c: char| c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}');
    text.chars().all(silent)
}

/// The pieces of a speech that a voice takes one after the other. None is blank.
pub(super) fn pieces<'t>(text: &'t str, voice: Option<&str>) -> impl Iterator<Item = &'t str> {
    let limit = voice_limit(voice);
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (mut characters, mut encoded) = (0, 0);
            // Short speech fits however it is encoded.
            let (head, tail) = if rest.len() * 3 <= MAX_ENCODED {
                (rest, "")
            } else {
                split(rest.trim_start(), |character| {
                    characters += 1;
                    encoded += encoded_length(character);
                    characters <= limit && encoded <= MAX_ENCODED
                })
            };
            rest = tail;
            if !is_blank(head) {
                return Some(head);
            }
        }
        None
    })
}

/// The beginning of a speech, at most `limit` bytes long in XML; cut at a sentence, else at a word.
pub(super) fn beginning(text: &str, limit: usize) -> &str {
    let mut escaped = 0;
    let (head, _) = split(text.trim_start(), |character| {
        escaped += escaped_length(character);
        escaped <= limit
    });
    head
}

/// Percent-encoded bytes.
const fn encoded_length(character: char) -> usize {
    if character.is_ascii_alphanumeric() {
        1
    } else {
        3 * character.len_utf8()
    }
}

/// Bytes in the text of an XML element.
const fn escaped_length(character: char) -> usize {
    match character {
        '<' | '>' => 4,
        '&' | '\r' => 5,
        _ => character.len_utf8(),
    }
}

/// Splits off the longest beginning that `fits` (asked character by character, in order) and that ends with a
/// sentence; else with a word; else with a character. Blanks at the cut are dropped.
/// The text does not begin with a blank.
fn split(text: &str, mut fits: impl FnMut(char) -> bool) -> (&str, &str) {
    let Some((limit, _)) = text.char_indices().find(|(_, character)| !fits(*character)) else {
        return (text, "");
    };
    let best = |is_good: fn(&str, &str) -> bool| {
        let earlier = text
            .get(..limit)
            .unwrap_or_default()
            .char_indices()
            .rev()
            .map(|(place, _)| place);
        std::iter::once(limit)
            .chain(earlier)
            .filter_map(|place| text.split_at_checked(place))
            .find(|(head, tail)| is_good(head, tail))
    };
    let (head, tail) = best(ends_sentence)
        .or_else(|| best(ends_word))
        .or_else(|| best(ends_character))
        .or_else(|| text.split_at_checked(limit))
        .unwrap_or((text, ""));
    (head, tail.trim_start())
}

fn ends_sentence(head: &str, tail: &str) -> bool {
    // A quotation inside brackets closes three times; more would only cost time.
    let bare = (0..3).fold(head, |bare, _| {
        bare.strip_suffix(['"', '\'', ')', '”', '’', '»']).unwrap_or(bare)
    });
    bare.ends_with(['。', '！', '？'])
        || (tail.starts_with(char::is_whitespace) && bare.ends_with(['.', '!', '?', '…']))
}

fn ends_word(head: &str, tail: &str) -> bool {
    tail.starts_with(char::is_whitespace) && !head.is_empty()
}

/// Whether a cut here leaves what looks like one character (an accent, a family of emoji) in one piece.
fn ends_character(head: &str, tail: &str) -> bool {
    let joins =
        |c: char| matches!(c, '\u{300}'..='\u{36F}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    !head.is_empty() && !tail.starts_with(joins) && !head.ends_with('\u{200D}')
}
