//! Which variation of a fallback is spoken (DESIGN 4.4).

/// What the rotation chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Index of the variation to speak.
    pub index: usize,
    /// Whether this call had heard every variation, so that the caller needs a person.
    pub all_heard: bool,
}

/// Chooses among `len` variations by the company's counter `n` and by what this call has heard, oldest first.
///
/// The first variation from `n mod len` on that the call has not heard is chosen. When all have been heard it may
/// repeat, but never the last one twice in a row (unless there is only one). `None` if there is no variation.
#[must_use]
pub fn choose(n: u64, len: usize, heard: &[u16]) -> Option<Chosen> {
    let start = usize::try_from(n.checked_rem(u64::try_from(len).ok()?)?).ok()?;
    let from_start = || (start..len).chain(0..start);
    let was_heard = |index: &usize| heard.iter().any(|&old| usize::from(old) == *index);
    if let Some(index) = from_start().find(|index| !was_heard(index)) {
        return Some(Chosen {
            index,
            all_heard: false,
        });
    }
    let last = heard.last().map(|&last| usize::from(last));
    let index = from_start().find(|index| Some(*index) != last).unwrap_or(start);
    Some(Chosen { index, all_heard: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n: u64, len: usize, heard: &[u16], want: Option<(usize, bool)>) {
        assert_eq!(
            choose(n, len, heard).map(|c| (c.index, c.all_heard)),
            want,
            "n {n} of {len}, heard {heard:?}"
        );
    }

    #[test]
    fn the_counter_rotates() {
        for n in 0..7 {
            check(n, 3, &[], Some((usize::try_from(n % 3).unwrap(), false)));
        }
    }

    #[test]
    fn a_call_hears_each_variation_before_one_repeats() {
        check(0, 3, &[0], Some((1, false)));
        check(1, 3, &[1, 2], Some((0, false)));
    }

    #[test]
    fn when_all_were_heard_none_comes_twice_in_a_row() {
        check(0, 2, &[1, 0], Some((1, true)));
        check(1, 2, &[1, 0], Some((1, true)));
        check(5, 1, &[0], Some((0, true)));
    }

    #[test]
    fn no_variation_is_no_choice() {
        check(4, 0, &[], None);
    }
}
