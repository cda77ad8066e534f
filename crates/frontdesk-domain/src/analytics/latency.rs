//! Latencies in buckets whose bounds never change, four to each doubling.

/// The longest latency that has a bucket of its own size, in microseconds; about 16 s. A turn ends before.
const LONGEST: u64 = (1 << 24) - 1;

/// A range of latencies, in whole microseconds. Below 4 µs each microsecond has its own; above, a bucket is a quarter of
/// its power of two wide, so that its bounds are at most a quarter apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// How many there are.
    pub const COUNT: u16 = 4 * 23;

    /// The bucket of a latency in microseconds; what is longer than all goes to the last.
    #[must_use]
    pub fn of(micros: u64) -> Self {
        let micros = micros.min(LONGEST);
        if micros < 4 {
            return Self(u16::try_from(micros).unwrap_or(0));
        }
        let power = micros.ilog2();
        let quarter = (micros >> (power - 2)) & 3;
        let index = u64::from(power - 1) * 4 + quarter;
        Self(u16::try_from(index).unwrap_or(Self::COUNT - 1))
    }

    /// The bucket of this index.
    #[must_use]
    pub const fn from_index(index: u16) -> Option<Self> {
        if index < Self::COUNT { Some(Self(index)) } else { None }
    }

    /// Its place among all, from 0.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }

    /// The longest latency in it, in microseconds.
    #[must_use]
    pub const fn longest(self) -> u64 {
        let index = self.0 as u64 + 1;
        if index <= 4 {
            return index - 1;
        }
        let (power, quarter) = (index / 4 + 1, index % 4);
        (((4 + quarter) << power) >> 2) - 1
    }
}

/// A share of turns, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile(pub u32);

impl Percentile {
    /// The bucket in which this share of the turns has been reached, by nearest rank; `None` without turns. `buckets` are
    /// in rising order.
    #[must_use]
    pub fn of(self, buckets: &[(Bucket, u64)]) -> Option<Bucket> {
        let all: u64 = buckets.iter().map(|(_, turns)| turns).sum();
        let rank = (all.saturating_mul(u64::from(self.0))).div_ceil(1_000).max(1);
        let mut reached = 0;
        buckets.iter().find_map(|(bucket, turns)| {
            reached += turns;
            (reached >= rank && *turns > 0).then_some(*bucket)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut next = 0;
        for index in 0..Bucket::COUNT {
            let bucket = Bucket::from_index(index).unwrap();
            assert_eq!(Bucket::of(next), bucket, "{next}");
            assert_eq!(Bucket::of(bucket.longest()), bucket, "{index}");
            next = bucket.longest() + 1;
        }
        assert_eq!(next, LONGEST + 1);
        assert_eq!(Bucket::from_index(Bucket::COUNT), None);
    }

    proptest! {
        #[test]
        fn a_bucket_says_a_latency_to_a_quarter(micros in 1_u64..=LONGEST) {
            let longest = Bucket::of(micros).longest();
            prop_assert!(longest >= micros && (longest - micros) * 4 < micros + 4, "{micros} {longest}");
        }

        #[test]
        fn a_percentile_is_that_of_the_sorted_turns(mut turns in prop::collection::vec(0_u64..5_000_000, 1..200), share in 1_u32..=1_000) {
            let mut counts = [0_u64; Bucket::COUNT as usize];
            for micros in &turns {
                counts[usize::from(Bucket::of(*micros).index())] += 1;
            }
            let buckets: Vec<_> = (0..Bucket::COUNT).map(|index| (Bucket(index), counts[usize::from(index)])).collect();
            turns.sort_unstable();
            let rank = (turns.len() as u64 * u64::from(share)).div_ceil(1_000).max(1);
            let exact = turns[usize::try_from(rank).unwrap() - 1];
            prop_assert_eq!(Percentile(share).of(&buckets), Some(Bucket::of(exact)));
        }
    }

    #[test]
    fn without_turns_there_is_no_percentile() {
        assert_eq!(Percentile(500).of(&[]), None);
        assert_eq!(Percentile(500).of(&[(Bucket(3), 0)]), None);
    }
}
