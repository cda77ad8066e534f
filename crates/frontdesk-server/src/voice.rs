//! The voice routes: what Twilio posts, verified, and the documents that answer it (DESIGN sections 1 and 7).
//!
//! Nothing here answers 5xx or JSON. What cannot be verified gets 403, and always the same one: it tells nobody
//! whether a company exists. The one exception is a company that cannot be loaded: whether its token signed the webhook
//! cannot be told then, and the caller hears an apology that holds nothing of any company (ADR 0005).

use std::{
    convert::Infallible,
    str,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Path, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use frontdesk_callflow::{
    CallFlow, Route, Webhook,
    company::Tenant,
    flow::{Unanswerable, empty_document},
    settings,
};
use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    clock::Clock,
    ids::{CallId, CompanyId},
    time::Timestamp,
};
use frontdesk_twilio::{
    form::{Form, is_form_content_type},
    signature::{Payload, PublicUrl, Refusal, SETTINGS_HEADER, SIGNATURE_HEADER, SignedRequest, Verifier},
    twiml,
    webhook::TurnParameters,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::{debug, error, warn};

/// The longest body of a webhook.
const MAX_BODY: usize = 64 * 1024;

/// A body that is not there after this time is none. It is part of the turn's own time.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// What the voice routes are made of.
pub struct Voice {
    /// The call path.
    pub flow: Arc<CallFlow>,
    /// The URL under which Twilio reaches this service.
    pub public_url: PublicUrl,
    /// The platform's own token, for companies that have none and for unknown ones.
    pub platform: Verifier,
    /// Off only for local trials.
    pub verify: bool,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Counts what is refused.
    pub refusals: Arc<dyn Fn() + Send + Sync>,
    /// When a refused signature was last diagnosed, in Unix seconds.
    pub diagnosed: AtomicI64,
}

/// All voice routes.
pub fn router(voice: Arc<Voice>) -> Router {
    Router::new()
        .route("/api/twilio/voice", post(voice_by_number))
        .route("/api/twilio/voice/{companyId}", post(begin))
        .route("/api/twilio/v2-agent-respond/{companyId}", post(respond))
        .route("/api/twilio/dial-result/{companyId}", post(dial_result))
        .route("/api/twilio/message/{companyId}", post(message))
        .route("/api/twilio/whisper/{companyId}", post(whisper))
        .route("/api/twilio/status/{companyId}", post(status))
        .route("/api/twilio/fallback/{companyId}", post(fallback).get(fallback))
        .with_state(voice)
}

/// A call begins; the company is that of the number called.
async fn voice_by_number(State(voice): State<Arc<Voice>>, request: Request) -> Response {
    turn(&voice, Called::Number, Route::Voice, request).await
}

/// A call to a company begins.
async fn begin(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    turn(&voice, Called::Id(&id), Route::Voice, request).await
}

/// Answers a turn of a call: what the caller said becomes a spoken answer, or the call is greeted.
async fn respond(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    turn(&voice, Called::Id(&id), Route::Respond, request).await
}

/// Somebody was dialled and is through, or was not reached.
async fn dial_result(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    turn(&voice, Called::Id(&id), Route::DialResult, request).await
}

/// Takes a recorded message; also Twilio's report that a recording is ready.
async fn message(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    turn(&voice, Called::Id(&id), Route::Message, request).await
}

/// Answers a turn, and notes how long the caller waited for that.
async fn turn(voice: &Voice, called: Called<'_>, route: Route, request: Request) -> Response {
    let began = Instant::now();
    let response = answered(voice, called, route, request).await;
    metrics::histogram!(crate::metrics::TURN_SECONDS).record(began.elapsed().as_secs_f64());
    response
}

async fn answered(voice: &Voice, called: Called<'_>, route: Route, request: Request) -> Response {
    let posted = match voice.accept(called, request).await {
        Ok(posted) => posted,
        Err(refused) => return refused.into_response(),
    };
    let webhook = posted.webhook(route);
    let document = match &posted.to {
        Callee::Company(tenant) if route == Route::Message => voice.flow.message(tenant, &webhook).await,
        Callee::Company(tenant) => voice.flow.respond(tenant, &webhook).await,
        Callee::Nobody(company, why) => {
            let document = voice.flow.respond_without_company(*company, &webhook, *why).await;
            return spoken(document);
        }
    };
    spoken(document.to_string())
}

/// What a dialled person hears before they are connected.
async fn whisper(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    without_turn(&voice, &id, request, |tenant, webhook| {
        voice.flow.whisper(tenant, webhook)
    })
    .await
}

/// The document for Twilio's fallback URL.
async fn fallback(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    without_turn(&voice, &id, request, |tenant, _| voice.flow.fallback_document(tenant)).await
}

/// Answers what is no turn of the caller's.
async fn without_turn(
    voice: &Voice,
    id: &str,
    request: Request,
    answer: impl FnOnce(&Tenant, &Webhook<'_>) -> String,
) -> Response {
    let posted = match voice.accept(Called::Id(id), request).await {
        Ok(posted) => posted,
        Err(refused) => return refused.into_response(),
    };
    let webhook = posted.webhook(Route::Voice);
    spoken(match &posted.to {
        Callee::Company(tenant) => answer(tenant, &webhook),
        Callee::Nobody(company, why) => voice.flow.respond_without_company(*company, &webhook, *why).await,
    })
}

/// Takes Twilio's report on a call. It carries no caller's words and needs no answer.
async fn status(State(voice): State<Arc<Voice>>, CalledId(id): CalledId, request: Request) -> Response {
    let posted = match voice.accept(Called::Id(&id), request).await {
        Ok(posted) => posted,
        Err(refused) => return refused.into_response(),
    };
    let parameters = TurnParameters::of(&posted.form);
    debug!(
        company.id = %id,
        call.id = parameters.call_sid,
        call.status = posted.form.first("CallStatus"),
        "a call's status was reported"
    );
    if let (Callee::Company(tenant), Some(call), Some(status)) =
        (&posted.to, parameters.call_sid, parameters.call_status)
        && status.is_final()
    {
        voice
            .flow
            .call_ended(tenant.id(), CallId::new(call), parameters.from, status.as_str());
    }
    spoken(empty_document())
}

/// How a webhook names the company.
#[derive(Clone, Copy)]
enum Called<'r> {
    /// By its id in the path.
    Id(&'r str),
    /// By the number in `To`.
    Number,
}

/// The company's id in the path as it was written; empty if it does not decode, so that it is refused like any other.
struct CalledId(String);

impl<S: Send + Sync> FromRequestParts<S> for CalledId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(id.map_or_else(|_| String::new(), |Path(id)| id)))
    }
}

