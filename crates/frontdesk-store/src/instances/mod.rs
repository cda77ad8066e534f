//! What instances that answer the same calls tell each other beside the store. All of it may be lost at any moment, and
//! whoever hears nothing goes on alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CallId, CompanyId, TurnId},
    phone::PhoneNumber,
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

mod redis;

pub use redis::RedisInstances;

/// A turn of a company.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TurnPlace {
    /// Whose it is.
    pub company: CompanyId,
    /// Which it is.
    pub turn: TurnId,
}

/// What a turn was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnAnswer {
    /// The whole document.
    pub document: Arc<str>,
    /// What was spoken in it as the answer.
    pub response: Arc<str>,
}

/// Whose a turn is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnClaim {
    /// This instance's: it answers, or lets the turn go.
    Mine,
    /// Another instance is about to answer it, or was before it died.
    UnderWay,
    /// It was answered.
    Answered(TurnAnswer),
    /// Nobody can tell: this instance answers as if it were alone. The claim may have been taken all the same.
    Unknown,
}

/// How often a company and one of its callers may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls of one caller within an hour; 0 for any number.
    pub per_caller: u32,
    /// Calls at the same time; 0 for any number.
    pub at_once: u32,
    /// A call of which nothing is heard for so long is over.
    pub idle: Duration,
}

/// What all instances count of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallCount {
    /// It is within the limits.
    Within,
    /// Its caller calls too often.
    TooOften,
    /// Its company has too many calls at the same time.
    TooMany,
}

/// How an instance finds the LLM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LlmWord {
    /// `open`: it is down. `closed`: it answers. A word of another version is neither.
    pub state: Arc<str>,
    /// What is wrong; absent while nothing is.
    pub cause: Option<Arc<str>>,
    /// When, in RFC 3339.
    pub at: Arc<str>,
    /// Which instance says so.
    #[serde(default)]
    pub by: Arc<str>,
    /// Of which provider: instances need not all ask the same one.
    pub endpoint: Arc<str>,
}

/// Whether an instance has switched the LLM off. Told apart from how it finds the LLM: neither takes the other's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LlmSwitch {
    /// `off`: it bills what nobody can foresee. `on`: it was seen not to. A word of another version is neither.
    pub state: Arc<str>,
    /// When, in RFC 3339.
    pub at: Arc<str>,
    /// Which instance says so.
    #[serde(default)]
    pub by: Arc<str>,
    /// Of which provider: instances need not all ask the same one.
    pub endpoint: Arc<str>,
}

/// The other instances. What is awaited takes no longer than the budget of a cache; the rest is done behind.
#[async_trait]
pub trait Instances: Send + Sync {
    /// Takes a turn to answer, if no other instance has.
    async fn claim_turn(&self, place: &TurnPlace) -> TurnClaim;
    /// Keeps the answer of a turn for a day, so that others give the same one; unless it is another instance's by now. Begins
    /// when `ready` is over.
    fn give_turn(&self, place: TurnPlace, answer: TurnAnswer, ready: BoxFuture<'static, ()>);
    /// Gives back a turn that was not answered, if it is this instance's.
    fn let_turn_go(&self, place: TurnPlace);
    /// Counts a call that is new to this instance. `None`: nobody can tell.
    async fn note_call(
        &self,
        company: CompanyId,
        call: &CallId,
        caller: Option<PhoneNumber>,
        limits: CallLimits,
    ) -> Option<CallCount>;
    /// Notes that a call goes on, and counts for so long without another sign of it.
    fn keep_call(&self, company: CompanyId, call: CallId, lasts: Duration);
    /// Notes that a call has ended.
    fn end_call(&self, company: CompanyId, call: CallId);
    /// Tells the others how the LLM is.
    fn say_llm(&self, word: LlmWord);
    /// How another instance found the LLM last.
    fn llm_words(&self) -> watch::Receiver<Option<LlmWord>>;
    /// Tells the others that the LLM is switched off, or on again.
    fn say_llm_switch(&self, switch: LlmSwitch);
    /// What another instance said last of whether the LLM is switched off.
    fn llm_switches(&self) -> watch::Receiver<Option<LlmSwitch>>;
}
