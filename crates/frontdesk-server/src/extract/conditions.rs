//! Conditional requests (RFC 9110, section 13) on the revision of a document.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use frontdesk_store::ports::{Rev, WriteError};
use http::{HeaderMap, HeaderName, header, request::Parts};

use crate::problem::{Code, Problem};

/// Revisions that a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Revisions {
    Any,
    /// What is no revision of ours matches none.
    Of(Vec<Rev>),
}

/// `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    if_match: Option<Revisions>,
    if_none_match: Option<Revisions>,
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            if_match: revisions(&parts.headers, &header::IF_MATCH, false),
            if_none_match: revisions(&parts.headers, &header::IF_NONE_MATCH, true),
        })
    }
}

/// The revisions of a list of entity tags such as `"3", W/"4"`; weak ones count only where they may.
fn revisions(headers: &HeaderMap, name: &HeaderName, weak_too: bool) -> Option<Revisions> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    if values.is_empty() {
        return None;
    }
    let tags = || values.iter().flat_map(|value| value.split(',')).map(str::trim);
    if tags().any(|tag| tag == "*") {
        return Some(Revisions::Any);
    }
    let strong = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    let rev = |tag: &str| match tag.strip_prefix("W/") {
        Some(weak) if weak_too => strong(weak),
        Some(_) => None,
        None => strong(tag),
    };
    Some(Revisions::Of(tags().filter_map(rev).collect()))
}

impl Revisions {
    fn include(&self, rev: Rev) -> bool {
        match self {
            Self::Any => true,
            Self::Of(revisions) => revisions.contains(&rev),
        }
    }
}

impl Conditions {
    /// Refuses a change of a document that has another revision than `If-Match` names.
    pub(crate) fn check(&self, current: Rev) -> Result<(), Problem> {
        match &self.if_match {
            Some(wanted) if !wanted.include(current) => Err(Problem::stale(current)),
            _ => Ok(()),
        }
    }

    /// Whether the client has this revision already.
    pub(crate) fn has(&self, current: Rev) -> bool {
        self.if_none_match.as_ref().is_some_and(|known| known.include(current))
    }
}

/// Counts how often a change is tried again because somebody else changed the document in between.
pub(crate) struct Attempts<'c> {
    conditions: &'c Conditions,
    left: u8,
}

impl<'c> Attempts<'c> {
    pub(crate) fn of(conditions: &'c Conditions) -> Self {
        Self { conditions, left: 5 }
    }

    /// What a refused write means: `Ok` to read and try again, else the problem. With `If-Match` a change in between
    /// is final, because the client wants to see it first.
    pub(crate) fn again(&mut self, refused: WriteError, missing: Code) -> Result<(), Problem> {
        match refused {
            WriteError::Stale { .. } if self.conditions.if_match.is_none() => {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    let detail = "others changed the document each time this change was tried";
                    return Err(Problem::new(Code::ChangedMeanwhile, detail));
                }
                Ok(())
            }
            other => Err(Problem::refused(other, missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(name: HeaderName, value: &str) -> Conditions {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Conditions {
            if_match: revisions(&headers, &header::IF_MATCH, false),
            if_none_match: revisions(&headers, &header::IF_NONE_MATCH, true),
        }
    }

    #[test]
    fn a_change_needs_the_revision_that_if_match_names() {
        let passes = |value: &str| conditions(header::IF_MATCH, value).check(3).is_ok();
        assert!(passes("\"3\"") && passes("\"2\", \"3\"") && passes("*"));
        for stale in ["\"2\"", "3", "W/\"3\"", "\"three\"", ""] {
            assert!(!passes(stale), "{stale}");
        }
        assert!(Conditions::default().check(3).is_ok());
    }

    #[test]
    fn a_read_is_spared_when_the_client_has_the_revision() {
        let has = |value: &str| conditions(header::IF_NONE_MATCH, value).has(3);
        assert!(has("\"3\"") && has("W/\"3\"") && has("\"1\",\"3\"") && has("*"));
        assert!(!has("\"2\"") && !has("3") && !Conditions::default().has(3));
    }
}
