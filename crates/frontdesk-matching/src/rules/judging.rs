//! What an utterance says of single units: the features that become a probability, and what it denies.

use frontdesk_domain::documents::template::Action;

use super::{Candidate, RAMBLE, SCRATCH, closest::closest_wordings, reading::Scratch};
use crate::{
    calibration::Calibration,
    evidence::{Features, Positions, float, share},
    knowledge::{Knowledge, Source},
    piece::Target,
};

/// What rules make of a unit that they did not propose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Said {
    /// The utterance says the contrary, or has one of its negative triggers.
    Contrary,
    /// It has no word of it.
    Nothing,
    /// It has something: the logarithm of the odds against "none of them".
    Something(f64),
}

impl Knowledge {
    /// What an utterance says of units, in their order, whatever rules would answer.
    pub(crate) fn said_of(&self, utterance: &str, units: impl Iterator<Item = u32>, said: &mut Vec<Said>) {
        said.clear();
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.read(self, utterance);
            scratch.weigh(self, utterance);
            let calibration = Calibration::embedded();
            let none = calibration.none(&scratch.none_features());
            for unit in units {
                said.push(judge(self, scratch, unit, |features| {
                    calibration.candidate(features) - none
                }));
            }
        });
    }
}

impl Knowledge {
    /// Everything that could answer, in ladder order: what the company switched off is left out.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let enabled = (0..).zip(&self.units).filter(|(_, place)| !place.disabled);
        enabled.map(|(unit, place)| Candidate::of_unit(unit, place.source))
    }

    /// Leaves out what an utterance in normal form rules out: it says the contrary, or has a negative trigger.
    pub fn retain_possible(&self, utterance: &str, candidates: &mut Vec<Candidate>) {
        let mut said = Vec::with_capacity(candidates.len());
        self.said_of(utterance, candidates.iter().map(|candidate| candidate.unit), &mut said);
        let mut said = said.into_iter();
        candidates.retain(|_| said.next().is_some_and(|said| said != Said::Contrary));
    }
}

fn judge(knowledge: &Knowledge, scratch: &Scratch, unit: u32, odds: impl Fn(&Features) -> f64) -> Said {
    let source = knowledge.source_of(unit);
    let Some(place) = knowledge.place(unit).filter(|_| !scratch.is_ruled_out(unit)) else {
        return Said::Contrary;
    };
    // In questions of many words a part of some wording is often denied; that is no contradiction of the meaning. Where
    // something would be done, it is: who says "don't book anything" is not booked.
    let target = knowledge.target(&Candidate::of_unit(unit, source));
    let acts = matches!(target, Some(Target::Scenario { scenario, .. }) if scenario.action != Action::None);
    let closest = closest_wordings(knowledge, scratch, place, scratch.vote(unit), &scratch.ground());
    if closest.is_err_and(|denied| acts || denied.entirely) {
        return Said::Contrary;
    }
    match features(knowledge, scratch, unit, source) {
        Some((features, _)) => Said::Something(odds(&features)),
        None => Said::Nothing,
    }
}

/// The features of a unit and the words it matched; `None` where the utterance says the contrary.
pub(super) fn features(
    knowledge: &Knowledge,
    scratch: &Scratch,
    unit: u32,
    source: Source,
) -> Option<(Features, Positions)> {
    let place = knowledge.place(unit)?;
    let ground = scratch.ground();
    let vote = scratch.vote(unit);
    let closest = closest_wordings(knowledge, scratch, place, vote, &ground).ok()?;
    let best = &closest.best;
    if best.common <= 0.0 && vote.votes <= 0.0 && !vote.has_pattern() {
        return None;
    }
    let counted = ground.total.min(RAMBLE);
    let of = |is: Source| f64::from(u8::from(source == is));
    let features = [
        of(Source::CompanyQna),
        of(Source::TradeQna),
        of(Source::Template),
        f64::from(best.wording_covered),
        f64::from(best.utterance_covered),
        f64::from(best.harmony()),
        f64::from(best.order),
        f64::from(best.complete),
        f64::from(best.window_covered * best.complete),
        f64::from(closest.next),
        f64::from(share(vote.votes, counted)),
        f64::from((vote.votes / 2.0).min(1.5)),
        f64::from((vote.pairs / 2.0).min(1.5)),
        f64::from(share(vote.covered, counted)),
        f64::from(u8::from(vote.has_pattern())),
        f64::from(share(closest.keywords, counted)),
        f64::from(best.doubt),
        f64::from((best.common / 3.0).min(1.5)),
        f64::from(float(best.common_words.min(4)) / 4.0),
        f64::from(share(vote.votes, vote.covered)),
        f64::from(((vote.votes - scratch.rival(unit)) / counted.max(0.25)).clamp(-1.0, 1.0)),
        f64::from(((ground.total - best.common) / 5.0).min(1.5)),
        f64::from(best.wording_covered * best.utterance_covered),
    ];
    Some((features, best.positions))
}
