//! The few loops over many numbers: written so that the compiler makes vector instructions of them, in a fixed order so
//! that equal input gives equal bits.

/// Numbers worked on at once.
pub(super) const LANES: usize = 8;

/// The inner product; of the shorter length if they differ.
pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
    const AT_ONCE: usize = 2 * LANES;
    let mut sums = [0.0_f32; AT_ONCE];
    let (lefts, rights) = (left.chunks_exact(AT_ONCE), right.chunks_exact(AT_ONCE));
    let whole = left.len().min(right.len()) / AT_ONCE * AT_ONCE;
    for (one, other) in lefts.zip(rights) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    let rest = left.iter().skip(whole).zip(right.iter().skip(whole));
    sums.iter().sum::<f32>() + rest.map(|(one, other)| one * other).sum::<f32>()
}

/// The inner product of long vectors, summed in double precision.
pub(super) fn long_dot(left: &[f32], right: &[f32]) -> f64 {
    left.chunks(1024)
        .zip(right.chunks(1024))
        .map(|(one, other)| f64::from(dot(one, other)))
        .sum()
}

/// Adds `factor` times `from` to `to`.
pub(super) fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) {
    for (cell, value) in to.iter_mut().zip(from) {
        *cell += factor * value;
    }
}

/// `left` (rows × `inner`) times `right` (`inner` × `width`), row by row, into `out` (rows × `width`). `width` is a
/// multiple of [`LANES`].
pub(super) fn multiply(left: &[f32], inner: usize, right: &[f32], width: usize, out: &mut [f32]) {
    out.fill(0.0);
    if inner == 0 || width == 0 {
        return;
    }
    let mut panel: Vec<[f32; LANES]> = Vec::with_capacity(inner);
    for column in (0..width).step_by(LANES) {
        panel.clear();
        panel.extend(right.chunks_exact(width).map(|row| lanes(row, column)));
        for (rows, outs) in left.chunks(4 * inner).zip(out.chunks_mut(4 * width)) {
            let mut each = rows.chunks_exact(inner);
            if let (Some(first), Some(second), Some(third), Some(fourth)) =
                (each.next(), each.next(), each.next(), each.next())
            {
                let sums = four_rows([first, second, third, fourth], &panel);
                for (sum, out) in sums.iter().zip(outs.chunks_exact_mut(width)) {
                    put(out, column, sum);
                }
            } else {
                for (row, out) in rows.chunks_exact(inner).zip(outs.chunks_exact_mut(width)) {
                    let mut sum = [0.0; LANES];
                    for (value, cells) in row.iter().zip(&panel) {
                        add_scaled(&mut sum, *value, cells);
                    }
                    put(out, column, &sum);
                }
            }
        }
    }
}

fn four_rows([first, second, third, fourth]: [&[f32]; 4], panel: &[[f32; LANES]]) -> [[f32; LANES]; 4] {
    let mut one = [0.0_f32; LANES];
    let mut two = [0.0_f32; LANES];
    let mut three = [0.0_f32; LANES];
    let mut four = [0.0_f32; LANES];
    let rows = first.iter().zip(second).zip(third).zip(fourth);
    for ((((a, b), c), d), cells) in rows.zip(panel) {
        for (sum, cell) in one.iter_mut().zip(cells) {
            *sum += a * cell;
        }
        for (sum, cell) in two.iter_mut().zip(cells) {
            *sum += b * cell;
        }
        for (sum, cell) in three.iter_mut().zip(cells) {
            *sum += c * cell;
        }
        for (sum, cell) in four.iter_mut().zip(cells) {
            *sum += d * cell;
        }
    }
    [one, two, three, four]
}

fn lanes(row: &[f32], column: usize) -> [f32; LANES] {
    row.get(column..column + LANES)
        .and_then(|cells| cells.try_into().ok())
        .unwrap_or_default()
}

fn put(out: &mut [f32], column: usize, sum: &[f32; LANES]) {
    if let Some(cells) = out.get_mut(column..column + LANES) {
        cells.copy_from_slice(sum);
    }
}

/// Rows become columns.
pub(super) fn transposed(rows: &[f32], width: usize) -> Vec<f32> {
    let count = rows.len().checked_div(width).unwrap_or_default();
    let mut columns = Vec::with_capacity(rows.len());
    for column in 0..width {
        columns.extend(rows.iter().skip(column).step_by(width).take(count));
    }
    columns
}

