//! Words without which a pattern cannot match.
//!
//! A pattern is read as a conjunction of clauses; a clause is a set of literals of which every match holds at least one.
//! Literals hold no blank: blanking words out of a text can join blanks, but it never makes a word.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most clauses kept of a pattern; the most telling ones are.
const CLAUSES: usize = 4;
/// A clause with more literals tells too little for what it costs.
const LITERALS: usize = 160;

/// What is known of one end of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Anything may stand beside it.
    Inside,
    /// It is an end of the expression: what stands beside that counts.
    Outer,
    /// A word begins or ends there.
    Word,
}

impl Edge {
    /// The same in an expression around: `word` when a word ends beside it, `outer` when nothing stands beside it.
    fn within(self, word: bool, outer: bool) -> Self {
        match self {
            Self::Outer if word => Self::Word,
            Self::Outer if !outer => Self::Inside,
            known => known,
        }
    }

    /// Whether a word begins or ends there.
    pub(super) fn is_word(self) -> bool {
        self == Self::Word
    }
}

/// A piece of a word that a match must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) bytes: Vec<u8>,
    pub(super) left: Edge,
    pub(super) right: Edge,
}

/// Literals of which a match holds at least one.
pub(super) type Clause = Vec<Literal>;

/// The clauses of a pattern, most telling first; none when it can match without any fixed word.
pub(super) fn clauses(pattern: &Hir) -> Vec<Clause> {
    let mut all = of(pattern);
    all.retain(|clause| clause.len() <= LITERALS);
    all.sort_by_key(|clause| std::cmp::Reverse(telling(clause)));
    // A clause that common words meet tells something only where there is nothing better.
    let useful = all
        .iter()
        .take_while(|clause| clause.iter().all(|literal| weight(literal) > 2))
        .count();
    all.truncate(useful.clamp(1, CLAUSES));
    all
}

/// How much a clause tells: as much as its least telling literal; among equals, the clause with fewer tells more.
fn telling(clause: &Clause) -> (usize, std::cmp::Reverse<usize>) {
    (
        clause.iter().map(weight).min().unwrap_or_default(),
        std::cmp::Reverse(clause.len()),
    )
}

/// How much a literal tells.
fn weight(literal: &Literal) -> usize {
    if COMMON.contains(&literal.bytes.as_slice()) {
        return 0;
    }
    // Few callers say a number, and those that do say few.
    if literal.bytes.iter().all(u8::is_ascii_digit) {
        return literal.bytes.len() + 2;
    }
    literal.bytes.len() + usize::from(literal.left.is_word()) + usize::from(literal.right.is_word())
}

/// Words of nearly every utterance. They decide nothing but which clause is looked for.
const COMMON: [&[u8]; 68] = [
    b"a", b"an", b"the", b"i", b"i'm", b"he", b"she", b"we", b"they", b"it", b"you", b"me", b"us", b"my", b"our",
    b"his", b"her", b"him", b"them", b"is", b"are", b"was", b"were", b"be", b"been", b"am", b"has", b"have", b"had",
    b"do", b"does", b"did", b"in", b"on", b"at", b"to", b"of", b"for", b"from", b"with", b"and", b"or", b"but", b"not",
    b"no", b"so", b"too", b"can", b"just", b"get", b"got", b"this", b"that", b"there", b"up", b"out", b"off", b"by",
    b"as", b"if", b"all", b"one", b"some", b"what", b"when", b"how", b"will", b"would",
];

fn of(hir: &Hir) -> Vec<Clause> {
    match hir.kind() {
        HirKind::Literal(literal) => words_of(&literal.0),
        HirKind::Class(class) => class_of(class).into_iter().collect(),
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub),
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => Vec::new(),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Concat(parts) => of_concat(parts),
        HirKind::Alternation(branches) => of_alternation(branches).into_iter().collect(),
    }
}

/// The words of a literal, each a clause of its own.
fn words_of(literal: &[u8]) -> Vec<Clause> {
    let mut at = 0;
    let mut clauses = Vec::new();
    for word in literal.split(|byte| *byte == b' ') {
        let (from, to) = (at, at + word.len());
        at = to + 1;
        if word.is_empty() {
            continue;
        }
        let left = if from == 0 { Edge::Outer } else { Edge::Word };
        let right = if to == literal.len() { Edge::Outer } else { Edge::Word };
        clauses.push(vec![Literal {
            bytes: word.to_vec(),
            left,
            right,
        }]);
    }
    clauses
}

/// The members of a small class.
fn class_of(class: &Class) -> Option<Clause> {
    let letters: Vec<u8> = match class {
        Class::Bytes(bytes) => bytes
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .take(11)
            .collect(),
        Class::Unicode(letters) => letters
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .take(11)
            .map(|letter| u8::try_from(letter).ok().filter(u8::is_ascii))
            .collect::<Option<_>>()?,
    };
    let usable = letters.len() <= 10 && letters.iter().all(u8::is_ascii_alphanumeric);
    let one = |byte| Literal {
        bytes: vec![byte],
        left: Edge::Outer,
        right: Edge::Outer,
    };
    usable.then(|| letters.into_iter().map(one).collect())
}

fn of_concat(parts: &[Hir]) -> Vec<Clause> {
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let (before, after) = (
            parts.get(..at).unwrap_or_default(),
            parts.get(at + 1..).unwrap_or_default(),
        );
        let left = before.iter().rev().map_while(zero_width).any(is_boundary);
        let right = after.iter().map_while(zero_width).any(is_boundary);
        let first = before.iter().all(|part| zero_width(part).is_some());
        let last = after.iter().all(|part| zero_width(part).is_some());
        for mut clause in of(part) {
            for literal in &mut clause {
                literal.left = literal.left.within(left || ends_in_blank(before), first);
                literal.right = literal.right.within(right || starts_in_blank(after), last);
            }
            all.push(clause);
        }
    }
    all
}

/// Whether the part right before ends in a blank that is always there.
fn ends_in_blank(before: &[Hir]) -> bool {
    before
        .last()
        .is_some_and(|part| matches!(part.kind(), HirKind::Literal(literal) if literal.0.ends_with(b" ")))
}

fn starts_in_blank(after: &[Hir]) -> bool {
    after
        .first()
        .is_some_and(|part| matches!(part.kind(), HirKind::Literal(literal) if literal.0.starts_with(b" ")))
}

fn zero_width(part: &Hir) -> Option<&HirKind> {
    matches!(part.kind(), HirKind::Look(_) | HirKind::Empty).then(|| part.kind())
}

fn is_boundary(kind: &HirKind) -> bool {
    let HirKind::Look(look) = kind else { return false };
    matches!(look, Look::WordAscii | Look::WordUnicode | Look::Start | Look::End)
}

/// One clause out of the most telling clause of each branch; none when a branch has none.
fn of_alternation(branches: &[Hir]) -> Option<Clause> {
    let mut joined = Clause::new();
    for branch in branches {
        let best = of(branch).into_iter().max_by_key(telling)?;
        for literal in best {
            if !joined.contains(&literal) {
                joined.push(literal);
            }
        }
    }
    Some(joined)
}
