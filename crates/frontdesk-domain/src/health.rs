//! How parts of the process are, and when that counts as changed. Pure: readings and times come from outside.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// It does all that it should.
    Ok,
    /// It works, less well than it should, or will soon not work any more.
    Degraded,
    /// It does not work.
    Down,
}

impl HealthState {
    /// The state as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// How many readings in a row it takes to believe that something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hysteresis {
    /// So many worse ones make it worse; 1 believes the first.
    pub worse_after: u32,
    /// So many better ones make it better; 1 believes the first.
    pub better_after: u32,
}

impl Hysteresis {
    /// Down after two failures in a row, up after two good ones.
    pub const USUAL: Self = Self {
        worse_after: 2,
        better_after: 2,
    };

    /// Believes every reading: for what is slow to change its mind by itself, such as a breaker.
    pub const NONE: Self = Self {
        worse_after: 1,
        better_after: 1,
    };
}

/// A state that is over, and the one that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthChange {
    /// The state before; none at the first.
    pub from: Option<HealthState>,
    /// The state now.
    pub to: HealthState,
}

/// What is believed of a part, given what was read of it.
///
/// Nothing is believed before the first reading. A good one is believed at once then; a bad one needs as many as later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthTracker {
    believed: Option<(HealthState, Timestamp)>,
    /// Readings in a row that are all worse, or all better, than what is believed.
    streak: Option<Streak>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Streak {
    is_worse: bool,
    length: u32,
    /// Of these readings the one that is nearest to what is believed: so far all of them agree.
    agreed: HealthState,
}

impl HealthTracker {
    /// What is believed, and since when; none before anything is.
    #[must_use]
    pub const fn state(&self) -> Option<(HealthState, Timestamp)> {
        self.believed
    }

