//! Two close candidates that nothing decided: the caller chooses, by a key or in words (DESIGN 4.7).

use std::sync::Arc;

use frontdesk_domain::{
    call_state::{Choosable, Question},
    documents::{
        prompts::{PhraseName, PromptName},
        template::Action,
    },
};
use frontdesk_matching::normal::normalize;

use super::{said, variation};
use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    rules,
    turn::Turn,
};

/// What a caller who may mean two things is asked.
pub(crate) struct Offered {
    pub(crate) question: Arc<str>,
    pub(crate) options: Vec<Choosable>,
}

/// The choice between these two; `None` if they have no two names or nothing asks it.
pub(crate) fn offered(tenant: &Tenant, turn: &Turn<'_>, options: Vec<Choosable>) -> Option<Offered> {
    let question = question(tenant, &options, variation(turn))?;
    Some(Offered { question, options })
}

/// The question which of these two is meant.
pub(super) fn question(tenant: &Tenant, options: &[Choosable], n: usize) -> Option<Arc<str>> {
    let [first, second] = options else { return None };
    let (first, second) = (tenant.name_of(first)?, tenant.name_of(second)?);
    if normalize(&first) == normalize(&second) {
        return None;
    }
    tenant.prompt_with(PromptName::Choice, n, &[("first", &first), ("second", &second)])
}

/// The option that a key stands for.
pub(super) fn by_key(tenant: &Tenant, turn: &Turn<'_>, options: &[Choosable], key: &str) -> Option<Answer> {
    let index = key.parse::<usize>().ok()?.checked_sub(1)?;
    chosen(tenant, turn, options.get(index)?)
}

/// The option that the words name: its place, or words of its name that the other has not.
pub(super) fn by_words(tenant: &Tenant, turn: &Turn<'_>, options: &[Choosable]) -> Option<Answer> {
    let words = turn.normalized();
    let names = [
        PhraseName::First,
        PhraseName::Second,
        PhraseName::Neither,
        PhraseName::No,
    ];
    match tenant.phrases().whole(words, &names) {
        Some(PhraseName::First) => return chosen(tenant, turn, options.first()?),
        Some(PhraseName::Second) => return chosen(tenant, turn, options.get(1)?),
        Some(_) => return Some(said(tenant.prompt(PromptName::GoAhead, variation(turn))).asking(Question::None, None)),
        None => {}
    }
    let [first, second] = options else { return None };
    let (first_name, second_name) = (tenant.name_of(first)?, tenant.name_of(second)?);
    match (
        own_words(words, &first_name, &second_name),
        own_words(words, &second_name, &first_name),
    ) {
        (0, 0) => None,
        (of_first, of_second) if of_first > of_second => chosen(tenant, turn, first),
        (of_first, of_second) if of_second > of_first => chosen(tenant, turn, second),
        _ => None,
    }
}

/// How many of the words said stand in a name and not in the other one. More other words than that say something else.
fn own_words(said: &str, name: &str, other: &str) -> usize {
    let (name, other) = (normalize(name), normalize(other));
    let has = |text: &str, word: &str| text.split(' ').any(|own| own == word);
    let words: Vec<&str> = said.split(' ').collect();
    let own = words
        .iter()
        .filter(|word| has(&name, word) && !has(&other, word))
        .count();
    if words.len() > own + 4 { 0 } else { own }
}

/// The answer of the option that was chosen; `None` if it cannot be spoken any more.
fn chosen(tenant: &Tenant, turn: &Turn<'_>, option: &Choosable) -> Option<Answer> {
    match option {
        Choosable::Scenario(id) => {
            let scenario = tenant.scenario(id)?;
            let mut answer = said(Some(rules::reply(tenant, turn, scenario)?));
            answer.by = AnsweredBy::ChosenScenario(id.clone());
            answer.action = scenario.action;
            answer.emergency = scenario.emergency;
            Some(answer)
        }
        Choosable::Qna(id) => {
            let qna = tenant.qna(id)?;
            let words = qna.answer.render(&tenant.settings.company.variables).ok()?;
            let mut answer = said(Some(words.into()));
            answer.by = AnsweredBy::ChosenQna(id.clone());
            answer.action = Action::None;
            Some(answer)
        }
    }
}
