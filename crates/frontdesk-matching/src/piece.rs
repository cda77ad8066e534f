//! A piece of compiled knowledge: the scenarios of a template, a set of Q&As, or what a company adds to them.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use frontdesk_domain::documents::{qna::Qna, template::Scenario};
use frontdesk_domain::ids::TemplateId;

use crate::{
    hash::{self, Term, TermMap, TermSet},
    language::{Class, Entry, Language},
    lexicon::{Lexicon, Rewording, exact_sequence},
    normal::normalize,
    patterns::Patterns,
    spelling::{Spelling, SpellingBuilder},
    words::{Reader, Word},
};

/// What can answer.
#[derive(Debug, Clone)]
pub enum Target {
    /// A scenario of a template.
    Scenario {
        /// Its template.
        template: TemplateId,
        /// The scenario.
        scenario: Arc<Scenario>,
    },
    /// A question with its answer.
    Qna(Arc<Qna>),
}

impl Target {
    /// The id of the scenario or Q&A.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Scenario { scenario, .. } => scenario.id.as_str(),
            Self::Qna(qna) => qna.id.as_str(),
        }
    }

    /// Of two equal matches the one of higher priority answers; a Q&A has none.
    #[must_use]
    pub fn priority(&self) -> i32 {
        match self {
            Self::Scenario { scenario, .. } => scenario.priority,
            Self::Qna(_) => 0,
        }
    }
}

/// How a wording takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A trigger, a question or a variant.
    Wording,
    /// A keyword of a Q&A.
    Keyword,
    /// The name of a scenario: its words count, as a whole it says nothing.
    Name,
}

/// A word of a wording, as small as what a decision reads of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// Index into the piece's terms.
    pub(crate) id: u32,
    pub(crate) class: Class,
}

/// One wording of one unit: a trigger as written, or reworded by synonyms.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) tokens: Range<usize>,
    pub(crate) role: Role,
    /// Whether it is the one before it, reworded.
    pub(crate) reworded: bool,
    pub(crate) has_content: bool,
    /// What any of its words is.
    pub(crate) classes: Class,
}

/// A scenario or a Q&A, compiled.
#[derive(Debug)]
pub(crate) struct Unit {
    /// `None` in a company's additions, whose units stand for those of other pieces.
    pub(crate) target: Option<Target>,
    pub(crate) forms: Range<usize>,
}

/// How often a unit has a term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting {
    pub(crate) unit: u32,
    pub(crate) count: u16,
}

/// Which units have a term, or two terms in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Having {
    /// Where their postings begin.
    start: u32,
    /// How many units have it.
    pub(crate) units: u32,
    /// How many wordings have it.
    pub(crate) wordings: u32,
}

/// What a piece knows of a term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TermInfo {
    pub(crate) stem: Term,
    pub(crate) exact: Term,
    pub(crate) class: Class,
    pub(crate) having: Having,
}

/// Compiled once, never changed, shared by all companies that use it.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) units: Vec<Unit>,
    pub(crate) forms: Vec<Form>,
    pub(crate) tokens: Vec<Token>,
    /// The words that the tokens were, for rewording them by a company's own synonyms.
    words: Vec<Word>,
    pub(crate) dictionary: TermMap<u32>,
    pub(crate) terms: Vec<TermInfo>,
    pub(crate) pairs: TermMap<Having>,
    postings: Vec<Posting>,
    /// Units by the hash of a whole wording.
    pub(crate) equal: TermMap<Vec<u32>>,
    /// Negative triggers by their first word.
    pub(crate) negatives: TermMap<Vec<(Box<[Term]>, u32)>>,
    pub(crate) patterns: Patterns,
    pub(crate) spelling: Spelling,
}

impl Piece {
    pub(crate) fn tokens_of(&self, form: &Form) -> &[Token] {
        self.tokens.get(form.tokens.clone()).unwrap_or_default()
    }

    pub(crate) fn words_of(&self, form: &Form) -> &[Word] {
        self.words.get(form.tokens.clone()).unwrap_or_default()
    }

    pub(crate) fn forms_of(&self, unit: u32) -> &[Form] {
        let unit = usize::try_from(unit).ok().and_then(|unit| self.units.get(unit));
        unit.and_then(|unit| self.forms.get(unit.forms.clone()))
            .unwrap_or_default()
    }

    pub(crate) fn postings_of(&self, having: Having) -> &[Posting] {
        let start = usize::try_from(having.start).ok();
        let length = usize::try_from(having.units).ok();
        let range = start.zip(length).map(|(start, length)| start..start + length);
        range.and_then(|range| self.postings.get(range)).unwrap_or_default()
    }
}

