//! Intent sets as simulated businesses: each has one template with a scenario an intent, compiled as any other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    data::{Businesses, Documents},
    draw::Draw,
    intents::Question,
    label::{DataFault, Label, LabelSource, Labelled},
};

/// How businesses are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simulation {
    /// So many triggers are drawn for each intent; `None` takes all.
    pub shots: Option<usize>,
    /// Draws with the same seed are the same.
    pub seed: u64,
    /// So many businesses of [`SMALLEST`] to [`LARGEST`] intents, which are asked questions of their siblings too; `None`
    /// is one business with all intents.
    pub tenants: Option<usize>,
}

/// The fewest intents of a simulated tenant.
pub const SMALLEST: usize = 10;
/// The most intents of a simulated tenant.
pub const LARGEST: usize = 20;
/// Of the questions that a tenant is asked, one in so many is foreign.
const ONE_FOREIGN_IN: usize = 4;

/// Simulated businesses and what they are asked.
#[derive(Debug)]
pub struct Simulated {
    /// By ids that begin with the seed's number.
    pub businesses: Businesses,
    /// What they are asked, with what answers it.
    pub utterances: Vec<Labelled>,
    /// What whoever reads the numbers should know.
    pub notes: Vec<String>,
}

/// Draws triggers from `train` and asks `test`. Without `train` the triggers are drawn from `test`, and what is left is
/// asked.
///
/// # Errors
/// There is no intent to make a scenario of, too few for a tenant and its siblings, or no question is left.
pub fn simulate(test: &[Question], train: Option<&[Question]>, simulation: Simulation) -> Result<Simulated, DataFault> {
    let mut draw = Draw::new(simulation.seed);
    let mut notes = Vec::new();
    let Drawn { triggers, asked } = draw_triggers(test, train, simulation.shots, &mut draw);
    if triggers.is_empty() {
        return Err(DataFault::new(None, "no intent has a question to make a trigger of"));
    }
    if let Some(shots) = simulation.shots {
        let fewer = triggers.values().filter(|triggers| triggers.len() < shots).count();
        if fewer > 0 {
            notes.push(format!(
                "{fewer} of {} intents have fewer than {shots} triggers",
                triggers.len()
            ));
        }
    }
    let foreign: BTreeSet<&str> = asked
        .iter()
        .filter_map(|question| question.intent.as_deref())
        .filter(|intent| !triggers.contains_key(intent))
        .collect();
    if !foreign.is_empty() && simulation.tenants.is_none() {
        notes.push(format!(
            "{} intents have no triggers: their questions are foreign",
            foreign.len()
        ));
    }
    let intents: Vec<&str> = triggers.keys().copied().collect();
    let mut simulated = Simulated {
        businesses: Businesses::default(),
        utterances: Vec::new(),
        notes,
    };
    match simulation.tenants {
        None => simulated.add(0, &intents, &triggers, &asked)?,
        Some(count) => {
            if intents.len() <= SMALLEST {
                return Err(DataFault::new(
                    None,
                    format!(
                        "{} intents are too few: a tenant has {SMALLEST} to {LARGEST}, and needs siblings",
                        intents.len()
                    ),
                ));
            }
            for number in 0..count {
                let most = LARGEST.min(intents.len() - 1);
                let size = SMALLEST + draw.below(most - SMALLEST + 1);
                let mut own = intents.clone();
                draw.shuffle(&mut own);
                own.truncate(size);
                let is_own =
                    |question: &&&Question| question.intent.as_deref().is_some_and(|intent| own.contains(&intent));
                let mut questions: Vec<&Question> = asked.iter().filter(is_own).copied().collect();
                let mut siblings: Vec<&Question> = asked.iter().filter(|one| !is_own(one)).copied().collect();
                draw.shuffle(&mut siblings);
                siblings.truncate(questions.len() / (ONE_FOREIGN_IN - 1));
                questions.append(&mut siblings);
                simulated.add(number, &own, &triggers, &questions)?;
            }
        }
    }
    if simulated.utterances.is_empty() {
        return Err(DataFault::new(
            None,
            "no question is left to ask: give a smaller --shots, or --train",
        ));
    }
    Ok(simulated)
}

