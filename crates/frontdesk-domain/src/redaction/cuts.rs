//! Which digits of a run are a number that must not be kept.

use super::runs::{Digit, Gap, Run};
use super::{Announced, CARD_MARKER, CODE_MARKER, SOCIAL_MARKER, card};

/// A number to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Card,
    Social,
    Code,
}

impl What {
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Card => CARD_MARKER,
            Self::Social => SOCIAL_MARKER,
            Self::Code => CODE_MARKER,
        }
    }
}

/// Digits to remove, from and up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) what: What,
}

/// The numbers to remove from one reading of a run.
pub(super) fn cuts_of(digits: &[Digit], run: &Run, announced: Announced) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let mut from = 0;
    while let Some((start, end)) = card_in(digits, from) {
        cuts.push(Cut {
            from: start,
            to: end,
            what: What::Card,
        });
        from = end;
    }
    let mut pieces = Vec::with_capacity(cuts.len() + 1);
    let mut open = 0;
    for cut in &cuts {
        pieces.push((open, cut.from));
        open = cut.to;
    }
    pieces.push((open, digits.len()));
    let mut asks = announced;
    for (start, end) in pieces {
        let piece = digits.get(start..end).unwrap_or_default();
        let cut = social_in(piece, asks.social_reaches(run.first))
            .map(|(from, to)| Cut {
                from,
                to,
                what: What::Social,
            })
            .or_else(|| {
                let reaches = asks.code_reaches(run.first) && !run.is_amount;
                reaches.then(|| code_in(piece)).flatten().map(|to| Cut {
                    from: 0,
                    to,
                    what: What::Code,
                })
            });
        if let Some(Cut { from, to, what }) = cut {
            match what {
                What::Social => asks.social = None,
                _ => asks.code = None,
            }
            cuts.push(Cut {
                from: start + from,
                to: start + to,
                what,
            });
        }
    }
    // What lies wholly in the turn before is stored already.
    cuts.retain(|cut| {
        digits
            .get(cut.from..cut.to)
            .is_some_and(|cut| cut.iter().any(|digit| digit.source.is_some()))
    });
    cuts
}

/// Whether a group may begin (or the digits end) at `at`.
fn is_edge(digits: &[Digit], at: usize) -> bool {
    at == 0 || digits.get(at).is_none_or(|digit| digit.gap != Gap::Inside)
}

fn is_hard_edge(digits: &[Digit], at: usize) -> bool {
    at == 0 || digits.get(at).is_none_or(|digit| digit.gap == Gap::Hard)
}

/// The first card number at or after `from`.
fn card_in(digits: &[Digit], from: usize) -> Option<(usize, usize)> {
    let whole = digits.get(from..)?;
    if whole.len() < card::SHORTEST {
        return None;
    }
    if whole_card(whole) {
        return Some((from, digits.len()));
    }
    if is_all_phones(whole) {
        return None;
    }
    for start in from..digits.len() {
        let rest = digits.get(start..)?;
        if rest.len() < card::SHORTEST {
            return None;
        }
        // A blank between spoken digits may hide where the number begins.
        if !is_edge(digits, start) || begins_with_phone(rest) {
            continue;
        }
        let Some(lengths) = card::issuer_lengths(rest.iter().map(|digit| digit.value)) else {
            continue;
        };
        for length in lengths {
            let end = start + length;
            let Some(window) = digits.get(start..end) else { continue };
            if may_end(digits, start, end) && is_card(window) {
                return Some((start, end));
            }
        }
    }
    None
}

/// Whether the digits are one card number.
pub(super) fn whole_card(digits: &[Digit]) -> bool {
    (card::SHORTEST..=card::LONGEST).contains(&digits.len()) && is_card(digits) && !is_phone_and_more(digits)
}

/// Whether a card that begins at `start` may end at `end`: at an edge, or inside a typed group that it begins with,
/// when what follows could be a date and a code.
fn may_end(digits: &[Digit], start: usize, end: usize) -> bool {
    if is_edge(digits, end) {
        return true;
    }
    let typed_as_one = digits
        .get(start + 1..end)
        .is_some_and(|inner| inner.iter().all(|digit| digit.typed && digit.gap == Gap::Inside));
    typed_as_one && digits.len() - end <= 8
}

fn is_card(digits: &[Digit]) -> bool {
    let values = || digits.iter().map(|digit| digit.value);
    card::issuer_lengths(values()).is_some() && card::passes_luhn(values())
}

/// Whether ten digits could be a telephone number of the North American plan.
fn is_phone(digits: &[Digit]) -> bool {
    let value = |at: usize| digits.get(at).map(|digit| digit.value);
    digits.len() == 10 && value(0) >= Some(2) && value(3) >= Some(2)
}

/// Whether the digits begin with a telephone number grouped 3-3-4.
fn begins_with_phone(digits: &[Digit]) -> bool {
    let hard = |at: usize| digits.get(at).is_none_or(|digit| digit.gap == Gap::Hard);
    digits.get(..10).is_some_and(is_phone)
        && digits
            .iter()
            .take(10)
            .enumerate()
            .all(|(at, digit)| (digit.gap == Gap::Hard) == matches!(at, 3 | 6) || at == 0)
        && hard(10)
}

/// Whether a telephone number and something else make up the digits, in a length that this issuer does not use.
fn is_phone_and_more(digits: &[Digit]) -> bool {
    begins_with_phone(digits)
        && !card::issuer_lengths(digits.iter().map(|digit| digit.value)).is_some_and(|all| all.contains(&digits.len()))
}

/// Whether the digits are nothing but telephone numbers in a row.
pub(super) fn is_all_phones(digits: &[Digit]) -> bool {
    let mut rest = digits;
    while !rest.is_empty() {
        let skip = usize::from(!rest.len().is_multiple_of(10) && rest.first().is_some_and(|digit| digit.value == 1));
        match (rest.get(skip..skip + 10), rest.get(skip + 10..)) {
            (Some(phone), Some(left))
                if is_phone(phone) && (left.is_empty() || left.first().is_some_and(|d| d.gap != Gap::Inside)) =>
            {
                rest = left;
            }
            _ => return false,
        }
    }
    true
}

/// A social security number in digits that belong together.
fn social_in(digits: &[Digit], announced: bool) -> Option<(usize, usize)> {
    if digits.len() == 9 && (announced || is_grouped_3_2_4(digits)) {
        return Some((0, 9));
    }
    // Inside a longer run the groups must be set off.
    (0..digits.len().saturating_sub(8)).find_map(|start| {
        let window = digits.get(start..start + 9)?;
        let set_off = is_hard_edge(digits, start) && is_hard_edge(digits, start + 9);
        let phone = digits.len() == 10 || digits.len() == 11;
        (set_off && !phone && (announced || is_grouped_3_2_4(window))).then_some((start, start + 9))
    })
}

/// Whether nine digits are grouped 3-2-4.
fn is_grouped_3_2_4(digits: &[Digit]) -> bool {
    digits
        .iter()
        .enumerate()
        .skip(1)
        .all(|(at, digit)| (digit.gap == Gap::Hard) == matches!(at, 3 | 5))
}

/// Where a security code at the beginning of the digits ends.
fn code_in(digits: &[Digit]) -> Option<usize> {
    if (3..=4).contains(&digits.len()) {
        return Some(digits.len());
    }
    // More than a code: its group is the first one, unless the whole is a telephone number.
    let phone = matches!(digits.len(), 7 | 10 | 11);
    let end = digits.iter().skip(1).position(|digit| digit.gap == Gap::Hard)? + 1;
    ((3..=4).contains(&end) && !phone).then_some(end)
}