/// Makes a [`Piece`] unit by unit.
pub(crate) struct PieceBuilder<'a> {
    language: &'static Language,
    lexicon: &'a Lexicon,
    piece: Piece,
    reader: Reader,
    rewording: Rewording,
    patterns: Vec<(String, u32)>,
    /// Counts of the unit in work.
    counts: BTreeMap<u32, u16>,
    pair_counts: BTreeMap<Term, u16>,
    postings: Vec<(u32, Posting)>,
    pair_postings: Vec<(Term, Posting)>,
    spelled: TermSet,
    spelling: SpellingBuilder,
    first_form: usize,
    begun: bool,
}

impl<'a> PieceBuilder<'a> {
    pub(crate) fn new(language: &'static Language, lexicon: &'a Lexicon) -> Self {
        Self {
            language,
            lexicon,
            piece: Piece::default(),
            reader: Reader::default(),
            rewording: Rewording::default(),
            patterns: Vec::new(),
            counts: BTreeMap::new(),
            pair_counts: BTreeMap::new(),
            postings: Vec::new(),
            pair_postings: Vec::new(),
            spelled: TermSet::default(),
            spelling: SpellingBuilder::default(),
            first_form: 0,
            begun: false,
        }
    }

    /// The unit that wordings are added to until [`Self::close`].
    fn unit(&self) -> u32 {
        index(self.piece.units.len())
    }

    /// Adds a wording of the unit in work.
    pub(crate) fn wording(&mut self, text: &str, role: Role) {
        let text = normalize(text);
        let mut words = Vec::new();
        self.reader.read(&text, self.language, &mut words);
        self.lexicon.mark_fillers(&mut words);
        if words.is_empty() {
            return;
        }
        self.spell(&text, &words);
        self.form(&words, role, false);
        let mut seen: Vec<u32> = self.last_form().iter().map(|token| token.id).collect();
        let mut pairs = pairs_of(&words);
        if self.lexicon.reword(&words, &mut self.rewording) {
            let reworded: Vec<Word> = self.rewording.words.iter().map(|canonical| canonical.word).collect();
            self.form(&reworded, role, true);
            seen.extend(self.last_form().iter().map(|token| token.id));
            pairs.extend(pairs_of(&reworded));
        }
        self.count(seen, pairs);
    }

    /// Adds a wording that is reworded already.
    pub(crate) fn reworded(&mut self, words: &[Word], role: Role) {
        self.form(words, role, true);
        let seen: Vec<u32> = self.last_form().iter().map(|token| token.id).collect();
        self.count(seen, pairs_of(words));
    }

    /// Notes that an utterance of these words equals a wording of the unit in work.
    pub(crate) fn equals(&mut self, words: &[Word]) {
        self.note_equal(exact_sequence(words));
    }

    fn note_equal(&mut self, whole: Term) {
        self.begun = true;
        let unit = self.unit();
        let units = self.piece.equal.entry(whole).or_default();
        if !units.contains(&unit) {
            units.push(unit);
        }
    }

    /// Adds what speaks against the unit in work.
    pub(crate) fn negative(&mut self, text: &str) {
        self.begun = true;
        let unit = self.unit();
        let mut words = Vec::new();
        self.reader.read(&normalize(text), self.language, &mut words);
        let mut add = |words: &[Word]| {
            let terms: Box<[Term]> = words.iter().map(|word| word.exact).collect();
            if let Some(first) = terms.first() {
                self.piece.negatives.entry(*first).or_default().push((terms, unit));
            }
        };
        add(&words);
        if self.lexicon.reword(&words, &mut self.rewording) {
            let reworded: Vec<Word> = self.rewording.words.iter().map(|canonical| canonical.word).collect();
            add(&reworded);
        }
    }

    /// Adds a regular expression of the unit in work.
    pub(crate) fn pattern(&mut self, pattern: &str) {
        let unit = self.unit();
        self.patterns.push((pattern.to_owned(), unit));
    }

    /// Whether anything was added to the unit in work.
    pub(crate) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Ends the unit in work.
    pub(crate) fn close(&mut self, target: Option<Target>) {
        let unit = self.unit();
        let posting = |count| Posting { unit, count };
        self.postings.extend(
            std::mem::take(&mut self.counts)
                .into_iter()
                .map(|(id, count)| (id, posting(count))),
        );
        let pairs = std::mem::take(&mut self.pair_counts);
        self.pair_postings
            .extend(pairs.into_iter().map(|(pair, count)| (pair, posting(count))));
        let forms = self.first_form..self.piece.forms.len();
        self.first_form = forms.end;
        self.begun = false;
        self.piece.units.push(Unit { target, forms });
    }

