//! `<Gather>`: prompts, barge-in, words, keys and silence.

use std::time::Duration;

use super::{Act, Call, Caller, Event, KEY, WORD, When};
use crate::{
    document::{Gather, SpeechTimeout, Verb},
    form::Form,
};

/// How long the recogniser waits where it decides by itself.
const AUTO: Duration = Duration::from_secs(1);
/// After how many words an unfinished result is told.
const PARTIAL: usize = 4;

enum Input {
    Words {
        words: String,
        confidence: Option<f64>,
        hangs_up: bool,
    },
    Keys(String),
}

impl Input {
    const fn is_heard_by(&self, gather: &Gather) -> bool {
        match self {
            Self::Words { .. } => gather.speech,
            Self::Keys(_) => gather.keys,
        }
    }

    fn into_event(self) -> Event {
        match self {
            Self::Words { words, .. } => Event::Unheard(words),
            Self::Keys(keys) => Event::Unheard(format!("keys {keys}")),
        }
    }
}

/// What came of the prompts.
enum Prompts {
    Over,
    CutOff,
    CallerGone,
}

impl Call {
    pub(super) fn gather(&mut self, gather: &Gather, act: Act) {
        self.unheard_documents = 0;
        let mut leaves = None;
        let (input, when) = match act {
            Act::Speak {
                words,
                confidence,
                when,
                hangs_up,
            } => {
                let words = Input::Words {
                    words,
                    confidence,
                    hangs_up,
                };
                (Some(words), when)
            }
            Act::Press { keys, when } => (Some(Input::Keys(keys)), when),
            Act::Wait => (None, When::After(Duration::ZERO)),
            Act::HangUp { when } => {
                leaves = Some(when);
                (None, when)
            }
        };
        if let Some(When::Into(rest)) = leaves {
            self.hang_up_after(rest);
        }
        let cuts_in = match (&input, when) {
            // Keys end the prompts in any case, words where the document lets them.
            (Some(input), When::Into(into)) if input.is_heard_by(gather) => {
                let may = matches!(input, Input::Keys(_)) || gather.barge_in;
                may.then_some(into)
            }
            _ => None,
        };
        let began = self.clock;
        let prompts = self.prompt(&gather.prompts, cuts_in);
        let after = match (prompts, when) {
            (Prompts::CallerGone, _) => return self.leave(),
            (Prompts::CutOff, _) => Some(Duration::ZERO),
            (Prompts::Over, When::After(after)) => Some(after),
            // None: it came while the prompts were spoken, and they were not to be cut off.
            (Prompts::Over, When::Into(into)) => into.checked_sub(self.clock.saturating_sub(began)),
        };
        if let Some(When::After(rest)) = leaves {
            self.hang_up_after(rest);
        }
        match (input, after) {
            (Some(input), Some(after)) if after <= gather.timeout && input.is_heard_by(gather) => {
                if self.pass(after) == Caller::Gone {
                    return self.leave();
                }
                match input {
                    Input::Words {
                        words,
                        confidence,
                        hangs_up,
                    } => self.words(gather, &words, confidence, hangs_up),
                    Input::Keys(keys) => self.keys(gather, &keys),
                }
            }
            (input, _) => {
                let event = input.map_or(Event::Silence, Input::into_event);
                self.nothing(gather, event);
            }
        }
    }

    fn prompt(&mut self, prompts: &[Verb], cut_after: Option<Duration>) -> Prompts {
        let began = self.clock;
        for prompt in prompts {
            let before = (self.clock, self.moments.len(), self.leaves_at);
            // A caller who cuts in is, for the length of one prompt, one who leaves.
            let cut_at = cut_after.map(|into| began + into);
            let leaves_first = self
                .leaves_at
                .is_some_and(|leaves| cut_at.is_none_or(|cut| leaves <= cut));
            if let (Some(cut_at), false) = (cut_at, leaves_first) {
                self.leaves_at = Some(cut_at);
            }
            let caller = match prompt {
                Verb::Say(say) => self.say(say),
                Verb::Play(play) => self.play(play),
                Verb::Pause(length) => self.pass(*length),
                _ => Caller::There,
            };
            self.leaves_at = before.2;
            if caller == Caller::Gone {
                return if leaves_first || cut_after.is_none() {
                    Prompts::CallerGone
                } else {
                    Prompts::CutOff
                };
            }
        }
        Prompts::Over
    }

