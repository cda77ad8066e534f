//! Companies, templates and questions of made-up words, the same ones each time.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::BenchArguments;

/// Triggers of a scenario.
const TRIGGERS: u32 = 5;
/// Words that mean something, in all templates together. Some are used often and most seldom, so that a template of
/// 1,000 triggers has some 1,100 different words, which is how the demo's templates grow.
const VOCABULARY: u64 = 2_000;

/// What is imported and what is said. All of it follows from its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corpus {
    companies: u32,
    /// Companies take turns in using them.
    templates: u32,
    scenarios: u32,
    /// Of each company.
    questions: u32,
}

/// What a caller says, by how it relates to what the company has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A trigger, word for word.
    Trigger,
    /// A trigger in other words: one left out, others around it.
    Paraphrase,
    /// A question of the company, in part with words around it.
    Question,
    /// Nothing that the company has.
    Nonsense,
}

impl Corpus {
    pub(super) fn new(arguments: &BenchArguments) -> Self {
        Self {
            companies: arguments.companies,
            templates: arguments.templates.clamp(1, arguments.companies.max(1)),
            scenarios: arguments.scenarios,
            questions: arguments.questions,
        }
    }

    pub(super) const fn companies(self) -> u32 {
        self.companies
    }

    /// The documents, as imports take them: templates first, and so many companies at once.
    pub(super) fn imports(self, companies_at_once: u32) -> impl Iterator<Item = String> {
        let templates =
            (0..self.templates).map(move |number| json!({ "type": "template", "document": self.template(number) }));
        let step = companies_at_once.max(1);
        let firsts = (0..self.companies).step_by(step as usize);
        let companies = firsts.map(move |first| {
            let last = first.saturating_add(step).min(self.companies);
            let documents = (first..last)
                .map(|number| json!({ "company": self.company_document(number), "qna": self.questions(number) }));
            lines(documents)
        });
        std::iter::once(lines(templates)).chain(companies)
    }

    fn template(self, number: u32) -> Value {
        let scenarios: Vec<_> = (0..self.scenarios)
            .map(|number_in| scenario(number, number_in))
            .collect();
        json!({
            "_id": template_id(number), "name": format!("Template {number}"), "trade": "Bench", "version": "1",
            "fillerWords": ["um", "uh", "like", "you know", "i mean"],
            "synonymMap": { word(7): ["thingamajig", "doodad"], word(8): ["gizmo"] },
            "categories": [{ "id": format!("c{number}"), "name": "All", "scenarios": scenarios }],
        })
    }

    fn company_document(self, number: u32) -> Value {
        json!({
            "_id": company_id(number), "name": format!("Company {number}"), "phone": phone(number), "industryType": "Bench",
            "trades": ["Bench"], "timezone": "America/New_York", "status": "active",
            "twilio": { "accountSid": account_sid(number), "authToken": auth_token(number) },
            "greeting": "Thank you for calling {companyName}. How can I help you today?",
            "transfer": { "destinations": [{ "name": "Front desk", "number": "+12125550100", "hours": "always" }] },
            "aiAgentLogic": { "fallbackResponses": {
                "toneProfile": "friendly",
                "clarificationNeeded": ["Could you say that in other words?", "I did not get that, please say it again."],
                "noMatchFound": ["Let me take a message for the office.", "One of my colleagues will know that."],
                "technicalIssue": ["One moment please, I have a small problem here."],
                "outOfScope": ["That is something we do not do."],
            } },
            "aiAgentSettings": { "templateReferences": [template_id(number % self.templates)] },
        })
    }

    fn questions(self, company: u32) -> Vec<Value> {
        let question = |number: u32| {
            json!({
                "id": format!("q{company}-{number}"),
                "question": question_words(company, number).join(" "),
                "variants": [format!("tell me about the {} {}", word(question_word(company, number, 0)), word(question_word(company, number, 1)))],
                "answer": format!("The answer to question {number} at Company {company} is that we would be glad to help with it."),
                "keywords": [word(question_word(company, number, 0))],
                "active": true,
            })
        };
        (0..self.questions).map(question).collect()
    }

