//! Asks the compiled rules once for all three sources, and chooses among what they, or meanings, found.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use frontdesk_domain::{
    call_state::Choosable,
    confidence::Confidence,
    decision::{CandidateKind, Step, StepOutcome, Tier, TraceCandidate},
    documents::template::{Action, ReplyStrategy, Scenario},
    variables::Wording,
};
use frontdesk_matching::{
    Target,
    knowledge::{Knowledge, Source},
    rules::{Candidate, Findings},
};
use tracing::error;

use crate::{
    answer::{Answer, AnsweredBy},
    company::Tenant,
    gatekeeper::near_from,
    meaning, settings,
    trace::{Found, Trace},
    turn::Turn,
};

/// What rules found for a turn.
pub(crate) struct RuleFindings<'t> {
    tenant: &'t Tenant,
    turn: &'t Turn<'t>,
    findings: Findings,
}

/// That rules failed; the trace and an alert say so, and the next step answers.
pub(crate) struct RulesFailed;

/// What the best candidates of a source came to.
pub(crate) enum Verdict {
    /// One was sure enough.
    Answer(Answer),
    /// None was; the nearest one and its threshold.
    Below(Option<(Confidence, Confidence)>),
}

impl Verdict {
    const fn outcome(&self) -> StepOutcome {
        match self {
            Self::Answer(_) => StepOutcome::Matched,
            Self::Below(_) => StepOutcome::BelowThreshold,
        }
    }
}

impl<'t> RuleFindings<'t> {
    /// Asks the rules. A panic in a matcher costs this tier, not the call.
    pub(crate) fn ask(tenant: &'t Tenant, turn: &'t Turn<'t>) -> Result<Self, RulesFailed> {
        let findings = guarded(tenant, turn, |knowledge| knowledge.decide(turn.normalized()))?;
        Ok(Self { tenant, turn, findings })
    }

    /// What is known where rules failed: nothing.
    pub(crate) fn of_nothing(tenant: &'t Tenant, turn: &'t Turn<'t>) -> Self {
        Self {
            tenant,
            turn,
            findings: Findings::default(),
        }
    }

    /// Asks on where what the utterance equals cannot be spoken.
    pub(crate) fn without_equal(self) -> Result<Self, RulesFailed> {
        let Self { tenant, turn, findings } = self;
        let findings = if findings.equal.is_empty() {
            findings
        } else {
            guarded(tenant, turn, |knowledge| knowledge.weigh(turn.normalized()))?
        };
        Ok(Self { tenant, turn, findings })
    }

    /// The first source in ladder order that holds what the utterance equals: it answers whatever the threshold.
    pub(crate) fn equal(&self, trace: &mut Trace) -> Option<Answer> {
        self.findings.equal.iter().find_map(|candidate| {
            let threshold = self.threshold(candidate, Tier::Rules)?;
            let answer = self.answer(candidate, Confidence::CERTAIN, threshold)?;
            let found = self.found(candidate.source, Some((candidate, threshold)));
            trace.asked(step(candidate.source, Tier::Rules), StepOutcome::Matched, found);
            Some(answer)
        })
    }

    /// The best candidate of a source that clears its threshold and can be spoken.
    pub(crate) fn best(&self, source: Source, trace: &mut Trace) -> Verdict {
        let candidates = self.findings.of(source);
        let (verdict, decisive) = self.first_sure(candidates.iter(), Tier::Rules);
        trace.asked(
            step(source, Tier::Rules),
            verdict.outcome(),
            self.found(source, decisive),
        );
        verdict
    }

    /// The same by meaning.
    pub(crate) fn best_meant(&self, asked: &meaning::MeaningFindings, source: Source, trace: &mut Trace) -> Verdict {
        let meant = asked.meant.of(source);
        let (verdict, decisive) = self.first_sure(meant.iter().map(|meant| &meant.candidate), Tier::Semantic);
        let knowledge = &self.tenant.knowledge;
        let nearest = decisive.and_then(|(candidate, _)| meant.iter().find(|meant| meant.candidate == *candidate));
        let nearest = nearest.and_then(|meant| asked.meaning.nearest_wording(knowledge, meant));
        let found = Found {
            tier: Some(Tier::Semantic),
            confidence: decisive.map(|(candidate, _)| candidate.confidence),
            threshold: decisive.map(|(_, threshold)| threshold),
            candidates: self.listed(meant.iter().map(|meant| &meant.candidate)),
            nearest_trigger: nearest.map(Into::into),
            ..Found::default()
        };
        trace.asked(step(source, Tier::Semantic), verdict.outcome(), found);
        verdict
    }

