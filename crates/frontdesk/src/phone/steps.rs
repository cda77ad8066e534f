//! Carries a document out up to the point at which the caller does something.

use super::document::{Document, Gather, Record, Verb};

/// What a caller lives through, up to the next point at which they do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// What is spoken, in order.
    pub said: Vec<String>,
    /// Who is dialled on the way. Nobody picks up here, so the document goes on.
    pub dialled: Vec<Dialled>,
    /// What comes then.
    pub next: Next,
    /// The verbs after that, for a caller who does nothing.
    pub rest: Vec<Verb>,
}

/// A person who would be connected in the real call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// Whom.
    pub numbers: Vec<String>,
    /// How much had been said before: this many sentences of [`Steps::said`].
    pub after: usize,
}

/// What a document waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// For words or keys.
    Gather(Gather),
    /// For a message.
    Record(Record),
    /// For the outcome of a call to others, to be posted there.
    DialOutcome(String),
    /// For another document.
    Redirect(String),
    /// For nothing: the call is over.
    End,
}

impl Steps {
    /// Carries out the verbs of a document.
    #[must_use]
    pub fn of(document: Document) -> Self {
        Self::of_verbs(document.verbs)
    }

    /// Carries out verbs; a document without any ends the call.
    #[must_use]
    pub fn of_verbs(verbs: Vec<Verb>) -> Self {
        let mut steps = Self {
            said: Vec::new(),
            dialled: Vec::new(),
            next: Next::End,
            rest: Vec::new(),
        };
        let mut verbs = verbs.into_iter();
        for verb in verbs.by_ref() {
            steps.next = match verb {
                Verb::Say(text) => {
                    steps.said.push(text);
                    continue;
                }
                Verb::Play(_) | Verb::Pause(_) => continue,
                Verb::Dial { numbers, action } => {
                    steps.dialled.push(Dialled {
                        numbers,
                        after: steps.said.len(),
                    });
                    match action {
                        Some(action) => Next::DialOutcome(action),
                        None => continue,
                    }
                }
                Verb::Gather(mut gather) => {
                    let prompts = std::mem::take(&mut gather.prompts);
                    steps.said.extend(prompts.into_iter().filter_map(|prompt| match prompt {
                        Verb::Say(text) => Some(text),
                        _ => None,
                    }));
                    Next::Gather(gather)
                }
                Verb::Record(record) => Next::Record(record),
                Verb::Redirect(url) => Next::Redirect(url),
                Verb::Reject | Verb::Hangup => Next::End,
            };
            break;
        }
        steps.rest = verbs.collect();
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(verbs: &str, said: &[&str], next: &Next) {
        let steps = Steps::of(Document::parse(&format!("<Response>{verbs}</Response>")).unwrap());
        assert_eq!(
            (
                steps.said.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
                &steps.next
            ),
            (said, next),
            "{verbs}"
        );
    }

    #[test]
    fn a_document_is_carried_out_until_the_caller_does_something() {
        let record = Next::Record(Record {
            action: Some("/m".into()),
            beep: true,
        });
        check("<Say>a</Say><Record action=\"/m\"/><Say>b</Say>", &["a"], &record);
        let gather = Gather {
            action: Some("/g".into()),
            keys: true,
            ..Gather::default()
        };
        check(
            "<Say>a</Say><Gather action=\"/g\"><Say>b</Say></Gather>",
            &["a", "b"],
            &Next::Gather(gather),
        );
        check("<Say>a</Say><Hangup/><Say>b</Say>", &["a"], &Next::End);
        check("<Redirect>/r</Redirect>", &[], &Next::Redirect("/r".into()));
        check("", &[], &Next::End);
    }

    #[test]
    fn a_document_goes_on_after_a_call_that_nobody_took() {
        let steps = Steps::of(Document::parse("<Response><Say>a</Say><Dial>+1</Dial><Say>b</Say></Response>").unwrap());
        assert_eq!(
            steps.dialled,
            [Dialled {
                numbers: vec!["+1".into()],
                after: 1
            }]
        );
        assert_eq!((steps.said, steps.next), (vec!["a".into(), "b".into()], Next::End));
        check(
            "<Dial action=\"/d\">+1</Dial><Say>b</Say>",
            &[],
            &Next::DialOutcome("/d".into()),
        );
    }
}
