//! Wordings that two answers of one source have: whoever says such a wording means both, and one of them answers.
//!
//! Equal is what rules take for equal: in normal form, without fillers, and reworded by synonyms. Between sources there
//! is nothing to tell: that a company's own Q&A comes before its templates is what it is for.

use std::{cmp::Reverse, fmt};

use frontdesk_domain::{
    documents::{
        overlay::Overlay,
        qna::Qna,
        template::{Scenario, ScenarioStatus, Template},
    },
    ids::TemplateId,
};

use crate::{
    hash::{Term, TermMap},
    language::Language,
    lexicon::{Lexicon, Rewording},
    normal::normalize,
    piece::equals_of,
    words::{Reader, Word},
};

/// The document in which a wording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A template.
    Template(TemplateId),
    /// The additions of a company.
    Overlay,
    /// A Q&A.
    Qna,
}

/// A wording that says the same as one of another scenario or Q&A.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// The document in which it stands.
    pub standing: Standing,
    /// Where in it, as a JSON pointer.
    pub pointer: String,
    /// The wording, as it is written.
    pub wording: String,
    /// Whose wording it is.
    pub id: String,
    /// The other scenario or Q&A.
    pub other: String,
    /// The other's wording, as it is written.
    pub other_wording: String,
    /// Whether the other one answers.
    pub other_answers: bool,
}

impl fmt::Display for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.standing == Standing::Qna {
            "Q&A"
        } else {
            "scenario"
        };
        let answers = if self.other_answers { &self.other } else { &self.id };
        write!(
            f,
            "says the same as \"{}\" of {what} \"{}\"; of the two, \"{answers}\" answers",
            self.other_wording, self.other
        )
    }
}

/// What could answer: the lower, the sooner.
type Rank = (Reverse<i32>, usize);

struct Wording<'t> {
    rank: Rank,
    id: &'t str,
    text: &'t str,
    standing: Standing,
    pointer: String,
}

/// Wordings that live scenarios of one template share, in the order in which the later of each two is listed.
#[must_use]
pub fn in_template(template: &Template, language: &'static Language) -> Vec<Alike> {
    in_templates(&[template], None, language)
}

/// Wordings that what answers a company shares: scenarios of its templates, in the order in which they are asked, with
/// its own triggers.
#[must_use]
pub fn in_templates(templates: &[&Template], overlay: Option<&Overlay>, language: &'static Language) -> Vec<Alike> {
    let mut lexicon = Lexicon::default();
    if let Some(overlay) = overlay {
        lexicon.add(&overlay.synonym_map, &overlay.filler_words, language);
    }
    for template in templates {
        lexicon.add(&template.synonym_map, &template.filler_words, language);
    }
    let is_asked = |scenario: &Scenario| {
        scenario.status == ScenarioStatus::Live
            && overlay.is_none_or(|overlay| !overlay.disabled_scenarios.contains(&scenario.id))
    };
    let mut wordings = Vec::new();
    let mut added = Vec::new();
    for template in templates {
        for (category, place) in template.categories.iter().zip(0..) {
            for (scenario, number) in category.scenarios.iter().zip(0..) {
                if !is_asked(scenario) {
                    continue;
                }
                let rank = (Reverse(scenario.priority), wordings.len());
                let wording = |text, standing, pointer| Wording {
                    rank,
                    id: scenario.id.as_str(),
                    text,
                    standing,
                    pointer,
                };
                for (trigger, at) in scenario.triggers.iter().zip(0..) {
                    let pointer = format!("/categories/{place}/scenarios/{number}/triggers/{at}");
                    wordings.push(wording(trigger, Standing::Template(template.id), pointer));
                }
                let own = overlay.and_then(|overlay| overlay.triggers.get(&scenario.id));
                for (trigger, at) in own.into_iter().flatten().zip(0..) {
                    let pointer = format!("/triggers/{}/{at}", scenario.id);
                    added.push(wording(trigger, Standing::Overlay, pointer));
                }
            }
        }
    }
    wordings.append(&mut added);
    find(&wordings, &lexicon, language)
}

