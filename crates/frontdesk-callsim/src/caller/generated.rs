//! Callers that are drawn by a seed, with words out of a file of utterances.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use serde::Deserialize;

use super::{Caller, Person, Turn};
use crate::executor::{Act, When};

/// Something that a caller says to a company.
#[derive(Debug, Clone, Deserialize)]
pub struct Utterance {
    /// The company's id.
    pub company: String,
    /// The words.
    pub utterance: String,
    /// What is special about them.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Reads utterances, one JSON object a line.
///
/// # Errors
/// A line is none.
pub fn utterances(text: &str) -> Result<Vec<Utterance>, serde_json::Error> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(serde_json::from_str).collect()
}

/// What kind of caller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks one to three things and says goodbye.
    Asks,
    /// Says nothing.
    Silent,
    /// Only presses keys.
    KeysOnly,
    /// Asks to hear it again.
    Repeats,
    /// Wants a person.
    WantsPerson,
    /// Leaves a message.
    LeavesMessage,
    /// Talks for 4,000 words.
    Talks,
    /// Speaks another language.
    OtherLanguage,
    /// Swears.
    Swears,
    /// Says the number of a card.
    CardNumber,
    /// Says it in two halves.
    CardInHalves,
    /// Dictates a telephone number.
    Dictates,
    /// Hangs up early.
    HangsUp,
    /// Cuts prompts off.
    CutsIn,
}

/// All kinds, and how many of a hundred callers are of each.
const MIX: [(Kind, u32); 14] = [
    (Kind::Asks, 38),
    (Kind::Silent, 5),
    (Kind::KeysOnly, 5),
    (Kind::Repeats, 6),
    (Kind::WantsPerson, 10),
    (Kind::LeavesMessage, 8),
    (Kind::Talks, 1),
    (Kind::OtherLanguage, 4),
    (Kind::Swears, 3),
    (Kind::CardNumber, 3),
    (Kind::CardInHalves, 3),
    (Kind::Dictates, 4),
    (Kind::HangsUp, 5),
    (Kind::CutsIn, 5),
];

impl Kind {
    /// One word for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asks => "asks",
            Self::Silent => "silent",
            Self::KeysOnly => "keys-only",
            Self::Repeats => "repeats",
            Self::WantsPerson => "wants-person",
            Self::LeavesMessage => "leaves-message",
            Self::Talks => "talks",
            Self::OtherLanguage => "other-language",
            Self::Swears => "swears",
            Self::CardNumber => "card-number",
            Self::CardInHalves => "card-in-halves",
            Self::Dictates => "dictates-number",
            Self::HangsUp => "hangs-up",
            Self::CutsIn => "cuts-in",
        }
    }
}

/// A number that every card network keeps for tests.
const CARD: &str = "4111111111111111";

const FOREIGN: [&str; 4] = [
    "hola necesito ayuda por favor habla español",
    "bonjour est-ce que quelqu'un parle français",
    "guten tag ich brauche bitte einen termin",
    "你好 我需要帮助",
];

const RUDE: [&str; 3] = [
    "what the hell is wrong with you people",
    "this is bullshit just get me somebody",
    "you damn robot shut up",
];

/// Draws a caller of this company.
pub fn generate(utterances: &[Utterance], company: &str, rng: &mut StdRng) -> Caller {
    let own: Vec<&Utterance> = utterances.iter().filter(|known| known.company == company).collect();
    let mut draw = Draw { own, rng };
    let kind = draw.kind();
    let mut turns = VecDeque::new();
    let mut secret = None;
    match kind {
        Kind::Asks => {
            for _ in 0..draw.rng.random_range(1..=3) {
                turns.push_back(draw.asks());
            }
            turns.push_back(draw.says("no that's all thank you goodbye"));
        }
        Kind::Silent => turns.extend((0..12).map(|_| waits())),
        Kind::KeysOnly => turns.extend((0..8).map(|_| draw.presses())),
        Kind::Repeats => {
            turns.push_back(draw.asks());
            turns.push_back(draw.says("sorry can you say that again"));
            turns.push_back(draw.says("slower please"));
            turns.push_back(draw.says("okay thanks bye"));
        }
        Kind::WantsPerson => {
            if draw.rng.random_bool(0.5) {
                turns.push_back(draw.asks());
            }
            turns.extend((0..3).map(|_| draw.says("I want to talk to a real person")));
        }
        Kind::LeavesMessage => turns.extend((0..3).map(|_| draw.says("I would like to leave a message please"))),
        Kind::Talks => {
            let words = draw.talk(4_000);
            turns.push_back(draw.says(&words));
            turns.push_back(draw.says("goodbye"));
        }
        Kind::OtherLanguage => {
            for _ in 0..3 {
                let words = FOREIGN.choose(draw.rng).copied().unwrap_or_default();
                turns.push_back(draw.says(words));
            }
        }
        Kind::Swears => {
            for _ in 0..2 {
                let words = RUDE.choose(draw.rng).copied().unwrap_or_default();
                turns.push_back(draw.says(words));
            }
            turns.push_back(draw.says("goodbye"));
        }
        Kind::CardNumber => {
            turns.push_back(draw.asks());
            turns.push_back(draw.says("my card number is 4111 1111 1111 1111"));
            turns.push_back(draw.says("bye"));
            secret = Some(CARD.to_owned());
        }
        Kind::CardInHalves => {
            turns.push_back(draw.says("I want to pay the card is 4111 1111"));
            turns.push_back(draw.says("1111 1111"));
            turns.push_back(draw.says("bye"));
            secret = Some(CARD.to_owned());
        }
        Kind::Dictates => {
            turns.push_back(draw.says("call me back at 202 555 01 43"));
            turns.push_back(draw.says("two oh two five five five oh one four three"));
            turns.push_back(draw.says("yes"));
            turns.push_back(draw.says("goodbye"));
        }
        Kind::HangsUp => {
            if draw.rng.random_bool(0.5) {
                turns.push_back(draw.asks());
            }
            turns.push_back(draw.leaves());
        }
        Kind::CutsIn => {
            for _ in 0..2 {
                turns.push_back(draw.asks_into());
            }
            turns.push_back(draw.says("goodbye"));
        }
    }
    let message = draw.message();
    let people = draw.people();
    Caller {
        name: format!("{} ({company})", kind.name()),
        kind: kind.name().to_owned(),
        turns,
        message: Some(message),
        people,
        secret,
    }
}

