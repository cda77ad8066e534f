//! Carries a call's documents out on a virtual clock, as Twilio does.
//!
//! A pure state machine: it says what has to happen next, the code around it does that and tells what came of it.
//! What is called in another order than [`Call::step`] asks for changes nothing.

mod dial;
mod gather;
mod line;
mod record;
mod steps;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, mem, time::Duration};

use crate::{
    address::resolve,
    code::Fault,
    document::{Dial, Gather, Link, Method, Play, Record, Say, Verb},
    form::Form,
};
use dial::{Leg, Partner};
pub use line::{Line, Place};
pub use steps::{Act, Answer, Callee, Ending, Event, Listening, Moment, Purpose, Request, Ringing, Rung, Step, When};

/// How many characters a voice speaks in a second.
const SPEECH: u32 = 15;
/// How long a caller takes for a word.
const WORD: Duration = Duration::from_millis(400);
/// How long a key takes.
const KEY: Duration = Duration::from_millis(300);
/// How long a recording is played, whatever it is.
const PLAYED: Duration = Duration::from_secs(5);
/// How often `loop="0"` is played before it is enough.
const FOR_EVER: u32 = 100;
/// How many documents may follow each other without anything being heard.
const CIRCLE: usize = 20;

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    line: Line,
    clock: Duration,
    /// When the caller hangs up, whatever happens then.
    leaves_at: Option<Duration>,
    /// The URL of the current document.
    base: String,
    rest: VecDeque<Verb>,
    state: State,
    moments: Vec<Moment>,
    notices: Vec<Request>,
    legs: usize,
    recordings: usize,
    partner: Option<Partner>,
    has_message: bool,
    picked_up: bool,
    unheard_documents: usize,
}

#[derive(Debug, Clone)]
enum State {
    Asks { request: Request, then: Then },
    Gathers(Gather),
    Records(Record),
    Rings(Dial),
    Over(Ending),
}

/// What an answer is for.
#[derive(Debug, Clone)]
enum Then {
    GoOn,
    Whisper(Box<Leg>),
    /// Nobody is left who could hear it.
    Nothing,
}

/// Whether the caller is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    There,
    Gone,
}

impl Call {
    /// A call that rings; its number's webhook is to be asked.
    #[must_use]
    pub fn begin(line: Line, webhook: &Link) -> Self {
        let request = Request {
            url: webhook.url.clone(),
            method: webhook.method,
            form: line.form("ringing"),
            purpose: Purpose::Turn,
        };
        Self {
            line,
            clock: Duration::ZERO,
            leaves_at: None,
            base: webhook.url.clone(),
            rest: VecDeque::new(),
            state: State::Asks {
                request,
                then: Then::GoOn,
            },
            moments: Vec::new(),
            notices: Vec::new(),
            legs: 0,
            recordings: 0,
            partner: None,
            has_message: false,
            picked_up: false,
            unheard_documents: 0,
        }
    }

    /// What has to happen next.
    #[must_use]
    pub fn step(&self) -> Step {
        match &self.state {
            State::Asks { request, .. } => Step::Request(request.clone()),
            State::Gathers(gather) => Step::Listen(Listening::Gather(gather.clone())),
            State::Records(record) => Step::Listen(Listening::Record(record.clone())),
            State::Rings(dial) => Step::Ring(dial::ringing(dial)),
            State::Over(ending) => Step::Over(ending.clone()),
        }
    }

    /// Who calls whom.
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// How long the call has taken.
    #[must_use]
    pub const fn clock(&self) -> Duration {
        self.clock
    }

    /// What has happened so far.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// Whether Twilio took the call, so that it was more than ringing.
    #[must_use]
    pub const fn was_picked_up(&self) -> bool {
        self.picked_up
    }

    /// Takes the webhooks that have become due and for whose documents nobody waits.
    pub fn take_notices(&mut self) -> Vec<Request> {
        mem::take(&mut self.notices)
    }

