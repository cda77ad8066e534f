//! What an own head is learnt from.

use super::{
    head::Head,
    rows::Rows,
    solver::{Examples, width},
    train::{Background, SharedHead, log_sum},
    wordings::OwnWordings,
};
use crate::piece::index;

/// Own examples, then the shared ones that answer at this company, with what the shared head says of each.
pub(super) struct Scene {
    pub(super) examples: Examples,
    pub(super) right: Vec<Option<u16>>,
    pub(super) rest: Vec<f32>,
    pub(super) base: Vec<f32>,
}

impl Scene {
    pub(super) fn new(
        wordings: &OwnWordings,
        changes: &[Option<u32>],
        shared: &SharedHead,
        background: &Background,
        rows: &Rows,
        head: &Head,
    ) -> Self {
        let mut scene = Self {
            examples: Examples {
                inner: rows.dimension + 1,
                ..Examples::default()
            },
            right: head.right(),
            rest: Vec::new(),
            base: Vec::new(),
        };
        rows.add_to(&mut scene.examples, &head.vocabulary);
        let units = shared.head.slots();
        let width = width(changes.len());
        let slot_of = |unit: usize| {
            changes
                .iter()
                .position(|change| change.map(usize::try_from) == Some(Ok(unit)))
        };
        let slots: Vec<Option<usize>> = (0..units).map(slot_of).collect();
        let is_disabled = |unit: u32| wordings.disabled.binary_search(&unit).is_ok();
        let answers: Vec<bool> = (0..index(units)).map(|unit| !is_disabled(unit)).collect();
        let mut add = |logits: &[f32]| {
            let stays = |unit: &usize| {
                slots.get(*unit).copied().flatten().is_none() && answers.get(*unit).copied().unwrap_or_default()
            };
            let all = (0..units).filter(stays).filter_map(|unit| logits.get(unit).copied());
            scene.rest.push(log_sum(all));
            let start = scene.base.len();
            scene.base.resize(start + width, 0.0);
            for (unit, slot) in slots.iter().enumerate() {
                let cell = slot.and_then(|slot| scene.base.get_mut(start + slot));
                if let Some((cell, logit)) = cell.zip(logits.get(unit)) {
                    *cell = *logit;
                }
            }
        };
        let mut logits = vec![0.0; units];
        for at in 0..rows.count() {
            logits.fill(0.0);
            shared.head.logits(rows.dense_row(at), rows.grams_of(at), &mut logits);
            add(&logits);
        }
        let theirs = background.logits.chunks_exact(units.max(1)).zip(&background.units);
        let mut kept = Rows {
            dimension: background.examples.dimension,
            starts: vec![0],
            ..Rows::default()
        };
        for (at, (logits, unit)) in theirs.enumerate().filter(|(_, (_, unit))| !is_disabled(**unit)) {
            add(logits);
            let slot = usize::try_from(*unit)
                .ok()
                .and_then(|unit| slots.get(unit).copied().flatten());
            scene.right.push(slot.and_then(|slot| u16::try_from(slot).ok()));
            kept.dense.extend_from_slice(background.examples.dense_row(at));
            kept.grams.extend_from_slice(background.examples.grams_of(at));
            kept.starts.push(kept.grams.len());
        }
        kept.add_to(&mut scene.examples, &head.vocabulary);
        scene
    }
}