/// Wordings that active Q&As of one owner share, in the order in which the later of each two is listed.
#[must_use]
pub fn in_qna<'q>(qna: impl IntoIterator<Item = &'q Qna>, language: &'static Language) -> Vec<Alike> {
    let mut wordings = Vec::new();
    for qna in qna.into_iter().filter(|qna| qna.active) {
        let rank = (Reverse(0), wordings.len());
        let question = std::iter::once((&qna.question, "/question".to_owned()));
        let variants = qna.variants.iter().zip(0..);
        let variants = variants.map(|(variant, at)| (variant, format!("/variants/{at}")));
        wordings.extend(question.chain(variants).map(|(text, pointer)| Wording {
            rank,
            id: qna.id.as_str(),
            text,
            standing: Standing::Qna,
            pointer,
        }));
    }
    find(&wordings, &Lexicon::default(), language)
}

/// Of each wording the first other one that says the same.
fn find(wordings: &[Wording<'_>], lexicon: &Lexicon, language: &'static Language) -> Vec<Alike> {
    let mut equals = Equals::new(lexicon, language);
    // Of two owners one is another than any third.
    let mut known: TermMap<(usize, Option<usize>)> = TermMap::default();
    let mut found = Vec::new();
    for (at, wording) in wordings.iter().enumerate() {
        let mut other: Option<usize> = None;
        for whole in equals.of(wording.text) {
            let is_other = |at: &usize| wordings.get(*at).is_some_and(|known| known.rank != wording.rank);
            let (first, second) = known.entry(*whole).or_insert((at, None));
            if is_other(first) {
                second.get_or_insert(at);
            }
            let earliest = [Some(*first), *second].into_iter().flatten().find(is_other);
            other = earliest.into_iter().chain(other).min();
        }
        let Some(other) = other.and_then(|other| wordings.get(other)) else {
            continue;
        };
        found.push(Alike {
            standing: wording.standing,
            pointer: wording.pointer.clone(),
            wording: wording.text.to_owned(),
            id: wording.id.to_owned(),
            other: other.id.to_owned(),
            other_wording: other.text.to_owned(),
            other_answers: other.rank < wording.rank,
        });
    }
    found
}

/// Reads wordings as compiling does.
struct Equals<'l> {
    lexicon: &'l Lexicon,
    language: &'static Language,
    reader: Reader,
    rewording: Rewording,
    wholes: Vec<Term>,
}

impl<'l> Equals<'l> {
    fn new(lexicon: &'l Lexicon, language: &'static Language) -> Self {
        Self {
            lexicon,
            language,
            reader: Reader::default(),
            rewording: Rewording::default(),
            wholes: Vec::new(),
        }
    }

