//! Draws that are the same for the same seed: an evaluation can be repeated.

/// Numbers that look drawn (Steele, Lea and Flood 2014, `SplitMix64`).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The draws of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(bits.checked_rem(bound).unwrap_or_default()).unwrap_or_default()
    }

    /// Puts items into a drawn order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in 0..items.len() {
            let other = at + self.below(items.len() - at);
            items.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_first_numbers_come() {
        // Of seed 1234567: 6457827717110365317, 3203168211198807973.
        let mut draw = Draw::new(1_234_567);
        assert_eq!(
            draw.below(usize::MAX),
            usize::try_from(6_457_827_717_110_365_317_u64).unwrap()
        );
        assert_eq!(draw.below(1_000), 973);
        assert_eq!(draw.below(0), 0);
    }

    #[test]
    fn a_seed_gives_one_order_and_another_seed_another() {
        let order = |seed| {
            let mut items: Vec<u8> = (0..20).collect();
            Draw::new(seed).shuffle(&mut items);
            items
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(3);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<u8>>());
    }
}
