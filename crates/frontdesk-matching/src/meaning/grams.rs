//! Letters and words as features: words, pairs of words, and runs of two to five letters within a word.

use frontdesk_domain::fnv::fnv1a;

/// A feature, hashed. The lowest bit says whether it is made of words.
pub(super) type Gram = u32;

/// Longest run of letters.
const LONGEST: usize = 5;
/// More words than these count from the front and the back only, as with rules.
const HALF_OF_WORDS: usize = 120;
/// Share of a text's squared length that words have; runs of letters have the rest.
const WORDS_SHARE: f32 = 0.5;

/// Buffers for reading texts into features.
#[derive(Debug, Default)]
pub(super) struct GramReader {
    found: Vec<Gram>,
    padded: String,
}

impl GramReader {
    /// The features of a text in normal form with how much of it each is: `rarity` weighs them, and the whole has unit
    /// length. Sorted by feature, each once.
    pub(super) fn read(&mut self, text: &str, rarity: impl Fn(Gram) -> f32, out: &mut Vec<(Gram, f32)>) {
        out.clear();
        self.collect(text);
        let mut lengths = [0.0_f32; 2];
        for run in self.found.chunk_by(|left, right| left == right) {
            let Some(gram) = run.first() else { continue };
            let times = f32::from(u8::try_from(run.len()).unwrap_or(u8::MAX));
            let value = times * rarity(*gram);
            if let Some(length) = lengths.get_mut(block(*gram)) {
                *length += value * value;
            }
            out.push((*gram, value));
        }
        let [letters, words] = lengths;
        let scale = |length: f32, share: f32| if length > 0.0 { (share / length).sqrt() } else { 0.0 };
        let scales = [scale(letters, 1.0 - WORDS_SHARE), scale(words, WORDS_SHARE)];
        for (gram, value) in out {
            *value *= scales.get(block(*gram)).copied().unwrap_or_default();
        }
    }

    /// The features of a text, each once, sorted.
    pub(super) fn distinct(&mut self, text: &str) -> &[Gram] {
        self.collect(text);
        self.found.dedup();
        &self.found
    }

    fn collect(&mut self, text: &str) {
        self.found.clear();
        let count = text.split(' ').count();
        let mut before: Option<u64> = None;
        for (at, word) in text.split(' ').enumerate().filter(|(_, word)| !word.is_empty()) {
            if at >= HALF_OF_WORDS && count - at > HALF_OF_WORDS {
                before = None;
                continue;
            }
            let hash = fnv1a(word.bytes());
            self.found.push(mixed(hash) | 1);
            if let Some(before) = before {
                self.found
                    .push(mixed(before.rotate_left(23) ^ hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
            }
            before = Some(hash);
            self.letters(word);
        }
        self.found.sort_unstable();
    }

    fn letters(&mut self, word: &str) {
        self.padded.clear();
        self.padded.push(' ');
        self.padded.push_str(word);
        self.padded.push(' ');
        for (start, _) in self.padded.char_indices() {
            let rest = self.padded.get(start..).unwrap_or_default();
            let mut hash = 0xcbf2_9ce4_8422_2325_u64;
            for (length, letter) in (1..=LONGEST).zip(rest.chars()) {
                hash = (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01b3);
                if length > 1 {
                    self.found.push(mixed(hash) & !1);
                }
            }
        }
    }
}

const fn block(gram: Gram) -> usize {
    if gram & 1 == 1 { 1 } else { 0 }
}

/// Spreads the last letters over all bits and keeps the upper half.
fn mixed(hash: u64) -> Gram {
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Gram, f32)> {
        let mut out = Vec::new();
        GramReader::default().read(text, |_| 1.0, &mut out);
        out
    }

    fn cosine(left: &str, right: &str) -> f32 {
        let (left, right) = (read(left), read(right));
        left.iter()
            .filter_map(|(gram, value)| {
                let at = right.binary_search_by_key(gram, |(gram, _)| *gram).ok()?;
                Some(value * right[at].1)
            })
            .sum()
    }

    #[test]
    fn a_text_has_unit_length_and_is_near_what_is_spelt_alike() {
        assert!((cosine("no heat upstairs", "no heat upstairs") - 1.0).abs() < 1e-5);
        assert!(cosine("thermostat is blank", "thermostats blank") > 0.4);
        assert!(cosine("thermostat is blank", "do you sell boats") < 0.15);
        assert!(read("").is_empty());
        assert!(!read("नमस्ते").is_empty());
    }

    #[test]
    fn the_order_of_words_counts() {
        assert!(cosine("no hot water", "no water hot") < 0.95);
    }

    #[test]
    fn a_long_text_is_read_in_bounded_time() {
        let long = "word ".repeat(100_000);
        assert!(read(&long).len() < 50);
        let mut reader = GramReader::default();
        let many = (0..5_000).map(|at| format!("w{at}")).collect::<Vec<_>>().join(" ");
        assert!(reader.distinct(&many).len() < 240 * 30);
    }
}
