//! Words as numbers. One fixed hash for all pieces, so that an utterance is read once and asked of every piece.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use frontdesk_domain::fnv::fnv1a;

/// A word or stem, hashed. Two different words collide with a probability of about 2⁻⁶⁴.
pub(crate) type Term = u64;

/// A map keyed by [`Term`]; the key is a hash already.
pub(crate) type TermMap<V> = HashMap<Term, V, BuildHasherDefault<Ready>>;

/// A set of terms.
pub(crate) type TermSet = HashSet<Term, BuildHasherDefault<Ready>>;

/// Passes a key through that is a hash already. Fixed, so iteration order never differs between runs.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// FNV-1a with a finaliser that spreads the last letters over all bits.
pub(crate) fn term(word: &str) -> Term {
    mix(fnv1a(word.bytes()))
}

/// The hash of two terms in a row.
pub(crate) fn pair(first: Term, second: Term) -> Term {
    mix(first.rotate_left(29) ^ second.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The hash of a sequence of terms; never equal to a single term's by construction of the seed.
pub(crate) fn sequence(terms: impl IntoIterator<Item = Term>) -> Term {
    terms.into_iter().fold(0x51ed_270b_0a1f_39c1, pair)
}

const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 29;
    hash
}
