//! Simulated tenants: some intents are theirs, others foreign.

use std::error::Error;

use frontdesk_matching::{
    knowledge::Source,
    meaning::{ask::Meant, confidence::Coefficients},
};

use crate::data::{Draw, Intents, Tenant, Vectors, parts};

const TRIGGERS: usize = 10;

/// One question asked of a simulated tenant.
pub(crate) struct Asked {
    /// What is right; `None` for a foreign question.
    pub(crate) intent: Option<String>,
    /// The surest candidate.
    pub(crate) best: Option<(String, Meant)>,
}

/// Whose foreign questions a tenant is asked.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Foreign {
    Siblings,
    Elsewhere,
}

/// Asks simulated tenants; triggers come from `train`, questions from `asked`, or from what is left of `train`.
pub(crate) fn tenants(
    train: &Intents,
    asked: Option<&Intents>,
    foreign: Foreign,
    elsewhere: &[String],
    seeds: std::ops::Range<u64>,
    vectors: Option<&Vectors>,
    coefficients: &Coefficients,
    mut each: impl FnMut(u64, Asked),
) -> Result<(), Box<dyn Error>> {
    let all: Vec<&String> = train.keys().collect();
    for seed in seeds {
        let mut draw = Draw(0xf00d_0000 + seed);
        let order = draw.shuffled(&all);
        let size = 10 + draw.below(11);
        let (mine, others) = order.split_at_checked(size).unwrap_or_default();
        let mut triggers = Intents::new();
        let mut questions: Vec<(Option<String>, String)> = Vec::new();
        for intent in mine {
            let drawn = draw.shuffled(&train[*intent]);
            let (own, left) = drawn.split_at_checked(TRIGGERS).unwrap_or((&drawn, &[]));
            triggers.insert((*intent).clone(), own.to_vec());
            let pool = asked.map_or(left, |asked| &asked[*intent]);
            questions.extend(
                draw.shuffled(pool)
                    .into_iter()
                    .take(8)
                    .map(|one| (Some((*intent).clone()), one)),
            );
        }
        let pool: Vec<String> = match foreign {
            Foreign::Siblings => others
                .iter()
                .flat_map(|intent| asked.unwrap_or(train)[*intent].clone())
                .collect(),
            Foreign::Elsewhere => elsewhere.to_vec(),
        };
        let count = questions.len() / 3;
        questions.extend(draw.shuffled(&pool).into_iter().take(count).map(|one| (None, one)));
        let tenant = Tenant::new(&parts(&triggers)?, vectors)?;
        for (intent, question) in questions {
            let meanings = tenant.ask(&question, vectors, coefficients)?;
            let best = meanings
                .of(Source::Template)
                .first()
                .map(|best| (tenant.id(best), *best));
            each(seed, Asked { intent, best });
        }
    }
    Ok(())
}

/// Figures at the threshold.
#[derive(Default)]
pub(crate) struct Figures {
    own: u32,
    right: u32,
    wrong: u32,
    foreign: u32,
    passed: u32,
    bins: [(u32, f64, u32); 10],
}

impl Figures {
    pub(crate) fn add(&mut self, asked: &Asked) {
        let confidence = asked
            .best
            .as_ref()
            .map_or(0.0, |(_, best)| best.candidate.confidence.get());
        let is_right = asked
            .best
            .as_ref()
            .is_some_and(|(id, _)| Some(id) == asked.intent.as_ref());
        let answers = confidence >= 0.60;
        if asked.intent.is_some() {
            self.own += 1;
            self.right += u32::from(answers && is_right);
            self.wrong += u32::from(answers && !is_right);
        } else {
            self.foreign += 1;
            self.passed += u32::from(answers);
        }
        let tenth = (0_u8..9)
            .find(|tenth| confidence < f64::from(tenth + 1) / 10.0)
            .unwrap_or(9);
        if let Some(bin) = self.bins.get_mut(usize::from(tenth)) {
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u32::from(is_right));
        }
    }

    pub(crate) fn show(&self, name: &str) {
        let share = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
        let all: u32 = self.bins.iter().map(|bin| bin.0).sum();
        let gap = |bin: &(u32, f64, u32)| (bin.1 - f64::from(bin.2)).abs();
        let error: f64 = self.bins.iter().map(gap).sum::<f64>() / f64::from(all.max(1));
        println!(
            "{name:34} right {:5.1}  wrong {:4.1}  foreign {:4.1}  ECE {:4.1}   ({} own, {} foreign)",
            share(self.right, self.own),
            share(self.wrong, self.own),
            share(self.passed, self.foreign),
            100.0 * error,
            self.own,
            self.foreign
        );
    }
}
