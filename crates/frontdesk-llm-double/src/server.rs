//! The routes, and what all connections share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::AUTHORIZATION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};

use crate::{
    answer::{self, answer},
    control::Control,
    deliver::{Body, Closed, deliver, plain},
    request::{Asked, BadRequest},
    script::Script,
    stats::{Counts, Number, Received},
};

/// The longest body that is read.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    script: Mutex<Script>,
    counts: Mutex<Counts>,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            script: Mutex::new(script),
            counts: Mutex::default(),
            started: Instant::now(),
        }
    }

    pub(crate) fn script(&self) -> Script {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> u64 {
        let elapsed: Duration = self.started.elapsed();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

/// One request from its arrival until its response is sent or given up. Only chat completions are counted.
#[derive(Debug)]
pub(crate) struct Visit {
    /// `None` for what is not counted.
    counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    shared: Arc<Shared>,
    number: Number,
    /// What is booked when the answer is sent.
    owed: Option<i64>,
}

impl Visit {
    fn uncounted() -> Self {
        Self { counted: None }
    }

    fn begin(shared: &Arc<Shared>, number: Number) -> Self {
        Self {
            counted: Some(Counted {
                shared: Arc::clone(shared),
                number,
                owed: None,
            }),
        }
    }

    /// Books a bill, now or when the answer is sent.
    fn charge(&mut self, bill: i64, script: &Script) {
        match &mut self.counted {
            Some(counted) if script.bill_unanswered => counted.shared.counts().book(counted.number, bill),
            Some(counted) => counted.owed = Some(bill),
            None => {}
        }
    }

    /// The whole answer is on its way.
    pub(crate) fn finish(self) {
        let Some(counted) = &self.counted else { return };
        let mut counts = counted.shared.counts();
        if let Some(bill) = counted.owed {
            counts.book(counted.number, bill);
        }
        counts.finished(counted.number, false);
    }

    /// The answer is an HTTP error.
    pub(crate) fn fail(self) {
        if let Some(counted) = &self.counted {
            counted.shared.counts().finished(counted.number, true);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.counts().ended();
    }
}

/// Serves one connection until either side closes it.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Bytes that drip must not wait for each other; without it they only come in lumps.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { route(&shared, request).await }
    });
    // An error is what a client that goes away or a response that is cut ends with.
    _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn route(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let path = request.uri().path().to_owned();
    if *request.method() == Method::POST && path.ends_with("/chat/completions") {
        return complete(shared, request, path).await;
    }
    if *request.method() == Method::GET
        && let Some((_, model)) = path.rsplit_once("/models")
    {
        shared.counts().probed(shared.elapsed());
        let json = model.strip_prefix('/').map_or_else(answer::models, answer::model);
        return deliver(&shared.script(), &json, Visit::uncounted()).await;
    }
    Ok(match (request.method(), path.as_str()) {
        (&Method::GET, "/control") => plain(StatusCode::OK, &script_json(&shared.script())),
        (&Method::POST, "/control") => control(shared, request).await,
        (&Method::GET, "/stats") => plain(StatusCode::OK, &stats_json(shared)),
        (&Method::POST, "/reset") => {
            shared.counts().reset();
            plain(StatusCode::OK, &stats_json(shared))
        }
        _ => plain(StatusCode::NOT_FOUND, &answer::bad_request(&no_such_path(&path))),
    })
}

async fn complete(shared: &Arc<Shared>, request: Request<Incoming>, path: String) -> Result<Response<Body>, Closed> {
    let arrival = shared.elapsed();
    let number = shared.counts().began(arrival);
    let script = shared.script().for_call(number.call);
    let mut visit = Visit::begin(shared, number);
    let authorization = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let authorization = authorization.map(str::to_owned);
    let read = read(request).await;
    if let Ok(body) = &read {
        let received = Received {
            arrival,
            path,
            authorization,
            body: String::from_utf8_lossy(body).into_owned(),
            billed: 0,
        };
        shared.counts().keep(number, received);
    }
    let asked = read.and_then(|body| Ok((Asked::read(&body)?, body)));
    let (asked, body) = match asked {
        Ok(asked) => asked,
        Err(refused) => {
            visit.fail();
            return Ok(plain(StatusCode::BAD_REQUEST, &answer::bad_request(&refused)));
        }
    };
    let answer = answer(&asked, &body, &script);
    if script.mode.bills() {
        visit.charge(answer.cost, &script);
    }
    deliver(&script, &answer.json, visit).await
}

async fn control(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    let changed = match read(request).await {
        Ok(body) => serde_json::from_slice::<Control>(&body)
            .map_err(|error| error.to_string())
            .and_then(|control| control.apply(&shared.script()).map_err(|refused| refused.to_string())),
        Err(refused) => Err(refused.message),
    };
    match changed {
        Ok(script) => {
            let json = script_json(&script);
            shared.set(script);
            plain(StatusCode::OK, &json)
        }
        Err(message) => plain(StatusCode::BAD_REQUEST, &json!({"error": message})),
    }
}

fn script_json(script: &Script) -> Value {
    serde_json::to_value(Control::from(script)).unwrap_or_default()
}

fn stats_json(shared: &Shared) -> Value {
    serde_json::to_value(shared.counts().stats()).unwrap_or_default()
}

async fn read(request: Request<Incoming>) -> Result<Bytes, BadRequest> {
    let body = Limited::new(request.into_body(), BODY_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| BadRequest {
            message: format!("the body cannot be read: {error}"),
            param: None,
        })
}

fn no_such_path(path: &str) -> BadRequest {
    BadRequest {
        message: format!("there is no `{path}` here"),
        param: None,
    }
}