    /// What the caller of this number says to this company. The shares are 30 % triggers, 35 % paraphrases, 20 %
    /// questions, 15 % nonsense.
    pub(super) fn utterance(self, company: u32, number: u64) -> (Kind, String) {
        let kind = match mix(&[3, u64::from(company), number]) % 100 {
            0..30 => Kind::Trigger,
            30..65 => Kind::Paraphrase,
            65..85 => Kind::Question,
            _ => Kind::Nonsense,
        };
        (kind, self.said(kind, company, number))
    }

    /// What the caller of this number says to this company if it is of this kind.
    pub(super) fn said(self, kind: Kind, company: u32, number: u64) -> String {
        let draw = |salt: u64| mix(&[salt, u64::from(company), number]);
        let trigger = || {
            trigger_words(
                company % self.templates,
                below(draw(1), self.scenarios),
                below(draw(2), TRIGGERS),
            )
        };
        match kind {
            Kind::Trigger => trigger().join(" "),
            Kind::Paraphrase => {
                let mut words = trigger();
                if words.len() > 4 {
                    words.remove(0);
                }
                around(draw(4), &words.join(" "))
            }
            Kind::Question => {
                let question = question_words(company, below(draw(5), self.questions)).join(" ");
                if draw(6) % 2 == 0 {
                    question
                } else {
                    around(draw(7), &question)
                }
            }
            Kind::Nonsense => {
                let words: Vec<_> = (0..8)
                    .map(|index| word(VOCABULARY + draw(20 + index) % 5_000))
                    .collect();
                around(draw(8), &words.join(" "))
            }
        }
    }
}

fn scenario(template: u32, number: u32) -> Value {
    let triggers: Vec<_> = (0..TRIGGERS)
        .map(|trigger| trigger_words(template, number, trigger).join(" "))
        .collect();
    json!({
        "id": format!("t{template}-s{number}"), "name": format!("Scenario {number}"), "status": "live",
        "triggers": triggers,
        "negativeTriggers": if number.is_multiple_of(10) { vec![word(mix(&[9, u64::from(number)]))] } else { Vec::new() },
        "fullReplies": [
            format!("Thank you for calling {{companyName}}. Our answer number {number} is that somebody will look at it for you today."),
            format!("At {{companyName}} we do that often. Number {number} is on its way to the right person, and you will hear from us."),
        ],
    })
}

/// One document a line.
fn lines(documents: impl Iterator<Item = Value>) -> String {
    let mut lines = String::new();
    for document in documents {
        // Writing to a String cannot fail.
        _ = writeln!(lines, "{document}");
    }
    lines
}

pub(super) fn company_id(number: u32) -> String {
    format!("66f0beac{number:016x}")
}

fn template_id(number: u32) -> String {
    format!("66f0bead{number:016x}")
}

pub(super) fn phone(number: u32) -> String {
    format!("+1202{:07}", 5_550_000 + number)
}

pub(super) fn account_sid(number: u32) -> String {
    format!("AC{number:032x}")
}

pub(super) fn auth_token(number: u32) -> String {
    format!("bench-auth-token-{number:015}")
}

/// Function words and four words that mean something.
fn trigger_words(template: u32, scenario: u32, trigger: u32) -> Vec<String> {
    const OPENINGS: [&[&str]; 5] = [
        &["my"],
        &["i", "need", "a"],
        &["the"],
        &["can", "you", "fix", "my"],
        &["there", "is", "a"],
    ];
    let place = [u64::from(template), u64::from(scenario)];
    let opening = OPENINGS
        .get(trigger as usize % OPENINGS.len())
        .copied()
        .unwrap_or_default();
    let mut words: Vec<String> = opening.iter().map(|word| (*word).to_owned()).collect();
    // Two words are the scenario's own theme, two belong to the trigger.
    words.extend([0, 1].map(|index| word(seldom(mix(&[11, index, place[0], place[1]])))));
    words.extend([0, 1].map(|index| word(seldom(mix(&[12, index, place[0], place[1], u64::from(trigger)])))));
    words
}

fn question_word(company: u32, number: u32, index: u64) -> u64 {
    seldom(mix(&[13, u64::from(company), u64::from(number), index]))
}

