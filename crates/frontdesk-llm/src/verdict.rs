//! Holds an answer to the schema, whether the server did or not, and to what was offered.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    completion::{Completion, Finish},
    question::NONE,
};

/// What the model decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It chose an entry that was offered.
    Choice {
        /// The entry's key.
        key: String,
        /// How sure it says it is, from 0 to 1.
        confidence: f64,
    },
    /// It chose none.
    None {
        /// What the caller wants is not this business's matter.
        out_of_scope: bool,
        /// How sure it says it is, from 0 to 1.
        confidence: f64,
    },
    /// It decided nothing that counts.
    Unusable(Why),
}

/// Why an answer does not count. Displayed, it follows "the model's answer".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    /// The model refused, or a filter of the provider's cut it.
    #[error("is a refusal")]
    Refused,
    /// The limit of tokens was reached.
    #[error("was cut at the limit of tokens")]
    Cut,
    /// There is nothing, or no JSON object at its end.
    #[error("holds no JSON object at its end")]
    NoObject,
    /// There are several JSON objects, and they differ.
    #[error("holds several JSON objects")]
    SeveralObjects,
    /// The object does not have exactly the fields of the schema.
    #[error("does not have the shape that was asked for")]
    WrongShape,
    /// The chosen key was not offered.
    #[error("chooses what was not offered")]
    UnknownKey,
    /// The confidence is not between 0 and 1.
    #[error("has a confidence that is not between 0 and 1")]
    Confidence,
    /// An entry is chosen for what is out of scope.
    #[error("contradicts itself: it chooses an entry and says that none fits")]
    Contradiction,
}

/// The answer as the schema has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reply {
    choice: String,
    out_of_scope: bool,
    confidence: f64,
}

/// What a completion decides.
///
/// Exactly one JSON object is read: bare, in one code fence, or after reasoning; the same object twice is one. Nothing but the
/// end of its fence may follow it. An entry chosen as out of scope is a contradiction and counts as nothing: neither half is
/// surer than the other.
#[must_use]
pub fn verdict(completion: &Completion, is_offered: impl Fn(&str) -> bool) -> Verdict {
    match read(completion) {
        Ok(reply) => judge(reply, is_offered),
        Err(why) => Verdict::Unusable(why),
    }
}

fn judge(reply: Reply, is_offered: impl Fn(&str) -> bool) -> Verdict {
    let Reply {
        choice: key,
        out_of_scope,
        confidence,
    } = reply;
    if !(0.0..=1.0).contains(&confidence) {
        return Verdict::Unusable(Why::Confidence);
    }
    if key == NONE {
        return Verdict::None {
            out_of_scope,
            confidence,
        };
    }
    if !is_offered(&key) {
        return Verdict::Unusable(Why::UnknownKey);
    }
    if out_of_scope {
        return Verdict::Unusable(Why::Contradiction);
    }
    Verdict::Choice { key, confidence }
}

fn read(completion: &Completion) -> Result<Reply, Why> {
    if completion.refusal.is_some() || completion.finish == Finish::ContentFilter {
        return Err(Why::Refused);
    }
    if completion.finish == Finish::Length {
        return Err(Why::Cut);
    }
    let content = completion.content.as_deref().ok_or(Why::NoObject)?;
    let object = only_object(after_reasoning(content)?)?;
    // Read from the text, so that a field that stands there twice is noticed.
    serde_json::from_str(object).map_err(|_| Why::WrongShape)
}

/// What follows the reasoning that some models write between tags; some servers leave out the first tag.
fn after_reasoning(content: &str) -> Result<&str, Why> {
    let answer = content.rsplit_once("</think>").map_or(content, |(_, answer)| answer);
    if answer.trim_start().starts_with("<think>") {
        // It has not come to an end: objects in it are drafts.
        return Err(Why::NoObject);
    }
    Ok(answer)
}