/// e to the power of a number that is not positive. A polynomial of degree 5 after reduction by powers of 2 (Cephes
/// `expf`, Moshier 1989): relative error below 3e-7, the same bits on every machine, and vector instructions.
pub(super) fn exp(value: f32) -> f32 {
    // Adding and taking away 1.5 × 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let value = value.max(-87.0);
    let shifted = value * std::f32::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = value - power * 0.693_359_4 + power * 2.121_944_4e-4;
    let polynomial = ((((1.987_569_1e-4 * rest + 1.398_199_9e-3) * rest + 8.333_452e-3) * rest + 4.166_579_6e-2)
        * rest
        + 1.666_666_5e-1)
        * rest
        + 0.5;
    let fraction = polynomial * rest * rest + rest + 1.0;
    // The whole number is in the low bits of `shifted`.
    let exponent = shifted.to_bits().wrapping_add(127) << 23;
    fraction * f32::from_bits(exponent)
}

/// The upper half of a number: 8 bits of precision, which is more than a weight has.
pub(super) fn halved(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    u16::try_from(rounded >> 16).unwrap_or_default()
}

/// The number of an upper half.
pub(super) fn whole(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// The inner product with numbers kept as upper halves.
pub(super) fn dot_halves(left: &[f32], right: &[u16]) -> f32 {
    const AT_ONCE: usize = 2 * LANES;
    let mut sums = [0.0_f32; AT_ONCE];
    for (one, other) in left.chunks(AT_ONCE).zip(right.chunks(AT_ONCE)) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * whole(*other);
        }
    }
    sums.iter().sum()
}

/// A direction in bytes: the numbers, and what one step is worth.
pub(super) fn quantised(numbers: &[f32], out: &mut Vec<i8>) -> f32 {
    let largest = numbers.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let step = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "it is rounded, and at most 127")]
    out.extend(numbers.iter().map(|value| (value / step).round() as i8));
    step
}

/// The inner product with numbers in bytes, in steps.
pub(super) fn dot_bytes(left: &[f32], right: &[i8]) -> f32 {
    const AT_ONCE: usize = 2 * LANES;
    let mut sums = [0.0_f32; AT_ONCE];
    for (one, other) in left.chunks(AT_ONCE).zip(right.chunks(AT_ONCE)) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * f32::from(*other);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_product_of_matrices_is_what_the_plain_sum_says() {
        for (rows, inner, width) in [(1, 1, 8), (4, 7, 16), (9, 33, 8), (5, 0, 8)] {
            let (left, right) = (numbers(rows * inner, 1), numbers(inner * width, 2));
            let mut out = vec![f32::NAN; rows * width];
            multiply(&left, inner, &right, width, &mut out);
            for row in 0..rows {
                for column in 0..width {
                    let plain: f32 = (0..inner)
                        .map(|at| left[row * inner + at] * right[at * width + column])
                        .sum();
                    assert!((out[row * width + column] - plain).abs() < 1e-4);
                }
            }
        }
        assert_eq!(
            transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }

    #[test]
    fn dots_agree_with_the_plain_sum() {
        let (left, right) = (numbers(385, 3), numbers(385, 4));
        let plain: f64 = left.iter().zip(&right).map(|(a, b)| f64::from(a * b)).sum();
        assert!((f64::from(dot(&left, &right)) - plain).abs() < 1e-4);
        assert!((long_dot(&left, &right) - plain).abs() < 1e-4);
        let halves: Vec<u16> = right.iter().map(|value| halved(*value)).collect();
        assert!((f64::from(dot_halves(&left, &halves)) - plain).abs() < 2e-2);
        let mut bytes = Vec::new();
        let step = quantised(&right, &mut bytes);
        assert!((f64::from(step * dot_bytes(&left, &bytes)) - plain).abs() < 2e-2);
    }

    #[test]
    fn the_exponential_is_exact_enough() {
        for step in 0..8_700_u16 {
            let value = -f32::from(step) / 100.0;
            let exact = f64::from(value).exp();
            assert!((f64::from(exp(value)) / exact - 1.0).abs() < 1e-6, "{value}");
        }
        assert!(exp(-1e9) < 1e-37);
    }

    #[test]
    fn halves_round_to_the_nearest() {
        for value in [0.0_f32, 1.0, -2.5, 3.0e-5, 1234.5] {
            assert!((whole(halved(value)) - value).abs() <= value.abs() / 256.0);
        }
    }
}
