//! The ports of what calls leave behind: turns, rotation.

use std::sync::Arc;

use async_trait::async_trait;
use frontdesk_domain::{
    decision::FallbackKind,
    ids::{CallId, CompanyId, TurnId},
    record::TurnRecord,
    time::Timestamp,
};
use serde_json::Value;

use super::{Page, StoreError};

/// A filter on calls; absent parts let everything through.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Began at or after.
    pub from: Option<Timestamp>,
    /// Began before.
    pub to: Option<Timestamp>,
    /// The caller as Twilio names them.
    pub caller: Option<String>,
    /// The ending of the call ([`frontdesk_domain::record::TurnOutcome`] on the wire).
    pub outcome: Option<String>,
    /// A part of what was said, without regard to case.
    pub words: Option<String>,
}

/// A call with its turns, oldest turn first. Turns are the records' own JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCall {
    /// Which call.
    pub call_id: CallId,
    /// The caller.
    pub from: Option<String>,
    /// When its first turn came.
    pub started_at: Timestamp,
    /// How its last turn ended.
    pub ending: String,
    /// When Twilio reported its end.
    pub ended_at: Option<Timestamp>,
    /// Twilio's word for how it ended.
    pub ended_as: Option<String>,
    /// Its turns.
    pub turns: Vec<Value>,
}

/// The key after which a page of calls goes on: newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCursor {
    /// When the last call of the page before began.
    pub started_at: Timestamp,
    /// Which call that was.
    pub call_id: CallId,
}

/// What answered a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// The whole document; none for a turn that no webhook brought.
    pub document: Option<Arc<str>>,
    /// What was spoken in it as the answer.
    pub response: Arc<str>,
}

/// What the store knows of a call, and of one of its turns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recalled {
    /// What answered the turn.
    pub answer: Option<GivenAnswer>,
    /// The document of the call's last turn: it carries the call's state in its addresses.
    pub last_document: Option<Arc<str>>,
    /// Whether the call's end was reported.
    pub has_ended: bool,
}

/// That a call has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    /// Of which company.
    pub company: CompanyId,
    /// Which call.
    pub call: CallId,
    /// The caller, if the report names them.
    pub from: Option<Arc<str>>,
    /// When the report came.
    pub at: Timestamp,
    /// Twilio's word for how it ended.
    pub status: &'static str,
}

/// Where a call stands among all calls, in the words of the store that said so.
pub type CallPlace = Arc<str>;

/// The turns of a call, by their ids alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnsOfCall {
    /// Where the call stands: pages go on after it, newest first.
    pub place: CallPlace,
    /// Of which company.
    pub company: CompanyId,
    /// Which call.
    pub call: CallId,
    /// Whether its end was reported.
    pub has_ended: bool,
    /// Its turns.
    pub turns: Vec<TurnId>,
}

/// What calls leave behind, written behind them.
#[async_trait]
pub trait TurnLog: Send + Sync {
    /// Stores turns, and with them which variation of a fallback was spoken last; a turn that is there already is left
    /// as it is. The caller keeps them until they are stored.
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError>;
    /// Notes that calls have ended. One that has no turns yet is noted as well, so that none is answered later; the
    /// first report stays.
    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError>;
}

/// The call log.
#[async_trait]
pub trait CallLog: Send + Sync {
    /// A company's calls, newest first.
    async fn calls(
        &self,
        company: CompanyId,
        filter: &CallFilter,
        page: Page<CallCursor>,
    ) -> Result<Vec<StoredCall>, StoreError>;
    /// One call of a company.
    async fn call(&self, company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError>;
    /// What is known of a call, and what answered one of its turns since `since`; `None` if there is no such call. Read
    /// for a turn.
    async fn recall(
        &self,
        company: CompanyId,
        call: &CallId,
        turn: &TurnId,
        since: Timestamp,
    ) -> Result<Option<Recalled>, StoreError>;
    /// The calls that began since `since`, newest first: at most `limit`, those before the call at `before`.
    async fn turns_since(
        &self,
        since: Timestamp,
        before: Option<CallPlace>,
        limit: usize,
    ) -> Result<Vec<TurnsOfCall>, StoreError>;
}

/// The rotation of fallbacks (DESIGN 4.4).
#[async_trait]
pub trait RotationStore: Send + Sync {
    /// The counter's value before it was raised by `count`; atomic over all processes. Nobody else gets the numbers
    /// from it up to it plus `count`.
    async fn take_rotations(&self, company: CompanyId, kind: FallbackKind, count: u32) -> Result<u64, StoreError>;
    /// One number of the counter.
    async fn next_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError> {
        self.take_rotations(company, kind, 1).await
    }
    /// The number that is next; a dry run peeks.
    async fn peek_rotation(&self, company: CompanyId, kind: FallbackKind) -> Result<u64, StoreError>;
    /// The index spoken last of each kind, as imported or as the stored turns say (`lastUsedIndex`).
    async fn last_spoken(&self, company: CompanyId) -> Result<Vec<(FallbackKind, u32)>, StoreError>;
}
