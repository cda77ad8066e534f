//! The stream of notifications: server-sent events (HTML standard, section 9.2).
//!
//! Each listener is fed from the store, which all instances share, once a second. Nothing is queued for a listener: one
//! that does not read costs no memory, and one that was away for too long is sent away.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use frontdesk_domain::{ids::NotificationId, time::Timestamp};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{self, Instant},
};

use super::{Answer, notifications::NotificationView};
use crate::{
    auth::Operator,
    problem::{Code, Problem},
    state::App,
};

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Without news a comment is sent so often, so that proxies keep the connection and listeners know that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// So many notifications may have changed since a listener last heard of any.
const MOST: usize = 500;

/// A listener that reads nothing for so long has lagged behind.
const SLOWEST: Duration = Duration::from_mins(1);

/// Writes of other instances may be seen so much later than their time says: clocks differ.
const OVERLAP: Duration = Duration::from_secs(5);

/// Tells each notification that is new or has changed, until the connection ends. An event `notification` has the
/// notification as its data and the time of the change as its id; an event `lagged` says that some were left out and that
/// the list is to be read again.
#[utoipa::path(get, path = "/api/v1/notifications/stream", tag = "notifications",
    responses((status = 200, content_type = "text/event-stream"), (status = 429, body = crate::openapi::schema::Problem)))]
pub(crate) async fn stream_notifications(State(app): State<App>, _: Operator, headers: HeaderMap) -> Answer<Response> {
    let place = app.notices.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Code::TooManyStreams, "too many listen already"))?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = last.and_then(|id| id.parse().ok()).unwrap_or_else(|| app.clock.now());
    let listener = Listener {
        since,
        newest: since,
        seen: HashMap::new(),
        is_first: true,
        asked_at: Instant::now(),
        is_over: false,
        app,
        _place: place,
    };
    let batches = stream::unfold(listener, |mut listener| async move {
        let batch = listener.next().await?;
        Some((stream::iter(batch.into_iter().map(Ok::<_, Infallible>)), listener))
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let mut response = Sse::new(batches.flatten()).keep_alive(heartbeat).into_response();
    // Proxies such as nginx would collect what is sent.
    let unbuffered = axum::http::HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", unbuffered);
    Ok(response)
}

/// Somebody who listens.
struct Listener {
    app: App,
    /// What changed before is known: since then it listens.
    since: Timestamp,
    /// The newest change that was told.
    newest: Timestamp,
    /// What is known of the overlap, so that it is told once.
    seen: HashMap<NotificationId, Timestamp>,
    /// When the store was last asked: a listener that does not read keeps this from going on.
    asked_at: Instant,
    is_first: bool,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next events; `None` at the end.
    async fn next(&mut self) -> Option<Vec<Event>> {
        if self.is_over || self.app.lifecycle.refusal() == Some("draining") {
            return None;
        }
        if self.asked_at.elapsed() > SLOWEST {
            return Some(self.lagged());
        }
        time::sleep_until(self.asked_at + EVERY).await;
        self.asked_at = Instant::now();
        let from = self.newest.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        // While the store is away there is no news; the heartbeat goes on.
        let Ok(changed) = self.app.store.notifications_changed(from, MOST + 1).await else {
            return Some(Vec::new());
        };
        if changed.len() > MOST {
            return Some(self.lagged());
        }
        let now = self.app.clock.now();
        let mut events = Vec::new();
        for (at, notification) in changed {
            // What is seen later than at first came later, whatever the clock says that wrote it.
            let is_known = self.is_first && at < self.since;
            if self.seen.insert(notification.id, at) == Some(at) || is_known {
                continue;
            }
            // A clock that is ahead must not hide what others write meanwhile.
            self.newest = self.newest.max(at.min(now));
            let event = Event::default().event("notification").id(at.to_string());
            // What cannot be written as JSON is none of ours.
            events.extend(event.json_data(NotificationView::from(notification)).ok());
        }
        self.is_first = false;
        let oldest = self.newest.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        self.seen.retain(|_, at| *at >= oldest);
        Some(events)
    }

    fn lagged(&mut self) -> Vec<Event> {
        self.is_over = true;
        vec![
            Event::default()
                .event("lagged")
                .data("read GET /api/v1/notifications, then listen again"),
        ]
    }
}
