//! Holds one call.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use jiff::fmt::rfc2822;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::time::sleep;

use super::{Company, Course, Plan, World};
use crate::{
    address::path,
    code::{Code, Fault},
    document::{Link, Method},
    executor::{Call, Ending, Event, Moment, Purpose, Request, Step},
    network::{Asked, Delivery, Fallback},
};

/// How soon a caller hangs up who does not wait for an answer: before the fastest one.
const IMPATIENCE: Duration = Duration::ZERO;

/// How often a call looks whether it may begin.
const LOOK: Duration = Duration::from_millis(2);

/// What came of one call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// Which call of the run.
    pub number: usize,
    /// Who was called.
    pub company: Company,
    /// The call's id.
    pub call_sid: String,
    /// The caller's number.
    pub from: String,
    /// What the call was about.
    pub name: String,
    /// What kind of caller it was.
    pub kind: String,
    /// How it ended.
    pub ending: Ending,
    /// How long it took on the virtual clock.
    pub length: Duration,
    /// How long each first answer took on the real one.
    pub latencies: Vec<Duration>,
    /// How many webhooks were answered with a document, repeats not counted.
    pub turns: usize,
    /// Which of them belong to the conversation, each once.
    pub conversation: BTreeSet<String>,
    /// How many webhooks were repeated.
    pub repeats: usize,
    /// Twilio's codes, and whether the run had taken the server away then.
    pub faults: Vec<(Fault, bool)>,
    /// Answers other than 200 with a valid document; likewise.
    pub bad_answers: [usize; 2],
    /// How often the fallback went on with the call.
    pub rescues: usize,
    /// Whether the run took the server away during the call.
    pub was_disturbed: bool,
    /// Whether the run locked the store or filled its disk during the call: a message that cannot be kept then is told
    /// to the caller, and is no problem here.
    pub had_store_trouble: bool,
    /// How many recordings have no message.
    pub missing_messages: usize,
    /// How many records of answered turns are missing; no problem where the run killed the server meanwhile.
    pub missing_records: usize,
    /// Digits that must stand in no record.
    pub secret: Option<String>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What happened.
    pub moments: Vec<Moment>,
    /// How the front desk's own record says that it ended.
    pub recorded_ending: Option<String>,
}

struct Holder<'a> {
    world: &'a World,
    course: &'a Course,
    company: Company,
    fallback: Fallback,
    rng: StdRng,
    report: CallReport,
    /// Webhooks that come once more later, and their first answers.
    late: Vec<(Request, Vec<u8>)>,
}

pub(super) async fn hold(world: &World, course: &Course, plan: Plan) -> CallReport {
    let Plan {
        number,
        company,
        mut caller,
        line,
        seed,
    } = plan;
    let webhook = Link {
        url: world.of_company(&world.webhook, &company),
        method: Method::Post,
    };
    let report = CallReport {
        number,
        company: company.clone(),
        call_sid: line.call_sid.clone(),
        from: line.from.clone(),
        name: caller.name.clone(),
        kind: caller.kind.clone(),
        ending: Ending::Silent,
        length: Duration::ZERO,
        latencies: Vec::new(),
        turns: 0,
        conversation: BTreeSet::new(),
        repeats: 0,
        faults: Vec::new(),
        bad_answers: [0; 2],
        rescues: 0,
        was_disturbed: false,
        missing_records: 0,
        had_store_trouble: false,
        missing_messages: 0,
        secret: caller.secret.clone(),
        problems: Vec::new(),
        moments: Vec::new(),
        recorded_ending: None,
    };
    while course.gate.get() <= number {
        sleep(LOOK).await;
    }
    let (before, store_before) = (course.outages.get(), course.store_troubles.get());
    let mut holder = Holder {
        fallback: world.fallback(&company),
        rng: StdRng::seed_from_u64(seed),
        world,
        course,
        company,
        report,
        late: Vec::new(),
    };
    let mut call = Call::begin(line, &webhook);
    let ending = loop {
        for notice in call.take_notices() {
            holder.notify(&notice).await;
        }
        match call.step() {
            Step::Over(ending) => break ending,
            Step::Ring(ringing) => call.rung(caller.next_person(&ringing)),
            Step::Listen(listening) => {
                let turn = caller.next_turn(&listening);
                call.act(turn.act);
                if turn.leaves_during_answer || world.shares.hangs_up(&mut holder.rng) {
                    call.hang_up_after(IMPATIENCE);
                }
            }
            Step::Request(request) => {
                let asked = holder.ask(&request).await;
                match asked.answer {
                    Ok(answer) => call.answered(answer),
                    Err(fault) => call.failed(fault, asked.delivery.took),
                }
            }
        }
    };
    for (request, first) in std::mem::take(&mut holder.late) {
        holder.send_again(&request, Some(&first)).await;
    }
    holder.tell_progress(&call).await;
    let mut report = holder.report;
    report.was_disturbed = course.was_disturbed(before);
    report.had_store_trouble = course.had_store_trouble(store_before);
    report.length = call.clock();
    report.moments = call.moments().to_vec();
    if !ending.is_legal() {
        let why = match &ending {
            Ending::ApplicationError(fault) => format!(" ({fault})"),
            _ => String::new(),
        };
        report.problems.push(format!("the call ended `{}`{why}", ending.name()));
    }
    report.ending = ending;
    report
}

