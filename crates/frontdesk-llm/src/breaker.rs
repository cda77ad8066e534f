//! The breaker in front of the provider: a state machine without a clock of its own (DESIGN 4.8).
//!
//! Whoever asks the provider asks [`Breaker::admission`] first and tells [`Breaker::note`] how it went. Somebody off the call
//! path sends the probes that [`Breaker::due`] names and tells [`Breaker::probed`] how they went. Times are since any
//! fixed instant and never fall.

use std::{collections::VecDeque, time::Duration};

/// Calls are judged over so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Fewer calls in the window prove nothing.
const ENOUGH_CALLS: usize = 5;
/// So many failures in a row open it whatever the window holds.
const FAILURES_IN_A_ROW: u32 = 3;
/// The first probe of an open breaker comes after this, the next ones after twice the time of the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Probes are at most so far apart.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Who needs to open again so soon after a free probe closed it learns nothing from free probes.
const DISTRUST: Duration = Duration::from_mins(1);

/// How a call to the provider went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was answered whole, whatever the answer says.
    Answered,
    /// It failed: an error status, no connection, a broken answer.
    Failed,
    /// Nobody waited longer, and some bytes had come.
    Cut,
    /// Nobody waited longer, and not a byte had come.
    CutWithoutAByte,
    /// The key, the account or its quota is refused: the next call would fare the same.
    Rejected,
}

/// Where the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// One call was cut without a byte: a probe decides.
    Suspect,
    /// No call goes through.
    Open,
    /// No call goes through, and a probe is under way.
    Probing,
}

impl State {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Suspect => "suspect",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }
}

/// Whether a call may go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Allowed,
    /// Not until a probe has decided.
    Suspect,
    /// Not until a probe has succeeded.
    Open,
}

/// What kind of probe is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// One that costs nothing.
    Free,
    /// One token: free ones succeeded while calls failed.
    Token,
}

/// What a call or a probe changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A probe is to decide at once.
    Suspected,
    /// No more calls.
    Opened,
    /// Calls go through again.
    Closed,
}

/// The state machine.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// When each call of the window ended, and whether it failed or was cut.
    calls: VecDeque<(Duration, bool)>,
    failures: u32,
    due_at: Duration,
    pause: Duration,
    /// Suspicion is not opened before; a probe from it that fails opens.
    probes_suspicion: bool,
    closed_by_free_probe_at: Option<Duration>,
    distrusts_free_probes: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            calls: VecDeque::new(),
            failures: 0,
            due_at: Duration::ZERO,
            pause: FIRST_PAUSE,
            probes_suspicion: false,
            closed_by_free_probe_at: None,
            distrusts_free_probes: false,
        }
    }
}

impl Breaker {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether a call may go through now.
    #[must_use]
    pub const fn admission(&self) -> Admission {
        match self.state {
            State::Closed => Admission::Allowed,
            State::Suspect => Admission::Suspect,
            State::Probing if self.probes_suspicion => Admission::Suspect,
            State::Open | State::Probing => Admission::Open,
        }
    }

    /// Notes how a call went that ended at `now`.
    pub fn note(&mut self, now: Duration, event: Event) -> Option<Change> {
        let failed = event != Event::Answered;
        self.forget(now);
        self.calls.push_back((now, failed));
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        match self.state {
            // Calls that were under way when it opened decide nothing: the probe does.
            State::Open => None,
            State::Probing if !self.probes_suspicion => None,
            _ if event == Event::Rejected || self.has_failed_enough() => Some(self.open(now)),
            State::Closed if event == Event::CutWithoutAByte => {
                self.state = State::Suspect;
                self.due_at = now;
                Some(Change::Suspected)
            }
            _ => None,
        }
    }

    /// The probe that is due at `now`, if one is. It must be reported by [`Breaker::probed`]; until then no other is due.
    pub fn due(&mut self, now: Duration) -> Option<Probe> {
        if !matches!(self.state, State::Suspect | State::Open) || now < self.due_at {
            return None;
        }
        self.probes_suspicion = self.state == State::Suspect;
        self.state = State::Probing;
        Some(if self.distrusts_free_probes {
            Probe::Token
        } else {
            Probe::Free
        })
    }

    /// When the next probe is due, if one is to come.
    #[must_use]
    pub fn next_probe(&self) -> Option<Duration> {
        matches!(self.state, State::Suspect | State::Open).then_some(self.due_at)
    }