    fn words(&mut self, gather: &Gather, words: &str, confidence: Option<f64>, hangs_up: bool) {
        let (words, length) = spoken_within(words, gather.max_speech);
        self.note(Event::Said(words.clone()));
        if self.pass(length) == Caller::Gone || hangs_up {
            return self.leave();
        }
        self.tell_partial_results(gather, &words);
        let silence = match gather.speech_timeout {
            SpeechTimeout::Auto => AUTO,
            SpeechTimeout::After(silence) => silence,
        };
        if self.pass(silence) == Caller::Gone {
            return self.leave();
        }
        let confidence = confidence.map(|confidence| format!("{confidence:.8}"));
        let mut result = vec![("Language", gather.language.as_str()), ("SpeechResult", &words)];
        if let Some(confidence) = &confidence {
            result.push(("Confidence", confidence));
        }
        self.ask(gather.action.as_deref(), gather.method, &result);
    }

    fn tell_partial_results(&mut self, gather: &Gather, words: &str) {
        let Some(link) = &gather.partial_results else { return };
        let words: Vec<&str> = words.split_whitespace().collect();
        for (number, length) in (PARTIAL..words.len()).step_by(PARTIAL).take(8).enumerate() {
            let mut form: Form = self.line.form("in-progress");
            form.push(
                "UnstableSpeechResult",
                words.iter().take(length).copied().collect::<Vec<_>>().join(" "),
            );
            form.push("Stability", "0.8");
            form.push("SequenceNumber", number.to_string());
            self.notify(link, form);
        }
    }

    fn keys(&mut self, gather: &Gather, keys: &str) {
        let Pressed {
            digits,
            finished_on,
            is_complete,
        } = pressed(gather, keys);
        self.note(Event::Pressed(keys.to_owned()));
        let count = u32::try_from(keys.chars().count()).unwrap_or(u32::MAX);
        let wait = if is_complete { Duration::ZERO } else { gather.timeout };
        if self.pass(KEY.saturating_mul(count) + wait) == Caller::Gone {
            return self.leave();
        }
        if digits.is_empty() {
            return self.empty_result(gather);
        }
        let finished_on = finished_on.map(String::from).unwrap_or_default();
        let result = [("Digits", digits.as_str()), ("FinishedOnKey", &finished_on)];
        self.ask(gather.action.as_deref(), gather.method, &result);
    }

    fn nothing(&mut self, gather: &Gather, event: Event) {
        self.note(event);
        if self.pass(gather.timeout) == Caller::Gone {
            return self.leave();
        }
        self.empty_result(gather);
    }

    fn empty_result(&mut self, gather: &Gather) {
        if !gather.action_on_empty_result {
            return self.go_on();
        }
        let mut result = Vec::new();
        if gather.keys {
            result.extend([("Digits", ""), ("FinishedOnKey", "")]);
        }
        if gather.speech && self.line.sends_empty_speech {
            result.push(("SpeechResult", ""));
        }
        self.ask(gather.action.as_deref(), gather.method, &result);
    }
}

/// What a `<Gather>` makes of keys.
pub(super) struct Pressed {
    pub(super) digits: String,
    pub(super) finished_on: Option<char>,
    pub(super) is_complete: bool,
}

pub(super) fn pressed(gather: &Gather, keys: &str) -> Pressed {
    let mut pressed = Pressed {
        digits: String::new(),
        finished_on: None,
        is_complete: false,
    };
    for key in keys.chars().filter(|key| matches!(key, '0'..='9' | '*' | '#')) {
        if gather.finish_on_key == Some(key) {
            pressed.finished_on = Some(key);
            pressed.is_complete = true;
            break;
        }
        pressed.digits.push(key);
        if gather.num_digits == Some(pressed.digits.len()) {
            pressed.is_complete = true;
            break;
        }
    }
    pressed
}

/// The words that fit into the time, and how long they take.
pub(super) fn spoken_within(words: &str, most: Option<Duration>) -> (String, Duration) {
    let count = words.split_whitespace().count();
    let whole = WORD.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    match most {
        Some(most) if most < whole => {
            let fit = usize::try_from(most.as_millis() / WORD.as_millis()).unwrap_or(usize::MAX);
            let words: Vec<&str> = words.split_whitespace().take(fit).collect();
            (words.join(" "), most)
        }
        _ => (words.to_owned(), whole),
    }
}