struct Drawn<'q> {
    triggers: BTreeMap<&'q str, Vec<&'q str>>,
    asked: Vec<&'q Question>,
}

fn draw_triggers<'q>(
    test: &'q [Question],
    train: Option<&'q [Question]>,
    shots: Option<usize>,
    draw: &mut Draw,
) -> Drawn<'q> {
    let mut by_intent: BTreeMap<&str, Vec<&Question>> = BTreeMap::new();
    for question in train.unwrap_or(test) {
        if let Some(intent) = &question.intent {
            by_intent.entry(intent).or_default().push(question);
        }
    }
    let mut taken = BTreeSet::new();
    let triggers = by_intent.into_iter().map(|(intent, mut questions)| {
        draw.shuffle(&mut questions);
        // One question of each intent is left to ask where both come from one file.
        let most = if train.is_some() {
            questions.len()
        } else {
            questions.len() - 1
        };
        questions.truncate(shots.unwrap_or(most).min(most));
        taken.extend(questions.iter().map(|question| question.line));
        (
            intent,
            questions
                .into_iter()
                .map(|question| question.text.as_str())
                .collect::<Vec<_>>(),
        )
    });
    let triggers = triggers.filter(|(_, triggers)| !triggers.is_empty()).collect();
    let is_asked = |question: &&Question| train.is_some() || !taken.contains(&question.line);
    Drawn {
        triggers,
        asked: test.iter().filter(is_asked).collect(),
    }
}

impl Simulated {
    fn add(
        &mut self,
        number: usize,
        intents: &[&str],
        triggers: &BTreeMap<&str, Vec<&str>>,
        asked: &[&Question],
    ) -> Result<(), DataFault> {
        let id = format!("{:024x}", number + 1);
        // An intent's name may be no slug, and a scenario's id must be one.
        let ids: BTreeMap<&str, String> = intents.iter().map(|intent| (*intent, slug(intent))).collect();
        let scenario = |intent: &&str| {
            json!({ "id": ids.get(intent), "name": intent.replace(['_', '-'], " "), "triggers": triggers.get(intent),
                "quickReplies": ["It is answered."] })
        };
        let template = json!({ "_id": id, "name": "simulated",
            "categories": [{ "id": "all", "name": "all", "scenarios": intents.iter().map(scenario).collect::<Vec<_>>() }] });
        let company = json!({ "_id": id, "name": format!("Simulated {}", number + 1), "phone": "+12025550101",
            "timezone": "UTC", "aiAgentSettings": { "templateReferences": [id] } });
        let mut documents = Documents::default();
        documents.add_template(&template.to_string())?;
        let business = documents.companies(&json!({ "company": company }).to_string())?;
        self.businesses.0.extend(business.0);
        self.utterances.extend(asked.iter().map(|question| {
            let own = question.intent.as_deref().and_then(|intent| ids.get(intent));
            let expect = own.map_or(Label::NOTHING, |scenario| Label {
                source: LabelSource::Template,
                id: Some(scenario.clone()),
            });
            Labelled {
                company: id.clone(),
                utterance: question.text.clone(),
                expect,
                tags: Vec::new(),
                second: None,
                spoken: None,
                line: question.line,
            }
        }));
        Ok(())
    }
}

/// The id of an intent's scenario: its name, if that can be an id.
fn slug(intent: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
    if intent.len() <= 100 && intent.chars().all(is_plain) {
        return intent.to_owned();
    }
    let plain = intent.chars().map(|letter| if is_plain(letter) { letter } else { '-' });
    // Two names may differ only in letters that an id does not have.
    let hash = frontdesk_domain::fnv::fnv1a(intent.bytes());
    format!("{}-{hash:016x}", plain.take(60).collect::<String>())
}
