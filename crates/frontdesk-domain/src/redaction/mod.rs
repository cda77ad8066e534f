//! Removal of card numbers, social security numbers and security codes from what a caller says or types.
//!
//! It comes before everything that could keep the words: the decision, the store, the log and the LLM. Recognised are
//!
//! - 13 to 19 digits that begin like an issuer's and pass the check of ISO/IEC 7812 (Luhn);
//! - nine digits grouped 3-2-4, or any nine after a word such as "social";
//! - three or four digits after "CVV", "CVC", "security code", "digits on the back", "the code on the back";
//!
//! each typed, with slashes too where they are no date, or in words, with "oh", "double five", pairs ("forty one eleven") and hesitations between. What a
//! number of the turn before lacks is found across the join of the two turns: see [`Tail`].
//!
//! The number words are English, as data of the language; the rules for digits hold for every script.

mod card;
mod cuts;
mod runs;
mod tail;
mod words;

use std::borrow::Cow;

use cuts::{Cut, What, cuts_of, is_all_phones, whole_card};
use runs::{Digit, Gap, Run};
pub use tail::Tail;
use words::{Kind, Lexeme, Word};

use crate::phone::PhoneNumber;

/// What stands in the place of a card number.
pub const CARD_MARKER: &str = "[card number removed]";
/// What stands in the place of a social security number.
pub const SOCIAL_MARKER: &str = "[social security number removed]";
/// What stands in the place of a card's security code.
pub const CODE_MARKER: &str = "[security code removed]";

const MARKERS: [(&str, Kind); 3] = [
    (CARD_MARKER, Kind::CardMarker),
    (SOCIAL_MARKER, Kind::SocialMarker),
    (CODE_MARKER, Kind::CodeMarker),
];

/// How many words after "CVV" or "social" a number still belongs to it.
const REACH: usize = 14;
/// A leftover of removals is looked at again; this many times at most, and twice is normal.
const PASSES: usize = 4;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// How many card numbers, or halves of one.
    pub cards: usize,
    /// How many social security numbers.
    pub socials: usize,
    /// How many security codes.
    pub codes: usize,
}

impl Found {
    /// Whether nothing was removed.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A text without the numbers that must not be kept.
#[derive(Debug, Clone)]
pub struct Redacted<'t> {
    /// The text; borrowed when nothing was removed.
    pub text: Cow<'t, str>,
    /// What the call's next turn must be joined with.
    pub tail: Tail,
    /// What was removed.
    pub found: Found,
}

/// Removes the numbers that must not be kept from a caller's turn.
///
/// `previous` is the tail of the call's previous turn ([`Tail::default`] when there is none): a number begun there
/// and ended here is removed here. The result does not change when it is redacted again.
#[must_use]
pub fn redact<'t>(text: &'t str, previous: &Tail) -> Redacted<'t> {
    if words::is_plain(text) {
        let tail = if previous.is_empty() {
            Tail::default()
        } else {
            previous.after_turn_without_numbers(text)
        };
        return Redacted {
            text: Cow::Borrowed(text),
            tail,
            found: Found::default(),
        };
    }
    let mut found = Found::default();
    let mut current = Cow::Borrowed(text);
    let mut tail = Tail::default();
    for _ in 0..PASSES {
        let scan = Scan::of(&current, previous);
        tail = scan.tail;
        if scan.removals.is_empty() {
            break;
        }
        found.cards += scan.found.cards;
        found.socials += scan.found.socials;
        found.codes += scan.found.codes;
        current = Cow::Owned(without(&current, &scan.removals));
    }
    Redacted {
        text: current,
        tail,
        found,
    }
}

/// Removes the numbers that must not be kept from a text that stands alone: a transcription, a caller's name, keys.
#[must_use]
pub fn redact_field(text: &str) -> Cow<'_, str> {
    redact(text, &Tail::default()).text
}

/// A caller as Twilio names them. A phone number stays, also one whose digits happen to pass a card's check; what is none
/// is redacted.
#[must_use]
pub fn redact_caller(from: &str) -> Cow<'_, str> {
    match from.parse::<PhoneNumber>() {
        Ok(_) => Cow::Borrowed(from),
        Err(_) => redact_field(from),
    }
}

