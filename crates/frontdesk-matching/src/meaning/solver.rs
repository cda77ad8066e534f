//! Multinomial logistic regression by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5).
//!
//! A class has dense weights, one for each number of an embedding, and lexical weights only for features that its own
//! wordings have. Logits are linear in the weights, so a search along a direction costs no product of matrices.

use std::collections::VecDeque;

use super::dense::{LANES, add_scaled, exp, long_dot, multiply, transposed};

/// Pairs of steps kept.
const MEMORY: usize = 8;
const STEPS: usize = 150;
/// The gradient has shrunk to this share of what it was at zero weights.
const TOLERANCE: f64 = 1e-2;
/// Newton steps along a direction.
const ALONG: usize = 6;
/// Smaller probabilities are 0. They teach nothing, and products of tiny numbers are subnormal, which processors work out
/// a hundred times slower.
const NOTHING: f32 = 1e-10;
/// The logit of a class that is not there.
const ABSENT: f32 = -1e30;

/// What is trained on, as numbers: a dense and a lexical row each.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// Numbers of a dense row.
    pub(super) inner: usize,
    pub(super) dense: Vec<f32>,
    /// Where the lexical rows begin; one more than there are examples.
    pub(super) starts: Vec<usize>,
    /// Feature and value.
    pub(super) cells: Vec<(u32, f32)>,
}

impl Examples {
    pub(super) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn lexical(&self) -> impl Iterator<Item = &[(u32, f32)]> {
        self.starts.windows(2).map(|two| match two {
            [start, end] => self.cells.get(*start..*end).unwrap_or_default(),
            _ => &[],
        })
    }
}

/// Which classes have a lexical weight for which feature.
#[derive(Debug, Default)]
pub(super) struct Postings {
    /// Where the postings of a feature begin; one more than there are features.
    pub(super) starts: Vec<u32>,
    /// Their classes.
    pub(super) slots: Vec<u16>,
}

impl Postings {
    /// Of features and classes in order of both, each once.
    pub(super) fn new(features: usize, having: &[(u32, u16)]) -> Self {
        let mut starts = Vec::with_capacity(features + 1);
        let mut at = 0_u32;
        starts.push(0);
        let mut runs = having.chunk_by(|left, right| left.0 == right.0).peekable();
        for feature in 0..features {
            let is_this = |run: &&[(u32, u16)]| run.first().is_some_and(|(of, _)| usize::try_from(*of) == Ok(feature));
            if let Some(run) = runs.next_if(|run| is_this(run)) {
                at += u32::try_from(run.len()).unwrap_or_default();
            }
            starts.push(at);
        }
        Self {
            starts,
            slots: having.iter().map(|(_, slot)| *slot).collect(),
        }
    }

    pub(super) fn of(&self, feature: u32) -> std::ops::Range<usize> {
        let at = usize::try_from(feature).unwrap_or(usize::MAX);
        let bound = |at: usize| {
            self.starts
                .get(at)
                .and_then(|at| usize::try_from(*at).ok())
                .unwrap_or_default()
        };
        bound(at)..bound(at.saturating_add(1))
    }
}

/// What is to be learnt.
pub(super) struct Problem<'a> {
    pub(super) examples: &'a Examples,
    pub(super) postings: &'a Postings,
    pub(super) classes: usize,
    /// The class of each example; `None` for one of the classes that stay as they are.
    pub(super) right: &'a [Option<u16>],
    /// The logarithm of the summed exponentials of the logits that stay as they are, for each example; empty for none.
    pub(super) rest: &'a [f32],
    /// Logits that the learnt ones are added to, a row of [`width`] for each example; empty for 0.
    pub(super) base: &'a [f32],
    /// How much the examples count against small weights: the C of a support vector machine.
    pub(super) care: f32,
}

/// Room for so many classes in a row of logits.
pub(super) fn width(classes: usize) -> usize {
    classes.next_multiple_of(LANES)
}

