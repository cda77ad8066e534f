//! Callers: what they do while somebody listens, and who picks up when they are put through.

mod generated;
mod script;

use std::{collections::VecDeque, time::Duration};

use crate::executor::{Act, Callee, Listening, Ringing, Rung, When};
pub use generated::{Kind, Utterance, generate, utterances};
pub use script::{BadScript, Script, scripts};

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What the call is about, for its transcript.
    pub name: String,
    /// What kind of caller it is, for tables.
    pub kind: String,
    /// What is done, one after the other, as often as somebody listens.
    pub turns: VecDeque<Turn>,
    /// What is said after a beep, in place of the next turn.
    pub message: Option<Turn>,
    /// What comes of being put through, one after the other; the last one again and again.
    pub people: VecDeque<Person>,
    /// Digits that must stand in no record.
    pub secret: Option<String>,
}

/// What a caller does once.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The act.
    pub act: Act,
    /// Whether the caller hangs up while the answer is awaited.
    pub leaves_during_answer: bool,
}

/// What comes of ringing somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Person {
    /// Picks up, presses 1 if asked, and talks.
    Accepts,
    /// Picks up and presses another key.
    Declines,
    /// Picks up and hangs up while the whisper is heard.
    HangsUp,
    /// A machine picks up.
    Machine,
    /// The line is busy.
    Busy,
    /// Nobody picks up.
    NoAnswer,
    /// The network cannot connect.
    Failed,
}

impl Person {
    /// What this person does.
    #[must_use]
    pub fn rung(self) -> Rung {
        let picks_up = Callee {
            after: Duration::from_secs(6),
            presses: Some("1".to_owned()),
            talks: Duration::from_secs(90),
            ..Callee::default()
        };
        match self {
            Self::Accepts => Rung::Answered(picks_up),
            Self::Declines => Rung::Answered(Callee {
                presses: Some("2".to_owned()),
                ..picks_up
            }),
            Self::HangsUp => Rung::Answered(Callee {
                hangs_up: true,
                ..picks_up
            }),
            Self::Machine => Rung::Answered(Callee {
                machine: true,
                presses: None,
                ..picks_up
            }),
            Self::Busy => Rung::Busy,
            Self::NoAnswer => Rung::NoAnswer,
            Self::Failed => Rung::Failed,
        }
    }
}

impl Caller {
    /// What the caller does now. Who has nothing left to do hangs up.
    pub fn next_turn(&mut self, listening: &Listening) -> Turn {
        let message = match listening {
            Listening::Record(_) => self.message.take(),
            Listening::Gather(_) => None,
        };
        message.or_else(|| self.turns.pop_front()).unwrap_or(Turn {
            act: Act::HangUp {
                when: When::After(Duration::from_secs(1)),
            },
            leaves_during_answer: false,
        })
    }

    /// What comes of ringing somebody for this caller.
    pub fn next_person(&mut self, _: &Ringing) -> Rung {
        let last = self.people.len() == 1;
        let person = if last {
            self.people.front().copied()
        } else {
            self.people.pop_front()
        };
        person.unwrap_or(Person::Accepts).rung()
    }
}