fn question_words(company: u32, number: u32) -> Vec<String> {
    const OPENINGS: [&str; 4] = [
        "how much is the",
        "do you have a",
        "when can i get the",
        "what about the",
    ];
    let opening = OPENINGS
        .get(number as usize % OPENINGS.len())
        .copied()
        .unwrap_or_default();
    let mut words: Vec<String> = opening.split(' ').map(str::to_owned).collect();
    words.extend((0..3).map(|index| word(question_word(company, number, index))));
    words
}

/// What people say before and after what they want.
fn around(draw: u64, words: &str) -> String {
    const BEFORE: [&str; 6] = [
        "hi um",
        "yeah hello",
        "so",
        "well you know",
        "good morning",
        "hey there i was wondering",
    ];
    const AFTER: [&str; 5] = ["please", "if you can", "thanks", "as soon as possible", "today"];
    let pick = |from: &[&'static str], draw: u64| from.get(index(draw, from.len())).copied().unwrap_or_default();
    format!("{} {words} {}", pick(&BEFORE, draw), pick(&AFTER, draw >> 16))
}

fn index(draw: u64, length: usize) -> usize {
    usize::try_from(draw % length.max(1) as u64).unwrap_or_default()
}

fn below(draw: u64, end: u32) -> u32 {
    u32::try_from(draw % u64::from(end.max(1))).unwrap_or_default()
}

/// A word of the vocabulary: the product of two draws, so that words with small numbers are used most.
fn seldom(draw: u64) -> u64 {
    let (one, other) = (draw % 10_000, draw / 10_000 % 10_000);
    one * other * VOCABULARY / 100_000_000
}

/// A word that can be spoken and is in no dictionary: two to four syllables, one word in six of four.
fn word(number: u64) -> String {
    const BEGIN: [&str; 16] = [
        "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "h", "st",
    ];
    const MIDDLE: [&str; 8] = ["a", "e", "i", "o", "u", "a", "e", "oo"];
    let mut draw = mix(&[17, number]);
    let syllables = match draw % 6 {
        0..3 => 2,
        3 | 4 => 3,
        _ => 4,
    };
    draw >>= 8;
    let mut spoken = String::new();
    for _ in 0..syllables {
        for sounds in [&BEGIN[..], &MIDDLE[..]] {
            spoken.push_str(sounds.get(index(draw, sounds.len())).copied().unwrap_or_default());
            draw >>= 5;
        }
    }
    spoken
}

/// A number that follows from these and looks like none of them (the finaliser of `SplitMix64`).
fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |state, number| {
        let mut mixed = state.wrapping_add(*number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn corpus(companies: u32, templates: u32, scenarios: u32) -> Corpus {
        Corpus {
            companies,
            templates,
            scenarios,
            questions: 30,
        }
    }

    #[test]
    fn the_same_caller_says_the_same_each_time() {
        let corpus = corpus(100, 10, 200);
        assert_eq!(corpus.utterance(3, 7), corpus.utterance(3, 7));
        assert_ne!(corpus.utterance(3, 7).1, corpus.utterance(3, 8).1);
    }

    #[test]
    fn the_shares_are_as_stated() {
        let corpus = corpus(100, 10, 200);
        let share = |kind: Kind| {
            (0..10_000)
                .filter(|number| corpus.utterance(1, *number).0 == kind)
                .count()
        };
        for (kind, want) in [
            (Kind::Trigger, 3_000),
            (Kind::Paraphrase, 3_500),
            (Kind::Question, 2_000),
            (Kind::Nonsense, 1_500),
        ] {
            assert!(share(kind).abs_diff(want) < 200, "{kind:?}: {}", share(kind));
        }
    }

    #[test]
    fn a_template_has_as_many_words_as_one_that_people_wrote() {
        let words =
            (0..200).flat_map(|scenario| (0..TRIGGERS).flat_map(move |trigger| trigger_words(0, scenario, trigger)));
        let words: std::collections::BTreeSet<_> = words.collect();
        assert!((950..1_250).contains(&words.len()), "{} different words", words.len());
        let long = words.iter().filter(|word| word.len() >= 8).count();
        assert!(long * 4 < words.len(), "{long} of {} are long", words.len());
    }

    #[test]
    fn every_line_of_the_import_is_json() {
        let imports: Vec<_> = corpus(12, 10, 3).imports(5).collect();
        let lines = imports.iter().flat_map(|import| import.lines());
        let documents: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((imports.len(), documents.len()), (1 + 3, 10 + 12));
    }
}
