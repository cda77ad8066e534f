//! What both backends do alike with notifications, contacts and the outbox.

use std::error::Error;

use frontdesk_domain::{
    alert::{AlertCode, AlertKind, QUIET},
    documents::contact::ContactSecrets,
    ids::ContactId,
    notice::{Attempt, Delivery, DeliveryState, REMEMBERED_ATTEMPTS},
    record::{Notification, NotificationState},
    time::Timestamp,
};

use crate::seal::Sealer;

/// So many groups of alerts are remembered, so that none is added twice.
pub(crate) const REMEMBERED_GROUPS: i64 = 20;

/// A notification is read with so many deliveries at most: the newest.
pub(crate) const MAX_DELIVERIES: i64 = 500;

/// When an alert makes a notification begin anew: opens it again if it is acknowledged, and tells everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anew {
    /// An acknowledged one begins anew if no alert came after that; none: it does not.
    pub(crate) acknowledged: Option<Timestamp>,
    /// And an open one that is not snoozed.
    pub(crate) open: Option<Timestamp>,
}

impl Anew {
    /// With an alert of this code that came then.
    pub(crate) fn with(code: AlertCode, at: Timestamp) -> Self {
        match code.kind() {
            AlertKind::Event => Self {
                acknowledged: Some(Timestamp::MAX),
                open: None,
            },
            AlertKind::Symptom => {
                let quiet = at.checked_sub(QUIET).ok();
                Self {
                    acknowledged: quiet,
                    open: quiet,
                }
            }
            AlertKind::Condition => Self {
                acknowledged: None,
                open: None,
            },
        }
    }
}

/// What a contact's secrets are sealed for.
fn context(id: ContactId) -> String {
    format!("contact:{id}:secrets")
}

/// A contact's secrets as they rest; none if there are none.
pub(crate) fn seal(id: ContactId, secrets: &ContactSecrets, sealer: &Sealer) -> Option<Vec<u8>> {
    (!secrets.0.is_empty()).then(|| sealer.seal(&context(id), &secrets.to_bytes()))
}

/// A contact's secrets, from what [`seal`] made.
pub(crate) fn unseal(
    id: ContactId,
    sealed: Option<&[u8]>,
    sealer: &Sealer,
) -> Result<ContactSecrets, Box<dyn Error + Send + Sync>> {
    let Some(sealed) = sealed else {
        return Ok(ContactSecrets::default());
    };
    let plain = sealer.open(&context(id), sealed)?;
    Ok(ContactSecrets::from_bytes(&plain)?)
}

/// The attempts with one more, the oldest let go.
pub(crate) fn next_attempts(mut attempts: Vec<Attempt>, newest: Attempt) -> Vec<Attempt> {
    attempts.push(newest);
    let surplus = attempts.len().saturating_sub(REMEMBERED_ATTEMPTS);
    attempts.split_off(surplus)
}

/// Messages and details of alerts within bounds: whoever raises one may have put a whole document into it.
pub(crate) mod bounded {
    use std::borrow::Cow;

    use frontdesk_domain::alert::Alert;
    use serde_json::{Value, json};

    /// A message has at most so many bytes.
    const MESSAGE: usize = 2_000;

    /// Details have at most so many bytes as JSON.
    const DETAILS: usize = 8_000;

    /// The beginning of a text, with a sign that there was more.
    fn cut(text: &str, most: usize) -> String {
        format!("{}…", text.get(..text.floor_char_boundary(most)).unwrap_or_default())
    }

    /// Cuts what is too long.
    pub(crate) fn alert(alert: &mut Alert) {
        if let Cow::Owned(cut) = message(&alert.message) {
            alert.message = cut;
        }
        if let Cow::Owned(cut) = details(&alert.details) {
            alert.details = cut;
        }
    }

    pub(crate) fn message(text: &str) -> Cow<'_, str> {
        if text.len() <= MESSAGE {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(cut(text, MESSAGE))
        }
    }

    pub(crate) fn details(details: &Value) -> Cow<'_, Value> {
        let text = details.to_string();
        if text.len() <= DETAILS {
            return Cow::Borrowed(details);
        }
        Cow::Owned(json!({ "truncated": true, "bytes": text.len(), "beginning": cut(&text, DETAILS / 2) }))
    }
}

/// Whether somebody was being told of a notification when its store was left: another one begins that anew.
pub(crate) fn is_still_to_be_told(notification: &Notification) -> bool {
    let is_pending = |delivery: &Delivery| delivery.state == DeliveryState::Pending;
    notification.state == NotificationState::Open && notification.deliveries.iter().any(is_pending)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_megabyte_of_details_is_cut_and_says_so() {
        let details = json!({ "stage": "TIER_1", "text": "ä".repeat(500_000) });
        let cut = bounded::details(&details);
        assert!(cut.to_string().len() < 8_100, "{}", cut.to_string().len());
        assert_eq!(cut["truncated"], true);
        assert!(
            cut["beginning"]
                .as_str()
                .unwrap()
                .starts_with(r#"{"stage":"TIER_1","text":"ä"#)
        );
        assert!(bounded::message(&"ä".repeat(5_000)).len() < 2_010);
        let small: Value = json!({ "stage": "TIER_1" });
        assert_eq!(*bounded::details(&small), small);
    }

    #[test]
    fn the_last_attempts_are_remembered() {
        let attempt = |second: i64| Attempt {
            at: Timestamp::from_second(second).unwrap(),
            error: None,
        };
        let all = (0..25).fold(Vec::new(), |attempts, second| next_attempts(attempts, attempt(second)));
        assert_eq!(all.len(), REMEMBERED_ATTEMPTS);
        assert_eq!(all.last(), Some(&attempt(24)));
    }
}
