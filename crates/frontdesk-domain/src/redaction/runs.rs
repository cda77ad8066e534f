//! Runs of numbers: lexemes that a listener would write down as one number, and the ways to read them as digits.

use super::words::{Kind, Lexeme, Word, digit_value};

/// How many pauses in a row a number survives.
const PAUSES: usize = 6;
/// Ambiguous units beyond this many are read in the likeliest way only.
const AMBIGUOUS: usize = 6;
/// Runs with more units are read in the likeliest way only: no number that a person reads out is that long.
const LONG_RUN: usize = 64;

/// What stands before a digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing: it belongs to the digit before.
    Inside,
    /// A blank between spoken numbers.
    Soft,
    /// The edge of a typed group, a pause or a separator.
    Hard,
}

/// A digit and the text that it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digit {
    /// 0 to 9.
    pub(super) value: u8,
    /// The text that says it; `None` when it was said in the turn before.
    pub(super) source: Option<(usize, usize)>,
    /// What stands before it.
    pub(super) gap: Gap,
    /// Whether it was typed, so that its group can be cut between two digits.
    pub(super) typed: bool,
}

/// A few digits, most significant first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Few {
    digits: [u8; 8],
    length: usize,
}

impl Few {
    fn of(mut number: u32) -> Self {
        let mut reversed = [0_u8; 8];
        let mut length = 0;
        for slot in &mut reversed {
            *slot = u8::try_from(number % 10).unwrap_or_default();
            length += 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        let mut few = Self { digits: [0; 8], length };
        for (slot, digit) in few.digits.iter_mut().zip(reversed.iter().take(length).rev()) {
            *slot = *digit;
        }
        few
    }

    fn repeated(digit: u8, times: u8) -> Self {
        Self {
            digits: [digit; 8],
            length: usize::from(times).min(8),
        }
    }

    fn then(self, other: Self) -> Self {
        let mut joined = self;
        for digit in other.iter() {
            if let Some(slot) = joined.digits.get_mut(joined.length) {
                *slot = digit;
                joined.length += 1;
            }
        }
        joined
    }

    fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.iter().copied().take(self.length)
    }
}

/// One number as it was said or typed.
#[derive(Debug, Clone, Copy)]
struct Unit {
    start: usize,
    end: usize,
    /// Whether something else than a blank stands before it.
    apart: bool,
    body: Body,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    Typed,
    /// The ways to read it, likeliest first.
    Spoken([Option<Few>; 3]),
}

/// Units that belong together.
#[derive(Debug)]
pub(super) struct Run {
    units: Vec<Unit>,
    /// Index of the first lexeme.
    pub(super) first: usize,
    /// Index after the last lexeme.
    pub(super) after: usize,
    /// Whether the number is an amount of something: "150 dollars".
    pub(super) is_amount: bool,
    /// Whether it is nothing but "oh", which is no number of its own.
    pub(super) is_sigh: bool,
    /// Whether letters are stuck to its last group, which may be an ordinal and no part of the number.
    pub(super) ends_glued: bool,
}

impl Run {
    /// The run that begins at lexeme `first`, if a number stands there.
    pub(super) fn at(first: usize, lexemes: &[Lexeme], text: &str) -> Option<Self> {
        let (unit, mut after) = unit_at(first, lexemes, text)?;
        let mut units = vec![unit];
        let is_glued = |after: usize| {
            let last = after.checked_sub(1).and_then(|last| lexemes.get(last));
            last.is_some_and(|last| last.kind == Kind::Glued)
        };
        while !is_glued(after) {
            let mut next = after;
            let mut end = units.last().map_or(0, |unit| unit.end);
            let mut separators_only = true;
            while let Some(lexeme) = lexemes.get(next) {
                separators_only &= may_separate(next, end, lexemes, text);
                if lexeme.kind != Kind::Word(Word::Pause) || next - after >= PAUSES {
                    break;
                }
                end = lexeme.end;
                next += 1;
            }
            let Some((mut unit, behind)) = unit_at(next, lexemes, text).filter(|_| separators_only) else {
                break;
            };
            let between = text.get(end..unit.start).unwrap_or_default();
            unit.apart = next > after || !between.chars().all(char::is_whitespace);
            units.push(unit);
            after = behind;
        }
        settle_sighs(&mut units);
        let is_amount = lexemes
            .get(after)
            .is_some_and(|next| next.kind == Kind::Word(Word::Amount));
        let is_sigh = units
            .iter()
            .all(|unit| matches!(&unit.body, Body::Spoken([_, Some(few), _]) if few.length == 0));
        Some(Self {
            units,
            first,
            after,
            is_amount,
            is_sigh,
            ends_glued: is_glued(after),
        })
    }