    /// The caller will hang up so long from now, whatever happens then.
    pub fn hang_up_after(&mut self, rest: Duration) {
        let at = self.clock + rest;
        self.leaves_at = Some(self.leaves_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// The request that the call waits for was answered with a document.
    pub fn answered(&mut self, answer: Answer) {
        let Some(then) = self.take_question() else { return };
        for warning in &answer.document.warnings {
            self.note(Event::Fault(warning.clone()));
        }
        let caller = self.pass(answer.took);
        match then {
            Then::Nothing => self.end(Ending::CallerHungUp),
            Then::Whisper(leg) => self.whispered(*leg, answer, caller),
            Then::GoOn if caller == Caller::Gone => self.leave(),
            Then::GoOn => {
                self.base = answer.url;
                self.rest = answer.document.verbs.into();
                self.go_on();
            }
        }
    }

    /// Neither the URL nor its fallback gave a document.
    pub fn failed(&mut self, fault: Fault, took: Duration) {
        let Some(then) = self.take_question() else { return };
        self.note(Event::Fault(fault.clone()));
        let caller = self.pass(took);
        match then {
            Then::Nothing => self.end(Ending::CallerHungUp),
            Then::Whisper(leg) => self.leg_ended(*leg, caller),
            Then::GoOn if caller == Caller::Gone => self.leave(),
            Then::GoOn => self.end(Ending::ApplicationError(fault)),
        }
    }

    /// The caller does something while somebody listens.
    pub fn act(&mut self, act: Act) {
        match mem::replace(&mut self.state, State::Over(Ending::Silent)) {
            State::Gathers(gather) => self.gather(&gather, act),
            State::Records(record) => self.record(&record, act),
            other => self.state = other,
        }
    }

    /// Ringing came to this.
    pub fn rung(&mut self, rung: Rung) {
        match mem::replace(&mut self.state, State::Over(Ending::Silent)) {
            State::Rings(dial) => self.dial_came_to(dial, rung),
            other => self.state = other,
        }
    }

    fn take_question(&mut self) -> Option<Then> {
        match mem::replace(&mut self.state, State::Over(Ending::Silent)) {
            State::Asks { then, .. } => Some(then),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Carries verbs out up to the next point at which somebody outside has to do something.
    fn go_on(&mut self) {
        while let Some(verb) = self.rest.pop_front() {
            if verb == Verb::Reject && !self.picked_up {
                return self.end(Ending::Rejected);
            }
            self.picked_up = true;
            let caller = match verb {
                Verb::Say(say) => self.say(&say),
                Verb::Play(play) => self.play(&play),
                Verb::Pause(length) => self.pass(length),
                Verb::Gather(gather) => {
                    self.state = State::Gathers(gather);
                    return;
                }
                Verb::Record(record) => return self.begin_recording(record),
                Verb::Dial(dial) => return self.dial(dial),
                Verb::Redirect(link) => return self.ask(Some(&link.url), link.method, &[]),
                Verb::Hangup | Verb::Reject => return self.end(Ending::HungUp),
            };
            if caller == Caller::Gone {
                return self.leave();
            }
        }
        self.end(Ending::HungUp);
    }

    fn say(&mut self, say: &Say) -> Caller {
        let length = Duration::from_secs(1) * u32::try_from(say.text.chars().count()).unwrap_or(u32::MAX) / SPEECH;
        self.heard(say.times, length, |cut| Event::Spoken {
            words: say.text.clone(),
            cut,
        })
    }

    fn play(&mut self, play: &Play) -> Caller {
        self.heard(play.times, PLAYED, |_| {
            Event::Played(play.digits.clone().unwrap_or_else(|| play.url.clone()))
        })
    }

    /// Something is heard so many times.
    fn heard(&mut self, times: u32, length: Duration, event: impl Fn(bool) -> Event) -> Caller {
        self.unheard_documents = 0;
        for _ in 0..if times == 0 { FOR_EVER } else { times } {
            let at = self.clock;
            let caller = self.pass(length);
            self.moments.push(Moment {
                at,
                what: event(caller == Caller::Gone),
            });
            if caller == Caller::Gone {
                return caller;
            }
        }
        Caller::There
    }

    /// Asks for the next document.
    fn ask(&mut self, url: Option<&str>, method: Method, result: &[(&str, &str)]) {
        self.unheard_documents += 1;
        if self.unheard_documents > CIRCLE {
            return self.end(Ending::Circles);
        }
        let request = self.request(url, method, "in-progress", result);
        self.state = State::Asks {
            request,
            then: Then::GoOn,
        };
    }

    /// Tells of a result after the caller has gone.
    fn bid_farewell(&mut self, url: Option<&str>, method: Method, result: &[(&str, &str)]) {
        self.note(Event::HungUp);
        let mut request = self.request(url, method, "completed", result);
        request.purpose = Purpose::Farewell;
        self.state = State::Asks {
            request,
            then: Then::Nothing,
        };
    }

    fn request(&self, url: Option<&str>, method: Method, status: &str, result: &[(&str, &str)]) -> Request {
        let mut form = self.line.form(status);
        for (name, value) in result {
            form.push(name, *value);
        }
        Request {
            url: resolve(&self.base, url.unwrap_or_default()),
            method,
            form,
            purpose: Purpose::Turn,
        }
    }

    fn notify(&mut self, link: &Link, form: Form) {
        self.notices.push(Request {
            url: resolve(&self.base, &link.url),
            method: link.method,
            form,
            purpose: Purpose::Notice,
        });
    }

    fn note(&mut self, what: Event) {
        self.moments.push(Moment { at: self.clock, what });
    }

    /// Lets time pass; the caller may hang up meanwhile.
    fn pass(&mut self, length: Duration) -> Caller {
        let then = self.clock.saturating_add(length);
        match self.leaves_at {
            Some(at) if at <= then => {
                self.clock = self.clock.max(at);
                Caller::Gone
            }
            _ => {
                self.clock = then;
                Caller::There
            }
        }
    }

    fn leave(&mut self) {
        self.note(Event::HungUp);
        self.end(Ending::CallerHungUp);
    }

    fn end(&mut self, plainly: Ending) {
        let was_heard = |moment: &Moment| matches!(moment.what, Event::Spoken { .. } | Event::Played(_));
        let ending = match (plainly, self.partner) {
            (failed @ (Ending::ApplicationError(_) | Ending::Circles | Ending::Rejected), _) => failed,
            (_, Some(Partner::Person)) => Ending::Transferred,
            (_, Some(Partner::Machine)) => Ending::Machine,
            _ if self.has_message => Ending::Message,
            (Ending::HungUp, None) if !self.moments.iter().any(was_heard) => Ending::Silent,
            (plainly, None) => plainly,
        };
        self.state = State::Over(ending);
    }
}