/// Sums over all examples at some logits.
#[derive(Default)]
struct Along {
    slope: f64,
    curvature: f64,
}

impl Problem<'_> {
    fn width(&self) -> usize {
        width(self.classes)
    }

    fn dense_weights(&self) -> usize {
        self.examples.inner * self.width()
    }

    /// Number of weights: dense ones by number of the embedding and class, then those of the postings.
    pub(super) fn weights(&self) -> usize {
        self.dense_weights() + self.postings.slots.len()
    }

    /// What weights add to the logits.
    fn logits(&self, weights: &[f32], out: &mut [f32]) {
        let width = self.width();
        let (dense, lexical) = weights.split_at_checked(self.dense_weights()).unwrap_or_default();
        multiply(&self.examples.dense, self.examples.inner, dense, width, out);
        for (cells, row) in self.examples.lexical().zip(out.chunks_exact_mut(width)) {
            for (feature, value) in cells {
                let range = self.postings.of(*feature);
                let slots = self.postings.slots.get(range.clone()).unwrap_or_default();
                for (slot, weight) in slots.iter().zip(lexical.get(range).unwrap_or_default()) {
                    if let Some(cell) = row.get_mut(usize::from(*slot)) {
                        *cell += value * weight;
                    }
                }
            }
        }
    }

    /// The weights' share of the gradient that these residuals cause.
    fn gradient(&self, columns: &[f32], residuals: &[f32], out: &mut [f32]) {
        let width = self.width();
        let (dense, lexical) = out.split_at_mut_checked(self.dense_weights()).unwrap_or_default();
        multiply(columns, self.examples.count(), residuals, width, dense);
        lexical.fill(0.0);
        for (cells, row) in self.examples.lexical().zip(residuals.chunks_exact(width)) {
            for (feature, value) in cells {
                let range = self.postings.of(*feature);
                let slots = self.postings.slots.get(range.clone()).unwrap_or_default();
                for (slot, weight) in slots.iter().zip(lexical.get_mut(range).unwrap_or_default()) {
                    *weight += value * row.get(usize::from(*slot)).copied().unwrap_or_default();
                }
            }
        }
    }

    fn rest_of(&self, example: usize) -> f32 {
        self.rest.get(example).copied().unwrap_or(ABSENT)
    }

    /// Probabilities of a row of logits, in place.
    fn probabilities(&self, example: usize, row: &mut [f32]) {
        row.iter_mut().skip(self.classes).for_each(|logit| *logit = ABSENT);
        let rest = self.rest_of(example);
        let highest = row.iter().copied().fold(rest, f32::max);
        let mut sum = exp(rest - highest);
        for logit in row.iter_mut() {
            *logit = exp(*logit - highest);
        }
        sum += row.iter().sum::<f32>();
        for value in row {
            let share = *value / sum;
            *value = if share < NOTHING { 0.0 } else { share };
        }
    }

    /// Slope and curvature of the loss along a change of the logits, at a distance.
    fn along(&self, logits: &[f32], change: &[f32], distance: f32, row: &mut [f32]) -> Along {
        let width = self.width();
        let mut sums = Along::default();
        let rows = logits
            .chunks_exact(width)
            .zip(change.chunks_exact(width))
            .zip(self.right);
        for (example, ((logits, change), right)) in rows.enumerate() {
            for ((cell, logit), change) in row.iter_mut().zip(logits).zip(change) {
                *cell = logit + distance * change;
            }
            self.probabilities(example, row);
            let (mut mean, mut square) = (0.0_f32, 0.0_f32);
            for (probability, change) in row.iter().zip(change) {
                mean += probability * change;
                square += probability * change * change;
            }
            let right = right
                .and_then(|right| change.get(usize::from(right)))
                .copied()
                .unwrap_or_default();
            sums.slope += f64::from(mean - right);
            sums.curvature += f64::from((square - mean * mean).max(0.0));
        }
        sums.slope *= f64::from(self.care);
        sums.curvature *= f64::from(self.care);
        sums
    }

    /// What each logit should change by, times care: probability less 1 for what is right.
    fn residuals(&self, logits: &[f32], out: &mut [f32]) {
        let width = self.width();
        out.copy_from_slice(logits);
        for (example, (row, right)) in out.chunks_exact_mut(width).zip(self.right).enumerate() {
            self.probabilities(example, row);
            if let Some(cell) = right.and_then(|right| row.get_mut(usize::from(right))) {
                *cell -= 1.0;
            }
            for cell in row {
                *cell *= self.care;
            }
        }
    }

    /// The weights; `None` if `stop` said so.
    pub(super) fn solve(&self, stop: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        let (width, count, length) = (self.width(), self.examples.count(), self.weights());
        if self.classes == 0 || count == 0 {
            return Some(vec![0.0; length]);
        }
        let columns = transposed(&self.examples.dense, self.examples.inner);
        let mut base = vec![0.0; count * width];
        base.iter_mut().zip(self.base).for_each(|(cell, value)| *cell = *value);
        let mut row = vec![0.0; width];
        let mut residuals = vec![0.0; count * width];
        let mut change = vec![0.0; count * width];
        let mut gradient = vec![0.0; length];
        // What the gradient is at zero weights: the measure of how far there is to go.
        self.residuals(&base, &mut residuals);
        self.gradient(&columns, &residuals, &mut gradient);
        let enough = TOLERANCE * long_dot(&gradient, &gradient).sqrt();
        let mut logits = base;
        let mut weights = vec![0.0; length];
        let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
        for _ in 0..STEPS {
            if stop() {
                return None;
            }
            if long_dot(&gradient, &gradient).sqrt() <= enough {
                break;
            }
            let direction = direction(&gradient, &memory);
            self.logits(&direction, &mut change);
            let (across, square) = (long_dot(&weights, &direction), long_dot(&direction, &direction));
            let slope_at = |distance: f32, row: &mut [f32]| {
                let along = self.along(&logits, &change, distance, row);
                Along {
                    slope: along.slope + across + f64::from(distance) * square,
                    curvature: along.curvature + square,
                }
            };
            let distance = search(|distance| slope_at(distance, &mut row));
            if distance <= 0.0 {
                break;
            }
            add_scaled(&mut weights, distance, &direction);
            add_scaled(&mut logits, distance, &change);
            let mut step = direction;
            for value in &mut step {
                *value *= distance;
            }
            let mut turn: Vec<f32> = gradient.iter().map(|value| -value).collect();
            self.residuals(&logits, &mut residuals);
            self.gradient(&columns, &residuals, &mut gradient);
            add_scaled(&mut gradient, 1.0, &weights);
            add_scaled(&mut turn, 1.0, &gradient);
            let product = long_dot(&step, &turn);
            if product > 0.0 {
                if memory.len() == MEMORY {
                    memory.pop_front();
                }
                memory.push_back(Pair { step, turn, product });
            }
        }
        Some(weights)
    }
}

