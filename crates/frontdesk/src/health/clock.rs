//! Whether this machine's clock goes right: by the monotonic clock, by the store's, and by those of other instances.
//!
//! Months of budgets, leases of holds and the order of records rest on it, so that its trouble is one of the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::{alert::AlertCode, health::HealthState, time::Timestamp};
use frontdesk_server::health::{Check, Concern, Health};
use frontdesk_store::ports::InstanceHealth;
use tokio::time::Instant;

use super::Surroundings;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// A clock that goes apart by more seconds than this is told.
pub(crate) const APART: f64 = 5.0;

/// One that goes apart by more seconds than this is raised: half the lease of a hold.
pub(crate) const FAR_APART: f64 = 30.0;

/// An instance writes every ten seconds and is looked at as often: what it wrote may be so old, in seconds.
const ON_THE_WAY: f64 = 15.0;

/// What was found of an instance's clock is believed so long without news from it.
const STALE: Duration = Duration::from_secs(30);

/// A jump is told so long.
const TOLD: Duration = Duration::from_mins(10);

/// Whether the clock goes right.
pub(super) struct ClockCheck {
    around: Arc<Surroundings>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The time by both clocks at the last look.
    last: Option<(Timestamp, Instant)>,
    /// The last jump, in seconds, and when it was seen.
    jump: Option<(f64, Instant)>,
    /// What each instance had written at the last look.
    beats: HashMap<Arc<str>, Beat>,
}

/// What an instance had written when it was looked at.
#[derive(Clone, Copy)]
struct Beat {
    number: u64,
    /// How far its clock was from this one when it was last seen to have written, in seconds, and when that was.
    apart: Option<(f64, Instant)>,
}