    /// The first candidate that clears its threshold and can be spoken; with the candidate that decided, or the nearest.
    fn first_sure<'c>(
        &self,
        candidates: impl Iterator<Item = &'c Candidate> + Clone,
        tier: Tier,
    ) -> (Verdict, Option<(&'c Candidate, Confidence)>) {
        for candidate in candidates.clone() {
            let Some(threshold) = self.threshold(candidate, tier) else {
                continue;
            };
            if candidate.confidence < threshold {
                continue;
            }
            if let Some(mut answer) = self.answer(candidate, candidate.confidence, threshold) {
                answer.tier = Some(tier);
                return (Verdict::Answer(answer), Some((candidate, threshold)));
            }
        }
        let mut candidates = candidates;
        let nearest = candidates.find_map(|candidate| Some((candidate, self.threshold(candidate, tier)?)));
        let below = nearest.map(|(candidate, threshold)| (candidate.confidence, threshold));
        (Verdict::Below(below), nearest)
    }

    /// The threshold in force for a candidate: the scenario's own, else the company's, the template's, the platform's.
    fn threshold(&self, candidate: &Candidate, tier: Tier) -> Option<Confidence> {
        let company = &self.tenant.settings.company;
        Some(match self.tenant.knowledge.target(candidate)? {
            Target::Qna(_) if candidate.source == Source::TradeQna => company.thresholds.trade_qna,
            Target::Qna(_) => company.thresholds.company_qna,
            Target::Scenario { template, scenario } => {
                let gatekeeper = &company.gatekeeper;
                let (platform, own) = match tier {
                    Tier::Rules => (settings::TIER1_THRESHOLD, gatekeeper.tier1_threshold),
                    Tier::Semantic | Tier::Llm => (settings::TIER2_THRESHOLD, gatekeeper.tier2_threshold),
                };
                let platform = Confidence::clamped(platform);
                if gatekeeper.enabled {
                    let set = scenario.min_confidence.or(own);
                    set.or_else(|| self.tenant.template_threshold(*template, tier))
                        .unwrap_or(platform)
                } else {
                    platform
                }
            }
        })
    }

    /// The answer that a candidate stands for; `None` if nothing of it can be spoken now.
    fn answer(&self, candidate: &Candidate, confidence: Confidence, threshold: Confidence) -> Option<Answer> {
        let variables = &self.tenant.settings.company.variables;
        let (by, response, action, emergency) = match self.tenant.knowledge.target(candidate)? {
            Target::Qna(qna) => {
                let response = qna.answer.render(variables).ok()?;
                let by = if candidate.source == Source::TradeQna {
                    AnsweredBy::TradeQna(qna.id.clone())
                } else {
                    AnsweredBy::CompanyQna(qna.id.clone())
                };
                (by, response.into(), Action::None, false)
            }
            Target::Scenario { scenario, .. } => {
                let response = self.reply(scenario)?;
                (
                    AnsweredBy::Scenario(scenario.id.clone()),
                    response,
                    scenario.action,
                    scenario.emergency,
                )
            }
        };
        let mut answer = Answer::certain(by, response, action);
        answer.tier = Some(Tier::Rules);
        answer.confidence = confidence;
        answer.threshold = Some(threshold);
        answer.emergency = emergency;
        Some(answer)
    }

    /// The candidates of all sources.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let of_sources = Source::ALL.into_iter().flat_map(|source| self.findings.of(source));
        of_sources.copied().collect()
    }

    /// Whether anything of a candidate can be spoken now.
    pub(crate) fn can_be_spoken(&self, candidate: &Candidate) -> bool {
        self.answer(candidate, Confidence::NONE, Confidence::NONE).is_some()
    }

    /// The answer that the LLM chose.
    pub(crate) fn chosen(
        &self,
        candidate: &Candidate,
        confidence: Confidence,
        threshold: Confidence,
    ) -> Option<Answer> {
        let mut answer = self.answer(candidate, confidence, threshold)?;
        answer.tier = Some(Tier::Llm);
        Some(answer)
    }

    /// The two best candidates of all sources, if they are close to each other, near the threshold together, and both can
    /// be spoken: what the caller may have meant.
    pub(crate) fn two_close(&self) -> Option<Vec<Choosable>> {
        let mut likely: Vec<(&Candidate, Confidence, Choosable)> = Source::ALL
            .into_iter()
            .flat_map(|source| self.findings.of(source))
            .filter_map(|candidate| {
                let threshold = self.threshold(candidate, Tier::Rules)?;
                // The lesser of two close ones that are near together has at least so much.
                let may_be_one = candidate.confidence.get() >= (near_from(threshold) - settings::CLOSE) / 2.0;
                let speakable = may_be_one && self.answer(candidate, candidate.confidence, threshold).is_some();
                let option = match self.tenant.knowledge.target(candidate)? {
                    Target::Qna(qna) => Choosable::Qna(qna.id.clone()),
                    Target::Scenario { scenario, .. } => Choosable::Scenario(scenario.id.clone()),
                };
                speakable.then_some((candidate, threshold, option))
            })
            .collect();
        // A stable sort: of equals the one that is asked first.
        likely.sort_by(|(one, ..), (other, ..)| other.confidence.get().total_cmp(&one.confidence.get()));
        let mut likely = likely.into_iter();
        let (best, threshold, first) = likely.next()?;
        let (next, _, second) = likely.find(|(.., option)| *option != first)?;
        let (best, next) = (best.confidence.get(), next.confidence.get());
        // That one of the two is meant is as sure as both together: alone, neither of two that share an utterance is near.
        (best - next <= settings::CLOSE && best + next >= near_from(threshold)).then(|| vec![first, second])
    }

    /// What a scenario says this time.
    fn reply(&self, scenario: &Scenario) -> Option<Arc<str>> {
        reply(self.tenant, self.turn, scenario)
    }

    /// Candidates as the trace shows them.
    fn listed<'c>(&self, candidates: impl Iterator<Item = &'c Candidate>) -> Vec<TraceCandidate> {
        let listed = candidates.filter_map(|candidate| {
            let (id, kind) = named(self.tenant.knowledge.target(candidate)?);
            Some(TraceCandidate {
                id,
                kind,
                confidence: candidate.confidence,
            })
        });
        listed.collect()
    }

    fn found(&self, source: Source, best: Option<(&Candidate, Confidence)>) -> Found {
        let normalized = self.turn.normalized();
        Found {
            tier: Some(Tier::Rules),
            confidence: best.map(|(candidate, _)| candidate.confidence),
            threshold: best.map(|(_, threshold)| threshold),
            candidates: self.listed(self.findings.of(source).iter()),
            matched_words: best.map_or_else(Vec::new, |(candidate, _)| {
                self.findings
                    .matched_words(candidate, normalized)
                    .into_iter()
                    .map(Into::into)
                    .collect()
            }),
            ..Found::default()
        }
    }
}

