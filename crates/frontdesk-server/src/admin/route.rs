//! Asks what a caller would hear.

use axum::{Json, extract::State};
use frontdesk_callflow::{company::TrialThresholds, flow::Run};
use frontdesk_domain::{
    confidence::Confidence,
    decision::Decision,
    documents::{Fault, Faults, nearest},
    ids::CallId,
};
use serde_json::Value;

use super::Answer;
use crate::{
    auth::CompanyScope,
    extract::JsonBody,
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// The most characters of an utterance; the recogniser gives far fewer.
const UTTERANCE: usize = 100_000;

/// Decides an utterance by the function that answers the webhook, and shows why.
///
/// A dry run, which is the default, spends and records nothing. Otherwise it is a real turn, of the call that `callId`
/// names or of one of its own.
#[utoipa::path(post, path = "/api/v1/companies/{companyId}/route", tag = "calls", request_body = schema::RouteRequest,
    responses((status = 200, body = schema::Decision)))]
pub(crate) async fn route(
    State(app): State<App>,
    scope: CompanyScope,
    JsonBody(body): JsonBody,
) -> Answer<Json<Decision>> {
    let Utterance { text, call, run } = read(&body)?;
    let decision = app.flow.route(scope.id, &text, call, run).await?;
    decision
        .map(Json)
        .ok_or_else(|| Problem::not_found(Code::CompanyNotFound, "company", scope.id))
}

struct Utterance {
    text: String,
    call: Option<CallId>,
    run: Run,
}

fn read(body: &Value) -> Result<Utterance, Faults> {
    const KNOWN: [&str; 4] = ["utterance", "callId", "dryRun", "thresholds"];
    let mut faults = Vec::new();
    let mut refuse = |name: &str, detail: String| {
        let pointer = if name.is_empty() {
            String::new()
        } else {
            format!("/{name}")
        };
        faults.push(Fault { pointer, detail });
    };
    let Some(fields) = body.as_object() else {
        refuse(
            "",
            "should be an object such as {\"utterance\": \"when do you open\"}".into(),
        );
        return Err(Faults(faults));
    };
    for name in fields.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        let hint = nearest(name, KNOWN).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        refuse(name, format!("unknown field `{name}`{hint}"));
    }
    let text = match fields.get("utterance") {
        Some(Value::String(text)) if text.chars().count() <= UTTERANCE => text.clone(),
        Some(Value::String(_)) => {
            refuse("utterance", format!("should have at most {UTTERANCE} characters"));
            String::new()
        }
        _ => {
            refuse("utterance", "should be text: what the caller says".into());
            String::new()
        }
    };
    let call = match fields.get("callId") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some(CallId::new(id))
        }
        Some(_) => {
            refuse("callId", "should be the CallSid of a call, or be left out".into());
            None
        }
    };
    let dry_run = match fields.get("dryRun") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(dry_run)) => *dry_run,
        Some(_) => {
            refuse("dryRun", "should be true or false".into());
            true
        }
    };
    let thresholds = match fields.get("thresholds") {
        None | Some(Value::Null) => None,
        Some(_) if !dry_run => {
            refuse("thresholds", "can be tried in a dry run only".into());
            None
        }
        Some(given) => trial(given).or_else(|| {
            refuse("thresholds", TRIAL.into());
            None
        }),
    };
    let run = if dry_run { Run::Dry(thresholds) } else { Run::Real };
    if faults.is_empty() {
        Ok(Utterance { text, call, run })
    } else {
        Err(Faults(faults))
    }
}

const TRIAL: &str = "should be `companyQnA`, `tradeQnA`, `tier1Threshold` and `tier2Threshold`, each from 0 to 1";

/// All four thresholds and nothing else.
fn trial(given: &Value) -> Option<TrialThresholds> {
    let fields = given.as_object()?;
    let of = |name: &str| Confidence::new(fields.get(name)?.as_f64()?);
    let thresholds = TrialThresholds {
        company_qna: of("companyQnA")?,
        trade_qna: of("tradeQnA")?,
        tier1: of("tier1Threshold")?,
        tier2: of("tier2Threshold")?,
    };
    (fields.len() == 4).then_some(thresholds)
}
