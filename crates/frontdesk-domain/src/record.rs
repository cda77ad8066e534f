//! What is kept: turns, messages, notifications.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    alert::{AlertCode, Severity},
    call_state::CallState,
    confidence::Confidence,
    decision::Decision,
    ids::{CallId, CompanyId, MessageId, NotificationId, TurnId},
    notice::Delivery,
};

/// How a turn ended for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TurnOutcome {
    /// The call was greeted and the caller's words are awaited.
    Greeted,
    /// An answer was spoken and the next words are awaited.
    Answered,
    /// A fallback was spoken and the next words are awaited.
    Fallback,
    /// A person is dialled.
    Transfer,
    /// A message is recorded.
    Message,
    /// The call ends.
    Hangup,
}

/// What the LLM said of a turn: a key that was offered to it, or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LlmResult {
    /// The model that was asked.
    pub model: Arc<str>,
    /// What it chose; null if nothing that was offered fits, or its answer could not be used.
    pub choice: Option<Arc<str>>,
    /// Whether it holds the matter for none of this business.
    pub out_of_scope: bool,
    /// How sure it was; null if its answer could not be used.
    pub confidence: Option<Confidence>,
}

/// What a replay needs beside the decision: the inputs that are not the caller's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayInputs {
    /// The call state that the turn began with.
    pub call_state: CallState,
    /// The number the rotation gave, if a fallback was chosen.
    pub rotation: Option<u64>,
    /// Which catalogue of other trades' templates was asked, if a fallback was chosen: a hash of ids and revisions.
    pub catalogue: Option<u64>,
    /// What the LLM said, if it was asked and answered in time.
    pub llm: Option<LlmResult>,
}

/// One turn of a call (the seed's `v2AIAgentCallLog`), its words redacted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRecord {
    /// The same webhook has the same id, however often it comes.
    pub turn_id: TurnId,
    /// Twilio's `CallSid`.
    pub call_id: CallId,
    /// Which turn of the call, from 1.
    pub turn: u32,
    /// When the webhook arrived.
    pub at: Timestamp,
    /// The caller, as Twilio names them.
    pub from: Option<Arc<str>>,
    /// The recogniser's own confidence, recorded only.
    pub speech_confidence: Option<f64>,
    /// Keys the caller pressed, redacted.
    pub digits: Option<Arc<str>>,
    /// What was decided, field by field.
    #[serde(flatten)]
    pub decision: Decision,
    /// Which of the company's own variations of a fallback was spoken, from 0; null where the words were not its own.
    pub variation: Option<u32>,
    /// Tokens the LLM was paid for; null without one.
    pub tokens: Option<u64>,
    /// How it ended for the caller.
    pub outcome: TurnOutcome,
    /// What a replay needs beside it.
    pub replay: ReplayInputs,
    /// The document that answered; kept beside the record, for the same webhook when it comes again. None if no
    /// webhook brought the turn.
    #[serde(skip)]
    pub document: Option<Arc<str>>,
}

/// A turn's record without its decision.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Around {
    turn_id: TurnId,
    call_id: CallId,
    turn: u32,
    at: Timestamp,
    from: Option<Arc<str>>,
    speech_confidence: Option<f64>,
    digits: Option<Arc<str>>,
    variation: Option<u32>,
    tokens: Option<u64>,
    outcome: TurnOutcome,
    replay: ReplayInputs,
}

impl TurnRecord {
    /// Reads a record's own JSON; the document that answered is kept beside it.
    ///
    /// # Errors
    /// It is not a record of this version.
    pub fn from_json(record: &serde_json::Value, document: Option<Arc<str>>) -> Result<Self, serde_json::Error> {
        // Read twice: serde cannot read numbers of a flattened part where they are kept as they are written.
        let decision = Decision::deserialize(record)?;
        let Around {
            turn_id,
            call_id,
            turn,
            at,
            from,
            speech_confidence,
            digits,
            variation,
            tokens,
            outcome,
            replay,
        } = Around::deserialize(record)?;
        Ok(Self {
            turn_id,
            call_id,
            turn,
            at,
            from,
            speech_confidence,
            digits,
            decision,
            variation,
            tokens,
            outcome,
            replay,
            document,
        })
    }
}

/// What kind of message a caller left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// A recording.
    Message,
    /// A wish to be called back.
    Callback,
}

/// Whether somebody has dealt with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Nobody has.
    New,
    /// Somebody has.
    Done,
}

/// Whether the audio of a message is kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioState {
    /// There is none: a callback, or a recording that is not at Twilio.
    #[default]
    None,
    /// It is still to be fetched.
    Due,
    /// It is kept.
    Stored,
    /// It could not be fetched, and nobody tries any more.
    Failed,
}

/// A message or a wish to be called back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// For whom it is.
    pub company_id: CompanyId,
    /// The call it was left in.
    pub call_id: CallId,
    /// What it is.
    pub kind: MessageKind,
    /// The caller, as Twilio names them.
    pub from: Option<Arc<str>>,
    /// The number to call back, as the caller gave it; null for a message.
    #[serde(default)]
    pub callback_number: Option<Arc<str>>,
    /// When a call back suits the caller, in their words, redacted.
    #[serde(default)]
    pub callback_time: Option<Arc<str>>,
    /// Twilio's id of the recording; one message per recording.
    pub recording_sid: Option<Arc<str>>,
    /// Where the recording is, if it is at Twilio.
    pub recording_url: Option<Arc<str>>,
    /// How long it is.
    pub recording_seconds: Option<u32>,
    /// Whether the recording's audio is kept here. The store says so; what is written here is not read.
    #[serde(default)]
    pub audio: AudioState,
    /// Its words, redacted.
    pub transcript: Option<Arc<str>>,
    /// Whether somebody has dealt with it.
    pub state: MessageState,
    /// When it was left.
    pub at: Timestamp,
}

/// Whether somebody has dealt with a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotificationState {
    /// Nobody has.
    Open,
    /// Somebody has seen it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// Alerts of one code and company, grouped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What happened.
    pub code: AlertCode,
    /// How urgent it is.
    pub severity: Severity,
    /// To whom.
    pub company_id: Option<CompanyId>,
    /// The newest alert's sentence.
    pub message: String,
    /// The newest alert's details.
    pub details: serde_json::Value,
    /// How many alerts it groups.
    pub count: u64,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the newest came.
    pub last_at: Timestamp,
    /// Whether somebody has dealt with it.
    pub state: NotificationState,
    /// Silent until then.
    pub snoozed_until: Option<Timestamp>,
    /// Who was told, and how that went, in the order in which it was due.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}
