//! Step 2: the company, with everything that its turns need, from the cache, else the store.

mod companies;
mod platform;

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use frontdesk_domain::{
    call_state::Choosable,
    confidence::Confidence,
    decision::{Offer, Tier, Versions},
    documents::{
        company::{Company, Status, Thresholds},
        prompts::{PhraseName, PromptName, PromptTexts, Prompts},
        qna::Qna,
        template::{Scenario, ScenarioStatus},
    },
    ids::{CompanyId, QnaId, ScenarioId, TemplateId},
    phone::PhoneNumber,
    time::Timestamp,
    variables::Variables,
};
use frontdesk_matching::{
    knowledge::{Knowledge, Parts},
    phrases::Phrases,
};
use frontdesk_store::cache::{KnowledgeDocuments, Settings};
use frontdesk_twilio::{signature::Verifier, twiml::Hints};

pub(crate) use companies::Companies;
pub use platform::Platform;

use crate::{meaning::Learnt, shares::Shares};

/// Thresholds that a dry run tries in place of those that a company and its templates set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialThresholds {
    /// Of the company's own Q&A.
    pub company_qna: Confidence,
    /// Of its trades' Q&A.
    pub trade_qna: Confidence,
    /// Of templates by rules, where the scenario has none of its own.
    pub tier1: Confidence,
    /// Of templates by meaning, where the scenario has none of its own.
    pub tier2: Confidence,
}

