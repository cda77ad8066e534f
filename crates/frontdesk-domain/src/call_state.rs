//! What a call remembers from turn to turn.

use serde::{Deserialize, Serialize};

use crate::{
    decision::{FallbackKind, Offer},
    ids::{QnaId, ScenarioId},
    phone::PhoneNumber,
    redaction::Tail,
};

/// So many scenarios are remembered for variants and cooldowns, the newest.
const MAX_ANSWERED: usize = 24;

/// So many variations are remembered of a fallback, the newest.
const MAX_HEARD: usize = 12;

/// What a call remembers. It travels sealed from turn to turn (DESIGN 4.14).
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
    /// When the call began, in Unix seconds; 0 if that is not known.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub began: i64,
    /// What was just asked.
    #[serde(rename = "q", default, skip_serializing_if = "Question::is_none")]
    pub asked: Question,
    /// How many of the last turns in a row brought no words.
    #[serde(rename = "z", default, skip_serializing_if = "is_zero")]
    pub silences: u8,
    /// How often in a row the caller asked for a moment.
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub waits: u8,
    /// Whether the caller wants to be spoken to slowly.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub slowly: bool,
    /// The key of the turn before, for who wants its answer again.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// How often the LLM was asked in this call.
    #[serde(rename = "k", default, skip_serializing_if = "is_zero")]
    pub llm_calls: u8,
    /// Which numbers were dialled in this call.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub dialled: Vec<PhoneNumber>,
}

/// What a call was just asked, so that a bare yes, no, key or number is understood.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Question {
    /// Nothing that a yes or a key answers.
    #[default]
    #[serde(rename = "-")]
    None,
    /// Whether there is anything else.
    #[serde(rename = "e")]
    AnythingElse,
    /// What the keys do: 1 a person, 2 a message.
    #[serde(rename = "m")]
    Menu,
    /// Which of two things.
    #[serde(rename = "c")]
    Choice(Vec<Choosable>),
    /// Whether this way out is wanted, which the last answer offered in its own words.
    #[serde(rename = "w")]
    Offer(Offer),
    /// To leave a message: whoever did not is offered a callback.
    #[serde(rename = "r")]
    Message,
    /// Whether a callback is wanted.
    #[serde(rename = "o")]
    Callback,
    /// Whether at the number that the caller calls from.
    #[serde(rename = "s")]
    CallbackSameNumber,
    /// At which number; how often it was not understood.
    #[serde(rename = "n")]
    CallbackNumber(u8),
    /// Whether this is the number; how often another one was wrong.
    #[serde(rename = "y")]
    CallbackConfirm(String, u8),
    /// At what time.
    #[serde(rename = "t")]
    CallbackTime(String),
}

impl Question {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// One of the things that a caller chooses from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choosable {
    /// A scenario, by its id.
    #[serde(rename = "s")]
    Scenario(ScenarioId),
    /// A Q&A, by its id.
    #[serde(rename = "q")]
    Qna(QnaId),
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
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

    /// The state as a record keeps it: without the digits that only redaction needs and that must not be kept.
    #[must_use]
    pub fn for_replay(&self) -> Self {
        Self {
            tail: Tail::default(),
            ..self.clone()
        }
    }

    /// Forgets what was heard longest ago, to become smaller. `false` if nothing is left to forget.
    pub fn forget(&mut self) -> bool {
        if !self.answered.is_empty() {
            self.answered.remove(0);
            return true;
        }
        let heard = std::mem::take(&mut self.heard);
        let asked = std::mem::take(&mut self.asked);
        if !heard.is_empty() || !asked.is_none() {
            return true;
        }
        // Last of all, because who was dialled may then be dialled again.
        let dialled = !self.dialled.is_empty();
        self.dialled.drain(..self.dialled.len().min(4));
        dialled
    }

    fn find(&self, scenario: &str) -> Option<&Answered> {
        let key = key_of(scenario);
        self.answered.iter().find(|answered| answered.0 == key)
    }
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
    use crate::redaction::redact;

    #[test]
    fn a_record_keeps_no_digits_that_only_redaction_needs() {
        let heard = redact("my card number is 4539 1488", &Tail::default());
        let state = CallState {
            tail: heard.tail,
            ..CallState::default()
        };
        let json = |state: &CallState| serde_json::to_string(state).unwrap();
        assert!(json(&state).contains("4539"), "the next turn needs them");
        assert!(!json(&state.for_replay()).contains("4539"));
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
