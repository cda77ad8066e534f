//! What makes digits a card number: length, issuer's prefix and check digit.

/// The fewest digits of a card number (ISO/IEC 7812 allows fewer; no issuer in use has them).
pub(super) const SHORTEST: usize = 13;
/// The most digits of a card number.
pub(super) const LONGEST: usize = 19;

/// The lengths that the issuer of these leading digits uses, commonest first; `None` when nobody issues them.
pub(super) fn issuer_lengths(digits: impl Iterator<Item = u8>) -> Option<&'static [usize]> {
    let mut four = [0_u16; 4];
    let mut seen = 0;
    for (slot, digit) in four.iter_mut().zip(digits) {
        *slot = u16::from(digit);
        seen += 1;
    }
    if seen < four.len() {
        return None;
    }
    let [a, b, c, d] = four;
    let (two, three, prefix) = (a * 10 + b, a * 100 + b * 10 + c, a * 1000 + b * 100 + c * 10 + d);
    match (a, two, three, prefix) {
        // Visa
        (4, ..) => Some(&[16, 13, 19]),
        // Mastercard, and Mir beside its 2-series
        (_, 51..=55, ..) | (.., 2221..=2720 | 2200..=2204) => Some(&[16]),
        // American Express
        (_, 34 | 37, ..) => Some(&[15]),
        // Diners Club
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305 | 309, _) => Some(&[14, 16, 15, 17, 18, 19]),
        // JCB
        (.., 3528..=3589) => Some(&[16, 17, 18, 19]),
        // Discover, UnionPay, RuPay and Maestro share the sixes; Maestro has some fives as well
        (6, ..) | (_, 50 | 56..=58, ..) => Some(&[16, 19, 18, 17, 15, 14, 13]),
        _ => None,
    }
}

/// The check of ISO/IEC 7812-1, annex B.
pub(super) fn passes_luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let weighted = u32::from(digit) * if at % 2 == 1 { 2 } else { 1 };
            if weighted > 9 { weighted - 9 } else { weighted }
        })
        .sum();
    sum.is_multiple_of(10)
}
