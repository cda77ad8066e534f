//! How a response goes over the wire: whole, in part, slowly or not at all.

use std::{convert::Infallible, future::pending, io, time::Duration};

use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Frame},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::Value;
use thiserror::Error;
use tokio::time::sleep;

use crate::{
    answer,
    script::{Mode, Script},
    server::Visit,
};

/// White space before the answer in [`Mode::HugeBody`].
const HUGE_BYTES: usize = 64 * 1024 * 1024;
static BLANK: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// How long what was sent is given to leave before the connection is cut: hyper drops what it still holds.
const FLUSH: Duration = Duration::from_millis(10);

const PAGE: &str = "<!doctype html>\n<title>Welcome</title>\n<h1>It works!</h1>\n";

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The connection is to be closed without a response.
#[derive(Debug, Error)]
#[error("the double was told to close the connection")]
pub(crate) struct Closed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Whole,
    Stall(usize),
    Cut(usize),
    Drip(Duration),
    Padded,
}

/// Sends an answer as the script says.
pub(crate) async fn deliver(script: &Script, json: &Value, visit: Visit) -> Result<Response<Body>, Closed> {
    sleep(script.latency).await;
    let whole = json.to_string();
    let pace = match script.mode {
        Mode::Hang => pending().await,
        Mode::Close => return Err(Closed),
        Mode::Status {
            status,
            code,
            retry_after,
        } => return Ok(error(status, code, retry_after, visit)),
        Mode::Quota => return Ok(error(429, Some("insufficient_quota"), None, visit)),
        Mode::HalfJson => {
            let length = whole.len() / 2;
            let half = Bytes::from(whole).split_to(length);
            return Ok(paced(half, Pace::Whole, visit));
        }
        Mode::Html => {
            let mut response = paced(Bytes::from_static(PAGE.as_bytes()), Pace::Whole, visit);
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Ok(response);
        }
        Mode::Stall { after_bytes } => Pace::Stall(after_bytes),
        Mode::Cut { after_bytes } => Pace::Cut(after_bytes),
        Mode::Drip { per_byte } => Pace::Drip(per_byte),
        Mode::HugeBody => Pace::Padded,
        _ => Pace::Whole,
    };
    Ok(paced(Bytes::from(whole), pace, visit))
}

/// An error that the script or the request asked for.
fn error(status: u16, code: Option<&'static str>, retry_after: Option<u32>, visit: Visit) -> Response<Body> {
    visit.fail();
    let status_code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status_code, &answer::error(status, code));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// JSON at once, whatever the script says.
pub(crate) fn plain(status: StatusCode, json: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(json.to_string()));
    let mut response = Response::new(body.map_err(|never: Infallible| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, json_type());
    response
}

fn paced(bytes: Bytes, pace: Pace, visit: Visit) -> Response<Body> {
    // Without its length the huge one can only be bounded by counting.
    let length = (pace != Pace::Padded).then(|| HeaderValue::from(bytes.len()));
    let sending = Sending {
        padding: if pace == Pace::Padded { HUGE_BYTES } else { 0 },
        rest: bytes,
        is_first: true,
        pace,
        visit: Some(visit),
    };
    let chunks = stream::unfold(sending, Sending::next);
    let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, json_type());
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

fn json_type() -> HeaderValue {
    HeaderValue::from_static("application/json")
}

/// A body on its way. Holds the visit, so that the request is in flight until the body is sent or dropped.
struct Sending {
    padding: usize,
    rest: Bytes,
    is_first: bool,
    pace: Pace,
    visit: Option<Visit>,
}

type Chunk = Result<Frame<Bytes>, io::Error>;

impl Sending {
    async fn next(mut self) -> Option<(Chunk, Self)> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let bytes = match self.pace {
            Pace::Stall(after) | Pace::Cut(after) if is_first && after > 0 => {
                // The last byte stays here, or it would be a whole response.
                self.take(after.min(self.rest.len().saturating_sub(1)))?
            }
            Pace::Stall(_) => pending().await,
            Pace::Cut(_) => {
                sleep(FLUSH).await;
                return Some((Err(io::Error::other("cut as the script says")), self));
            }
            Pace::Drip(per_byte) => {
                sleep(per_byte).await;
                self.take(1)?
            }
            Pace::Padded if self.padding > 0 => {
                self.padding = self.padding.saturating_sub(BLANK.len());
                Bytes::from_static(&BLANK)
            }
            Pace::Whole | Pace::Padded => self.take(usize::MAX)?,
        };
        Some((Ok(Frame::data(bytes)), self))
    }

    /// The next bytes; `None` after the last. The visit ends with the last: hyper does not ask again once it has as
    /// many bytes as it was promised.
    fn take(&mut self, most: usize) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.split_to(most.min(self.rest.len()));
        if self.rest.is_empty()
            && let Some(visit) = self.visit.take()
        {
            visit.finish();
        }
        Some(bytes)
    }
}