    /// Takes a reading; tells the change if it makes one.
    pub fn note(&mut self, reading: HealthState, at: Timestamp, policy: Hysteresis) -> Option<HealthChange> {
        let before = self.believed.map(|(state, _)| state);
        if before == Some(reading) {
            self.streak = None;
            return None;
        }
        // What nothing is known of is taken for well until it is seen to be otherwise.
        let is_worse = reading > before.unwrap_or(HealthState::Ok);
        let streak = match self.streak {
            Some(streak) if streak.is_worse == is_worse => Streak {
                is_worse,
                length: streak.length.saturating_add(1),
                agreed: if is_worse {
                    streak.agreed.min(reading)
                } else {
                    streak.agreed.max(reading)
                },
            },
            _ => Streak {
                is_worse,
                length: 1,
                agreed: reading,
            },
        };
        let needed = match (before, is_worse) {
            (None, false) => 1,
            (_, true) => policy.worse_after.max(1),
            (Some(_), false) => policy.better_after.max(1),
        };
        if streak.length < needed {
            self.streak = Some(streak);
            return None;
        }
        self.streak = None;
        self.believed = Some((streak.agreed, at));
        Some(HealthChange {
            from: before,
            to: streak.agreed,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{HealthState::*, *};

    fn second(number: usize) -> Timestamp {
        Timestamp::from_second(i64::try_from(number).unwrap()).unwrap()
    }

    /// What is believed after each reading.
    fn believed(readings: &[HealthState], policy: Hysteresis) -> Vec<Option<HealthState>> {
        let mut tracker = HealthTracker::default();
        let believe = |(number, reading): (usize, &HealthState)| {
            tracker.note(*reading, second(number), policy);
            tracker.state().map(|(state, _)| state)
        };
        readings.iter().enumerate().map(believe).collect()
    }

    fn check(readings: &[HealthState], want: &[Option<HealthState>]) {
        assert_eq!(believed(readings, Hysteresis::USUAL), want, "{readings:?}");
    }

    #[test]
    fn two_failures_in_a_row_are_down_and_two_good_ones_up() {
        check(
            &[Ok, Down, Down, Ok, Ok],
            &[Some(Ok), Some(Ok), Some(Down), Some(Down), Some(Ok)],
        );
    }

    #[test]
    fn one_failure_is_none() {
        check(&[Ok, Down, Ok, Down, Ok], &[Some(Ok); 5]);
    }

    #[test]
    fn a_start_believes_what_is_well_at_once_and_what_is_not_the_second_time() {
        check(&[Down, Down], &[None, Some(Down)]);
        check(&[Down, Ok], &[None, Some(Ok)]);
    }

    #[test]
    fn of_bad_readings_the_mildest_is_believed_and_of_better_ones_the_worst() {
        check(&[Ok, Down, Degraded], &[Some(Ok), Some(Ok), Some(Degraded)]);
        check(
            &[Ok, Down, Down, Ok, Degraded],
            &[Some(Ok), Some(Ok), Some(Down), Some(Down), Some(Degraded)],
        );
    }

    #[test]
    fn without_hysteresis_every_reading_is_believed() {
        assert_eq!(
            believed(&[Down, Ok, Degraded], Hysteresis::NONE),
            [Some(Down), Some(Ok), Some(Degraded)]
        );
    }

    #[test]
    fn a_change_tells_what_was_before_and_since_when_it_is() {
        let mut tracker = HealthTracker::default();
        let first = tracker.note(Ok, second(1), Hysteresis::USUAL);
        assert_eq!(first, Some(HealthChange { from: None, to: Ok }));
        assert_eq!(tracker.note(Down, second(2), Hysteresis::USUAL), None);
        let change = tracker.note(Down, second(3), Hysteresis::USUAL);
        assert_eq!(
            change,
            Some(HealthChange {
                from: Some(Ok),
                to: Down
            })
        );
        assert_eq!(tracker.state(), Some((Down, second(3))));
    }

    fn any_state() -> impl Strategy<Value = HealthState> {
        prop_oneof![Just(Ok), Just(Degraded), Just(Down)]
    }

    proptest! {
        #[test]
        fn nothing_flaps(readings in vec(any_state(), 0..200), worse in 1_u32..5, better in 1_u32..5) {
            let policy = Hysteresis { worse_after: worse, better_after: better };
            let mut tracker = HealthTracker::default();
            let mut changed_at: Option<usize> = None;
            for (number, reading) in readings.iter().enumerate() {
                let before = tracker.state().map(|(state, _)| state);
                let change = tracker.note(*reading, second(number), policy);
                let now = tracker.state().map(|(state, _)| state);
                let Some(change) = change else {
                    prop_assert_eq!(now, before, "no change is told");
                    continue;
                };
                prop_assert_eq!((change.from, Some(change.to)), (before, now));
                prop_assert_ne!(before, now);
                // So many readings in a row say so, none of them from before the last change.
                let needed = match before {
                    None if change.to == Ok => 1,
                    _ if change.to > before.unwrap_or(Ok) => worse,
                    _ => better,
                } as usize;
                let since = changed_at.map_or(0, |at| at + 1);
                prop_assert!(number + 1 >= since + needed, "{} readings since {}", number + 1 - since, since);
                let said = &readings[number + 1 - needed..=number];
                let base = before.unwrap_or(Ok);
                if change.to == Ok && before.is_none() {
                    prop_assert_eq!(*reading, Ok);
                } else if change.to > base {
                    prop_assert!(said.iter().all(|reading| *reading >= change.to));
                } else {
                    prop_assert!(said.iter().all(|reading| *reading <= change.to));
                }
                changed_at = Some(number);
            }
        }

        #[test]
        fn what_lasts_is_believed(readings in vec(any_state(), 0..50), last in any_state(), worse in 1_u32..5, better in 1_u32..5) {
            let policy = Hysteresis { worse_after: worse, better_after: better };
            let mut all = readings;
            // At most one step down and one up: an intermediate state may come first.
            all.extend(std::iter::repeat_n(last, 2 * worse.max(better) as usize));
            prop_assert_eq!(believed(&all, policy).last().copied().flatten(), Some(last));
        }
    }
}
