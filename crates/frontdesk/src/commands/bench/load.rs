//! The load: signed webhooks of new calls over kept connections, each of which waits for its answer.

use std::{convert::Infallible, time::Duration};

use anyhow::Result;
use frontdesk_twilio::{form::Form, signature::sign};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    corpus::{self, Corpus, Kind},
    wire::Wire,
};

/// What is sent where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) address: String,
    pub(super) connections: u32,
    pub(super) seconds: f64,
    /// The number of the first call, so that no two loads make the same ones.
    pub(super) first_call: u64,
    /// Asks for `/healthz` instead, which tells what HTTP alone costs on this machine.
    pub(super) bare: bool,
    /// Callers who all say something of one kind; none means the usual shares of all.
    pub(super) only: Option<Kind>,
    /// Calls each company once and ends, however long that takes.
    pub(super) once_each: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) turns: u64,
    pub(super) failures: u64,
    pub(super) seconds: f64,
    pub(super) p50_micros: u64,
    pub(super) p99_micros: u64,
    pub(super) max_micros: u64,
}

/// Sends the load and prints what came of it as JSON.
pub(super) fn run(load: &Load, corpus: Corpus) -> Result<String> {
    let measured = super::runtime()?.block_on(send(load, corpus))?;
    Ok(serde_json::to_string(&measured)?)
}

/// One webhook of a new call: the status.
pub(super) async fn once(load: &Load, corpus: Corpus) -> Result<u16> {
    let mut wire = Wire::connect(&load.address).await?;
    let company = company_of(load.first_call, corpus);
    wire.exchange(request(load, corpus, company, load.first_call).as_bytes())
        .await
}

async fn send(load: &Load, corpus: Corpus) -> Result<Measured> {
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(load.seconds);
    let connections = (0..load.connections).map(|connection| one(load, corpus, connection, until));
    let all = tokio::select! {
        all = try_join_all(connections) => all?,
        never = stay_awake() => match never {},
    };
    let seconds = began.elapsed().as_secs_f64();
    let mut latencies: Vec<u64> = all.iter().flat_map(|(latencies, _)| latencies).copied().collect();
    latencies.sort_unstable();
    let at = |permille: usize| {
        latencies
            .get(latencies.len().saturating_sub(1) * permille / 1_000)
            .copied()
            .unwrap_or_default()
    };
    Ok(Measured {
        turns: u64::try_from(latencies.len())?,
        failures: all.iter().map(|(_, failures)| failures).sum(),
        seconds,
        p50_micros: at(500),
        p99_micros: at(990),
        max_micros: at(1_000),
    })
}

/// Keeps the load from sleeping. Callers are on other machines: waking this one should not be on the server's bill, as it
/// is on one machine, where the sender of an answer runs the receiver's side of the network too.
async fn stay_awake() -> Infallible {
    loop {
        tokio::task::yield_now().await;
    }
}

/// One connection: the latencies of its answers in microseconds, and how many were not 200 with a document.
async fn one(load: &Load, corpus: Corpus, connection: u32, until: Instant) -> Result<(Vec<u64>, u64)> {
    let mut wire = Wire::connect(&load.address).await?;
    let (mut latencies, mut failures) = (Vec::new(), 0);
    let mut call = load.first_call + u64::from(connection) * 100_000_000;
    let mut in_turn = (connection..corpus.companies()).step_by(load.connections.max(1) as usize);
    loop {
        let company = if load.once_each {
            in_turn.next()
        } else {
            (Instant::now() < until).then(|| company_of(call, corpus))
        };
        let Some(company) = company else { break };
        let request = if load.bare {
            bare_request(load)
        } else {
            request(load, corpus, company, call)
        };
        let sent = Instant::now();
        let status = wire.exchange(request.as_bytes()).await?;
        latencies.push(u64::try_from(sent.elapsed().as_micros())?);
        failures += u64::from(status != 200 || !(load.bare || wire.body().ends_with(b"</Response>")));
        call += 1;
    }
    Ok((latencies, failures))
}

/// What costs a server least.
fn bare_request(load: &Load) -> String {
    format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", load.address)
}

/// Whom the caller of this number calls.
fn company_of(call: u64, corpus: Corpus) -> u32 {
    u32::try_from(call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).unwrap_or_default() % corpus.companies()
}

/// The first webhook of a call with words in it, with the parameters that Twilio sends.
fn request(load: &Load, corpus: Corpus, company: u32, call: u64) -> String {
    let words = match load.only {
        Some(kind) => corpus.said(kind, company, call),
        None => corpus.utterance(company, call).1,
    };
    let (sid, from) = (format!("CA{call:032x}"), format!("+1303555{:04}", call % 10_000));
    let (account, to) = (corpus::account_sid(company), corpus::phone(company));
    let form: Form = [
        ("AccountSid", account.as_str()),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", &sid),
        ("CallStatus", "in-progress"),
        ("Called", &to),
        ("CalledCity", "WASHINGTON"),
        ("CalledCountry", "US"),
        ("CalledState", "DC"),
        ("CalledZip", "20001"),
        ("Caller", &from),
        ("CallerCity", "SOUTH LAKE TAHOE"),
        ("CallerCountry", "US"),
        ("CallerState", "CA"),
        ("CallerZip", "89449"),
        ("Confidence", "0.9128386"),
        ("Direction", "inbound"),
        ("From", &from),
        ("FromCity", "SOUTH LAKE TAHOE"),
        ("FromCountry", "US"),
        ("FromState", "CA"),
        ("FromZip", "89449"),
        ("Language", "en-US"),
        ("SpeechResult", &words),
        ("To", &to),
        ("ToCity", "WASHINGTON"),
        ("ToCountry", "US"),
        ("ToState", "DC"),
        ("ToZip", "20001"),
    ]
    .into_iter()
    .collect();
    let target = format!("/api/twilio/v2-agent-respond/{}", corpus::company_id(company));
    let address = &load.address;
    let signature = sign(
        &corpus::auth_token(company),
        &format!("http://{address}{target}"),
        &form,
    );
    let body = form.encode();
    format!(
        "POST {target} HTTP/1.1\r\nhost: {address}\r\nuser-agent: TwilioProxy/1.1\r\naccept: */*\r\n\
         content-type: application/x-www-form-urlencoded; charset=UTF-8\r\nx-twilio-signature: {signature}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
