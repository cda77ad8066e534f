//! What a call remembers from turn to turn, sealed into the address that Twilio posts the next turn to (DESIGN 4.14).

use frontdesk_domain::{
    decision::FallbackKind,
    ids::{CallId, CompanyId},
    redaction::Tail,
};
use frontdesk_store::seal::Sealer;
use serde::{Deserialize, Serialize};

/// The query parameter that carries it.
pub const PARAMETER: &str = "s";

/// The sealed text is at most this long.
const MAX_SEALED: usize = 1024;

/// So many scenarios are remembered for variants and cooldowns, the newest.
const MAX_ANSWERED: usize = 24;

/// So many variations are remembered of a fallback, the newest.
const MAX_HEARD: usize = 12;

/// What a call remembers. Bound to its call and company by the seal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallState {
    /// Tells the turn that this state leads to from every other one.
    #[serde(rename = "n")]
    pub nonce: u64,
    /// How many turns there were.
    #[serde(rename = "t")]
    pub turn: u32,
    /// How many of the last ones in a row were misses.
    #[serde(rename = "m")]
    pub misses: u8,
    /// Which variations of each fallback were heard, oldest first.
    #[serde(rename = "h")]
    heard: Vec<(FallbackKind, Vec<u16>)>,
    /// Which scenarios answered, how often, and when last.
    #[serde(rename = "a")]
    answered: Vec<Answered>,
    /// What the redaction of the next turn must know of this one.
    #[serde(rename = "d")]
    pub tail: Tail,
}

/// That a scenario answered in this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Answered(u32, u16, i64);

impl CallState {
    /// How often a scenario answered in this call.
    #[must_use]
    pub fn times_answered(&self, scenario: &str) -> usize {
        self.find(scenario).map_or(0, |answered| usize::from(answered.1))
    }

    /// Whether a scenario answered within its cooldown before `now`, in Unix seconds.
    #[must_use]
    pub fn is_cooling_down(&self, scenario: &str, cooldown_seconds: u32, now: i64) -> bool {
        cooldown_seconds > 0
            && self
                .find(scenario)
                .is_some_and(|answered| now.saturating_sub(answered.2) < i64::from(cooldown_seconds))
    }

    /// Remembers that a scenario answered.
    pub fn note_answered(&mut self, scenario: &str, now: i64) {
        let times = u16::try_from(self.times_answered(scenario)).unwrap_or(u16::MAX);
        let key = key_of(scenario);
        self.answered.retain(|answered| answered.0 != key);
        if self.answered.len() >= MAX_ANSWERED {
            self.answered.remove(0);
        }
        self.answered.push(Answered(key, times.saturating_add(1), now));
    }

    /// The variations of a fallback that were heard, oldest first.
    #[must_use]
    pub fn heard(&self, kind: FallbackKind) -> &[u16] {
        self.heard
            .iter()
            .find(|(heard, _)| *heard == kind)
            .map_or(&[], |(_, indices)| indices.as_slice())
    }

    /// Remembers that a variation of a fallback was heard.
    pub fn note_heard(&mut self, kind: FallbackKind, index: usize) {
        let Ok(index) = u16::try_from(index) else { return };
        if !self.heard.iter().any(|(heard, _)| *heard == kind) {
            self.heard.push((kind, Vec::new()));
        }
        for (_, indices) in self.heard.iter_mut().filter(|(heard, _)| *heard == kind) {
            if indices.len() >= MAX_HEARD {
                indices.remove(0);
            }
            indices.push(index);
        }
    }

    /// The state as a replay needs it: without the digits that only redaction needs and that must not be kept.
    pub(crate) fn for_replay(&self) -> serde_json::Value {
        let kept = Self {
            tail: Tail::default(),
            ..self.clone()
        };
        serde_json::to_value(kept).unwrap_or_default()
    }

    fn find(&self, scenario: &str) -> Option<&Answered> {
        let key = key_of(scenario);
        self.answered.iter().find(|answered| answered.0 == key)
    }

    /// Seals the state for the next turn of this call. What does not fit is forgotten, oldest scenarios first.
    #[must_use]
    pub fn seal(&mut self, sealer: &Sealer, company: CompanyId, call: &CallId) -> String {
        loop {
            let plain = serde_json::to_vec(self).unwrap_or_default();
            let sealed = sealer.seal_text(&context(company, call), &plain);
            if sealed.len() <= MAX_SEALED || (self.answered.is_empty() && self.heard.is_empty()) {
                return sealed;
            }
            if self.answered.is_empty() {
                self.heard.clear();
            } else {
                self.answered.remove(0);
            }
        }
    }

    /// Opens what [`seal`](Self::seal) made. `None` if it was made for another call or company, with another key, or
    /// was changed.
    #[must_use]
    pub fn open(sealer: &Sealer, company: CompanyId, call: &CallId, sealed: &str) -> Option<Self> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let plain = sealer.open_text(&context(company, call), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

fn context(company: CompanyId, call: &CallId) -> String {
    format!("call-state:{company}:{call}")
}

/// A short name of a scenario within one call (FNV-1a, 32 bits).
fn key_of(scenario: &str) -> u32 {
    scenario.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::from_key([7; 32])
    }

    fn company() -> CompanyId {
        "507f1f77bcf86cd799439011".parse().unwrap()
    }

    #[test]
    fn a_state_opens_for_its_own_call_and_company_only() {
        let mut state = CallState {
            turn: 3,
            misses: 1,
            nonce: 42,
            ..CallState::default()
        };
        let call = CallId::new("CA1");
        let sealed = state.seal(&sealer(), company(), &call);
        assert_eq!(CallState::open(&sealer(), company(), &call, &sealed), Some(state));
        assert_eq!(
            CallState::open(&sealer(), company(), &CallId::new("CA2"), &sealed),
            None
        );
        let other = "507f1f77bcf86cd799439012".parse().unwrap();
        assert_eq!(CallState::open(&sealer(), other, &call, &sealed), None);
        assert_eq!(
            CallState::open(&Sealer::from_key([8; 32]), company(), &call, &sealed),
            None
        );
        assert_eq!(CallState::open(&sealer(), company(), &call, "not sealed"), None);
    }

    #[test]
    fn however_much_a_call_remembers_the_sealed_text_fits() {
        let mut state = CallState {
            nonce: u64::MAX,
            turn: u32::MAX,
            misses: u8::MAX,
            ..CallState::default()
        };
        for number in 0..200_usize {
            state.note_answered(&format!("scenario-{number}"), i64::MAX);
            for kind in FallbackKind::ALL {
                state.note_heard(kind, 65_000 + number % 500);
            }
        }
        let sealed = state.seal(&sealer(), company(), &CallId::new("CA1"));
        assert!(sealed.len() <= MAX_SEALED, "{} bytes", sealed.len());
        assert!(CallState::open(&sealer(), company(), &CallId::new("CA1"), &sealed).is_some());
        assert_eq!(state.times_answered("scenario-199"), 1, "the newest is remembered");
    }

    #[test]
    fn a_scenario_cools_down_within_its_call() {
        let mut state = CallState::default();
        state.note_answered("hours", 100);
        assert!(state.is_cooling_down("hours", 60, 159));
        assert!(!state.is_cooling_down("hours", 60, 160));
        assert!(!state.is_cooling_down("hours", 0, 100));
        assert!(!state.is_cooling_down("price", 60, 100));
        state.note_answered("hours", 200);
        assert_eq!(state.times_answered("hours"), 2);
    }
}
