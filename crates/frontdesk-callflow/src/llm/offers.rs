//! What the LLM may choose from: the company's best answers and the dangers, minus what the utterance, the company's
//! additions or an unset variable rule out.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use frontdesk_domain::documents::{safety::SafetyCategory, template::Scenario, trade::TradeName};
use frontdesk_llm::question::{NONE, Offered, OfferedKind, Question, Request};
use frontdesk_matching::{Target, rules::Candidate};
use tracing::error;

use crate::{company::Tenant, meaning, rules::RuleFindings, settings, turn::Turn};

/// So many characters of an utterance are sent at most: who says more says it again.
const UTTERANCE: usize = 2_000;

/// What may be chosen, each under a key of its own, in the order of the keys: the same company's requests begin alike, and
/// the provider's cache serves them.
pub(super) struct Offers<'t> {
    tenant: &'t Tenant,
    entries: Vec<(Arc<str>, Entry<'t>)>,
}

/// Something that may be chosen.
#[derive(Clone, Copy)]
pub(super) enum Entry<'t> {
    Answer(Candidate),
    Danger(&'t SafetyCategory),
}

impl<'t> Offers<'t> {
    /// What may be chosen for this utterance. Empty if its words cannot be judged: then nothing is known to be possible.
    pub(super) fn of(
        tenant: &'t Tenant,
        turn: &Turn<'_>,
        asked: &RuleFindings<'_>,
        meant: Option<&meaning::MeaningFindings>,
    ) -> Self {
        let found = catch_unwind(AssertUnwindSafe(|| {
            let answers = best(tenant, turn, asked, meant).into_iter().map(Entry::Answer);
            let dangers = dangers(tenant, turn).into_iter().map(Entry::Danger);
            answers.chain(dangers).collect::<Vec<_>>()
        }));
        let found = found.unwrap_or_else(|_| {
            error!(company.id = %tenant.id(), call.id = %turn.call, "what an utterance rules out could not be told");
            Vec::new()
        });
        Self {
            entries: keyed(tenant, found),
            tenant,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a key stands for.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'t>> {
        let at = self.entries.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.entries.get(at).map(|(_, entry)| *entry)
    }

    /// The request for this utterance.
    pub(super) fn request(&self, utterance: &str, write: impl FnOnce(&Question<'_>) -> Request) -> Request {
        let offered: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(key, entry)| self.offered(key, *entry))
            .collect();
        let company = &self.tenant.settings.company;
        let trades: Vec<&str> = company.trades.iter().map(TradeName::as_str).collect();
        let end = utterance
            .char_indices()
            .nth(UTTERANCE)
            .map_or(utterance.len(), |(end, _)| end);
        write(&Question {
            business: &company.name,
            trades: &trades,
            offered: &offered,
            utterance: utterance.get(..end).unwrap_or_default(),
        })
    }

    fn offered<'o>(&'o self, key: &'o str, entry: Entry<'o>) -> Option<Offered<'o>> {
        Some(match entry {
            Entry::Danger(category) => Offered {
                key,
                kind: OfferedKind::Danger,
                name: &category.name,
                says: category.phrases.iter().map(String::as_str).collect(),
                gist: &category.sentence,
            },
            Entry::Answer(candidate) => match self.tenant.knowledge.target(&candidate)? {
                Target::Qna(qna) => Offered {
                    key,
                    kind: OfferedKind::Question,
                    name: &qna.question,
                    says: qna.variants.iter().map(|variant| &**variant).collect(),
                    gist: qna.answer.text(),
                },
                Target::Scenario { scenario, .. } => Offered {
                    key,
                    kind: OfferedKind::Scenario,
                    name: &scenario.name,
                    says: scenario.triggers.iter().map(|trigger| &**trigger).collect(),
                    gist: gist(scenario),
                },
            },
        })
    }
}

fn gist(scenario: &Scenario) -> &str {
    let mut replies = scenario.full_replies.iter().chain(&scenario.quick_replies);
    replies.next().map_or("", |reply| reply.text())
}

/// The best answers, the likeliest first: by meaning, by rules, then in the company's order.
fn best(
    tenant: &Tenant,
    turn: &Turn<'_>,
    asked: &RuleFindings<'_>,
    meant: Option<&meaning::MeaningFindings>,
) -> Vec<Candidate> {
    let mut likely: Vec<Candidate> = meant
        .iter()
        .flat_map(|asked| asked.meant.all())
        .map(|meant| meant.candidate)
        .collect();
    by_confidence(&mut likely);
    let mut by_rules = asked.candidates();
    by_confidence(&mut by_rules);
    let others = tenant.knowledge.candidates();
    let mut seen = HashSet::new();
    let mut best: Vec<Candidate> = likely
        .into_iter()
        .chain(by_rules)
        .chain(others)
        .filter(|candidate| seen.insert(candidate.unit))
        .take(settings::LLM_OFFERED * 2)
        .collect();
    tenant.knowledge.retain_possible(turn.normalized(), &mut best);
    best.retain(|candidate| asked.can_be_spoken(candidate));
    best.truncate(settings::LLM_OFFERED);
    best
}

fn by_confidence(candidates: &mut [Candidate]) {
    candidates.sort_by(|one, other| other.confidence.get().total_cmp(&one.confidence.get()));
}

/// The dangers that the utterance does not deny.
fn dangers<'t>(tenant: &'t Tenant, turn: &Turn<'_>) -> Vec<&'t SafetyCategory> {
    let safety = tenant.platform.safety();
    let withheld = safety.withheld(turn.normalized());
    let open = safety
        .categories()
        .iter()
        .zip(withheld)
        .filter(|(_, withheld)| !withheld);
    open.map(|(category, _)| category).collect()
}

/// Gives each its id as a key, with a number where two have the same.
fn keyed<'t>(tenant: &Tenant, entries: Vec<Entry<'t>>) -> Vec<(Arc<str>, Entry<'t>)> {
    let mut taken: HashSet<Arc<str>> = HashSet::from([Arc::from(NONE)]);
    let mut keyed = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(id) = id(tenant, entry) else { continue };
        let numbered = (2_u32..).map(|number| Arc::from(format!("{id}~{number}")));
        let mut names = std::iter::once(Arc::clone(&id)).chain(numbered);
        if let Some(key) = names.find(|name| !taken.contains(name)) {
            taken.insert(Arc::clone(&key));
            keyed.push((key, entry));
        }
    }
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    keyed
}

fn id(tenant: &Tenant, entry: Entry<'_>) -> Option<Arc<str>> {
    Some(match entry {
        Entry::Danger(category) => category.id.shared(),
        Entry::Answer(candidate) => match tenant.knowledge.target(&candidate)? {
            Target::Qna(qna) => qna.id.shared(),
            Target::Scenario { scenario, .. } => scenario.id.shared(),
        },
    })
}