impl Holder<'_> {
    fn token(&self) -> Option<&str> {
        self.company.auth_token.as_deref()
    }

    /// The path of a webhook, alike for all companies.
    fn route(&self, request: &Request) -> String {
        path(&request.url).replace(&self.company.id, "{companyId}")
    }

    async fn ask(&mut self, request: &Request) -> Asked {
        let repeats = match request.purpose {
            Purpose::Turn | Purpose::Farewell => Some(self.world.shares.repeats(&mut self.rng)),
            Purpose::Whisper | Purpose::Notice => None,
        };
        let before = self.course.outages.get();
        let no_fallback = Fallback::None;
        let fallback = match request.purpose {
            Purpose::Turn => &self.fallback,
            _ => &no_fallback,
        };
        let at_once = repeats.map_or(0, |repeats| repeats.at_once);
        let token = self.token();
        let copies = join_all((0..at_once).map(|_| self.world.network.deliver(request, token)));
        let (asked, copies) =
            futures_util::future::join(self.world.network.ask(request, token, fallback), copies).await;
        let in_outage = self.course.was_disturbed(before);
        self.note(request, &asked, in_outage);
        let first = asked.delivery.reply.as_ref().ok().filter(|reply| reply.status == 200);
        let first = first.map(|reply| reply.body.clone());
        self.report.repeats += copies.len();
        for copy in copies {
            self.compare(&copy, first.as_deref(), "at the same time", request, in_outage);
        }
        for (earlier, answer) in std::mem::take(&mut self.late) {
            self.send_again(&earlier, Some(&answer)).await;
        }
        if let (Some(repeats), Some(first)) = (repeats, first) {
            for _ in 0..repeats.after {
                self.send_again(request, Some(&first)).await;
            }
            if repeats.late {
                self.late.push((request.clone(), first));
            }
        }
        asked
    }

    fn note(&mut self, request: &Request, asked: &Asked, in_outage: bool) {
        let route = self.route(request);
        let report = &mut self.report;
        report.latencies.push(asked.delivery.took);
        if let Some(fault) = &asked.fault {
            report.faults.push((fault.clone(), in_outage));
            if let Some(count) = report.bad_answers.get_mut(usize::from(in_outage)) {
                *count += 1;
            }
            if !in_outage {
                report.problems.push(format!("{route} was answered badly: {fault}"));
            }
            report.rescues += usize::from(asked.answer.is_ok());
        } else {
            report.turns += 1;
            if asked.delivery.reply.as_ref().is_ok_and(|reply| reply.status != 200) {
                report.problems.push(format!("{route} was not answered with 200"));
            }
            if ["/v2-agent-respond/", "/dial-result/", "/twilio/voice"]
                .iter()
                .any(|turn| route.contains(turn))
            {
                report
                    .conversation
                    .insert(format!("{} {}", request.url, request.form.encode()));
            }
        }
        if let Ok(answer) = &asked.answer {
            for warning in &answer.document.warnings {
                report.faults.push((warning.clone(), false));
                report.problems.push(format!("{route} was warned of: {warning}"));
            }
        }
    }

    async fn send_again(&mut self, request: &Request, first: Option<&[u8]>) {
        let before = self.course.outages.get();
        let delivery = self.world.network.deliver(request, self.token()).await;
        self.report.repeats += 1;
        let in_outage = self.course.was_disturbed(before);
        self.compare(&delivery, first, "again", request, in_outage);
    }

    /// Repeated webhooks are answered with the same bytes, unless the run took the server away.
    fn compare(&mut self, repeat: &Delivery, first: Option<&[u8]>, when: &str, request: &Request, in_outage: bool) {
        let path = self.route(request);
        match (&repeat.reply, first) {
            (Err(_), _) | (_, None) if in_outage => {}
            (Err(fault), _) => {
                self.report
                    .problems
                    .push(format!("{path}, sent {when}, was not answered: {fault}"));
            }
            (Ok(reply), _) if reply.status != 200 => {
                let status = reply.status;
                self.report
                    .problems
                    .push(format!("{path}, sent {when}, was answered with {status}"));
            }
            (Ok(reply), Some(first)) if reply.body != first => {
                self.report
                    .problems
                    .push(format!("{path}, sent {when}, was answered otherwise"));
            }
            (Ok(_), _) => {}
        }
    }

    /// Tells of something for whose answer nobody waits; sometimes twice.
    async fn notify(&mut self, notice: &Request) {
        for _ in 0..if self.rng.random_bool(0.3) { 2 } else { 1 } {
            let before = self.course.outages.get();
            let delivery = self.world.network.deliver(notice, self.token()).await;
            let fault = match delivery.reply {
                Ok(reply) if (200..300).contains(&reply.status) => continue,
                Ok(reply) => Fault::new(Code::Callback, format!("{}: {}", self.route(notice), reply.status)),
                Err(fault) => fault,
            };
            let in_outage = self.course.was_disturbed(before);
            if !in_outage {
                self.report.problems.push(fault.to_string());
            }
            self.report.faults.push((fault, in_outage));
        }
    }

    /// The progress of the call: in any order, as late as Twilio may be.
    async fn tell_progress(&mut self, call: &Call) {
        let Some(template) = &self.world.status_callback else {
            return;
        };
        let url = self.world.of_company(template, &self.company);
        let end = if call.was_picked_up() { "completed" } else { "busy" };
        let events = [
            ("initiated", "queued"),
            ("ringing", "ringing"),
            ("answered", "in-progress"),
            ("completed", end),
        ];
        let mut notices = Vec::new();
        let (started, began) = self.world.began;
        let now = started.saturating_add(jiff::SignedDuration::try_from(began.elapsed()).unwrap_or_default());
        let now = now.map_or(started, |now| now);
        for (number, (_, status)) in events.into_iter().enumerate() {
            let mut form = call.line().form(status);
            form.push("CallbackSource", "call-progress-events");
            form.push("SequenceNumber", number.to_string());
            form.push(
                "Timestamp",
                rfc2822::to_string(&now.to_zoned_datetime(jiff::tz::TimeZone::UTC)).unwrap_or_default(),
            );
            if number == 3 {
                let seconds = call.clock().as_secs();
                form.push("CallDuration", seconds.to_string());
                form.push("Duration", seconds.div_ceil(60).to_string());
            }
            notices.push(Request {
                url: url.clone(),
                method: Method::Post,
                form,
                purpose: Purpose::Notice,
            });
        }
        notices.shuffle(&mut self.rng);
        for notice in notices {
            self.notify(&notice).await;
        }
    }
}

/// What the front desk said first, for a table.
pub(super) fn was_spoken_to(moments: &[Moment]) -> bool {
    moments.iter().any(|moment| matches!(moment.what, Event::Spoken { .. }))
}
