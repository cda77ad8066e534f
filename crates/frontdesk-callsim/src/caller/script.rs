//! Scripts: callers that were written down, in TOML or JSON.

use std::time::Duration;

use serde::Deserialize;

use super::{Caller, Person, Turn};
use crate::executor::{Act, When};

/// A caller that was written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the call is about.
    pub name: String,
    /// Whom it is for: a company's id, or a part of its name; without one the first company.
    pub company: Option<String>,
    /// The caller's number.
    pub from: Option<String>,
    /// What comes of ringing people, in order.
    #[serde(default)]
    pub people: Vec<Person>,
    #[serde(default, rename = "turn")]
    turns: Vec<Written>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    say: Option<String>,
    keys: Option<String>,
    #[serde(default)]
    silence: bool,
    hang_up: Option<HangUp>,
    /// Seconds after the prompts.
    after: Option<f64>,
    /// Seconds into the prompts.
    into: Option<f64>,
    confidence: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HangUp {
    Now,
    AfterWords,
    DuringAnswer,
}

/// A script that says nothing clear.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadScript(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    call: Vec<Script>,
}

/// Reads a file of scripts, TOML or JSON.
///
/// # Errors
/// It is neither, or a turn is not clear.
pub fn scripts(text: &str) -> Result<Vec<Script>, BadScript> {
    let bad = |error: &dyn std::fmt::Display| BadScript(error.to_string());
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| bad(&error))?
    } else {
        toml::from_str(text).map_err(|error| bad(&error))?
    };
    for script in &file.call {
        for (number, turn) in script.turns.iter().enumerate() {
            turn.read()
                .map_err(|why| BadScript(format!("`{}`, turn {}: {why}", script.name, number + 1)))?;
        }
    }
    Ok(file.call)
}

impl Script {
    /// The caller.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller {
            name: self.name.clone(),
            kind: "script".to_owned(),
            turns: self.turns.iter().filter_map(|turn| turn.read().ok()).collect(),
            message: None,
            people: self.people.iter().copied().collect(),
            secret: None,
        }
    }
}

impl Written {
    fn read(&self) -> Result<Turn, &'static str> {
        let seconds = |time: f64| Duration::try_from_secs_f64(time).map_err(|_| "a time is none");
        let when = match (self.after, self.into) {
            (Some(_), Some(_)) => return Err("`after` and `into` exclude each other"),
            (None, Some(into)) => When::Into(seconds(into)?),
            (after, None) => When::After(seconds(after.unwrap_or(0.5))?),
        };
        let act = match (&self.say, &self.keys, self.silence, self.hang_up) {
            (Some(words), None, false, hang_up) if hang_up != Some(HangUp::Now) => Act::Speak {
                words: words.clone(),
                confidence: Some(self.confidence.unwrap_or(0.91)),
                when,
                hangs_up: hang_up == Some(HangUp::AfterWords),
            },
            (None, Some(keys), false, None | Some(HangUp::DuringAnswer)) => Act::Press {
                keys: keys.clone(),
                when,
            },
            (None, None, true, None | Some(HangUp::DuringAnswer)) => Act::Wait,
            (None, None, false, Some(HangUp::Now)) => Act::HangUp { when },
            _ => {
                return Err("it is one of `say`, `keys`, `silence = true` and `hang_up = \"now\"`; \
                     the first three take `hang_up = \"during-answer\"`, `say` takes \"after-words\"");
            }
        };
        Ok(Turn {
            act,
            leaves_during_answer: self.hang_up == Some(HangUp::DuringAnswer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(written: &str) -> Result<Turn, String> {
        let text = format!("[[call]]\nname = \"a\"\n[[call.turn]]\n{written}");
        let read = scripts(&text).map_err(|error| error.to_string())?;
        Ok(read[0].caller().turns[0].clone())
    }

    #[test]
    fn a_turn_is_one_act() {
        let after = When::After(Duration::from_millis(500));
        let act = |written: &str| turn(written).unwrap().act;
        assert_eq!(
            act("keys = \"1\""),
            Act::Press {
                keys: "1".into(),
                when: after
            }
        );
        assert_eq!(act("silence = true"), Act::Wait);
        assert_eq!(
            act("hang_up = \"now\"\ninto = 2"),
            Act::HangUp {
                when: When::Into(Duration::from_secs(2))
            }
        );
        assert!(matches!(
            act("say = \"a\"\nhang_up = \"after-words\""),
            Act::Speak { hangs_up: true, .. }
        ));
        assert!(
            turn("say = \"a\"\nhang_up = \"during-answer\"")
                .unwrap()
                .leaves_during_answer
        );
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for written in [
            "",
            "say = \"a\"\nkeys = \"1\"",
            "silence = false",
            "say = \"a\"\nafter = 1\ninto = 1",
            "shout = \"a\"",
            "keys = \"1\"\nafter = -1",
        ] {
            assert!(turn(written).is_err(), "{written}");
        }
    }

    #[test]
    fn the_showcase_is_a_script() {
        assert_eq!(scripts(include_str!("../../scripts/showcase.toml")).unwrap().len(), 5);
    }

    #[test]
    fn a_script_may_be_json() {
        let read =
            scripts("{\"call\": [{\"name\": \"a\", \"people\": [\"no-answer\"], \"turn\": [{\"say\": \"b\"}]}]}")
                .unwrap();
        assert_eq!(
            (read[0].people.as_slice(), read[0].caller().turns.len()),
            ([Person::NoAnswer].as_slice(), 1)
        );
    }
}