    /// The run without its last group, if there is more than that.
    pub(super) fn without_last(&self) -> Option<Self> {
        let (_, units) = self.units.split_last().filter(|(_, units)| !units.is_empty())?;
        Some(Self {
            units: units.to_vec(),
            ends_glued: false,
            ..*self
        })
    }

    /// Every way to read the run, likeliest first.
    pub(super) fn readings<'r>(&'r self, text: &'r str) -> impl Iterator<Item = Vec<Digit>> + 'r {
        let ways: Vec<u32> = self.units.iter().map(Unit::ways).collect();
        let combinations = if self.units.len() > LONG_RUN {
            1
        } else {
            ways.iter().filter(|ways| **ways > 1).take(AMBIGUOUS).product::<u32>()
        };
        (0..combinations).map(move |combination| {
            let mut left = combination;
            let mut ambiguous = 0;
            let mut digits: Vec<Digit> = Vec::with_capacity(self.units.len() * 2);
            for (unit, ways) in self.units.iter().zip(&ways) {
                let mut way = 0;
                if *ways > 1 && ambiguous < AMBIGUOUS {
                    way = left % ways;
                    left /= ways;
                    ambiguous += 1;
                }
                unit.push(way as usize, text, &mut digits);
            }
            digits
        })
    }
}

impl Unit {
    /// In how many ways it can be read.
    fn ways(&self) -> u32 {
        match &self.body {
            Body::Typed => 1,
            Body::Spoken(ways) => ways.iter().flatten().map(|_| 1).sum(),
        }
    }

    fn push(&self, way: usize, text: &str, digits: &mut Vec<Digit>) {
        match &self.body {
            Body::Typed => {
                let group = text.get(self.start..self.end).unwrap_or_default();
                let size = group.chars().filter(|c| digit_value(*c).is_some()).count();
                // Single digits typed apart are like spoken ones: a blank between them groups nothing.
                let after_group = digits.last().is_some_and(|last| last.typed && last.gap == Gap::Inside);
                let hard = self.apart || size > 1 || after_group;
                let mut gap = if hard { Gap::Hard } else { Gap::Soft };
                for (at, c) in group.char_indices() {
                    let Some(value) = digit_value(c) else { continue };
                    let from = self.start + at;
                    digits.push(Digit {
                        value,
                        source: Some((from, from + c.len_utf8())),
                        gap,
                        typed: true,
                    });
                    gap = Gap::Inside;
                }
            }
            Body::Spoken(ways) => {
                let Some(few) = ways.get(way).copied().flatten() else {
                    return;
                };
                let after_group = digits.last().is_some_and(|last| last.typed && last.gap == Gap::Inside);
                let mut gap = if self.apart || after_group {
                    Gap::Hard
                } else {
                    Gap::Soft
                };
                for value in few.iter() {
                    digits.push(Digit {
                        value,
                        source: Some((self.start, self.end)),
                        gap,
                        typed: false,
                    });
                    gap = Gap::Inside;
                }
            }
        }
    }
}

