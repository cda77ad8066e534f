//! Callers and operators at work.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use http::Method;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::promises::{Message, Promises, Turn, Written};
use crate::{
    server::Server,
    twilio::{BadAnswer, Call, Caller},
    twiml::Document,
    world::{self, World},
};

/// Between two calls of a caller, at most.
const PAUSE_OF_CALLER: Duration = Duration::from_millis(8);

/// Between two writes of an operator.
const PAUSE_OF_OPERATOR: Duration = Duration::from_millis(8);

/// Who meets so many faults gives up.
const MOST_FAULTS: usize = 3;

/// What everybody who is at work shares. Everything runs on one thread.
#[derive(Clone, Copy)]
pub(super) struct Load<'l> {
    pub(super) world: &'l World,
    pub(super) promises: &'l RefCell<Promises>,
    pub(super) is_over: &'l Cell<bool>,
}

impl<'l> Load<'l> {
    /// Calls until the server has ended.
    pub(super) fn keep_calling(self, server: &Server, rng: StdRng) -> impl Future<Output = ()> + use<'l> {
        let mut at_work = AtWork {
            load: self,
            caller: Caller::new(server.connection()),
            rng,
        };
        async move {
            for _ in 0..MOST_FAULTS {
                let ended = at_work.call_until_it_fails().await;
                if self.is_a_fault("a caller", &ended) {
                    return;
                }
            }
        }
    }

    /// Writes documents of a company until the server has ended.
    pub(super) fn keep_writing(self, server: &Server, company: usize) -> impl Future<Output = ()> + use<'l> {
        let mut operator = server.operator();
        async move {
            for _ in 0..MOST_FAULTS {
                let ended = loop {
                    if let Err(error) = self.write(&mut operator, company).await {
                        break error;
                    }
                    if self.is_over.get() {
                        return;
                    }
                    tokio::time::sleep(PAUSE_OF_OPERATOR).await;
                };
                if self.is_a_fault("an operator", &ended) {
                    return;
                }
            }
        }
    }

    /// Notes a failure, unless the server has been ended: then an answer that does not come is none, but a wrong one
    /// still is. Gives whether the work is over.
    fn is_a_fault(self, who: &str, error: &anyhow::Error) -> bool {
        let is_over = self.is_over.get();
        if !is_over || error.is::<BadAnswer>() {
            self.fault(format!("{who}: {error:#}"));
        }
        is_over
    }

    fn fault(self, fault: String) {
        let faults = &mut self.promises.borrow_mut().faults;
        // One kind of fault can come thousands of times.
        if faults.len() < 10 {
            faults.push(fault);
        }
    }

    /// One write: a new Q&A, a new answer to an old one, a variable of the company, or its template.
    async fn write(self, operator: &mut crate::operator::Operator, company: usize) -> Result<()> {
        let number = self.promises.borrow_mut().next_number();
        let place = self.world.companies.get(company).context("no such company")?;
        let path = format!("/api/v1/companies/{}", place.id);
        let (method, target, body): (_, _, Value) = match number % 5 {
            0 => (
                Method::PATCH,
                path,
                json!({ "variables": { "promo": number.to_string() } }),
            ),
            1 => (
                Method::PUT,
                format!("/api/v1/templates/{}", place.template),
                world::template(place, number),
            ),
            2 if number > 10 => {
                let Some(old) = self.some_qna(company, number) else {
                    return Ok(());
                };
                let document = qna(old, number);
                (Method::PUT, format!("{path}/qna/stored-{old}"), document)
            }
            _ => (Method::POST, format!("{path}/qna"), qna(number, number)),
        };
        let mark = |mark: &dyn Fn(&mut Written)| {
            let mut promises = self.promises.borrow_mut();
            let Some(writes) = promises.writes.get_mut(company) else {
                return;
            };
            let written = match (method.as_str(), number_of(&target)) {
                ("PATCH", _) => &mut writes.variable,
                ("PUT", None) => &mut writes.template,
                (_, old) => writes.qnas.entry(old.unwrap_or(number)).or_default(),
            };
            mark(written);
        };
        mark(&|written| written.sent = number);
        let reply = operator.send(method.clone(), &target, Some(&body)).await?;
        if !reply.is_success() {
            bail!("{method} {target} was answered {}: {}", reply.status, reply.text());
        }
        mark(&|written| written.acknowledged = number);
        self.promises.borrow_mut().note_write();
        Ok(())
    }

    /// One of the Q&As that were acknowledged, by a number that decides which.
    fn some_qna(self, company: usize, number: u64) -> Option<u64> {
        let promises = self.promises.borrow();
        let qnas = &promises.writes.get(company)?.qnas;
        let known: Vec<u64> = qnas
            .iter()
            .filter(|(_, written)| written.acknowledged > 0)
            .map(|(number, _)| *number)
            .collect();
        // A prime spreads the choice.
        let place = number.wrapping_mul(7_919).checked_rem(known.len() as u64)?;
        known.get(usize::try_from(place).ok()?).copied()
    }
}

fn qna(number: u64, version: u64) -> Value {
    json!({
        "id": format!("stored-{number}"),
        "question": world::question(number),
        "answer": world::answer(number, version),
    })
}

/// The number of the Q&A that a path names.
fn number_of(target: &str) -> Option<u64> {
    target.rsplit_once("/qna/stored-")?.1.parse().ok()
}

struct AtWork<'l> {
    load: Load<'l>,
    caller: Caller,
    rng: StdRng,
}

