//! What the tests are made of.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
};

use frontdesk_domain::{
    alert::{Alert, AlertCode},
    call_state::CallState,
    clock::Clock,
    confidence::Confidence,
    decision::{Decision, Escalation, Matcher, Source, TraceEntry},
    documents::{
        Mode, Parsed,
        company::{Company, CompanyDocument, CompanySecrets},
        template::Action,
    },
    ids::{CallId, CompanyId, NotificationId, ObjectId, QnaId, TemplateId, TurnId},
    money::PicoUsd,
    record::{ReplayInputs, TurnOutcome, TurnRecord},
    time::Timestamp,
};
use frontdesk_store::{
    ports::{CompanyWrite, RaisedAlert},
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A clock that goes on by a millisecond with each look.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(at("2026-11-15T12:00:00Z").as_millisecond()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A file in a folder of its own.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// In memory, where the system has a folder of that kind: for very many writes, where nothing is about the disk.
    pub(crate) fn without_disk() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
        Self {
            folder: folder.unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("frontdesk.db")
    }

    pub(crate) fn open(&self) -> Arc<SqliteStore> {
        open(&self.path(), SqliteOptions::default())
    }
}

pub(crate) fn open(path: &Path, options: SqliteOptions) -> Arc<SqliteStore> {
    let key = Arc::new(Sealer::from_key([7; 32]));
    Arc::new(SqliteStore::open(path, key, Arc::new(TestClock::default()), options).unwrap())
}

/// An id with this number in it.
pub(crate) fn id<Id: From<ObjectId>>(number: u32) -> Id {
    Id::from(ObjectId::from_parts(number, [0; 8]))
}

pub(crate) fn number(number: u32) -> String {
    format!("+1555010{number:04}")
}

/// A document of a company that has the number of its own number.
pub(crate) fn company_document(company: u32, templates: &[u32]) -> Value {
    let templates: Vec<_> = templates
        .iter()
        .map(|template| id::<TemplateId>(*template).to_string())
        .collect();
    json!({
        "_id": id::<CompanyId>(company).to_string(),
        "name": format!("Company {company}"),
        "phone": number(company),
        "trades": ["Dental"],
        "timezone": "America/New_York",
        "aiAgentSettings": { "templateReferences": templates },
    })
}

pub(crate) fn write_of(document: &Value) -> CompanyWrite {
    let Parsed { value, json, .. } = Company::parse(document, Mode::Import).unwrap();
    let CompanyDocument { company, secrets, .. } = value;
    let secrets = secrets.apply(&CompanySecrets::default()).unwrap();
    CompanyWrite {
        company: Arc::new(company),
        json,
        secrets,
    }
}

/// A company without templates.
pub(crate) fn company(number: u32) -> CompanyWrite {
    write_of(&company_document(number, &[]))
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

pub(crate) fn template(number: u32, trigger: &str) -> Map<String, Value> {
    object(json!({
        "_id": id::<TemplateId>(number).to_string(), "name": "Basics", "trade": "Dental", "version": "1",
        "fillerWords": [], "synonymMap": {}, "tier1Threshold": null, "tier2Threshold": null,
        "categories": [{ "id": "c", "name": "c", "scenarios": [{
            "id": "s", "name": "s", "status": "live", "priority": 0, "triggers": [trigger], "regexTriggers": [],
            "negativeTriggers": [], "quickReplies": [], "fullReplies": ["Yes."], "replyStrategy": "auto",
            "minConfidence": null, "cooldownSeconds": 0, "emergency": false, "action": "none",
        }] }],
    }))
}

pub(crate) fn qna(id: &str, answer: &str) -> (QnaId, Map<String, Value>) {
    let json = json!({
        "id": id, "question": format!("What about {id}?"), "variants": [], "answer": answer, "keywords": [],
        "active": true,
    });
    (QnaId::new(id), object(json))
}

/// A turn of a call.
pub(crate) fn turn(company: u32, call: &str, turn: u32, utterance: &str) -> TurnRecord {
    TurnRecord {
        turn_id: TurnId::new(&format!("{call}-{turn}")),
        call_id: CallId::new(call),
        turn,
        at: at("2026-11-15T12:00:00Z") + std::time::Duration::from_secs(u64::from(turn) * 10),
        from: Some("+15550109999".into()),
        speech_confidence: Some(0.9),
        digits: None,
        decision: Decision {
            company_id: id(company),
            utterance: utterance.into(),
            normalized: utterance.to_lowercase().into(),
            source: Source::Template,
            tier: None,
            confidence: Confidence::CERTAIN,
            threshold: None,
            scenario_id: None,
            qna_id: None,
            safety_id: None,
            response: "We are open from eight to six.".into(),
            action: Action::None,
            emergency: false,
            matcher: Matcher::Lexical,
            fallback_type: None,
            escalation: Escalation::default(),
            cost_usd: PicoUsd::ZERO,
            latency_micros: 100,
            versions: Arc::default(),
            trace: Vec::<TraceEntry>::new(),
        },
        variation: None,
        tokens: None,
        outcome: TurnOutcome::Answered,
        replay: ReplayInputs {
            call_state: CallState::default(),
            rotation: None,
            catalogue: None,
            llm: None,
        },
        document: Some(format!("<Response>{utterance}</Response>").into()),
    }
}

pub(crate) fn raised(number: u32, code: AlertCode, company: Option<u32>, count: u64) -> RaisedAlert {
    let details = json!({ "number": number });
    let message = format!("alert {number}");
    RaisedAlert {
        id: id::<NotificationId>(number),
        alert: Alert {
            code,
            company: company.map(id),
            message,
            details,
        },
        count,
        first_at: Timestamp::from_second(i64::from(number)).unwrap(),
        last_at: Timestamp::from_second(i64::from(number) + 1).unwrap(),
        told: Vec::new(),
    }
}
