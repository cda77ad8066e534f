//! The query: known parameters only, each once.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use frontdesk_domain::{
    documents::nearest,
    ids::{
        CallId, CompanyId, ContactId, DeliveryId, HealthEntryId, LedgerEntryId, MessageId, NotificationId, QnaId,
        TemplateId,
    },
};
use frontdesk_store::ports::{CallCursor, Page};
use http::request::Parts;

use crate::problem::Problem;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        pairs
            .map(|pairs| Self(pairs.0))
            .map_err(|_| Problem::parameter("?", "cannot be decoded; it should be UTF-8, percent-encoded"))
    }
}

impl Query {
    /// Refuses parameters that are not among these, or that come twice.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let hint = match nearest(name, known.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None if known.is_empty() => "this path takes none".to_owned(),
                    None => format!("this path takes {}", known.join(", ")),
                };
                return Err(Problem::parameter(
                    name,
                    format!("is no parameter of this path; {hint}"),
                ));
            }
            if self.0.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(Problem::parameter(name, "is given twice; it should be given once"));
            }
        }
        Ok(())
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, read.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        should: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let refused = || Problem::parameter(name, format!("should be {should}, not \"{text}\""));
        read(text).map(Some).ok_or_else(refused)
    }

    /// `?limit` and `?cursor` of the list that `owner` has; a list without one has none.
    pub(crate) fn page<K: Cursor>(&self, owner: impl Display) -> Result<Page<K>, Problem> {
        let limit = self.read("limit", "a number from 1 to 200", |text| {
            text.parse().ok().filter(|limit| (1..=200).contains(limit))
        })?;
        let list = list_of::<K>(owner);
        let after = self.get("cursor").map(|text| {
            let key = BASE64_URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let key = key
                .as_deref()
                .and_then(|key| key.strip_prefix(&*list).and_then(K::read));
            key.ok_or_else(|| {
                Problem::parameter("cursor", "should be the `nextCursor` of the page before, of this list")
            })
        });
        Ok(Page {
            after: after.transpose()?,
            limit: limit.unwrap_or(50),
        })
    }
}

/// What the cursors of one list begin with, and those of no other.
fn list_of<K: Cursor>(owner: impl Display) -> String {
    format!("{}\n{owner}\n", K::LIST)
}

/// The key after which a list goes on; opaque to clients.
pub(crate) trait Cursor: Sized {
    /// Of which kind of list it is; with the list's owner it makes one list's cursor refused by another.
    const LIST: &'static str;

    fn read(text: &str) -> Option<Self>;

    fn write(&self) -> String;

    /// The cursor of the owner's list as it stands on the wire.
    fn seal(&self, owner: impl Display) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}{}", list_of::<Self>(owner), self.write()))
    }
}

macro_rules! cursors {
    ($($type:ty, $list:literal, $read:expr, $write:expr;)*) => {$(
        impl Cursor for $type {
            const LIST: &'static str = $list;

            fn read(text: &str) -> Option<Self> {
                $read(text)
            }

            fn write(&self) -> String {
                $write(self)
            }
        }
    )*};
}

cursors! {
    CompanyId, "companies", |text: &str| text.parse().ok(), ToString::to_string;
    TemplateId, "templates", |text: &str| text.parse().ok(), ToString::to_string;
    QnaId, "qna", |text: &str| Some(QnaId::new(text)), ToString::to_string;
    LedgerEntryId, "ledger", |text: &str| text.parse().ok(), ToString::to_string;
    MessageId, "messages", |text: &str| text.parse().ok(), ToString::to_string;
    NotificationId, "notifications", |text: &str| text.parse().ok(), ToString::to_string;
    HealthEntryId, "health", |text: &str| text.parse().ok(), ToString::to_string;
    ContactId, "contacts", |text: &str| text.parse().ok(), ToString::to_string;
    DeliveryId, "outbox", |text: &str| text.parse().ok(), ToString::to_string;
    CallCursor, "calls", |text: &str| {
        let (started_at, call_id) = text.split_once(' ')?;
        Some(CallCursor { started_at: started_at.parse().ok()?, call_id: CallId::new(call_id) })
    }, |key: &CallCursor| format!("{} {}", key.started_at, key.call_id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    fn query(pairs: &[(&str, &str)]) -> Query {
        Query(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_limit_is_a_number_from_1_to_200() {
        let limit = |text: &str| query(&[("limit", text)]).page::<QnaId>("").map(|page| page.limit);
        assert_eq!(
            [limit("1").unwrap(), limit("200").unwrap(), limit("").unwrap()],
            [1, 200, 50]
        );
        for bad in ["0", "201", "-1", "ten", "1.5"] {
            assert_eq!(limit(bad).unwrap_err().code(), Code::InvalidParameter, "{bad}");
        }
    }

    #[test]
    fn a_cursor_reads_what_it_wrote() {
        let key = CallCursor {
            started_at: "2026-11-25T10:00:00.123456Z".parse().unwrap(),
            call_id: CallId::new("CA 1"),
        };
        assert_eq!(
            query(&[("cursor", &key.seal("c1"))])
                .page::<CallCursor>("c1")
                .unwrap()
                .after,
            Some(key)
        );
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = QnaId::new("65f123456789abcdef012345").seal("c1");
        assert!(query(&[("cursor", &cursor)]).page::<QnaId>("c1").is_ok());
        for bad in [cursor.as_str(), "x", "%%%", "AAAA"] {
            assert!(query(&[("cursor", bad)]).page::<TemplateId>("c1").is_err(), "{bad}");
        }
        for other in ["c2", "", "c", "c1 65f1"] {
            assert!(query(&[("cursor", &cursor)]).page::<QnaId>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        let refused = query(&[("limits", "5")]).only(&["limit", "cursor"]).unwrap_err();
        assert!(format!("{refused:?}").contains("did you mean `limit`?"));
        assert!(query(&[("limit", "5"), ("limit", "6")]).only(&["limit"]).is_err());
    }
}