impl AtWork<'_> {
    async fn call_until_it_fails(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.call().await {
                return error;
            }
            if self.load.is_over.get() {
                return anyhow::anyhow!("the work is over");
            }
            let pause = PAUSE_OF_CALLER.mul_f64(self.rng.random());
            tokio::time::sleep(pause).await;
        }
    }

    /// A call of one to four turns, of a greeting or not, that ends in a message where one is asked for.
    async fn call(&mut self) -> Result<()> {
        let company = self.rng.random_range(0..self.load.world.companies.len());
        let mut number = 0;
        self.caller.take(new_call(self.load.world, company, &mut self.rng)?);
        if self.rng.random_bool(0.2) {
            let greeting = self.caller.begin().await?.clone();
            self.note_turn(company, &mut number, "");
            if greeting.said.is_empty() || greeting.gather.is_none() {
                self.load.fault(format!("a call was greeted with {greeting:?}"));
            }
        }
        for _ in 0..3 {
            let revision = self.revision(company).acknowledged;
            let words = self.words();
            let heard = self.caller.say(&words).await?.clone();
            self.note_turn(company, &mut number, &words);
            if let Some(wrong) = self.wrong(company, &words, &heard, revision) {
                self.load.fault(wrong);
            }
            if heard.record.is_some() {
                return self.leave_message(company).await;
            }
            if heard.gather.is_none() || self.rng.random_bool(0.5) {
                break;
            }
        }
        Ok(())
    }

    async fn leave_message(&mut self, company: usize) -> Result<()> {
        let recording = format!("RE{:032x}", self.rng.random::<u128>());
        let heard = self.caller.leave_message(&recording, "please call me back").await?;
        // Who is asked again was told that it was not kept.
        if heard.record.is_some() || heard.said.is_empty() {
            let wrong = format!("a message was answered with {heard:?}");
            self.load.fault(wrong);
            return Ok(());
        }
        let call = self.caller.call().map(|call| call.sid.clone()).unwrap_or_default();
        self.load.promises.borrow_mut().messages.push(Message {
            company,
            call,
            recording,
        });
        Ok(())
    }

    fn words(&mut self) -> String {
        match self.rng.random_range(0..10) {
            0..3 => world::VISIT.0.to_owned(),
            3..5 => world::PRICE.0.to_owned(),
            5 => world::MESSAGE.to_owned(),
            6..8 => world::REVISION.to_owned(),
            _ => nonsense(&mut self.rng),
        }
    }

    /// What is wrong with an answer. `revision` was acknowledged before the question.
    fn wrong(&self, company: usize, words: &str, heard: &Document, revision: u64) -> Option<String> {
        let speech = heard.speech();
        let is_right = match words {
            world::MESSAGE => heard.record.is_some(),
            world::REVISION => {
                let told = world::revision_told(&speech);
                told.is_some_and(|told| (revision..=self.revision(company).sent).contains(&told))
            }
            _ if words == world::VISIT.0 => speech.starts_with(world::VISIT.1),
            _ if words == world::PRICE.0 => speech.starts_with(world::PRICE.1),
            _ => !speech.is_empty(),
        };
        (!is_right).then(|| format!("`{words}` was answered `{speech}` (revision {revision} was acknowledged)"))
    }

    fn revision(&self, company: usize) -> Written {
        let promises = self.load.promises.borrow();
        promises
            .writes
            .get(company)
            .map(|writes| writes.template)
            .unwrap_or_default()
    }

    fn note_turn(&self, company: usize, number: &mut u64, words: &str) {
        *number += 1;
        self.load.promises.borrow_mut().note_turn(Turn {
            company,
            call: self.caller.call().map(|call| call.sid.clone()).unwrap_or_default(),
            number: *number,
            words: words.to_owned(),
            answered: Instant::now(),
        });
    }
}

fn new_call(world: &World, company: usize, rng: &mut StdRng) -> Result<Call> {
    let company = world.companies.get(company).context("no such company")?;
    let sid = format!("CA{:032x}", rng.random::<u128>());
    Ok(Call::new(&company.twilio, &company.id, &sid))
}

/// Words that nobody has written.
fn nonsense(rng: &mut StdRng) -> String {
    let mut word = || {
        let letters = (0..rng.random_range(6..10)).map(|_| char::from(rng.random_range(b'a'..=b'z')));
        letters.collect::<String>()
    };
    format!("{} {} {}", word(), word(), word())
}

/// A call that has begun and waits for its caller while the server is killed.
pub(super) struct WaitingCall {
    company: usize,
    call: Call,
    number: u64,
}

/// Begins a call.
pub(super) async fn begin_call(server: &Server, world: &World, rng: &mut StdRng) -> Result<WaitingCall> {
    let mut rng = StdRng::seed_from_u64(rng.random());
    let mut caller = Caller::new(server.connection());
    caller.take(new_call(world, 0, &mut rng)?);
    caller.begin().await?;
    let call = caller.call().cloned().context("there is no call")?;
    Ok(WaitingCall {
        company: 0,
        call,
        number: 1,
    })
}

impl WaitingCall {
    /// The turn that was answered last.
    pub(super) fn turn(&self) -> Turn {
        Turn {
            company: self.company,
            call: self.call.sid.clone(),
            number: self.number,
            words: if self.number == 1 {
                String::new()
            } else {
                world::VISIT.0.to_owned()
            },
            answered: Instant::now(),
        }
    }

    /// The caller speaks, to a server that was started anew: only the same key reads the state that the other sealed.
    pub(super) async fn go_on(&mut self, server: &Server) -> Result<Turn> {
        let mut caller = Caller::new(server.connection());
        caller.take(self.call.clone());
        let heard = caller.say(world::VISIT.0).await?;
        if heard.speech() != world::VISIT.1 {
            bail!("`{}` was answered `{}`", world::VISIT.0, heard.speech());
        }
        self.number += 1;
        Ok(self.turn())
    }
}