/// Who is called.
enum Callee {
    Company(Arc<Tenant>),
    Nobody(Option<CompanyId>, Unanswerable),
}

/// A webhook that cannot be verified. All of them get the same answer.
struct Refused;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let text = "This request could not be verified as one of Twilio's.\n";
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (StatusCode::FORBIDDEN, headers, text).into_response()
    }
}

/// A webhook that may be answered.
struct Posted {
    to: Callee,
    target: String,
    form: Form,
    arrived: Timestamp,
    deadline: Instant,
}

impl Posted {
    fn webhook(&self, route: Route) -> Webhook<'_> {
        Webhook {
            route,
            target: &self.target,
            form: &self.form,
            arrived: self.arrived,
            deadline: self.deadline,
        }
    }
}

impl Voice {
    /// Reads and verifies a webhook; what cannot be verified is refused.
    async fn accept(&self, called: Called<'_>, request: Request) -> Result<Posted, Refused> {
        let arrived = self.clock.now();
        let deadline = Instant::now() + settings::TURN_DEADLINE;
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        // Only the fallback document answers GET: its parameters stand in the address, and are signed with that.
        let is_get = parts.method == Method::GET;
        let form = if is_get {
            Form::parse(parts.uri.query().unwrap_or_default().as_bytes()).ok()
        } else {
            read_form(&parts.headers, body).await
        };
        let Some(form) = form else {
            return Err(self.refuse(
                None,
                "a voice webhook that is no form of at most 64 KiB",
                json!({ "path": shortened(parts.uri.path()) }),
            ));
        };
        let found = match called {
            Called::Id(id) => Ok(id.parse::<CompanyId>().ok()),
            Called::Number => {
                let number = form.first("To").unwrap_or_default();
                self.flow.company_of_number(number, deadline).await
            }
        };
        let (company, loaded) = match found {
            Ok(Some(company)) => (Some(company), self.flow.tenant_for_turn(company, deadline).await),
            Ok(None) => (None, Ok(None)),
            Err(failure) => (None, Err(failure)),
        };
        let empty = Form::default();
        let request = signed(target, if is_get { &empty } else { &form }, &parts.headers);
        let to = match loaded {
            Ok(Some(tenant)) => self.verify_company(tenant, &request, form.first("AccountSid"), &parts.headers)?,
            Ok(None) => {
                self.verify_platform(&request)?;
                Callee::Nobody(company, Unanswerable::NoSuchCompany)
            }
            Err(failure) => {
                error!(
                    path = shortened(parts.uri.path()),
                    error = &failure as &dyn std::error::Error,
                    "a company could not be loaded for a call"
                );
                // Whose token signed it cannot be known now. The apology holds nothing of any company.
                let known = self.is_from_platform(&request).is_ok();
                let why = if known {
                    Unanswerable::NotLoaded
                } else {
                    Unanswerable::NotVerifiable
                };
                Callee::Nobody(company, why)
            }
        };
        Ok(Posted {
            to,
            target: target.to_owned(),
            form,
            arrived,
            deadline,
        })
    }