impl ClockCheck {
    pub(super) fn new(around: Arc<Surroundings>) -> Self {
        Self {
            around,
            seen: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// How far the wall clock is from what the monotonic one says of the last look, while that is news.
    fn jump(&mut self, wall: Timestamp, monotonic: Instant) -> Option<f64> {
        if let Some((last, at)) = self.last.replace((wall, monotonic)) {
            let jump = seconds(last, wall) - monotonic.duration_since(at).as_secs_f64();
            if jump.abs() > APART {
                self.jump = Some((jump, monotonic));
            }
        }
        let told = self.jump.filter(|(_, at)| monotonic.duration_since(*at) < TOLD);
        told.map(|(jump, _)| jump)
    }

    /// How far the clock of that instance is from this one which is farthest, of those that have written since they were
    /// first looked at. What was written before says nothing: nobody knows how long it has been there. What was found holds
    /// until an instance writes again, because a part is looked at twice within a second before anything is believed.
    fn others(&mut self, now: Timestamp, at: Instant, instances: &[InstanceHealth]) -> Option<(f64, Arc<str>)> {
        let beats = instances.iter().map(|one| {
            let known = self.beats.get(&one.instance);
            let apart = match known {
                Some(known) if known.number < one.beat => Some((beyond(seconds(now, one.at)), at)),
                Some(known) => known.apart.filter(|(_, seen)| at.duration_since(*seen) < STALE),
                None => None,
            };
            let number = one.beat;
            (Arc::clone(&one.instance), Beat { number, apart })
        });
        self.beats = beats.collect();
        let apart = self
            .beats
            .iter()
            .filter_map(|(whose, beat)| Some((beat.apart?.0, whose)));
        let farthest = apart.max_by(|(a, _), (b, _)| a.abs().total_cmp(&b.abs()));
        farthest.map(|(apart, whose)| (apart, Arc::clone(whose)))
    }
}

/// Seconds from one time to another.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// How far a clock is from this one, given how many seconds its newest time is ahead: an old one may be on the way.
fn beyond(ahead: f64) -> f64 {
    if ahead > 0.0 {
        ahead
    } else {
        (ahead + ON_THE_WAY).min(0.0)
    }
}

/// What clocks that are so many seconds apart mean.
fn judge(found: &[(f64, String)]) -> Health {
    let worst = found.iter().max_by(|(a, _), (b, _)| a.abs().total_cmp(&b.abs()));
    match worst {
        Some((apart, whose)) if apart.abs() > FAR_APART => Health::down(whose.clone()),
        Some((apart, whose)) if apart.abs() > APART => Health::degraded(whose.clone()),
        _ => Health::well("goes right, as far as can be told"),
    }
}

#[async_trait]
impl Check for ClockCheck {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn concern(&self) -> Concern {
        Concern {
            every: EVERY,
            ..Concern::raising(
                AlertCode::DatabaseError,
                HealthState::Down,
                "set the clocks of the machines by NTP (chronyd, systemd-timesyncd): months of budgets and leases of holds rest on them",
            )
        }
    }

    async fn health(&self) -> Health {
        let clock = &self.around.clock;
        let mut found = Vec::new();
        if let Some(jump) = self.lock().jump(clock.now(), Instant::now()) {
            found.push((jump, format!("the clock jumped by {jump:.0} s, or the machine slept")));
        }
        let asked = (clock.now(), Instant::now());
        // A store that does not answer is the trouble of another check.
        if let Ok(Some(time)) = self.around.store.store_time().await {
            let half = asked.1.elapsed().as_secs_f64() / 2.0;
            let apart = seconds(asked.0, time) - half;
            found.push((apart, format!("the store's clock is {apart:.0} s ahead of this one")));
        }
        let now = clock.now();
        let recent = now.checked_sub(Duration::from_hours(1)).unwrap_or(now);
        if let Ok(instances) = self.around.store.instances(recent).await
            && let Some((apart, whose)) = self.lock().others(clock.now(), Instant::now(), &instances)
        {
            found.push((
                apart,
                format!("the clock of instance {whose} is {apart:.0} s ahead of this one"),
            ));
        }
        judge(&found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, beat: u64, at: Timestamp) -> InstanceHealth {
        InstanceHealth {
            instance: name.into(),
            beat,
            at,
            parts: Vec::new(),
        }
    }

    #[test]
    fn what_is_old_may_be_on_the_way_and_what_is_ahead_may_not() {
        let check = |ahead: f64, want: f64| assert!((beyond(ahead) - want).abs() < 1e-9, "{ahead}: {}", beyond(ahead));
        check(0.0, 0.0);
        check(-12.0, 0.0);
        check(-60.0, -45.0);
        check(7.0, 7.0);
    }

    #[test]
    fn the_worst_clock_decides() {
        let state = |apart: &[f64]| {
            let found: Vec<_> = apart.iter().map(|apart| (*apart, String::new())).collect();
            judge(&found).state
        };
        assert_eq!(state(&[]), HealthState::Ok);
        assert_eq!(state(&[4.9, -4.9]), HealthState::Ok);
        assert_eq!(state(&[0.1, -6.0]), HealthState::Degraded);
        assert_eq!(state(&[31.0, 6.0]), HealthState::Down);
    }

    #[test]
    fn a_jump_is_seen_by_the_monotonic_clock_and_told_for_a_while() {
        let mut seen = Seen::default();
        let (wall, begun): (Timestamp, _) = ("2026-11-20T12:00:00Z".parse().unwrap(), Instant::now());
        let mut look = |wall_seconds, seconds| {
            let wall = wall + Duration::from_secs(wall_seconds);
            seen.jump(wall, begun + Duration::from_secs(seconds)).map(f64::round)
        };
        assert_eq!(look(0, 0), None);
        assert_eq!(look(10, 10), None);
        assert_eq!(look(620, 20), Some(600.0));
        assert_eq!(look(630, 30), Some(600.0));
        assert_eq!(look(1_220, 620), None);
    }

    #[test]
    fn only_what_was_written_since_the_first_look_tells_of_another_clock() {
        let mut seen = Seen::default();
        let (now, begun): (Timestamp, _) = ("2026-11-20T12:00:00Z".parse().unwrap(), Instant::now());
        let late = now.checked_sub(Duration::from_mins(5)).unwrap();
        let mut look = |after: u64, [a, b]: [u64; 2]| {
            let instances = [instance("a", a, late), instance("b", b, now)];
            let found = seen.others(now, begun + Duration::from_secs(after), &instances);
            found.map(|(apart, whose)| (apart.round(), whose.to_string()))
        };
        assert_eq!(look(0, [1, 9]), None);
        assert_eq!(look(10, [1, 9]), None, "nothing new");
        let found = Some((-285.0, "a".to_owned()));
        assert_eq!(look(20, [2, 10]), found);
        assert_eq!(look(21, [2, 10]), found, "looked at again before it has written again");
        assert_eq!(look(51, [2, 10]), None, "it writes no more");
    }
}
