//! The measures, as functions of numbers.

use std::fmt;

use serde::Serialize;

use super::float;

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many, with the interval in which the true share lies with 95 % (Wilson 1927).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many it holds for.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
    /// The share, from 0 to 1; 0 of 0 is 0.
    pub share: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end; 1 where there is nothing to count.
    pub high: f64,
}

impl Share {
    /// Counts.
    #[must_use]
    pub fn new(hits: usize, of: usize) -> Self {
        if of == 0 {
            return Self {
                hits,
                of,
                share: 0.0,
                low: 0.0,
                high: 1.0,
            };
        }
        let (n, p) = (float(of), float(hits) / float(of));
        let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self {
            hits,
            of,
            share: p,
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        }
    }

    /// Counts the items for which a rule holds.
    pub fn of<T>(items: impl IntoIterator<Item = T>, holds: impl Fn(&T) -> bool) -> Self {
        let (mut hits, mut of) = (0, 0);
        for item in items {
            of += 1;
            hits += usize::from(holds(&item));
        }
        Self::new(hits, of)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of == 0 {
            return f.write_str("    none");
        }
        let [share, low, high] = [self.share, self.low, self.high].map(|share| 100.0 * share);
        write!(
            f,
            "{share:5.1} %  {:>5} of {:<5} [{low:.1}, {high:.1}]",
            self.hits, self.of
        )
    }
}

/// How well what nothing answers is told from what something does. The foreign ones are those to be found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Foreign {
    /// Foreign among what was not answered.
    pub precision: Share,
    /// Not answered among what is foreign.
    pub recall: Share,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How often a question that something answers is thought likelier to be answerable than a foreign one, ties half
    /// (the area under the ROC curve); `None` if there are none of one kind.
    pub auroc: Option<f64>,
}

impl Foreign {
    /// Of questions: whether each is foreign, whether it was answered, and the confidence of its best candidate.
    #[must_use]
    pub fn new(questions: &[(bool, bool, f64)]) -> Self {
        let refused = || questions.iter().filter(|(_, answered, _)| !answered);
        let foreign = || questions.iter().filter(|(foreign, ..)| *foreign);
        let precision = Share::of(refused(), |(foreign, ..)| *foreign);
        let recall = Share::of(foreign(), |(_, answered, _)| !answered);
        let sum = precision.share + recall.share;
        let of = |wanted: bool| -> Vec<f64> {
            let chosen = questions.iter().filter(|(foreign, ..)| *foreign == wanted);
            chosen.map(|(.., confidence)| *confidence).collect()
        };
        Self {
            precision,
            recall,
            f1: if sum > 0.0 {
                2.0 * precision.share * recall.share / sum
            } else {
                0.0
            },
            auroc: auroc(&of(false), &of(true)),
        }
    }
}

/// How often one of `higher` is above one of `lower`, ties half: the statistic of Mann and Whitney (1947) over the number
/// of pairs. `None` if one of them is empty.
#[must_use]
pub fn auroc(higher: &[f64], lower: &[f64]) -> Option<f64> {
    if higher.is_empty() || lower.is_empty() {
        return None;
    }
    let mut sorted = lower.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: f64 = higher
        .iter()
        .map(|value| {
            let below = sorted.partition_point(|other| other < value);
            let up_to = sorted.partition_point(|other| other <= value);
            float(below) + 0.5 * float(up_to - below)
        })
        .sum();
    Some(wins / (float(higher.len()) * float(lower.len())))
}

/// The predictions whose confidence lies in one tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many there are.
    pub predictions: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub right: f64,
}

/// Whether confidence keeps its word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reliability {
    /// The mean distance between confidence and truth over the bins, weighted by their predictions: ECE with ten bins of
    /// equal width (Naeini, Cooper and Hauskrecht 2015).
    pub error: f64,
    /// How many predictions there are.
    pub predictions: usize,
    /// The tenths, from 0 to 1; 1 belongs to the last.
    pub bins: [Bin; 10],
}

impl Reliability {
    /// Of predictions: the confidence of each and whether it is right.
    pub fn new(predictions: impl IntoIterator<Item = (f64, bool)>) -> Self {
        let mut bins = [(0_usize, 0.0, 0_usize); 10];
        for (confidence, right) in predictions {
            let tenth = (0_u8..9).find(|tenth| confidence < f64::from(tenth + 1) / 10.0);
            if let Some((count, sum, hits)) = bins.get_mut(usize::from(tenth.unwrap_or(9))) {
                *count += 1;
                *sum += confidence;
                *hits += usize::from(right);
            }
        }
        let total: usize = bins.iter().map(|(count, ..)| count).sum();
        let bins = bins.map(|(predictions, sum, hits)| {
            let of = float(predictions.max(1));
            Bin {
                predictions,
                confidence: sum / of,
                right: float(hits) / of,
            }
        });
        let distance = |bin: &Bin| float(bin.predictions) * (bin.confidence - bin.right).abs();
        Self {
            error: bins.iter().map(distance).sum::<f64>() / float(total.max(1)),
            predictions: total,
            bins,
        }
    }
}