    pub(crate) fn finish(mut self) -> Piece {
        self.postings.sort_unstable_by_key(|(id, posting)| (*id, posting.unit));
        self.pair_postings
            .sort_unstable_by_key(|(pair, posting)| (*pair, posting.unit));
        let piece = &mut self.piece;
        let keep = |postings: &mut Vec<Posting>, run: &mut dyn ExactSizeIterator<Item = Posting>| {
            let (start, units) = (index(postings.len()), index(run.len()));
            let mut wordings = 0;
            postings.extend(run.inspect(|posting| wordings += u32::from(posting.count)));
            Having { start, units, wordings }
        };
        for run in self.postings.chunk_by(|left, right| left.0 == right.0) {
            let having = keep(&mut piece.postings, &mut run.iter().map(|(_, posting)| *posting));
            let id = run.first().and_then(|(id, _)| usize::try_from(*id).ok());
            if let Some(info) = id.and_then(|id| piece.terms.get_mut(id)) {
                info.having = having;
            }
        }
        for run in self.pair_postings.chunk_by(|left, right| left.0 == right.0) {
            let having = keep(&mut piece.postings, &mut run.iter().map(|(_, posting)| *posting));
            if let Some((pair, _)) = run.first() {
                piece.pairs.insert(*pair, having);
            }
        }
        piece.pairs.shrink_to_fit();
        piece.equal.shrink_to_fit();
        piece.dictionary.shrink_to_fit();
        piece.units.shrink_to_fit();
        piece.forms.shrink_to_fit();
        piece.terms.shrink_to_fit();
        piece.postings.shrink_to_fit();
        piece.words.shrink_to_fit();
        piece.tokens.shrink_to_fit();
        piece.spelling = self.spelling.finish();
        let patterns = self.patterns.iter().map(|(pattern, unit)| (pattern.as_str(), *unit));
        piece.patterns = Patterns::new(patterns, self.language);
        self.piece
    }

    fn form(&mut self, words: &[Word], role: Role, reworded: bool) {
        self.begun = true;
        let start = self.piece.tokens.len();
        for word in words {
            let terms = &mut self.piece.terms;
            let id = *self.piece.dictionary.entry(word.stem).or_insert_with(|| {
                let class = word.class.base();
                terms.push(TermInfo {
                    stem: word.stem,
                    exact: word.exact,
                    class,
                    having: Having::default(),
                });
                index(terms.len() - 1)
            });
            self.piece.tokens.push(Token { id, class: word.class });
            self.piece.words.push(*word);
        }
        let classes = words
            .iter()
            .fold(Class::default(), |classes, word| classes.with(word.class));
        let has_content = words.iter().any(|word| word.class.is_content());
        let tokens = start..self.piece.tokens.len();
        self.piece.forms.push(Form {
            tokens,
            role,
            reworded,
            has_content,
            classes,
        });
        if role == Role::Wording {
            equals_of(words).for_each(|whole| self.note_equal(whole));
        }
    }

    fn last_form(&self) -> &[Token] {
        self.piece
            .forms
            .last()
            .map(|form| self.piece.tokens_of(form))
            .unwrap_or_default()
    }

    fn count(&mut self, mut seen: Vec<u32>, mut pairs: Vec<Term>) {
        seen.sort_unstable();
        seen.dedup();
        for id in seen {
            let count = self.counts.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            let count = self.pair_counts.entry(pair).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn spell(&mut self, text: &str, words: &[Word]) {
        for word in words {
            let range = usize::try_from(word.start).ok().zip(usize::try_from(word.end).ok());
            let Some(spelled) = range.and_then(|(start, end)| text.get(start..end)) else {
                continue;
            };
            if hash::term(spelled) == word.exact && self.spelled.insert(word.exact) {
                let entry = Entry {
                    exact: word.exact,
                    stem: word.stem,
                    class: word.class.base(),
                };
                self.spelling.add(spelled, entry);
            }
        }
    }
}

/// A trigger without fillers that are grammar, courtesy or nearly empty; what names something stays.
pub(crate) fn without_fillers(words: &[Word]) -> Vec<Word> {
    let empty = Class::FUNCTION.with(Class::WEAK);
    let is_filler = |word: &&Word| {
        !word.class.is_protected()
            && (word.class.any(Class::COURTESY) || word.class.any(Class::FILLER) && word.class.any(empty))
    };
    words.iter().filter(|word| !is_filler(word)).copied().collect()
}

/// The hashes of what equals a wording: the wording as a whole, and without fillers if something is left.
pub(crate) fn equals_of(words: &[Word]) -> impl Iterator<Item = Term> {
    let bare = without_fillers(words);
    // "Thanks for your help" is thanks and no call for help: one word is not all of it.
    let is_thanks = bare.len() < 2 && words.iter().any(|word| word.class.any(Class::COURTESY));
    let is_shorter = bare.len() < words.len() && !is_thanks && bare.iter().any(|word| word.class.is_content());
    let bare = is_shorter.then(|| exact_sequence(&bare));
    std::iter::once(exact_sequence(words)).chain(bare)
}

fn pairs_of(words: &[Word]) -> Vec<Term> {
    words
        .windows(2)
        .filter_map(|two| {
            if let [first, second] = two {
                Some(hash::pair(first.stem, second.stem))
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