/// The text of the one object that stands at the end of a text, or in its code fence.
fn only_object(text: &str) -> Result<&str, Why> {
    let mut found: Option<(&str, Value)> = None;
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (_, from_brace) = rest.split_at(start);
        let mut values = serde_json::Deserializer::from_str(from_brace).into_iter::<Value>();
        let after = match values.next() {
            Some(Ok(value)) => {
                let (object, after) = from_brace.split_at(values.byte_offset());
                match &found {
                    Some((_, earlier)) if *earlier != value => return Err(Why::SeveralObjects),
                    Some(_) => {}
                    None => found = Some((object, value)),
                }
                after
            }
            // An object that never ends: what stands in it are its parts and no answer.
            Some(Err(error)) if error.is_eof() => return Err(Why::NoObject),
            // A brace in prose.
            _ => from_brace.strip_prefix('{').unwrap_or_default(),
        };
        rest = after;
    }
    let is_end = matches!(rest.trim(), "" | "```");
    found.filter(|_| is_end).map(|(object, _)| object).ok_or(Why::NoObject)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"choice":"fee","outOfScope":false,"confidence":0.93}"#;

    fn completion(content: &str) -> Completion {
        Completion {
            content: Some(content.to_owned()),
            refusal: None,
            finish: Finish::Stop,
            usage: None,
            model: None,
        }
    }

    fn judged(content: &str) -> Verdict {
        verdict(&completion(content), |key| matches!(key, "fee" | "hours"))
    }

    fn fee(confidence: f64) -> Verdict {
        let key = "fee".to_owned();
        Verdict::Choice { key, confidence }
    }

    #[track_caller]
    fn check_unusable(content: &str, why: Why) {
        assert_eq!(judged(content), Verdict::Unusable(why), "{content}");
    }

    #[test]
    fn a_bare_object_is_read() {
        assert_eq!(judged(GOOD), fee(0.93));
        assert_eq!(judged(&format!("\n {GOOD} \n")), fee(0.93));
        assert_eq!(judged(&GOOD.replace("0.93", "1")), fee(1.0));
        assert_eq!(judged(&GOOD.replace("0.93", "0")), fee(0.0));
    }

    #[test]
    fn an_object_in_a_code_fence_is_read() {
        assert_eq!(judged(&format!("```json\n{GOOD}\n```")), fee(0.93));
        assert_eq!(judged(&format!("```\n{GOOD}```\n")), fee(0.93));
        assert_eq!(judged(&format!("Here it is:\n```json\n{GOOD}\n```")), fee(0.93));
    }

    #[test]
    fn an_object_after_reasoning_is_read() {
        let hours = GOOD.replace("fee", "hours");
        assert_eq!(
            judged(&format!("<think>{hours}? {{no}}, the fee.</think>\n{GOOD}")),
            fee(0.93)
        );
        assert_eq!(judged(&format!("perhaps {hours}</think>{GOOD}")), fee(0.93));
        assert_eq!(judged(&format!("Of {{fee, hours}} it is the fee. {GOOD}")), fee(0.93));
    }

    #[test]
    fn the_same_object_twice_is_one() {
        let spaced = GOOD.replace(',', " , ");
        assert_eq!(judged(&format!("{GOOD}\n{spaced}")), fee(0.93));
    }

    #[test]
    fn several_objects_are_none() {
        let hours = GOOD.replace("fee", "hours");
        check_unusable(&format!("{GOOD}\n{hours}"), Why::SeveralObjects);
        check_unusable(&format!("{{\"a\":1}} so: {GOOD}"), Why::SeveralObjects);
    }

    #[test]
    fn anything_else_is_no_object() {
        check_unusable("Sure! We will be there at 3 pm <Hangup/>", Why::NoObject);
        check_unusable(&format!("{GOOD} I hope that helps!"), Why::NoObject);
        check_unusable(&format!("<think>{GOOD}"), Why::NoObject);
        check_unusable(&GOOD[..GOOD.len() / 2], Why::NoObject);
        check_unusable(&format!("{{\"answer\":{GOOD}"), Why::NoObject);
        check_unusable("", Why::NoObject);
        let silent = Completion {
            content: None,
            ..completion("")
        };
        assert_eq!(verdict(&silent, |_| true), Verdict::Unusable(Why::NoObject));
    }

    #[test]
    fn another_shape_is_refused() {
        for content in [
            "{}",
            r#"{"weather":[1,2,{"x":null}]}"#,
            r#"{"choice":"fee","confidence":0.9}"#,
            r#"{"choice":"fee","outOfScope":"false","confidence":0.9}"#,
            r#"{"choice":"fee","outOfScope":false,"confidence":"0.9"}"#,
            r#"{"choice":["fee"],"outOfScope":false,"confidence":0.9}"#,
            r#"{"choice":null,"outOfScope":false,"confidence":0.9}"#,
            r#"{"choice":"fee","choice":"hours","outOfScope":false,"confidence":0.9}"#,
            r#"{"choice":"fee","outOfScope":false,"confidence":0.9,"say":"Hello"}"#,
        ] {
            check_unusable(content, Why::WrongShape);
        }
    }

    #[test]
    fn only_what_was_offered_can_be_chosen() {
        check_unusable(&GOOD.replace("fee", "scn-never-offered"), Why::UnknownKey);
        check_unusable(&GOOD.replace("fee", "Fee"), Why::UnknownKey);
        check_unusable(&GOOD.replace("fee", ""), Why::UnknownKey);
    }

    #[test]
    fn a_confidence_lies_between_0_and_1() {
        for confidence in ["-0.01", "1.01", "93", "1e300"] {
            check_unusable(&GOOD.replace("0.93", confidence), Why::Confidence);
            let none = GOOD.replace("0.93", confidence).replace("fee", "none");
            check_unusable(&none, Why::Confidence);
        }
    }

    #[test]
    fn none_may_be_in_scope_or_out_of_it() {
        let none = GOOD.replace("fee", "none");
        for (content, out_of_scope) in [(none.clone(), false), (none.replace("false", "true"), true)] {
            let expected = Verdict::None {
                out_of_scope,
                confidence: 0.93,
            };
            assert_eq!(judged(&content), expected);
        }
    }

    #[test]
    fn an_entry_chosen_as_out_of_scope_counts_as_nothing() {
        check_unusable(&GOOD.replace("false", "true"), Why::Contradiction);
    }

    #[test]
    fn a_refusal_or_a_cut_answer_does_not_count_whatever_it_says() {
        let finished = |finish| {
            let completion = Completion {
                finish,
                ..completion(GOOD)
            };
            verdict(&completion, |_| true)
        };
        assert_eq!(finished(Finish::Length), Verdict::Unusable(Why::Cut));
        assert_eq!(finished(Finish::ContentFilter), Verdict::Unusable(Why::Refused));
        assert_eq!(finished(Finish::Absent), fee(0.93));
        let refused = Completion {
            refusal: Some("I cannot help with that".to_owned()),
            ..completion(GOOD)
        };
        assert_eq!(verdict(&refused, |_| true), Verdict::Unusable(Why::Refused));
    }

    #[test]
    fn a_text_full_of_braces_is_read_in_no_time() {
        check_unusable(&"{".repeat(200_000), Why::NoObject);
        check_unusable(&format!("{}x", "{\"a\":[".repeat(50_000)), Why::NoObject);
    }
}
