//! A provider that does what a test tells it to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use frontdesk_domain::ledger::Usage;
use frontdesk_llm::{
    completion::{Completion, Finish},
    provider::{Asked, Bytes, Cut, Outcome, Probed, Progress, Provider, Refusal, RefusalKind},
    question::{LimitField, Style},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

/// What comes of one request.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// Chooses this key, as sure as that.
    Chooses(&'static str, f64),
    /// Chooses nothing.
    ChoosesNone { out_of_scope: bool },
    /// Writes this.
    Writes(String),
    /// Answers this status.
    Refuses(u16, RefusalKind),
    /// Accepts and never answers.
    Hangs,
    /// Begins to answer and breaks off.
    BreaksOff,
    /// Chooses, and bills these tokens.
    Bills(&'static str, Usage),
    /// Chooses, and does not say what it bills.
    BillsInSilence(&'static str),
}

/// What every request is billed where nothing else is said.
pub(super) const USAGE: Usage = Usage {
    prompt: 300,
    cached: 0,
    cache_write: 0,
    completion: 20,
};

/// More than one request can have used.
pub(super) const ABSURD: Usage = Usage {
    prompt: 10_000_000_000_000,
    ..USAGE
};

/// What one token is billed.
pub(super) const ONE_TOKEN: Usage = Usage {
    prompt: 9,
    completion: 1,
    ..USAGE
};

#[derive(Default)]
pub(super) struct Scripted {
    does: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<Value>>,
    fails_probes: AtomicBool,
}

impl Scripted {
    /// Answers no probe from now on.
    pub(super) fn fail_probes(&self) {
        self.fails_probes.store(true, Ordering::Relaxed);
    }

    /// Does these, one a request; the last one again and again.
    pub(super) fn new(does: impl IntoIterator<Item = Does>) -> Arc<Self> {
        Arc::new(Self {
            does: Mutex::new(does.into_iter().collect()),
            asked: Mutex::default(),
            fails_probes: AtomicBool::new(false),
        })
    }

    /// The bodies of all requests so far.
    pub(super) fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    /// What the last request offered to choose from.
    pub(super) fn offered(&self) -> Vec<String> {
        let asked = self.asked();
        let choices = asked.last().unwrap()["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"]
            .as_array()
            .unwrap()
            .clone();
        choices
            .iter()
            .map(|choice| choice.as_str().unwrap().to_owned())
            .collect()
    }
}

pub(super) fn style() -> Style {
    Style {
        model: "gpt-6-luna".to_owned(),
        reasoning_effort: Some("none".to_owned()),
        limit: LimitField::MaxCompletionTokens,
    }
}

fn written(content: String, usage: Option<Usage>) -> Outcome {
    Outcome::Answered(Completion {
        content: Some(content),
        refusal: None,
        finish: Finish::Stop,
        usage,
        model: None,
    })
}

fn chosen(key: &str, confidence: f64, out_of_scope: bool) -> String {
    json!({ "choice": key, "outOfScope": out_of_scope, "confidence": confidence }).to_string()
}

#[async_trait]
impl Provider for Scripted {
    async fn ask(&self, body: Bytes, deadline: Instant, _progress: &Progress) -> Asked {
        self.asked.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let does = {
            let mut does = self.does.lock().unwrap();
            if does.len() > 1 {
                does.pop_front()
            } else {
                does.front().cloned()
            }
        };
        let outcome = match does.expect("a request that no test foresaw") {
            Does::Chooses(key, confidence) => written(chosen(key, confidence, false), Some(USAGE)),
            Does::ChoosesNone { out_of_scope } => written(chosen("none", 0.9, out_of_scope), Some(USAGE)),
            Does::Writes(content) => written(content, Some(USAGE)),
            Does::Bills(key, usage) => written(chosen(key, 0.9, false), Some(usage)),
            Does::BillsInSilence(key) => written(chosen(key, 0.9, false), None),
            Does::BreaksOff => Outcome::Cut(Cut::NotJson),
            Does::Refuses(status, kind) => Outcome::Refused(Refusal {
                status,
                kind,
                retry_after: None,
                code: None,
            }),
            Does::Hangs => {
                sleep_until(deadline).await;
                Outcome::Cut(Cut::TimedOut)
            }
        };
        Asked {
            outcome,
            took: Duration::ZERO,
            first_byte: None,
        }
    }

    async fn probe(&self, deadline: Instant) -> Probed {
        if self.fails_probes.load(Ordering::Relaxed) {
            sleep_until(deadline).await;
            return Probed::Failed(Outcome::Cut(Cut::TimedOut));
        }
        Probed::Free { took: Duration::ZERO }
    }

    fn endpoint(&self) -> &'static str {
        "https://llm.example/v1"
    }
}
