//! The text as patterns see it: byte for byte as long as the normal form, with words blanked out.

use std::{borrow::Cow, ops::Range};

/// Whether a byte of the normal form belongs to a word. What is not ASCII there is a letter, a digit or a mark.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether a word may begin or end at `at`.
pub(super) fn is_edge(text: &[u8], at: usize) -> bool {
    let before = at
        .checked_sub(1)
        .and_then(|index| text.get(index))
        .is_some_and(|byte| is_word_byte(*byte));
    let after = text.get(at).is_some_and(|byte| is_word_byte(*byte));
    !(before && after)
}

/// The whole words inside a range; empty when there is none.
pub(super) fn whole_words(text: &[u8], mut range: Range<usize>) -> Range<usize> {
    while range.start < range.end && !is_edge(text, range.start) {
        range.start += 1;
    }
    while range.start < range.end && !is_edge(text, range.end) {
        range.end -= 1;
    }
    range
}

/// The normal form as bytes.
#[derive(Debug)]
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
}

impl<'t> View<'t> {
    /// With `ascii`, letters of other scripts become a letter that no pattern names, so that patterns need no Unicode.
    pub(super) fn of(normalized: &'t str, ascii: bool) -> Self {
        if !ascii || normalized.is_ascii() {
            return Self {
                bytes: Cow::Borrowed(normalized.as_bytes()),
            };
        }
        let bytes = normalized
            .bytes()
            .map(|byte| if byte.is_ascii() { byte } else { b'_' })
            .collect();
        Self {
            bytes: Cow::Owned(bytes),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A view with ranges blanked out.
#[derive(Debug)]
pub(super) struct Masked<'v> {
    bytes: Cow<'v, [u8]>,
}

impl<'v> Masked<'v> {
    pub(super) fn of(bytes: &'v [u8], blanks: &[Range<usize>]) -> Self {
        if blanks.is_empty() {
            return Self {
                bytes: Cow::Borrowed(bytes),
            };
        }
        let mut masked = bytes.to_vec();
        for blank in blanks {
            if let Some(words) = masked.get_mut(blank.clone()) {
                words.fill(b' ');
            }
        }
        Self {
            bytes: Cow::Owned(masked),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same ranges in order and without overlaps.
pub(super) fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether a span shares nothing with merged ranges.
pub(super) fn apart(span: &Range<usize>, merged: &[Range<usize>]) -> bool {
    let next = merged.partition_point(|range| range.end <= span.start);
    merged.get(next).is_none_or(|range| span.end <= range.start)
}