/// Inside a number without pauses "oh" is a zero; only at its edges and beside a pause may it be a sigh.
fn settle_sighs(units: &mut [Unit]) {
    let mut next_apart = true;
    let count = units.len();
    for (back, unit) in units.iter_mut().rev().enumerate() {
        let is_first = back + 1 == count;
        if let Body::Spoken([_, sigh @ Some(_), _]) = &mut unit.body
            && sigh.is_some_and(|few| few.length == 0)
            && !(is_first || unit.apart || next_apart)
        {
            *sigh = None;
        }
        next_apart = unit.apart;
    }
}

/// Whether what stands between the byte `end` and lexeme `next` can stand inside a number.
fn may_separate(next: usize, end: usize, lexemes: &[Lexeme], text: &str) -> bool {
    let start = lexemes.get(next).map_or(end, |lexeme| lexeme.start);
    let between = text.get(end..start).unwrap_or_default();
    if between.trim() == "/" {
        return !is_date(next, lexemes, text);
    }
    is_separator(between)
}

/// Whether the groups with slashes between them around lexeme `at` are a date, a fraction or a size: "12/27", "2026/11/25".
fn is_date(at: usize, lexemes: &[Lexeme], text: &str) -> bool {
    /// More groups are no date.
    const MOST: usize = 3;
    let digits = |at: usize| {
        let lexeme = lexemes.get(at)?;
        let group = text.get(lexeme.start..lexeme.end)?;
        matches!(lexeme.kind, Kind::Digits | Kind::Glued).then(|| group.chars().filter_map(digit_value).count())
    };
    let has_slash = |before: usize| {
        let ends = lexemes.get(before).zip(lexemes.get(before + 1));
        let between = ends.and_then(|(left, right)| text.get(left.end..right.start));
        between.is_some_and(|between| between.trim() == "/") && digits(before).is_some() && digits(before + 1).is_some()
    };
    let mut first = at;
    while first > 0 && at - first < MOST && has_slash(first - 1) {
        first -= 1;
    }
    let mut last = at;
    while last - at < MOST && has_slash(last) {
        last += 1;
    }
    let mut groups = (first..=last).filter_map(digits);
    last - first < MOST && digits(first) != Some(3) && groups.any(|group| group <= 2)
}

/// Whether these characters can stand inside a number that is read out or typed.
fn is_separator(between: &str) -> bool {
    between.chars().all(|c| {
        c.is_whitespace()
            || matches!(c, '.' | '-' | ',' | '_' | '*' | '#' | '?' | '!' | ';' | '…' | '"' | '\'' | '(' | ')')
            || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
    })
}

/// The number at lexeme `at` and the index of the lexeme after it.
fn unit_at(at: usize, lexemes: &[Lexeme], text: &str) -> Option<(Unit, usize)> {
    let first = lexemes.get(at)?;
    let (ways, after) = match first.kind {
        Kind::Digits | Kind::Glued => return typed(at, first, lexemes, text),
        Kind::Word(Word::Times(times)) => {
            let digit = match adjacent(at + 1, lexemes, text)? {
                Kind::Word(Word::Unit(digit)) => digit,
                Kind::Word(Word::Oh) => 0,
                Kind::Digits => {
                    let next = lexemes.get(at + 1)?;
                    let mut characters = text.get(next.start..next.end)?.chars();
                    let digit = digit_value(characters.next()?)?;
                    characters.next().is_none().then_some(digit)?
                }
                _ => return None,
            };
            ([Some(Few::repeated(digit, times)), None, None], at + 2)
        }
        // A sigh before a number and a zero inside one sound alike.
        Kind::Word(Word::Oh) => ([Some(Few::of(0)), Some(Few::default()), None], at + 1),
        Kind::Word(Word::Unit(_) | Word::Teen(_) | Word::Tens(_)) => spoken(at, lexemes, text)?,
        _ => return None,
    };
    let end = lexemes.get(after - 1)?.end;
    Some((
        Unit {
            start: first.start,
            end,
            apart: false,
            body: Body::Spoken(ways),
        },
        after,
    ))
}

