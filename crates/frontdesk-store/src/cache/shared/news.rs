//! What instances tell each other on the channel of their store.

use serde::{Deserialize, Serialize};

use crate::{
    common::changed,
    ports::{Changed, Seq},
};

/// The version of a message. What another version says is not read: the store is asked instead.
const VERSION: u32 = 1;

/// A number so far beyond what the store was heard to have is no number of this store.
const PLAUSIBLE: Seq = 10_000_000;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cache) enum News {
    /// These things, with the numbers of their changes.
    Changes(Vec<(Seq, Changed)>),
    /// More than is worth saying, or something that this version does not understand: the store says what.
    Look,
}

#[derive(Serialize, Deserialize)]
struct Message {
    v: u32,
    changes: Vec<(Seq, String, String)>,
}

impl News {
    /// Tells others to look for themselves.
    pub(super) const LOOK: Self = Self::Look;

    pub(super) fn of(changes: &[(Seq, Changed)]) -> Self {
        Self::Changes(changes.to_vec())
    }

    pub(super) fn to_text(&self) -> String {
        let changes = match self {
            Self::Changes(changes) => changes.as_slice(),
            Self::Look => &[],
        };
        let word = |(seq, changed): &(Seq, Changed)| {
            let (kind, id) = changed::to_words(changed);
            (*seq, kind.to_owned(), id)
        };
        let message = Message {
            v: VERSION,
            changes: changes.iter().map(word).collect(),
        };
        // Numbers and texts can always be written; an empty message tells others to look.
        serde_json::to_string(&message).unwrap_or_default()
    }

    /// Reads a message. `heard` is the newest change that is known of.
    pub(in crate::cache) fn read(message: &[u8], heard: Seq) -> Self {
        let read: Option<Message> = serde_json::from_slice(message).ok();
        let Some(Message { v: VERSION, changes }) = read else {
            return Self::Look;
        };
        let is_plausible = |(seq, ..): &(Seq, String, String)| *seq <= heard.saturating_add(PLAUSIBLE);
        if changes.is_empty() || !changes.iter().all(is_plausible) {
            return Self::Look;
        }
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(seq, kind, id)| (seq, changed::from_words(&kind, &id)))
            .collect();
        // A kind that this version does not know: the store's list is read with the same words, but says no less.
        if changes.iter().any(|(_, changed)| *changed == Changed::Everything) {
            return Self::Look;
        }
        Self::Changes(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Singleton;

    #[test]
    fn what_is_told_is_heard() {
        let changes = vec![
            (7, Changed::Company("507f1f77bcf86cd799439011".parse().unwrap())),
            (8, Changed::Singleton(Singleton::Prompts("en-US".into()))),
        ];
        let text = News::of(&changes).to_text();
        assert_eq!(News::read(text.as_bytes(), 6), News::Changes(changes));
    }

    #[test]
    fn what_is_not_understood_makes_one_look() {
        for message in [
            "",
            "hello",
            r#"{"v":2,"changes":[[1,"company","507f1f77bcf86cd799439011"]]}"#,
            r#"{"v":1,"changes":[[1,"something new","1"]]}"#,
            r#"{"v":1,"changes":[[18446744073709551615,"safety",""]]}"#,
            &News::LOOK.to_text(),
        ] {
            assert_eq!(News::read(message.as_bytes(), 5), News::Look, "{message}");
        }
    }
}