/// A piece of text and what replaces it.
type Removal = (usize, usize, &'static str);

fn without(text: &str, removals: &[Removal]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end, marker) in removals {
        kept.push_str(text.get(from..*start).unwrap_or_default());
        kept.push_str(marker);
        from = *end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}

/// One pass over a text.
#[derive(Debug, Default)]
struct Scan {
    removals: Vec<Removal>,
    found: Found,
    tail: Tail,
}

/// Which numbers were announced, and at which lexeme.
#[derive(Debug, Clone, Copy, Default)]
struct Announced {
    code: Option<usize>,
    social: Option<usize>,
}

impl Announced {
    fn code_reaches(self, at: usize) -> bool {
        self.code.is_some_and(|said| at <= said + REACH)
    }

    fn social_reaches(self, at: usize) -> bool {
        self.social.is_some_and(|said| at <= said + REACH)
    }
}

impl Scan {
    fn of(text: &str, previous: &Tail) -> Self {
        let lexemes = words::lexemes(text, MARKERS);
        let mut scan = Self::default();
        let mut announced = Announced {
            code: previous.asks_code().then_some(0),
            social: previous.asks_social().then_some(0),
        };
        let mut last: Option<LastRun> = None;
        let mut saw_number = false;
        let mut at = 0;
        while let Some(lexeme) = lexemes.get(at) {
            let Some(run) = Run::at(at, &lexemes, text) else {
                announced.hear(at, &lexemes);
                if matches!(lexeme.kind, Kind::CardMarker | Kind::CodeMarker | Kind::SocialMarker) {
                    saw_number = true;
                }
                at += 1;
                continue;
            };
            at = run.after;
            let joins = !saw_number && !previous.is_empty() && continues_previous(&lexemes, run.first);
            let before = if joins { previous.digits() } else { Vec::new() };
            let removed = scan.removals.len();
            let whole = if run.ends_glued { run.without_last() } else { None };
            // "6467th" ends a number that was begun before, and is a word of its own otherwise.
            if run.ends_glued && whole.is_none() && before.is_empty() {
                continue;
            }
            let mut open = scan.read(text, &run, &before, &mut announced);
            if run.ends_glued && scan.removals.len() == removed {
                let Some(whole) = whole else { continue };
                open = scan.read(text, &whole, &before, &mut announced);
            }
            // "oh" ends a number that was begun before, and is a sigh otherwise.
            if run.is_sigh && scan.removals.len() == removed {
                continue;
            }
            saw_number = true;
            announced.hear_count(&run, &lexemes);
            last = open.map(|digits| LastRun {
                digits,
                after: run.after,
            });
        }
        scan.removals.sort_unstable_by_key(|removal| removal.0);
        scan.tail = if saw_number {
            let open = last.filter(|run| run.ends_turn(&lexemes));
            let digits = open.map(|run| run.digits).unwrap_or_default();
            Tail::of(
                &digits,
                announced.code_reaches(lexemes.len()),
                announced.social_reaches(lexemes.len()),
            )
        } else {
            previous.after_turn_without_numbers(text).asking(
                announced.code_reaches(lexemes.len()),
                announced.social_reaches(lexemes.len()),
            )
        };
        scan
    }

    /// Looks for numbers in a run that follows the digits of the turn before; says what is left open at its end.
    fn read(&mut self, text: &str, run: &Run, before: &[Digit], announced: &mut Announced) -> Option<Vec<Digit>> {
        let mut readings = joined_readings(text, run, before);
        // Telephone numbers need no cleverer reading.
        if readings.first().is_some_and(|likeliest| is_all_phones(likeliest)) {
            readings.truncate(1);
        }
        // A reading that makes the whole one card is truer than a likelier one with a card somewhere in it.
        let whole = readings.iter().find(|digits| whole_card(digits)).into_iter();
        for digits in whole.chain(&readings) {
            let cuts = cuts_of(digits, run, *announced);
            if !cuts.is_empty() {
                return self.remove(digits, &cuts, announced);
            }
        }
        // A number of the turn before that this one does not continue is still this run's own affair.
        if !before.is_empty() {
            let removed = self.removals.len();
            let open = self.read(text, run, &[], announced);
            if self.removals.len() > removed {
                return open;
            }
        }
        readings.into_iter().next()
    }

    fn remove(&mut self, digits: &[Digit], cuts: &[Cut], announced: &mut Announced) -> Option<Vec<Digit>> {
        for cut in cuts {
            let sources = || {
                digits
                    .get(cut.from..cut.to)
                    .into_iter()
                    .flatten()
                    .filter_map(|digit| digit.source)
            };
            let (Some((start, _)), Some((_, end))) = (sources().next(), sources().next_back()) else {
                continue;
            };
            self.removals.push((start, end, cut.what.marker()));
            match cut.what {
                What::Card => self.found.cards += 1,
                What::Social => {
                    self.found.socials += 1;
                    announced.social = None;
                }
                What::Code => {
                    self.found.codes += 1;
                    announced.code = None;
                }
            }
        }
        let open = cuts.iter().map(|cut| cut.to).max().unwrap_or_default();
        digits
            .get(open..)
            .filter(|left| !left.is_empty())
            .map(<[Digit]>::to_vec)
    }
}

impl Announced {
    /// Hears the word at `at`.
    fn hear(&mut self, at: usize, lexemes: &[Lexeme]) {
        let word = |back: usize| match at
            .checked_sub(back)
            .and_then(|index| lexemes.get(index))
            .map(|l| l.kind)
        {
            Some(Kind::Word(word)) => word,
            _ => Word::Other,
        };
        match lexemes.get(at).map(|lexeme| lexeme.kind) {
            Some(Kind::CodeMarker) => self.code = None,
            Some(Kind::SocialMarker) => self.social = None,
            Some(Kind::Word(Word::CardCode)) => self.code = Some(at),
            Some(Kind::Word(Word::Letter(b'v' | b'c')))
                if word(1) == Word::Letter(b'v') && word(2) == Word::Letter(b'c') =>
            {
                self.code = Some(at);
            }
            Some(Kind::Word(Word::Letter(b'n'))) if word(1) == Word::Letter(b's') && word(2) == Word::Letter(b's') => {
                self.social = Some(at);
            }
            Some(Kind::Word(Word::Code)) if word(1) == Word::Security => self.code = Some(at),
            Some(Kind::Word(Word::Social)) => self.social = Some(at),
            // "the code [that is] on the back [of the card]", not "the error code on the front of the machine"
            Some(Kind::Word(Word::Side)) if names_code(at, lexemes) => self.code = Some(at),
            // "the digits [that are] on the back"
            Some(Kind::Word(Word::Side)) if (2..=5).any(|back| word(back) == Word::DigitNoun) => self.code = Some(at),
            _ => {}
        }
    }

    /// Hears "the last three on the back": a count that stands for the digits counted.
    fn hear_count(&mut self, run: &Run, lexemes: &[Lexeme]) {
        let word = |ahead: usize| lexemes.get(run.after + ahead).map(|lexeme| lexeme.kind);
        let counts = run.after == run.first + 1
            && lexemes.get(run.first).is_some_and(|lexeme| {
                matches!(lexeme.kind, Kind::Word(Word::Unit(3 | 4))) || lexeme.end - lexeme.start == 1
            });
        let on_the = word(0) == Some(Kind::Word(Word::Pause)) && word(1) == Some(Kind::Word(Word::Article));
        if counts && on_the && word(2) == Some(Kind::Word(Word::Side)) {
            self.code = Some(run.after + 2);
        }
    }
}

/// Whether the side at `at` is where the code is that was just named.
fn names_code(at: usize, lexemes: &[Lexeme]) -> bool {
    let word = |at: Option<usize>| match at.and_then(|at| lexemes.get(at)).map(|lexeme| lexeme.kind) {
        Some(Kind::Word(word)) => Some(word),
        _ => None,
    };
    let back = |steps: usize| word(at.checked_sub(steps));
    let Some(code) = (2..=5).find(|steps| back(*steps) == Some(Word::Code)) else {
        return false;
    };
    let joined = (1..code).all(|steps| matches!(back(steps), Some(Word::Pause | Word::Article)));
    let of = word(Some(at + 1)) == Some(Word::Of);
    let of_card = (2..=3).any(|steps| word(Some(at + steps)) == Some(Word::Card));
    joined && back(code + 1) == Some(Word::Article) && (!of || of_card)
}

/// The readings of a run after the digits of the turn before.
fn joined_readings(text: &str, run: &Run, before: &[Digit]) -> Vec<Vec<Digit>> {
    let join = |reading: Vec<Digit>| {
        let mut digits = before.to_vec();
        digits.extend(reading);
        // The join of two turns is an edge of a group.
        if let Some(first) = digits.get_mut(before.len()) {
            first.gap = Gap::Hard;
        }
        digits
    };
    run.readings(text).map(join).collect()
}

/// The last run of a turn.
struct LastRun {
    digits: Vec<Digit>,
    after: usize,
}

impl LastRun {
    /// Whether only hesitations follow, so that the next turn may go on with the number.
    fn ends_turn(&self, lexemes: &[Lexeme]) -> bool {
        let rest = lexemes.get(self.after..).unwrap_or_default();
        rest.iter().all(|lexeme| {
            matches!(
                lexeme.kind,
                Kind::Word(Word::Pause | Word::While | Word::Unit(1) | Word::Article)
            )
        })
    }
}

/// Whether a run that begins at lexeme `first` may go on with the previous turn's number: only a few words, and none
/// that announces another number, stand before it.
fn continues_previous(lexemes: &[Lexeme], first: usize) -> bool {
    let lead = lexemes.get(..first).unwrap_or_default();
    lead.len() <= 6
        && lead
            .iter()
            .all(|lexeme| matches!(lexeme.kind, Kind::Word(word) if word != Word::OtherNumber))
}

#[cfg(test)]
mod tests;