/// Whether a Q&A or scenario of the company answers this turn by rules.
pub(crate) fn would_answer(tenant: &Tenant, turn: &Turn<'_>) -> bool {
    let mut trace = Trace::new();
    let Ok(asked) = RuleFindings::ask(tenant, turn) else {
        return false;
    };
    if asked.equal(&mut trace).is_some() {
        return true;
    }
    let Ok(asked) = asked.without_equal() else { return false };
    [Source::CompanyQna, Source::TradeQna, Source::Template]
        .into_iter()
        .any(|source| matches!(asked.best(source, &mut trace), Verdict::Answer(_)))
}

/// What a scenario says this time: variants take turns within a call, a reply with an unset variable is passed over.
/// `None` if nothing is left or the scenario answered too short a while ago.
pub(crate) fn reply(tenant: &Tenant, turn: &Turn<'_>, scenario: &Scenario) -> Option<Arc<str>> {
    let state = turn.state;
    let id = scenario.id.as_str();
    if state.is_cooling_down(id, scenario.cooldown_seconds, turn.arrived.as_second()) {
        return None;
    }
    let times = state.times_answered(id);
    let variables = &tenant.settings.company.variables;
    let one_of = |replies: &[Wording]| -> Option<Arc<str>> {
        let speakable = || replies.iter().filter(|reply| reply.is_complete(variables));
        let number = times.checked_rem(speakable().count())?;
        speakable().nth(number)?.render(variables).ok().map(Into::into)
    };
    let (quick, full) = (&scenario.quick_replies, &scenario.full_replies);
    match scenario.reply_strategy {
        ReplyStrategy::Auto => one_of(full).or_else(|| one_of(quick)),
        ReplyStrategy::Full => one_of(full),
        ReplyStrategy::Quick => one_of(quick),
        ReplyStrategy::QuickThenFull => match (one_of(quick), one_of(full)) {
            (Some(quick), Some(full)) => Some(format!("{quick} {full}").into()),
            (quick, full) => quick.or(full),
        },
    }
}

fn guarded(
    tenant: &Tenant,
    turn: &Turn<'_>,
    ask: impl FnOnce(&Knowledge) -> Findings,
) -> Result<Findings, RulesFailed> {
    catch_unwind(AssertUnwindSafe(|| ask(&tenant.knowledge))).map_err(|_| {
        error!(company.id = %tenant.id(), call.id = %turn.call, "the rules failed on an utterance");
        RulesFailed
    })
}

/// The step at which a source is asked.
pub(crate) const fn step(source: Source, tier: Tier) -> Step {
    match (source, tier) {
        (Source::CompanyQna, _) => Step::CompanyQna,
        (Source::TradeQna, _) => Step::TradeQna,
        (Source::Template, Tier::Rules) => Step::Tier1,
        (Source::Template, Tier::Semantic) => Step::Tier2,
        (Source::Template, Tier::Llm) => Step::Llm,
    }
}

pub(crate) fn named(target: &Target) -> (Arc<str>, CandidateKind) {
    match target {
        Target::Qna(qna) => (qna.id.shared(), CandidateKind::Qna),
        Target::Scenario { scenario, .. } => (scenario.id.shared(), CandidateKind::Scenario),
    }
}
