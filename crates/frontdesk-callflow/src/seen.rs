//! Which turns and calls there were in the last day: a set that may say *yes* wrongly, and never *no*.
//!
//! Whoever asks it can spare the store a read for each turn of a new call. It is a Bloom filter in blocks of a cache
//! line (F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007): one for today, one
//! for the day before. With 3 million entries a day about one answer in ten is a wrong *yes*, which costs a read.

use std::{
    hash::{Hash, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rapidhash::quality::RapidHasher;

/// So many blocks has a filter: 2 MB.
const BLOCKS: usize = 1 << 15;

/// So many bits are set for an entry.
const BITS: u32 = 4;

/// What is remembered for at least so long, in seconds (DESIGN 4.15).
pub(crate) const A_DAY: i64 = 24 * 60 * 60;

type Block = [u64; 8];

struct Filters {
    today: Vec<Block>,
    before: Vec<Block>,
    /// When today began, in Unix seconds.
    began: i64,
}

/// The set.
pub(crate) struct Seen(Mutex<Filters>);

impl Default for Seen {
    fn default() -> Self {
        Self(Mutex::new(Filters {
            today: vec![[0; 8]; BLOCKS],
            before: vec![[0; 8]; BLOCKS],
            began: 0,
        }))
    }
}

impl Seen {
    /// Notes an entry; `now` in Unix seconds.
    pub(crate) fn note(&self, entry: &impl Hash, now: i64) {
        let place = Place::of(entry);
        let mut filters = self.filters();
        if now >= filters.began.saturating_add(A_DAY) {
            let Filters { today, before, began } = &mut *filters;
            std::mem::swap(today, before);
            today.fill([0; 8]);
            *began = now;
        }
        if let Some(block) = filters.today.get_mut(place.block) {
            for (word, bits) in block.iter_mut().zip(place.bits) {
                *word |= bits;
            }
        }
    }

    /// Whether an entry may have been noted in the last day; `false` is certain.
    pub(crate) fn may_hold(&self, entry: &impl Hash) -> bool {
        let place = Place::of(entry);
        let filters = self.filters();
        let holds = |filter: &[Block]| {
            let block = filter.get(place.block);
            block.is_some_and(|block| block.iter().zip(place.bits).all(|(word, bits)| word & bits == bits))
        };
        holds(&filters.today) || holds(&filters.before)
    }

    fn filters(&self) -> MutexGuard<'_, Filters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an entry stands.
struct Place {
    block: usize,
    bits: Block,
}

impl Place {
    fn of(entry: &impl Hash) -> Self {
        let mut hasher = RapidHasher::default();
        entry.hash(&mut hasher);
        let hash = hasher.finish();
        let mut bits: Block = [0; 8];
        for bit in 0..BITS {
            let at = (hash >> (9 * bit)) & 511;
            if let Some(word) = bits.get_mut(usize::try_from(at / 64).unwrap_or_default()) {
                *word |= 1 << (at % 64);
            }
        }
        let block = usize::try_from(hash >> 40).unwrap_or_default() % BLOCKS;
        Self { block, bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_held_for_a_day_and_gone_after_two() {
        let seen = Seen::default();
        for entry in 0..10_000_u32 {
            seen.note(&entry, 1_000);
        }
        assert!((0..10_000_u32).all(|entry| seen.may_hold(&entry)), "never a wrong no");
        seen.note(&"next day", 1_000 + A_DAY);
        assert!(
            (0..10_000_u32).all(|entry| seen.may_hold(&entry)),
            "the day before still counts"
        );
        seen.note(&"the day after", 1_000 + 2 * A_DAY);
        let left = (0..10_000_u32).filter(|entry| seen.may_hold(entry)).count();
        assert!(left < 10, "{left}");
    }

    #[test]
    fn a_wrong_yes_is_seldom() {
        let seen = Seen::default();
        for entry in 0..500_000_u32 {
            seen.note(&entry, 1_000);
        }
        let wrong = (1_000_000..1_100_000_u32).filter(|entry| seen.may_hold(entry)).count();
        assert!(wrong < 2_000, "{wrong} of 100,000");
    }
}