/// A company as its turns see it: settings, compiled knowledge, keys.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its settings.
    pub settings: Arc<Settings>,
    /// Verifies its webhooks; empty if it has no token of its own.
    pub verifier: Verifier,
    pub(crate) platform: Arc<Platform>,
    pub(crate) knowledge: Arc<Knowledge>,
    /// What its answers mean, once that is learnt.
    pub(crate) learnt: Arc<Learnt>,
    /// Held so that other companies share them.
    _parts: Parts,
    pub(crate) versions: Arc<Versions>,
    /// What the recogniser should expect.
    pub(crate) hints: Hints,
    documents: Arc<KnowledgeDocuments>,
    /// The scenarios that say that they repeat or wait.
    announcements: Arc<[(ScenarioId, PhraseName)]>,
    /// What it may take at once of what all companies share.
    pub(crate) shares: Arc<Shares>,
}

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> CompanyId {
        self.settings.company.id
    }

    /// The same company with other thresholds: to see what they would change, never to answer a call.
    pub(crate) fn with_thresholds(&self, thresholds: TrialThresholds) -> Self {
        let mut settings = Settings::clone(&self.settings);
        let mut company = Company::clone(&settings.company);
        let TrialThresholds {
            company_qna,
            trade_qna,
            tier1,
            tier2,
        } = thresholds;
        company.thresholds = Thresholds { company_qna, trade_qna };
        company.gatekeeper.tier1_threshold = Some(tier1);
        company.gatekeeper.tier2_threshold = Some(tier2);
        settings.company = Arc::new(company);
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The number that a transfer dials: that of the first open destination which was not dialled in this call, for a
    /// company that forwards else the number that it forwards to.
    pub(crate) fn next_number(&self, now: Timestamp, dialled: &[PhoneNumber]) -> Option<PhoneNumber> {
        let company = &self.settings.company;
        let destinations = company.transfer.destinations.iter();
        let open = destinations.filter(|to| to.hours.is_open(now, &company.time_zone));
        let forwards = company.status == Status::Forward;
        let forward = company.forward_number.filter(|_| forwards);
        open.map(|to| to.number)
            .chain(forward)
            .find(|number| self.may_dial(*number) && !dialled.contains(number))
    }

    /// The number that calls are forwarded to, if it was not dialled in this call.
    pub(crate) fn forward_number(&self, dialled: &[PhoneNumber]) -> Option<PhoneNumber> {
        let number = self.settings.company.forward_number?;
        (self.may_dial(number) && !dialled.contains(&number)).then_some(number)
    }

    /// What was refused when it was saved is refused again when it would be dialled: rules may have changed since.
    pub(crate) fn may_dial(&self, number: PhoneNumber) -> bool {
        let company = &self.settings.company;
        number
            .refusal(company.phone, &company.phones, &company.transfer.allowed_countries)
            .is_none()
    }

    /// The phrases by which callers steer a call, in the company's language.
    pub(crate) fn phrases(&self) -> &Phrases {
        self.platform.phrases(&self.settings.company.voice.language)
    }

    /// What a thing to choose is called.
    pub(crate) fn name_of(&self, option: &Choosable) -> Option<Arc<str>> {
        match option {
            Choosable::Scenario(id) => self.scenario(id).map(|scenario| Arc::clone(&scenario.name)),
            Choosable::Qna(id) => self.qna(id).map(|qna| qna.question.as_str().into()),
        }
    }

    /// The first live scenario with this id in the order of the company's templates.
    pub(crate) fn scenario(&self, id: &ScenarioId) -> Option<&Scenario> {
        let templates = self.documents.templates.iter();
        let categories = templates.flat_map(|template| &template.document.categories);
        let mut scenarios = categories.flat_map(|category| &category.scenarios);
        scenarios.find(|scenario| scenario.id == *id && scenario.status == ScenarioStatus::Live)
    }

    /// What this scenario says that it does, and the conversation has to do.
    pub(crate) fn announced_by(&self, id: &ScenarioId) -> Option<PhraseName> {
        let mut all = self.announcements.iter();
        all.find(|(scenario, _)| scenario == id).map(|(_, name)| *name)
    }

    /// The Q&A with this id: the company's own, else its trades'.
    pub(crate) fn qna(&self, id: &QnaId) -> Option<&Qna> {
        let own = self.documents.company_qna.items.iter();
        let of_trades = self.documents.trade_qna.iter().flat_map(|set| set.items.iter());
        own.chain(of_trades)
            .map(|qna| &**qna)
            .find(|qna| qna.id == *id && qna.active)
    }

    /// A prompt in the company's own words, else in those of its language, else in the program's, in its tone; `n` rotates through variations.
    /// A variation with a variable that is not set is passed over.
    pub(crate) fn prompt(&self, name: PromptName, n: usize) -> Option<Arc<str>> {
        self.render_prompt(name, n, &self.settings.company.variables)
    }

    /// A prompt with variables of the moment.
    pub(crate) fn prompt_with(&self, name: PromptName, n: usize, more: &[(&str, &str)]) -> Option<Arc<str>> {
        let variables = self.settings.company.variables.with(more.iter().copied());
        self.render_prompt(name, n, &variables)
    }

    fn render_prompt(&self, name: PromptName, n: usize, variables: &Variables) -> Option<Arc<str>> {
        let company = &self.settings.company;
        let language = self.platform.prompts(&company.voice.language);
        let sources = [
            Some(&company.prompts),
            language.map(|prompts| &prompts.texts),
            Some(&Prompts::embedded().texts),
        ];
        let mut sources = sources.into_iter().flatten();
        sources.find_map(|texts| self.variations(texts, name, n, variables).next().map(Into::into))
    }

    /// What can be spoken of a prompt, from its `n`th variation on.
    fn variations<'t>(
        &self,
        texts: &'t PromptTexts,
        name: PromptName,
        n: usize,
        variables: &'t Variables,
    ) -> impl Iterator<Item = Cow<'t, str>> {
        let all = texts.pick(name, &self.settings.company.fallback.tone);
        let start = n.checked_rem(all.len()).unwrap_or_default();
        let in_turn = all.iter().cycle().skip(start).take(all.len());
        let spoken = in_turn.filter_map(|wording| wording.render(variables).ok());
        spoken.filter(|text| !text.trim().is_empty())
    }

    /// A prompt in the variation that is worth most by `worth`, of equal ones the first from the `n`th on; those that are
    /// worth nothing, not even 0, are passed over. In the company's own words, else in those of its language: the program's
    /// are spoken only where the language has no such prompt.
    pub(crate) fn best_prompt(
        &self,
        name: PromptName,
        n: usize,
        worth: impl Fn(&str) -> Option<usize>,
    ) -> Option<Arc<str>> {
        let company = &self.settings.company;
        let tone = &*company.fallback.tone;
        let language = self.platform.prompts(&company.voice.language);
        let of_language = language
            .map(|prompts| &prompts.texts)
            .filter(|texts| !texts.pick(name, tone).is_empty());
        let of_language = of_language.unwrap_or(&Prompts::embedded().texts);
        [&company.prompts, of_language].into_iter().find_map(|texts| {
            self.variations(texts, name, n, &company.variables)
                .filter_map(|text| Some((worth(&text)?, text)))
                .min_by_key(|(worth, _)| Reverse(*worth))
                .map(|(_, text)| text.into())
        })
    }

    /// What this company offers a caller who was not helped, in order. A transfer needs somebody who can be reached.
    pub(crate) fn offers(&self, now: Timestamp) -> Vec<Offer> {
        let escalation = &self.settings.company.fallback.escalation;
        let mut offers = Vec::with_capacity(3);
        if escalation.transfer && self.next_number(now, &[]).is_some() {
            offers.push(Offer::Transfer);
        }
        if escalation.message {
            offers.push(Offer::Message);
        }
        if escalation.callback {
            offers.push(Offer::Callback);
        }
        offers
    }

    /// The threshold that a template sets for a tier.
    pub(crate) fn template_threshold(&self, template: TemplateId, tier: Tier) -> Option<Confidence> {
        let mut documents = self.documents.templates.iter().map(|versioned| &versioned.document);
        let document = documents.find(|document| document.id == template)?;
        match tier {
            Tier::Rules => document.tier1_threshold,
            Tier::Semantic | Tier::Llm => document.tier2_threshold,
        }
    }

    fn is_made_of(
        &self,
        settings: &Arc<Settings>,
        documents: &Arc<KnowledgeDocuments>,
        platform: &Arc<Platform>,
    ) -> bool {
        Arc::ptr_eq(&self.settings, settings)
            && Arc::ptr_eq(&self.documents, documents)
            && Arc::ptr_eq(&self.platform, platform)
    }
}