    /// The hashes of what equals a wording; none if it has no words.
    fn of(&mut self, text: &str) -> &[Term] {
        self.wholes.clear();
        let mut words = Vec::new();
        self.reader.read(&normalize(text), self.language, &mut words);
        self.lexicon.mark_fillers(&mut words);
        if words.is_empty() {
            return &self.wholes;
        }
        self.wholes.extend(equals_of(&words));
        if self.lexicon.reword(&words, &mut self.rewording) {
            let reworded: Vec<Word> = self.rewording.words.iter().map(|canonical| canonical.word).collect();
            self.wholes.extend(equals_of(&reworded));
        }
        &self.wholes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn template(scenarios: &Value) -> Template {
        serde_json::from_value(json!({
            "_id": "66f0a1c0de0000000000a0ff", "name": "t", "trade": "t",
            "fillerWords": ["please"], "synonymMap": { "furnace": ["heater"] },
            "categories": [{ "id": "c", "name": "c", "scenarios": scenarios }] }))
        .unwrap()
    }

    /// What is found, as pointer, the other's id, and which of the two answers.
    fn check(scenarios: &Value, expected: &[(&str, &str, &str)]) {
        let found = in_template(&template(scenarios), Language::english());
        shown(&found, expected);
    }

    fn shown(found: &[Alike], expected: &[(&str, &str, &str)]) {
        let found: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|one| {
                let answers = if one.other_answers { &one.other } else { &one.id };
                (one.pointer.as_str(), one.other.as_str(), answers.as_str())
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn scenario(id: &str, triggers: &[&str]) -> Value {
        json!({ "id": id, "name": id, "triggers": triggers })
    }

    #[test]
    fn the_scenario_that_is_listed_first_answers() {
        check(
            &json!([
                scenario("a", &["no heat", "cold house"]),
                scenario("b", &["something else", "no heat"])
            ]),
            &[("/categories/0/scenarios/1/triggers/1", "a", "a")],
        );
    }

    #[test]
    fn the_scenario_of_higher_priority_answers() {
        let mut urgent = scenario("b", &["no heat"]);
        urgent["priority"] = json!(9);
        check(
            &json!([scenario("a", &["no heat"]), urgent]),
            &[("/categories/0/scenarios/1/triggers/0", "a", "b")],
        );
    }

    #[test]
    fn letters_fillers_and_synonyms_make_no_difference() {
        for same in ["NO,  furnace!", "please no furnace", "no heater"] {
            check(
                &json!([scenario("a", &["no furnace"]), scenario("b", &[same])]),
                &[("/categories/0/scenarios/1/triggers/0", "a", "a")],
            );
        }
    }

    #[test]
    fn what_says_something_else_or_does_not_answer_is_not_told() {
        let mut draft = scenario("b", &["no heat"]);
        draft["status"] = json!("draft");
        check(&json!([scenario("a", &["no heat"]), draft]), &[]);
        check(
            &json!([scenario("a", &["no heat", "No heat!"]), scenario("b", &["heat"])]),
            &[],
        );
        check(&json!([scenario("a", &["?!"]), scenario("b", &["..."])]), &[]);
    }

    #[test]
    fn each_of_three_scenarios_hears_of_another_one() {
        check(
            &json!([
                scenario("a", &["no heat", "no heat at all"]),
                scenario("b", &["no heat"]),
                scenario("c", &["no heat"])
            ]),
            &[
                ("/categories/0/scenarios/1/triggers/0", "a", "a"),
                ("/categories/0/scenarios/2/triggers/0", "a", "a"),
            ],
        );
    }

    #[test]
    fn a_companys_own_triggers_are_held_against_all_of_its_templates() {
        let one = template(&json!([scenario("a", &["no heat"]), scenario("b", &["no light"])]));
        let mut two = template(&json!([scenario("c", &["no light"])]));
        two.id = "66f0a1c0de0000000000a0fe".parse().unwrap();
        let overlay: Overlay = serde_json::from_value(json!({ "triggers": { "b": ["no HEAT"] } })).unwrap();
        let found = in_templates(&[&one, &two], Some(&overlay), Language::english());
        shown(
            &found,
            &[
                ("/categories/0/scenarios/0/triggers/0", "b", "b"),
                ("/triggers/b/0", "a", "a"),
            ],
        );
        assert_eq!(
            (found[0].standing, found[1].standing),
            (Standing::Template(two.id), Standing::Overlay)
        );
        let off: Overlay = serde_json::from_value(json!({ "disabledScenarios": ["b"] })).unwrap();
        assert_eq!(in_templates(&[&one, &two], Some(&off), Language::english()), []);
    }

    #[test]
    fn questions_and_variants_are_told_and_keywords_are_not() {
        let qna = |id: &str, question: &str, variant: &str| -> Qna {
            serde_json::from_value(
                json!({ "id": id, "question": question, "variants": [variant], "keywords": ["tax"], "answer": "a" }),
            )
            .unwrap()
        };
        let mut both = [
            qna("a", "When do you open?", "opening time"),
            qna("b", "Who are you?", "when do you open"),
        ];
        let found = in_qna(&both, Language::english());
        shown(&found, &[("/variants/0", "a", "a")]);
        assert_eq!(
            found[0].to_string(),
            "says the same as \"When do you open?\" of Q&A \"a\"; of the two, \"a\" answers"
        );
        both[0].active = false;
        assert_eq!(in_qna(&both, Language::english()), []);
    }

    #[test]
    fn the_templates_of_the_demo_have_none() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/trades");
        for name in ["universal", "hvac", "plumbing"] {
            let text = std::fs::read_to_string(folder.join(format!("{name}.template.json"))).unwrap();
            let template: Template = serde_json::from_str(&text).unwrap();
            let found = in_template(&template, Language::english());
            let found: Vec<String> = found.iter().map(|one| format!("{} {one}", one.wording)).collect();
            assert_eq!(found, [""; 0], "{name}");
        }
    }
}