    /// Notes how a probe went that was due.
    pub fn probed(&mut self, now: Duration, probe: Probe, succeeded: bool) -> Option<Change> {
        if self.state != State::Probing {
            return None;
        }
        if succeeded {
            self.close(now, probe);
            return Some(Change::Closed);
        }
        if self.probes_suspicion {
            return Some(self.open(now));
        }
        self.state = State::Open;
        self.due_at = now + self.pause;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        None
    }

    /// Somebody else found that no call goes through: a probe of one's own decides at once, and no call waits for that.
    pub fn heard_open(&mut self, now: Duration) -> Option<Change> {
        if self.state != State::Closed {
            return None;
        }
        self.state = State::Suspect;
        self.due_at = now;
        Some(Change::Suspected)
    }

    /// Somebody else saw the provider answer: the next probe is due at once. `true` if one is.
    pub fn heard_closed(&mut self, now: Duration) -> bool {
        let waits = matches!(self.state, State::Suspect | State::Open);
        if waits {
            self.due_at = now;
        }
        waits
    }

    /// Calls go through again: somebody saw the provider answer.
    pub fn reset(&mut self, now: Duration) -> Option<Change> {
        let was = self.state;
        self.close(now, Probe::Token);
        (was != State::Closed).then_some(Change::Closed)
    }

    fn close(&mut self, now: Duration, probe: Probe) {
        // A suspicion that was unfounded leaves the failures in a row as they are: a provider whose calls are all cut
        // while its probes are answered opens all the same.
        if !self.probes_suspicion {
            self.failures = 0;
            self.calls.clear();
        }
        self.state = State::Closed;
        self.probes_suspicion = false;
        match probe {
            Probe::Free => self.closed_by_free_probe_at = Some(now),
            Probe::Token => {
                self.closed_by_free_probe_at = None;
                self.distrusts_free_probes = false;
            }
        }
    }

    fn open(&mut self, now: Duration) -> Change {
        if let Some(closed) = self.closed_by_free_probe_at.take() {
            self.distrusts_free_probes = now.saturating_sub(closed) < DISTRUST;
        }
        self.state = State::Open;
        self.probes_suspicion = false;
        self.due_at = now + FIRST_PAUSE;
        self.pause = FIRST_PAUSE * 2;
        Change::Opened
    }

    fn has_failed_enough(&self) -> bool {
        let failed = self.calls.iter().filter(|(_, failed)| *failed).count();
        let half = self.calls.len() >= ENOUGH_CALLS && failed * 2 >= self.calls.len();
        half || self.failures >= FAILURES_IN_A_ROW
    }

