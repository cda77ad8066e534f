//! How crowded wordings are: whether a trigger's nearest sibling is nearer than the nearest trigger of another unit.
//!
//! It needs no labelled question, and tells a dense domain, where what is not covered looks like what is, from a roomy one.

use super::{dense::dot, head::Head, train::NotTrained};

/// No such wording.
const NONE: f32 = -2.0;
/// Of more wordings than these, evenly chosen ones stand for all.
const MOST: usize = 4_000;

/// How crowded the wordings of a company are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Crowding {
    /// Mean cosine of a wording to the nearest of the same unit.
    pub own: f32,
    /// Mean cosine of a wording to the nearest of another unit.
    pub cross: f32,
    /// Share of wordings that are nearer to their own unit.
    pub apart: f32,
}

/// For each wording the cosine to the nearest of the same class, and of another.
pub(super) fn of_shared(
    rows: &[f32],
    dimension: usize,
    right: &[Option<u16>],
    stop: &dyn Fn() -> bool,
) -> Result<(Vec<f32>, Vec<f32>), NotTrained> {
    if dimension == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut near = vec![NONE; right.len()];
    let mut cross = vec![NONE; right.len()];
    let apart = right.len().div_ceil(MOST).max(1);
    for (at, row) in rows.chunks_exact(dimension).enumerate() {
        if at % 256 == 0 && stop() {
            return Err(NotTrained::Stopped);
        }
        let of = right.get(at);
        let (mut own, mut other) = (NONE, NONE);
        for (beside, other_row) in rows.chunks_exact(dimension).enumerate().step_by(apart) {
            if beside == at {
                continue;
            }
            let cosine = dot(row, other_row);
            let nearest = if right.get(beside) == of { &mut own } else { &mut other };
            *nearest = nearest.max(cosine);
        }
        if let Some((near, cross)) = near.get_mut(at).zip(cross.get_mut(at)) {
            (*near, *cross) = (own, other);
        }
    }
    Ok((near, cross))
}

impl Crowding {
    /// Of a company: what is shared and what is its own. Notes in the own head how near its wordings are.
    pub(super) fn new(
        shared: &Head,
        (shared_rows, shared_units): (&[f32], &[u32]),
        own_rows: &[f32],
        own: &mut Head,
        changes: &[Option<u32>],
        dimension: usize,
    ) -> Self {
        if dimension == 0 {
            return Self::default();
        }
        let unit_of = |slot: usize| changes.get(slot).copied().flatten();
        let own_units = of_wordings(&own.wordings);
        // Of very many wordings only some are among the examples; their numbers do not agree then.
        let agree = shared_units.len() == shared.cross.len();
        let mut cross = shared.cross.clone();
        own.near = vec![NONE; own_units.len()];
        own.cross = vec![NONE; own_units.len()];
        let apart = (own_units.len() + shared_units.len()).div_ceil(MOST).max(1);
        for (at, row) in own_rows.chunks_exact(dimension).enumerate() {
            let slot = own_units.get(at).copied().unwrap_or_default();
            let unit = unit_of(slot);
            let (mut nearest, mut other) = (NONE, NONE);
            for (beside, theirs) in own_rows.chunks_exact(dimension).enumerate().step_by(apart) {
                if beside != at {
                    let is_same = own_units.get(beside) == Some(&slot);
                    let to = if is_same { &mut nearest } else { &mut other };
                    *to = to.max(dot(row, theirs));
                }
            }
            for (beside, theirs) in shared_rows.chunks_exact(dimension).enumerate().step_by(apart) {
                let cosine = dot(row, theirs);
                if shared_units.get(beside).copied() == unit {
                    nearest = nearest.max(cosine);
                } else {
                    other = other.max(cosine);
                    if let Some(cross) = cross.get_mut(beside).filter(|_| agree) {
                        *cross = cross.max(cosine);
                    }
                }
            }
            if let Some((near, cross)) = own.near.get_mut(at).zip(own.cross.get_mut(at)) {
                (*near, *cross) = (nearest, other);
            }
        }
        Self::mean(
            shared.near.iter().chain(&own.near).copied(),
            cross.iter().chain(&own.cross).copied(),
        )
    }

    /// The means over wordings.
    pub(super) fn mean(near: impl Iterator<Item = f32>, cross: impl Iterator<Item = f32>) -> Self {
        let (mut own, mut other, mut apart) = (Mean::default(), Mean::default(), Mean::default());
        for (near, cross) in near.zip(cross) {
            if near > NONE {
                own.add(near);
                apart.add(f32::from(u8::from(near > cross)));
            }
            if cross > NONE {
                other.add(cross);
            }
        }
        Self {
            own: own.value(),
            cross: other.value(),
            apart: apart.value(),
        }
    }
}

#[derive(Default)]
struct Mean {
    sum: f32,
    count: f32,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(&self) -> f32 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }
}

fn of_wordings(starts: &[u32]) -> Vec<usize> {
    (0..starts.len().saturating_sub(1))
        .flat_map(|slot| super::head::bounds(starts, slot).map(move |_| slot))
        .collect()
}
