//! `<Dial>`: ringing, the whisper to whoever picks up, and what came of it.

use std::{collections::VecDeque, time::Duration};

use super::{
    Answer, Call, Callee, Caller, Event, PLAYED, Purpose, Request, Ringing, Rung, SPEECH, State, Then, gather::pressed,
};
use crate::{
    address::resolve,
    document::{Dial, Method, Number, Verb},
};

/// How long a busy or failed line takes.
const REFUSAL: Duration = Duration::from_secs(2);

/// With whom a caller was connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partner {
    Person,
    Machine,
}

/// The call to a dialled person.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    dial: Dial,
    number: Number,
    sid: String,
    callee: Callee,
    /// The URL of the whisper's document.
    base: String,
    answered_at: Duration,
}

/// Who is rung by a `<Dial>`.
pub(super) fn ringing(dial: &Dial) -> Ringing {
    let rung: Vec<_> = diallable(dial).collect();
    Ringing {
        numbers: rung.iter().map(|number| number.number.clone()).collect(),
        timeout: dial.timeout,
        whispers: rung.iter().any(|number| number.whisper.is_some()),
    }
}

fn diallable(dial: &Dial) -> impl Iterator<Item = &Number> {
    dial.numbers.iter().filter(|number| number.fault.is_none())
}

impl Call {
    pub(super) fn dial(&mut self, dial: Dial) {
        self.unheard_documents = 0;
        self.note(Event::Rang(
            dial.numbers.iter().map(|number| number.number.clone()).collect(),
        ));
        if diallable(&dial).next().is_none() {
            return self.tell_outcome(&dial, None, "failed", None);
        }
        self.state = State::Rings(dial);
    }

    pub(super) fn dial_came_to(&mut self, dial: Dial, rung: Rung) {
        let (status, length) = match rung {
            Rung::Busy => ("busy", REFUSAL),
            Rung::Failed => ("failed", REFUSAL),
            Rung::NoAnswer => ("no-answer", dial.timeout),
            Rung::Answered(callee) if callee.after >= dial.timeout => ("no-answer", dial.timeout),
            Rung::Answered(callee) => return self.picked_up_by(dial, callee),
        };
        let sid = self.line.sid("CA", self.legs);
        self.legs += 1;
        let caller = self.pass(length);
        let status = if caller == Caller::Gone { "canceled" } else { status };
        if let Some(number) = diallable(&dial).next().cloned() {
            self.tell_progress(&dial, &number, &sid, &["initiated", "ringing"], "ringing");
            self.tell_progress(&dial, &number, &sid, &["completed"], status);
        }
        self.came_to(&dial, &sid, status, None, caller);
    }

    fn picked_up_by(&mut self, dial: Dial, callee: Callee) {
        let rung: Vec<_> = diallable(&dial).cloned().collect();
        let Some(number) = rung.get(callee.number % rung.len().max(1)).cloned() else {
            return self.tell_outcome(&dial, None, "failed", None);
        };
        let sid = self.line.sid("CA", self.legs);
        self.legs += 1;
        self.tell_progress(&dial, &number, &sid, &["initiated", "ringing"], "ringing");
        if self.pass(callee.after) == Caller::Gone {
            self.tell_progress(&dial, &number, &sid, &["completed"], "canceled");
            return self.came_to(&dial, &sid, "canceled", None, Caller::Gone);
        }
        self.tell_progress(&dial, &number, &sid, &["answered"], "in-progress");
        let leg = Leg {
            base: self.base.clone(),
            answered_at: self.clock,
            dial,
            number,
            sid,
            callee,
        };
        match leg.number.whisper.clone() {
            Some(link) => self.ask_whisper(leg, &link.url, link.method, &[]),
            None => self.connect(&leg),
        }
    }

    fn ask_whisper(&mut self, leg: Leg, url: &str, method: Method, result: &[(&str, &str)]) {
        self.unheard_documents += 1;
        if self.unheard_documents > super::CIRCLE {
            return self.leg_ended(leg, Caller::There);
        }
        let mut form = self.line.leg_form(
            &leg.sid,
            &leg.number.number,
            leg.dial.caller_id.as_deref(),
            "in-progress",
        );
        for (name, value) in result {
            form.push(name, *value);
        }
        self.state = State::Asks {
            request: Request {
                url: resolve(&leg.base, url),
                method,
                form,
                purpose: Purpose::Whisper,
            },
            then: Then::Whisper(Box::new(leg)),
        };
    }

