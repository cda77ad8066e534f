//! The verdict: what a model chose, held against what it was offered. Nothing it wrote is ever spoken.

use serde_json::{Map, Value};

use crate::completion::{Completion, Finish};

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// One of the things that were offered.
    Choice {
        /// Its key.
        key: String,
        /// How sure the model says it is.
        confidence: f64,
    },
    /// Nothing that was offered.
    None {
        /// It is no matter of such a business.
        out_of_scope: bool,
        /// How sure the model says it is.
        confidence: f64,
    },
    /// The answer is none.
    Unusable(Unusable),
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The model refused.
    #[error("the model refused to answer")]
    Refused,
    /// Its tokens were used up.
    #[error("the answer was cut by the limit of tokens")]
    Cut,
    /// There is no JSON object in it, or more than one.
    #[error("the answer is not one JSON object")]
    NotOneObject,
    /// The object is not of the shape that was asked for.
    #[error("the answer is not of the shape that was asked for")]
    WrongShape,
    /// It names what was not offered.
    #[error("the answer names something that was not offered")]
    NotOffered,
}

impl Verdict {
    /// Reads a completion; a key is taken only if it was offered.
    #[must_use]
    pub fn of(completion: &Completion, is_offered: impl Fn(&str) -> bool) -> Self {
        if completion.refused {
            return Self::Unusable(Unusable::Refused);
        }
        if completion.finish == Finish::Length {
            return Self::Unusable(Unusable::Cut);
        }
        let Some(object) = completion.content.as_deref().and_then(one_object) else {
            return Self::Unusable(Unusable::NotOneObject);
        };
        let read = read(&object);
        match read {
            Some((key, _, _)) if key != "none" && !is_offered(key) => Self::Unusable(Unusable::NotOffered),
            Some(("none", out_of_scope, confidence)) => Self::None {
                out_of_scope,
                confidence,
            },
            // What it chose is of this business: it cannot be out of its scope as well.
            Some((key, false, confidence)) => Self::Choice {
                key: key.to_owned(),
                confidence,
            },
            Some(_) | None => Self::Unusable(Unusable::WrongShape),
        }
    }
}

fn read(object: &Map<String, Value>) -> Option<(&str, bool, f64)> {
    // A server that ignores the schema may leave out what is false, and write null for none.
    let key = match object.get("choice")? {
        Value::Null => "none",
        key => key.as_str()?,
    };
    let out_of_scope = match object.get("outOfScope") {
        None | Some(Value::Null) => false,
        Some(value) => value.as_bool()?,
    };
    let confidence = object.get("confidence")?.as_f64()?;
    (0.0..=1.0).contains(&confidence).then_some((key, out_of_scope, confidence))
}

/// The one JSON object of an answer: bare, in a code fence, or after what a model that reasons wrote before it.
fn one_object(text: &str) -> Option<Map<String, Value>> {
    let text = text.rsplit("</think>").next().unwrap_or(text);
    let mut found: Option<Map<String, Value>> = None;
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let from = rest.get(at..)?;
        let mut values = serde_json::Deserializer::from_str(from).into_iter::<Map<String, Value>>();
        match values.next() {
            Some(Ok(object)) => {
                if found.as_ref().is_some_and(|known| *known != object) {
                    return None;
                }
                found = Some(object);
                rest = from.get(values.byte_offset()..)?;
            }
            _ => rest = from.get(1..)?,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content: &str) -> Verdict {
        let completion = Completion {
            content: Some(content.to_owned()),
            refused: false,
            finish: Finish::Stop,
            usage: None,
        };
        Verdict::of(&completion, |key| key == "a" || key == "b")
    }

    fn choice(key: &str, confidence: f64) -> Verdict {
        Verdict::Choice {
            key: key.to_owned(),
            confidence,
        }
    }

    #[test]
    fn what_was_offered_may_be_chosen() {
        assert_eq!(of(r#"{"choice":"a","outOfScope":false,"confidence":0.9}"#), choice("a", 0.9));
        assert_eq!(of(r#"{"choice":"b","confidence":1}"#), choice("b", 1.0));
        let none = |out_of_scope| Verdict::None {
            out_of_scope,
            confidence: 0.8,
        };
        assert_eq!(of(r#"{"choice":"none","outOfScope":true,"confidence":0.8}"#), none(true));
        assert_eq!(of(r#"{"choice":null,"outOfScope":false,"confidence":0.8}"#), none(false));
    }

    #[test]
    fn one_object_in_a_fence_or_after_reasoning_is_read() {
        let object = r#"{"choice":"a","outOfScope":false,"confidence":0.7}"#;
        assert_eq!(of(&format!("```json\n{object}\n```")), choice("a", 0.7));
        assert_eq!(of(&format!("<think>maybe {{\"choice\":\"b\"}}?</think>\n{object}")), choice("a", 0.7));
        assert_eq!(of(&format!("The caller wants {{heat}}.\n{object}")), choice("a", 0.7));
        assert_eq!(of(&format!("{object}\n{object}")), choice("a", 0.7), "said twice");
    }

    #[test]
    fn anything_else_is_no_match() {
        for (content, why) in [
            ("", Unusable::NotOneObject),
            ("a", Unusable::NotOneObject),
            (r#"{"choice":"a""#, Unusable::NotOneObject),
            (r#"{"choice":"a","confidence":0.9} {"choice":"b","confidence":0.9}"#, Unusable::NotOneObject),
            (r#"{"weather":[1,2,{"x":null}]}"#, Unusable::WrongShape),
            (r#"{"weather":1}"#, Unusable::WrongShape),
            (r#"{"choice":"c","outOfScope":false,"confidence":0.9}"#, Unusable::NotOffered),
            (r#"{"choice":"A","outOfScope":false,"confidence":0.9}"#, Unusable::NotOffered),
            (r#"{"choice":"a","outOfScope":true,"confidence":0.9}"#, Unusable::WrongShape),
            (r#"{"choice":"a","outOfScope":false,"confidence":1.1}"#, Unusable::WrongShape),
            (r#"{"choice":"a","outOfScope":false,"confidence":"high"}"#, Unusable::WrongShape),
            (r#"{"choice":["a"],"outOfScope":false,"confidence":1}"#, Unusable::WrongShape),
        ] {
            assert_eq!(of(content), Verdict::Unusable(why), "{content}");
        }
    }

    #[test]
    fn a_refusal_and_a_cut_are_no_match() {
        let completion = Completion {
            content: Some(r#"{"choice":"a","confidence":0.9}"#.to_owned()),
            refused: true,
            finish: Finish::Stop,
            usage: None,
        };
        assert_eq!(Verdict::of(&completion, |_| true), Verdict::Unusable(Unusable::Refused));
        let cut = Completion {
            refused: false,
            finish: Finish::Length,
            ..completion
        };
        assert_eq!(Verdict::of(&cut, |_| true), Verdict::Unusable(Unusable::Cut));
    }
}