/// A typed group, with a "hundred" that may follow it.
fn typed(at: usize, first: &Lexeme, lexemes: &[Lexeme], text: &str) -> Option<(Unit, usize)> {
    let group = text.get(first.start..first.end)?;
    let is_short = group.len() <= 2;
    if is_short && adjacent(at + 1, lexemes, text) == Some(Kind::Word(Word::Hundred)) {
        let number: u32 = group.parse().ok()?;
        let end = lexemes.get(at + 1)?.end;
        let ways = [Some(Few::of(number * 100)), None, None];
        return Some((
            Unit {
                start: first.start,
                end,
                apart: false,
                body: Body::Spoken(ways),
            },
            at + 2,
        ));
    }
    Some((
        Unit {
            start: first.start,
            end: first.end,
            apart: false,
            body: Body::Typed,
        },
        at + 1,
    ))
}

/// The kind of the lexeme at `at`, if only a blank or a hyphen stands before it.
fn adjacent(at: usize, lexemes: &[Lexeme], text: &str) -> Option<Kind> {
    let before = lexemes.get(at.checked_sub(1)?)?;
    let here = lexemes.get(at)?;
    let between = text.get(before.end..here.start)?;
    between
        .chars()
        .all(|c| c == '-' || c.is_whitespace())
        .then_some(here.kind)
}

/// The ways to read a number and the index of the lexeme after it.
type Reading = ([Option<Few>; 3], usize);

/// A number in words, up to thousands.
fn spoken(at: usize, lexemes: &[Lexeme], text: &str) -> Option<Reading> {
    let (below, split, mut after) = below_hundred(at, lexemes, text)?;
    // "one second", "one more": no digit.
    if adjacent(after, lexemes, text) == Some(Kind::Word(Word::While)) {
        return None;
    }
    let mut scale = None;
    for (word, factor) in [(Word::Thousand, 1000), (Word::Hundred, 100)] {
        if adjacent(after, lexemes, text) == Some(Kind::Word(word)) {
            scale = Some(factor);
        }
    }
    let Some(scale) = scale else {
        return Some(([Some(Few::of(below)), split, None], after));
    };
    after += 1;
    let round = Few::of(below * scale);
    // "three hundred [and] twenty one" is 321 as a number and 300 21 as pieces of one.
    let skip = usize::from(
        adjacent(after, lexemes, text) == Some(Kind::Word(Word::Pause))
            && lexemes
                .get(after)
                .and_then(|and| text.get(and.start..and.end))
                .is_some_and(|and| and.eq_ignore_ascii_case("and")),
    );
    let Some((rest, _, behind)) =
        adjacent(after + skip, lexemes, text).and_then(|_| below_hundred(after + skip, lexemes, text))
    else {
        return Some(([Some(round), None, None], after));
    };
    let ways = [
        Some(round.then(Few::of(rest))),
        Some(Few::of(below * scale + rest)),
        None,
    ];
    Some((ways, behind))
}

/// A number below a hundred, its reading as two numbers, and the index of the lexeme after it.
fn below_hundred(at: usize, lexemes: &[Lexeme], text: &str) -> Option<(u32, Option<Few>, usize)> {
    match lexemes.get(at)?.kind {
        Kind::Word(Word::Unit(digit)) => Some((u32::from(digit), None, at + 1)),
        Kind::Word(Word::Teen(teen)) => Some((u32::from(teen), None, at + 1)),
        Kind::Word(Word::Tens(tens)) => match adjacent(at + 1, lexemes, text) {
            Some(Kind::Word(Word::Unit(digit @ 1..=9))) => {
                let tens = u32::from(tens);
                let digit = u32::from(digit);
                Some((tens + digit, Some(Few::of(tens).then(Few::of(digit))), at + 2))
            }
            _ => Some((u32::from(tens), None, at + 1)),
        },
        _ => None,
    }
}