struct Draw<'a> {
    own: Vec<&'a Utterance>,
    rng: &'a mut StdRng,
}

fn waits() -> Turn {
    Turn {
        act: Act::Wait,
        leaves_during_answer: false,
    }
}

impl Draw<'_> {
    fn kind(&mut self) -> Kind {
        let drawn = MIX.choose_weighted(self.rng, |(_, share)| *share);
        drawn.map_or(Kind::Asks, |(kind, _)| *kind)
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(100..2_500))
    }

    fn words(&mut self) -> String {
        let drawn = self.own.choose(self.rng);
        drawn.map_or_else(|| "what can you do for me".to_owned(), |drawn| drawn.utterance.clone())
    }

    fn says(&mut self, words: &str) -> Turn {
        let when = When::After(self.delay());
        self.speaks(words.to_owned(), when)
    }

    fn asks(&mut self) -> Turn {
        let words = self.words();
        self.says(&words)
    }

    fn asks_into(&mut self) -> Turn {
        let words = self.words();
        let when = When::Into(self.delay());
        self.speaks(words, when)
    }

    fn speaks(&mut self, words: String, when: When) -> Turn {
        // One recogniser in ten does not say how sure it is.
        let confidence = self.rng.random_bool(0.9).then(|| self.rng.random_range(0.5..1.0));
        Turn {
            act: Act::Speak {
                words,
                confidence,
                when,
                hangs_up: false,
            },
            leaves_during_answer: false,
        }
    }

    fn presses(&mut self) -> Turn {
        let keys = ["1", "2", "3", "0", "9", "#", "*", "12345"];
        let keys = keys.choose(self.rng).copied().unwrap_or("1").to_owned();
        let when = When::After(self.delay());
        Turn {
            act: Act::Press { keys, when },
            leaves_during_answer: false,
        }
    }

    fn leaves(&mut self) -> Turn {
        let delay = self.delay();
        match self.rng.random_range(0..4) {
            0 => Turn {
                leaves_during_answer: true,
                ..self.asks()
            },
            1 => {
                let words = self.words();
                let act = Act::Speak {
                    words,
                    confidence: None,
                    when: When::After(delay),
                    hangs_up: true,
                };
                Turn {
                    act,
                    leaves_during_answer: false,
                }
            }
            kind => {
                let when = if kind == 2 {
                    When::Into(delay)
                } else {
                    When::After(delay)
                };
                Turn {
                    act: Act::HangUp { when },
                    leaves_during_answer: false,
                }
            }
        }
    }

    fn talk(&mut self, words: usize) -> String {
        let mut talk: Vec<String> = Vec::new();
        while talk.len() < words {
            let more = self.words();
            talk.extend(more.split_whitespace().map(str::to_owned));
        }
        talk.truncate(words);
        talk.join(" ")
    }

    fn message(&mut self) -> Turn {
        match self.rng.random_range(0..8) {
            0 => waits(),
            1 => self.leaves(),
            kind => {
                let mut turn = self.says("hi this is Jordan please call me back at 202 555 0143 thank you");
                if let Act::Speak { hangs_up, .. } = &mut turn.act {
                    *hangs_up = kind < 5;
                }
                turn
            }
        }
    }

    fn people(&mut self) -> VecDeque<Person> {
        use Person::{Accepts, Busy, Declines, Failed, HangsUp, Machine, NoAnswer};
        let all = [
            Accepts, Accepts, Accepts, Busy, NoAnswer, Failed, Machine, Declines, HangsUp,
        ];
        let drawn = (0..3).map(|_| all.choose(self.rng).copied().unwrap_or(Accepts));
        drawn.collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn drawn(seed: u64) -> Caller {
        let known = utterances("{\"company\": \"c\", \"utterance\": \"are you open\"}\n").unwrap();
        generate(&known, "c", &mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn the_same_seed_draws_the_same_caller() {
        assert_eq!(format!("{:?}", drawn(7)), format!("{:?}", drawn(7)));
    }

    #[test]
    fn all_kinds_are_drawn() {
        let kinds: std::collections::BTreeSet<_> = (0..600).map(|seed| drawn(seed).kind).collect();
        assert_eq!(kinds.len(), MIX.len(), "{kinds:?}");
    }

    #[test]
    fn the_shares_are_those_of_a_hundred() {
        assert_eq!(MIX.iter().map(|(_, share)| share).sum::<u32>(), 100);
    }

    #[test]
    fn a_talker_says_4000_words() {
        let talker = (0..2_000).map(drawn).find(|caller| caller.kind == "talks").unwrap();
        let Act::Speak { words, .. } = &talker.turns[0].act else {
            panic!()
        };
        assert_eq!(words.split_whitespace().count(), 4_000);
    }
}
