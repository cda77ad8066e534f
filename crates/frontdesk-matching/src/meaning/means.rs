//! What stands in for learning where there are too many classes and examples.

use super::{
    solver::{Problem, width},
    train::NotTrained,
};

/// How steep the difference to a mean is.
const STEEPNESS: f32 = 15.0;

/// The mean of a class in place of what would be learnt.
pub(super) fn means(problem: &Problem<'_>, stop: &dyn Fn() -> bool) -> Result<Vec<f32>, NotTrained> {
    let width = width(problem.classes);
    let inner = problem.examples.inner;
    let mut weights = vec![0.0; problem.weights()];
    let mut counts = vec![0_u32; problem.classes];
    let slots = || problem.right.iter().flatten().map(|slot| usize::from(*slot));
    slots().for_each(|slot| {
        if let Some(count) = counts.get_mut(slot) {
            *count += 1;
        }
    });
    let share = |slot: usize| {
        let count = counts.get(slot).copied().unwrap_or(1).max(1);
        STEEPNESS / f32::from(u16::try_from(count).unwrap_or(u16::MAX))
    };
    let (dense, lexical) = weights.split_at_mut_checked(inner * width).unwrap_or_default();
    let rows = problem.examples.dense.chunks_exact(inner.max(1)).zip(problem.right);
    for (at, (row, right)) in rows.enumerate() {
        if at % 1024 == 0 && stop() {
            return Err(NotTrained::Stopped);
        }
        let Some(slot) = right.map(usize::from) else { continue };
        // The last number is the same everywhere and says nothing.
        let numbers = row.iter().take(inner.saturating_sub(1));
        for (cell, value) in dense.iter_mut().skip(slot).step_by(width).zip(numbers) {
            *cell += share(slot) * value;
        }
        let bounds = |at: usize| problem.examples.starts.get(at).copied().unwrap_or_default();
        let cells = problem
            .examples
            .cells
            .get(bounds(at)..bounds(at + 1))
            .unwrap_or_default();
        for (feature, value) in cells {
            let range = problem.postings.of(*feature);
            let having = problem.postings.slots.get(range.clone()).unwrap_or_default();
            let here = u16::try_from(slot)
                .ok()
                .and_then(|slot| having.binary_search(&slot).ok());
            if let Some(cell) = here.and_then(|here| lexical.get_mut(range.start + here)) {
                *cell += share(slot) * value;
            }
        }
    }
    Ok(weights)
}