    /// Plays a whisper to the dialled person, who may press a key or hang up.
    pub(super) fn whispered(&mut self, mut leg: Leg, answer: Answer, caller: Caller) {
        if caller == Caller::Gone {
            return self.leg_ended(leg, caller);
        }
        leg.base = answer.url;
        let mut verbs: VecDeque<Verb> = answer.document.verbs.into();
        while let Some(verb) = verbs.pop_front() {
            let caller = match verb {
                Verb::Say(_) | Verb::Play(_) | Verb::Pause(_) => self.whisper(&verb),
                Verb::Hangup | Verb::Reject => return self.leg_ended(leg, Caller::There),
                Verb::Redirect(link) => return self.ask_whisper(leg, &link.url, link.method, &[]),
                Verb::Gather(gather) => {
                    let there = |caller: &Caller| *caller == Caller::There;
                    let heard: Vec<_> = gather.prompts.iter().map(|prompt| self.whisper(prompt)).collect();
                    if !heard.iter().all(there) {
                        return self.leg_ended(leg, Caller::Gone);
                    }
                    if leg.callee.hangs_up {
                        return self.leg_ended(leg, Caller::There);
                    }
                    let keys = leg.callee.presses.take().filter(|_| gather.keys).unwrap_or_default();
                    let digits = pressed(&gather, &keys).digits;
                    let url = gather.action.clone().unwrap_or_default();
                    if !digits.is_empty() {
                        let result = [("Digits", digits.as_str()), ("FinishedOnKey", "")];
                        return self.ask_whisper(leg, &url, gather.method, &result);
                    }
                    let caller = self.pass(gather.timeout);
                    if caller == Caller::There && gather.action_on_empty_result {
                        return self.ask_whisper(leg, &url, gather.method, &[("Digits", "")]);
                    }
                    caller
                }
                // A whisper neither records nor dials.
                Verb::Record(_) | Verb::Dial(_) => Caller::There,
            };
            if caller == Caller::Gone || leg.callee.hangs_up {
                return self.leg_ended(leg, caller);
            }
        }
        self.connect(&leg);
    }

    fn whisper(&mut self, verb: &Verb) -> Caller {
        match verb {
            Verb::Say(say) => {
                self.note(Event::Whispered(say.text.clone()));
                let length = u32::try_from(say.text.chars().count()).unwrap_or(u32::MAX);
                self.pass(Duration::from_secs(1) * length / SPEECH)
            }
            Verb::Play(_) => self.pass(PLAYED),
            Verb::Pause(length) => self.pass(*length),
            _ => Caller::There,
        }
    }

    fn connect(&mut self, leg: &Leg) {
        self.partner = Some(if leg.callee.machine {
            Partner::Machine
        } else {
            Partner::Person
        });
        self.note(Event::Connected);
        let talked = leg.callee.talks.min(leg.dial.time_limit);
        let caller = self.pass(talked);
        let length = self.clock.saturating_sub(leg.answered_at);
        self.tell_progress(&leg.dial, &leg.number, &leg.sid, &["completed"], "completed");
        self.came_to(&leg.dial, &leg.sid, "completed", Some((true, length)), caller);
    }

    /// A leg that was picked up and never connected.
    pub(super) fn leg_ended(&mut self, leg: Leg, caller: Caller) {
        let Leg {
            dial,
            number,
            sid,
            answered_at,
            ..
        } = leg;
        let length = self.clock.saturating_sub(answered_at);
        self.tell_progress(&dial, &number, &sid, &["completed"], "completed");
        let status = if caller == Caller::Gone {
            "canceled"
        } else {
            "completed"
        };
        self.came_to(&dial, &sid, status, Some((false, length)), caller);
    }

    fn came_to(&mut self, dial: &Dial, sid: &str, status: &str, picked_up: Option<(bool, Duration)>, caller: Caller) {
        match (caller, &dial.action) {
            (Caller::There, _) => self.tell_outcome(dial, Some(sid), status, picked_up),
            (Caller::Gone, None) => self.leave(),
            (Caller::Gone, Some(action)) => {
                let result = outcome(Some(sid), status, picked_up);
                let result: Vec<_> = result.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.bid_farewell(Some(action), dial.method, &result);
            }
        }
    }

    fn tell_outcome(&mut self, dial: &Dial, sid: Option<&str>, status: &str, picked_up: Option<(bool, Duration)>) {
        let bridged = picked_up.is_some_and(|(bridged, _)| bridged);
        let unconnected = if picked_up.is_some() && !bridged {
            ", not connected"
        } else {
            ""
        };
        self.note(Event::Dialled(format!("{status}{unconnected}")));
        let Some(action) = &dial.action else {
            return self.go_on();
        };
        let result = outcome(sid, status, picked_up);
        let result: Vec<_> = result.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.ask(Some(action), dial.method, &result);
    }

    fn tell_progress(&mut self, dial: &Dial, number: &Number, sid: &str, events: &[&str], status: &str) {
        let Some(link) = &number.status_callback else { return };
        for event in events {
            if number.status_events.iter().any(|wanted| wanted == event) {
                let status = if *event == "initiated" { "queued" } else { status };
                let form = self
                    .line
                    .leg_form(sid, &number.number, dial.caller_id.as_deref(), status);
                self.notify(link, form);
            }
        }
    }
}

fn outcome(sid: Option<&str>, status: &str, picked_up: Option<(bool, Duration)>) -> Vec<(&'static str, String)> {
    let mut result = vec![("DialCallStatus", status.to_owned())];
    if let Some(sid) = sid {
        result.push(("DialCallSid", sid.to_owned()));
    }
    let bridged = picked_up.is_some_and(|(bridged, _)| bridged);
    result.push(("DialBridged", bridged.to_string()));
    if let Some((_, length)) = picked_up {
        result.push(("DialCallDuration", length.as_secs().to_string()));
    }
    result
}
