//! What changed, as a store notes it.

use frontdesk_domain::documents::trade::TradeName;

use crate::ports::{Changed, QnaOwner, Seq, Singleton};

/// So many changes are remembered. A process that heard none for so long takes everything for changed.
pub(crate) const REMEMBERED: Seq = 10_000;

/// Older ones are cleared away with every so many changes.
pub(crate) const CLEAR_EVERY: Seq = 1_000;

/// A change as two words.
pub(crate) fn to_words(changed: &Changed) -> (&'static str, String) {
    match changed {
        Changed::Everything => ("everything", String::new()),
        Changed::Company(id) => ("company", id.to_string()),
        Changed::Template(id) => ("template", id.to_string()),
        Changed::Qna(QnaOwner::Company(id)) => ("qna:company", id.to_string()),
        Changed::Qna(QnaOwner::Trade(trade)) => ("qna:trade", trade.key().to_owned()),
        Changed::Singleton(Singleton::Overlay(id)) => ("overlay", id.to_string()),
        Changed::Singleton(Singleton::Safety) => ("safety", String::new()),
        Changed::Singleton(Singleton::Prompts(language)) => ("prompts", language.to_string()),
    }
}

/// What a newer version wrote and this one does not know may be anything.
pub(crate) fn from_words(kind: &str, id: &str) -> Changed {
    let known = match kind {
        "company" => id.parse().ok().map(Changed::Company),
        "template" => id.parse().ok().map(Changed::Template),
        "qna:company" => id.parse().ok().map(|id| Changed::Qna(QnaOwner::Company(id))),
        "qna:trade" => Some(Changed::Qna(QnaOwner::Trade(TradeName::new(id)))),
        "overlay" => id.parse().ok().map(|id| Changed::Singleton(Singleton::Overlay(id))),
        "safety" => Some(Changed::Singleton(Singleton::Safety)),
        "prompts" => Some(Changed::Singleton(Singleton::Prompts(id.into()))),
        _ => None,
    };
    known.unwrap_or(Changed::Everything)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_as_they_were_noted() {
        let company = "507f1f77bcf86cd799439011".parse().unwrap();
        let changes = [
            Changed::Everything,
            Changed::Company(company),
            Changed::Template("507f1f77bcf86cd799439012".parse().unwrap()),
            Changed::Qna(QnaOwner::Company(company)),
            Changed::Qna(QnaOwner::Trade(TradeName::new("Dental"))),
            Changed::Singleton(Singleton::Overlay(company)),
            Changed::Singleton(Singleton::Safety),
            Changed::Singleton(Singleton::Prompts("en-US".into())),
        ];
        for changed in changes {
            let (kind, id) = to_words(&changed);
            assert_eq!(from_words(kind, &id), changed);
        }
        assert_eq!(from_words("something new", "1"), Changed::Everything);
    }
}
