//! A verified webhook of a call, and what it says.

use frontdesk_domain::{
    ids::{CallId, CompanyId, TurnId},
    time::Timestamp,
};
use frontdesk_twilio::{
    form::Form,
    webhook::{DialCallStatus, TurnParameters},
};
use rapidhash::v3::rapidhash_v3;
use tokio::time::Instant;

use crate::state;

/// Room for the path and parameters of a usual webhook.
const EXPECTED_WEBHOOK: usize = 2_048;

/// Which route a webhook came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A call begins.
    Voice,
    /// The caller spoke, pressed keys, or said nothing.
    Respond,
    /// A dialled person was reached or not.
    DialResult,
    /// A message was recorded.
    Message,
}

/// A verified webhook of a call.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'w> {
    /// How it came in.
    pub route: Route,
    /// Path and query, as Twilio sent them.
    pub target: &'w str,
    /// All parameters.
    pub form: &'w Form,
    /// When it arrived.
    pub arrived: Timestamp,
    /// Until when it is answered, whatever is broken.
    pub deadline: Instant,
}

impl Webhook<'_> {
    /// The sealed state in its address.
    pub(crate) fn sealed_state(&self) -> Option<&str> {
        query_value(self.target, state::PARAMETER)
    }

    /// The key of its turn: the same webhook has the same one. By the nonce of its state, else by path and parameters
    /// (DESIGN 4.15).
    pub(crate) fn turn_key(&self, nonce: Option<u64>) -> u64 {
        match (nonce, self.route) {
            (Some(nonce), Route::Voice | Route::Respond) => nonce,
            // One document may send the caller to several routes with the same state.
            (Some(nonce), Route::DialResult) => hash([b"dial-result".as_slice(), &nonce.to_be_bytes()]),
            (Some(nonce), Route::Message) => hash([b"message".as_slice(), &nonce.to_be_bytes()]),
            (None, _) => self.fingerprint(),
        }
    }

    /// A hash of the path and the sorted parameters.
    fn fingerprint(&self) -> u64 {
        let path = self.target.split('?').next().unwrap_or_default();
        let mut pairs: Vec<_> = self.form.pairs().collect();
        pairs.sort_unstable();
        let parts = std::iter::once(path).chain(pairs.iter().flat_map(|(name, value)| [*name, *value]));
        hash(parts.map(str::as_bytes))
    }
}

/// A hash over parts, each ended by a zero byte; the same on every machine and in every version.
fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> u64 {
    let mut whole = Vec::with_capacity(EXPECTED_WEBHOOK);
    for part in parts {
        whole.extend_from_slice(part);
        whole.push(0);
    }
    rapidhash_v3(&whole)
}

/// The id of a call's turn with that key.
pub(crate) fn turn_id(call: &CallId, key: u64) -> TurnId {
    TurnId::new(&format!("{call}-{key:016x}"))
}

/// The value of a parameter in a target's query, as it was sent.
pub(crate) fn query_value<'t>(target: &'t str, name: &str) -> Option<&'t str> {
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(found, _)| *found == name))
        .map(|(_, value)| value)
}

/// How dialling a person ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// They talked with the caller.
    Talked,
    /// The caller gave up.
    GivenUp,
    /// Busy, no answer, failed, declined, or a machine.
    NotReached,
}

impl Dialled {
    /// Reads it; an unknown or absent result counts as failed (DESIGN 7).
    pub(crate) fn of(parameters: &TurnParameters<'_>) -> Self {
        match parameters.dial_call_status {
            Some(DialCallStatus::Canceled) => Self::GivenUp,
            // Somebody, or a machine, answered and did not take the call: it never was connected with the caller.
            Some(DialCallStatus::Completed | DialCallStatus::Answered) if parameters.dial_bridged != Some(false) => {
                Self::Talked
            }
            _ => Self::NotReached,
        }
    }
}

/// Where the webhooks of a company are posted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path {
    Respond,
    DialResult,
    Message,
    Whisper,
}

impl Path {
    pub(crate) fn of(self, company: CompanyId) -> String {
        let route = match self {
            Self::Respond => "v2-agent-respond",
            Self::DialResult => "dial-result",
            Self::Message => "message",
            Self::Whisper => "whisper",
        };
        format!("/api/twilio/{route}/{company}")
    }

    /// With the sealed state.
    pub(crate) fn with_state(self, company: CompanyId, sealed: &str) -> String {
        format!("{}?{}={sealed}", self.of(company), state::PARAMETER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_found_in_the_query() {
        assert_eq!(query_value("/api/twilio/v2-agent-respond/1?s=abc", "s"), Some("abc"));
        assert_eq!(query_value("/x?a=1&s=abc&b", "s"), Some("abc"));
        assert_eq!(query_value("/x?ss=abc", "s"), None);
        assert_eq!(query_value("/x", "s"), None);
    }

    #[test]
    fn the_key_is_the_nonce_else_the_sorted_parameters() {
        let key = |route, target: &str, pairs: &[(&str, &str)], nonce| {
            let form: Form = pairs.iter().copied().collect();
            let webhook = Webhook {
                route,
                target,
                form: &form,
                arrived: Timestamp::UNIX_EPOCH,
                deadline: Instant::now(),
            };
            webhook.turn_key(nonce)
        };
        let (one, other) = ([("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")]);
        let bare = key(Route::Respond, "/x?q=1", &one, None);
        assert_eq!(bare, key(Route::Respond, "/x?q=2", &other, None));
        assert_ne!(bare, key(Route::Respond, "/y", &one, None));
        assert_ne!(bare, key(Route::Respond, "/x", &[("A", "1B"), ("", "2")], None));
        assert_eq!(
            key(Route::Respond, "/x", &one, Some(7)),
            key(Route::Respond, "/x", &[], Some(7))
        );
        assert_ne!(
            key(Route::Respond, "/x", &one, Some(7)),
            key(Route::DialResult, "/x", &one, Some(7))
        );
        assert_ne!(
            key(Route::Message, "/x", &one, Some(7)),
            key(Route::DialResult, "/x", &one, Some(7))
        );
    }

    #[test]
    fn a_person_was_reached_only_if_they_were_connected() {
        let dialled = |pairs: &[(&str, &str)]| {
            let form: Form = pairs.iter().copied().collect();
            Dialled::of(&TurnParameters::of(&form))
        };
        assert_eq!(dialled(&[("DialCallStatus", "completed")]), Dialled::Talked);
        assert_eq!(
            dialled(&[("DialCallStatus", "completed"), ("DialBridged", "true")]),
            Dialled::Talked
        );
        assert_eq!(
            dialled(&[("DialCallStatus", "completed"), ("DialBridged", "false")]),
            Dialled::NotReached
        );
        for status in ["busy", "no-answer", "failed", "gone", ""] {
            assert_eq!(dialled(&[("DialCallStatus", status)]), Dialled::NotReached, "{status}");
        }
        assert_eq!(dialled(&[]), Dialled::NotReached);
        assert_eq!(dialled(&[("DialCallStatus", "canceled")]), Dialled::GivenUp);
    }
}