    fn verify_company(
        &self,
        tenant: Arc<Tenant>,
        request: &SignedRequest<'_>,
        account: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Callee, Refused> {
        if !self.verify {
            return Ok(Callee::Company(tenant));
        }
        let verifier = if tenant.verifier.is_empty() {
            &self.platform
        } else {
            &tenant.verifier
        };
        if let Err(refusal) = verifier.verify(&self.public_url, request) {
            let details = self.diagnose(verifier, request, refusal, headers);
            let message = format!("webhooks for {} are refused: {refusal}", tenant.settings.company.name);
            return Err(self.refuse(Some(tenant.id()), &message, details));
        }
        let expected = tenant.settings.company.account_sid.as_deref();
        if expected.is_some() && account != expected {
            let details =
                json!({ "likelyFix": "set twilio.accountSid of the company to the account that sends its webhooks" });
            return Err(self.refuse(
                Some(tenant.id()),
                "a well signed webhook came from another Twilio account",
                details,
            ));
        }
        Ok(Callee::Company(tenant))
    }

    fn verify_platform(&self, request: &SignedRequest<'_>) -> Result<(), Refused> {
        self.is_from_platform(request).map_err(|refusal| {
            let path = request.target.split('?').next().unwrap_or_default();
            let details = json!({ "path": shortened(path), "reason": refusal.to_string() });
            self.refuse(None, "a webhook for an unknown company could not be verified", details)
        })
    }

    fn is_from_platform(&self, request: &SignedRequest<'_>) -> Result<(), Refusal> {
        if !self.verify {
            return Ok(());
        }
        self.platform.verify(&self.public_url, request).map(|_| ())
    }

    /// What an operator should know of a refused signature. The likely fix is searched for once a second at most.
    fn diagnose(
        &self,
        verifier: &Verifier,
        request: &SignedRequest<'_>,
        refusal: Refusal,
        headers: &HeaderMap,
    ) -> Value {
        let expected = self
            .public_url
            .url_of(request.target.split('?').next().unwrap_or_default());
        let now = self.clock.now().as_second();
        if refusal != Refusal::Mismatch || self.diagnosed.swap(now, Ordering::Relaxed) == now {
            return json!({ "expectedUrl": shortened(&expected), "reason": refusal.to_string() });
        }
        let named = [header::HOST.as_str(), "x-forwarded-host"];
        let hosts: Vec<&str> = named
            .iter()
            .filter_map(|name| headers.get(*name)?.to_str().ok())
            .collect();
        let found = verifier.diagnose(&self.public_url, request, &hosts);
        let fixes: Vec<_> = found
            .iter()
            .flat_map(|found| &found.mistakes)
            .map(|mistake| mistake.likely_fix())
            .collect();
        let likely_fix = if fixes.is_empty() {
            "check that twilio.authToken of the company is its account's current token".to_owned()
        } else {
            fixes.join("; ")
        };
        json!({
            "expectedUrl": shortened(&expected),
            "signedUrl": found.map(|found| shortened(found.url.split('?').next().unwrap_or_default()).to_owned()),
            "likelyFix": likely_fix,
            "reason": refusal.to_string(),
        })
    }

    fn refuse(&self, company: Option<CompanyId>, message: &str, details: Value) -> Refused {
        (self.refusals)();
        warn!(company.id = company.map(tracing::field::display), "{message}");
        let code = AlertCode::SignatureRejected;
        self.notifier.raise(Alert {
            code,
            company,
            message: message.to_owned(),
            details,
        });
        Refused
    }
}

/// The body as a form; `None` if it is none, or too long, too slow, or not decodable.
async fn read_form(headers: &HeaderMap, body: Body) -> Option<Form> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| is_form_content_type(value.as_bytes()));
    if !is_form {
        return None;
    }
    let bytes: Bytes = timeout(BODY_WAIT, to_bytes(body, MAX_BODY)).await.ok()?.ok()?;
    Form::parse(&bytes).ok()
}

fn signed<'r>(target: &'r str, form: &'r Form, headers: &'r HeaderMap) -> SignedRequest<'r> {
    SignedRequest {
        target,
        payload: Payload::Form(form),
        signature: headers.get(SIGNATURE_HEADER).map(HeaderValue::as_bytes),
        settings: headers.get(SETTINGS_HEADER).map(HeaderValue::as_bytes),
    }
}

fn spoken(document: String) -> Response {
    ([(header::CONTENT_TYPE, twiml::CONTENT_TYPE)], document).into_response()
}

/// The first part of a text that a stranger may have written.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(200)).unwrap_or_default()
}
