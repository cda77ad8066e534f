//! The wordings of a unit that are closest to what an utterance says, held against those that it denies.

use super::reading::{Scratch, Vote};
use crate::{
    evidence::{Ground, Overlap, overlap},
    knowledge::{Knowledge, Place},
    patterns::Found,
    piece::Role,
};

pub(super) struct Closest {
    /// The closest wording.
    pub(super) best: Overlap,
    /// Mean harmony of the two wordings after it.
    pub(super) next: f32,
    /// Weight of the keywords that the utterance has.
    pub(super) keywords: f32,
}

/// What the utterance denies is closer to a unit than what it says.
pub(super) struct Denied {
    /// It denies all the content of a wording, not a part of it.
    pub(super) entirely: bool,
}

pub(super) fn closest_wordings(
    knowledge: &Knowledge,
    scratch: &Scratch,
    place: &Place,
    vote: Vote,
    ground: &Ground<'_>,
) -> Result<Closest, Denied> {
    let mut closest = Nearby::default();
    // With the wordings that negate another word: "no light" is "the light isn't on" if it is "we have no light".
    let mut loosely = Nearby::default();
    let mut denies_the_same = false;
    let mut contrary = Against::default();
    let mut denied = Against::default();
    let mut keywords = 0.0;
    let mut denied_keywords = 0.0;
    let own = Some((place.piece, place.unit));
    let added = place.addition.map(|unit| (knowledge.pieces.len() - 1, unit));
    for (at, unit) in own.into_iter().chain(added) {
        let Some(placed) = knowledge.pieces.get(at) else {
            continue;
        };
        let slots = scratch.slots(at);
        for form in placed.piece.forms_of(unit) {
            if form.role == Role::Name {
                continue;
            }
            let Some(over) = overlap(&placed.piece, form, &placed.weights, slots, ground) else {
                continue;
            };
            if form.role == Role::Keyword {
                if over.complete > 0.0 && over.wording_covered > 0.99 {
                    let weight = over.utterance_covered * ground.total;
                    if over.contradicts || over.denies_another_word {
                        denied_keywords += weight;
                    } else {
                        keywords += weight;
                    }
                }
            } else if over.contradicts {
                contrary.add(&over);
            } else {
                loosely.add(&over, form.reworded);
                if over.denies_another_word {
                    denied.add(&over);
                } else {
                    closest.add(&over, form.reworded);
                    denies_the_same |= over.denies_the_same;
                }
            }
        }
    }
    if denies_the_same {
        closest = loosely;
        keywords += denied_keywords;
    } else {
        contrary.join(&denied);
    }
    let strength = closest.best.strength();
    if contrary.most > strength {
        let entirely = contrary.most_entire > strength;
        return Err(Denied { entirely });
    }
    let says_it = closest.best.complete > 0.0 || closest.best.denies_the_same;
    if vote.pattern == Some(Found::Denied) && !says_it {
        return Err(Denied { entirely: false });
    }
    let [_, second, third] = closest.top;
    Ok(Closest {
        best: closest.best,
        next: f32::midpoint(second, third),
        keywords,
    })
}

/// The strongest wordings that the utterance denies.
#[derive(Default)]
struct Against {
    most: f32,
    /// Of those that say themselves what the utterance denies, with all their content in it.
    most_entire: f32,
}

impl Against {
    fn add(&mut self, over: &Overlap) {
        self.most = self.most.max(over.strength());
        if over.denies_it && over.complete > 0.0 {
            self.most_entire = self.most_entire.max(over.strength());
        }
    }

    fn join(&mut self, other: &Self) {
        self.most = self.most.max(other.most);
        self.most_entire = self.most_entire.max(other.most_entire);
    }
}

/// The best wordings of a unit so far.
#[derive(Default)]
struct Nearby {
    best: Overlap,
    top: [f32; 3],
}

impl Nearby {
    fn add(&mut self, over: &Overlap, reworded: bool) {
        insert(&mut self.top, over.harmony(), reworded);
        if over.strength() > self.best.strength() {
            self.best = *over;
        }
    }
}

/// Keeps the three highest. A rewording replaces the wording before it where it is higher, roughly: it is one wording.
fn insert(top: &mut [f32; 3], value: f32, reworded: bool) {
    let mut value = value;
    if reworded && top.contains(&value) {
        return;
    }
    for kept in top {
        if value > *kept {
            std::mem::swap(kept, &mut value);
        }
    }
}