/// The probability of a difference at least as large as between `one` and `other` if both were equally likely: the exact,
/// two-sided test of `McNemar` (1947) on pairs that differ.
#[must_use]
pub fn mcnemar(one: usize, other: usize) -> f64 {
    let pairs = one + other;
    // The logarithm of C(pairs, i) / 2^pairs, from i = 0 upwards.
    let mut logarithm = -float(pairs) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for i in 0..=one.min(other) {
        sum += logarithm.exp();
        logarithm += (float(pairs - i) / float(i + 1)).ln();
    }
    (2.0 * sum).min(1.0)
}

/// The value below which a share of the values lies: the nearest rank of sorted values. `None` if there are none.
#[must_use]
pub fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(value: f64, want: f64) {
        assert!((value - want).abs() < 5e-4, "{value} is not {want}");
    }

    #[test]
    fn the_interval_is_wilsons() {
        // By hand, z² = 3.8415. 8 of 10: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half 0.22658 (1.41599 × 0.16002).
        let share = Share::new(8, 10);
        close(share.low, 0.4902);
        close(share.high, 0.9433);
        // 0 of 20: the upper end is z² / (n + z²) = 3.8415 / 23.8415.
        let none = Share::new(0, 20);
        close(none.low, 0.0);
        close(none.high, 0.1611);
        let nothing = Share::new(0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0), "of nothing nothing is known");
    }

    #[test]
    fn a_ranking_is_measured_by_its_pairs() {
        // Pairs: 0.9 beats both; 0.4 ties with one and beats the other; 3.5 of 4.
        close(auroc(&[0.9, 0.4], &[0.4, 0.1]).unwrap(), 0.875);
        close(auroc(&[1.0], &[0.0, 0.5]).unwrap(), 1.0);
        close(auroc(&[0.5, 0.5], &[0.5]).unwrap(), 0.5);
        assert_eq!(auroc(&[], &[0.5]), None);
    }

    #[test]
    fn foreign_questions_are_found_by_not_answering() {
        let of = |foreign, answered, confidence| (foreign, answered, confidence);
        let measured = Foreign::new(&[
            of(true, false, 0.1),
            of(true, false, 0.2),
            of(true, true, 0.8),
            of(false, false, 0.5),
            of(false, true, 0.9),
        ]);
        // Three were refused, two of them foreign; of three foreign ones two were refused.
        assert_eq!((measured.precision.hits, measured.precision.of), (2, 3));
        assert_eq!((measured.recall.hits, measured.recall.of), (2, 3));
        close(measured.f1, 2.0 / 3.0);
        // 0.5 beats two of three, 0.9 all: 5 of 6.
        close(measured.auroc.unwrap(), 5.0 / 6.0);
    }

    #[test]
    fn calibration_error_is_the_weighted_distance_of_the_bins() {
        let measured = Reliability::new([(0.95, true), (0.91, false), (0.2, false), (0.29, true), (1.0, true)]);
        // Last bin: mean 0.95333, right 2/3, distance 0.28667 × 3; third: mean 0.245, right 0.5, distance 0.255 × 2.
        close(measured.error, (0.86 + 0.51) / 5.0);
        assert_eq!(measured.bins[9].predictions, 3);
        assert_eq!(measured.bins[2].predictions, 2, "0.2 opens the third tenth");
        close(Reliability::new([(0.9, true); 10]).error, 0.1);
        close(Reliability::new([]).error, 0.0);
    }

    #[test]
    fn differing_pairs_are_tested_exactly() {
        // 2 × (1 + 5) / 32; 2 × 1 / 64; 2 × (1 + 10 + 45) / 1024.
        close(mcnemar(1, 4), 0.375);
        close(mcnemar(6, 0), 0.03125);
        close(mcnemar(2, 8), 0.109_375);
        close(mcnemar(0, 0), 1.0);
        close(mcnemar(5, 5), 1.0);
        // Large counts neither vanish nor overflow: z = 200 / sqrt(20000) = 1.41, p about 0.159.
        assert!((mcnemar(10_100, 9_900) - 0.159).abs() < 2e-3);
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50), Some(100.0));
        assert_eq!(percentile(&values, 99), Some(198.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }
}