    fn forget(&mut self, now: Duration) {
        while let Some((at, _)) = self.calls.front()
            && *at + WINDOW < now
        {
            self.calls.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.note(s(0), Event::Rejected), Some(Change::Opened));
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.note(s(1), Event::Failed), None);
        assert_eq!(breaker.note(s(20), Event::Cut), None);
        assert_eq!(breaker.admission(), Admission::Allowed);
        assert_eq!(breaker.note(s(40), Event::Failed), Some(Change::Opened));
        assert_eq!(breaker.admission(), Admission::Open);
    }

    #[test]
    fn half_of_five_calls_in_ten_seconds_open_it() {
        let mut breaker = Breaker::default();
        for (at, event) in [
            (1, Event::Failed),
            (2, Event::Answered),
            (3, Event::Failed),
            (4, Event::Answered),
        ] {
            assert_eq!(breaker.note(s(at), event), None);
        }
        assert_eq!(breaker.note(s(5), Event::Failed), Some(Change::Opened));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut breaker = Breaker::default();
        for (at, event) in [
            (0, Event::Failed),
            (1, Event::Failed),
            (2, Event::Answered),
            (30, Event::Failed),
            (31, Event::Failed),
        ] {
            assert_eq!(breaker.note(s(at), event), None, "at {at}");
        }
    }

    #[test]
    fn a_key_that_is_refused_opens_it_at_once() {
        assert_eq!(opened().state(), State::Open);
    }

    #[test]
    fn one_cut_without_a_byte_is_decided_by_a_probe() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.note(s(1), Event::CutWithoutAByte), Some(Change::Suspected));
        assert_eq!(breaker.admission(), Admission::Suspect);
        assert_eq!(breaker.due(s(1)), Some(Probe::Free));
        assert_eq!(breaker.due(s(1)), None, "one at a time");
        assert_eq!(breaker.admission(), Admission::Suspect);
        assert_eq!(breaker.probed(s(2), Probe::Free, true), Some(Change::Closed));
        assert_eq!(breaker.admission(), Admission::Allowed);

        assert_eq!(breaker.note(s(3), Event::CutWithoutAByte), Some(Change::Suspected));
        assert_eq!(breaker.due(s(3)), Some(Probe::Free));
        assert_eq!(breaker.probed(s(5), Probe::Free, false), Some(Change::Opened));
        assert_eq!(breaker.admission(), Admission::Open);
    }

    #[test]
    fn calls_that_are_all_cut_open_it_although_probes_are_answered() {
        let mut breaker = Breaker::default();
        for at in [1, 20] {
            assert_eq!(breaker.note(s(at), Event::CutWithoutAByte), Some(Change::Suspected));
            assert!(breaker.due(s(at)).is_some());
            assert_eq!(breaker.probed(s(at), Probe::Free, true), Some(Change::Closed));
        }
        assert_eq!(breaker.note(s(40), Event::CutWithoutAByte), Some(Change::Opened));
    }

    #[test]
    fn others_that_are_cut_meanwhile_open_a_suspect() {
        let mut breaker = Breaker::default();
        breaker.note(s(1), Event::CutWithoutAByte);
        assert_eq!(breaker.due(s(1)), Some(Probe::Free));
        assert_eq!(breaker.note(s(1), Event::CutWithoutAByte), None);
        assert_eq!(breaker.note(s(1), Event::CutWithoutAByte), Some(Change::Opened));
        assert_eq!(
            breaker.probed(s(2), Probe::Free, true),
            None,
            "its probe comes too late"
        );
        assert_eq!(breaker.next_probe(), Some(s(3)));
    }

    #[test]
    fn probes_of_an_open_breaker_come_after_two_four_and_eight_seconds() {
        let mut breaker = opened();
        let mut now = s(0);
        for pause in [2, 4, 8, 8] {
            assert_eq!(breaker.due(now + Duration::from_millis(pause * 1_000 - 1)), None);
            now += s(pause);
            assert_eq!(breaker.due(now), Some(Probe::Free), "after {pause} s");
            assert_eq!(breaker.admission(), Admission::Open);
            assert_eq!(breaker.probed(now, Probe::Free, false), None);
        }
        now += s(8);
        assert!(breaker.due(now).is_some());
        assert_eq!(breaker.probed(now, Probe::Free, true), Some(Change::Closed));
        assert_eq!(breaker.note(now, Event::Failed), None, "it begins anew");
    }

    #[test]
    fn a_free_probe_that_proved_nothing_is_followed_by_one_token() {
        let mut breaker = opened();
        assert_eq!(breaker.due(s(2)), Some(Probe::Free));
        assert_eq!(breaker.probed(s(2), Probe::Free, true), Some(Change::Closed));
        assert_eq!(breaker.note(s(3), Event::Rejected), Some(Change::Opened));
        assert_eq!(breaker.due(s(5)), Some(Probe::Token));
        assert_eq!(breaker.probed(s(5), Probe::Token, true), Some(Change::Closed));
        assert_eq!(breaker.note(s(200), Event::Rejected), Some(Change::Opened));
        assert_eq!(
            breaker.due(s(202)),
            Some(Probe::Free),
            "long after, free ones are tried again"
        );
    }

    #[test]
    fn what_others_find_makes_one_probe_and_decides_nothing() {
        let mut breaker = Breaker::default();
        assert!(!breaker.heard_closed(s(1)));
        assert_eq!(breaker.heard_open(s(1)), Some(Change::Suspected));
        assert_eq!(breaker.admission(), Admission::Suspect, "no call waits");
        assert_eq!(breaker.heard_open(s(1)), None, "once");
        assert_eq!(breaker.due(s(1)), Some(Probe::Free));
        assert_eq!(
            breaker.probed(s(1), Probe::Free, true),
            Some(Change::Closed),
            "it was theirs alone"
        );

        let mut breaker = opened();
        assert_eq!(breaker.heard_open(s(1)), None);
        assert_eq!(breaker.due(s(1)), None, "not for another second");
        assert!(breaker.heard_closed(s(1)));
        assert_eq!(
            breaker.admission(),
            Admission::Open,
            "until a probe of its own succeeds"
        );
        assert_eq!(breaker.due(s(1)), Some(Probe::Free));
    }

    #[test]
    fn an_open_breaker_is_closed_by_whoever_saw_the_provider_answer() {
        let mut breaker = opened();
        assert_eq!(breaker.reset(s(1)), Some(Change::Closed));
        assert_eq!(breaker.reset(s(1)), None);
        assert_eq!(breaker.admission(), Admission::Allowed);
    }
}