/// A step and by how much it turned the gradient.
struct Pair {
    step: Vec<f32>,
    turn: Vec<f32>,
    product: f64,
}

#[expect(clippy::cast_possible_truncation, reason = "factors of vectors of single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

/// Against the gradient, bent by what the last steps told of the curvature.
fn direction(gradient: &[f32], memory: &VecDeque<Pair>) -> Vec<f32> {
    let mut direction: Vec<f32> = gradient.iter().map(|value| -value).collect();
    let mut factors = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let factor = long_dot(&pair.step, &direction) / pair.product;
        add_scaled(&mut direction, single(-factor), &pair.turn);
        factors.push(factor);
    }
    if let Some(last) = memory.back() {
        let scale = single(last.product / long_dot(&last.turn, &last.turn));
        for value in &mut direction {
            *value *= scale;
        }
    }
    for (pair, factor) in memory.iter().zip(factors.into_iter().rev()) {
        let other = long_dot(&pair.turn, &direction) / pair.product;
        add_scaled(&mut direction, single(factor - other), &pair.step);
    }
    direction
}

/// Where the slope along a direction is nearly 0: Newton's method, kept between what is known to be too near and too far.
fn search(mut slope_at: impl FnMut(f32) -> Along) -> f32 {
    let first = slope_at(0.0);
    if first.slope >= 0.0 {
        return 0.0;
    }
    let (mut near, mut far) = (0.0_f64, f64::INFINITY);
    let mut distance = -first.slope / first.curvature.max(f64::MIN_POSITIVE);
    for _ in 0..ALONG {
        let at = slope_at(single(distance));
        if at.slope.abs() <= 0.2 * first.slope.abs() {
            break;
        }
        if at.slope < 0.0 {
            near = distance;
        } else {
            far = distance;
        }
        let next = distance - at.slope / at.curvature.max(f64::MIN_POSITIVE);
        distance = if next > near && next < far {
            next
        } else if far.is_finite() {
            f64::midpoint(near, far)
        } else {
            2.0 * distance
        };
    }
    single(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes at right angles, and an example between them.
    fn examples() -> Examples {
        Examples {
            inner: 2,
            dense: vec![1.0, 0.0, 0.0, 1.0, 0.8, 0.6],
            starts: vec![0, 1, 2, 2],
            cells: vec![(0, 0.5), (1, 0.5)],
        }
    }

    fn solve(right: &[Option<u16>], rest: &[f32], stop: &dyn Fn() -> bool) -> Option<(Vec<f32>, Vec<f32>)> {
        let examples = examples();
        let postings = Postings::new(2, &[(0, 0), (1, 1)]);
        let problem = Problem {
            examples: &examples,
            postings: &postings,
            classes: 2,
            right,
            rest,
            base: &[],
            care: 10.0,
        };
        let weights = problem.solve(stop)?;
        let mut logits = vec![0.0; 3 * width(2)];
        problem.logits(&weights, &mut logits);
        Some((weights, logits))
    }

    #[test]
    fn the_optimum_has_no_slope() {
        let (weights, logits) = solve(&[Some(0), Some(1), Some(0)], &[], &|| false).unwrap();
        // At the optimum a weight is care times the examples that it should have been surer of.
        let at = |example: usize, class: usize| f64::from(logits[example * 8 + class]);
        let wrong = |example, right, other| {
            let sum: f64 = f64::exp(at(example, right)) + f64::exp(at(example, other));
            f64::exp(at(example, other)) / sum
        };
        let expected = 10.0 * (wrong(0, 0, 1) - 0.0 * wrong(1, 1, 0) + 0.8 * wrong(2, 0, 1));
        assert!((f64::from(weights[0]) - expected).abs() < 0.1, "{weights:?} {expected}");
        assert!(at(0, 0) > at(0, 1) && at(1, 1) > at(1, 0) && at(2, 0) > at(2, 1));
    }

    #[test]
    fn equal_input_gives_equal_bits() {
        let right = [Some(0), Some(1), Some(0)];
        assert_eq!(solve(&right, &[], &|| false), solve(&right, &[], &|| false));
    }

    #[test]
    fn what_stays_as_it_is_is_learnt_against() {
        let (_, alone) = solve(&[Some(0), Some(1), None], &[-9.0, -9.0, -9.0], &|| false).unwrap();
        let (_, beside) = solve(&[Some(0), Some(1), None], &[3.0, 3.0, 3.0], &|| false).unwrap();
        assert!(beside[0] > alone[0], "a strong rest must be outbid");
    }

    #[test]
    fn it_stops_when_told() {
        assert_eq!(solve(&[Some(0), Some(1), Some(0)], &[], &|| true), None);
    }
}
