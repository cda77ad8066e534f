//! What a company knows, compiled: shared pieces and the cheap combination of them for one company.

mod additions;

use std::sync::Arc;

use frontdesk_domain::documents::{
    overlay::Overlay,
    qna::Qna,
    template::{ScenarioStatus, SynonymMap, Template},
};

use crate::{
    evidence::weight_of,
    hash::{Term, TermMap},
    language::{Entry, Language},
    lexicon::Lexicon,
    piece::{Piece, PieceBuilder, Role, Target, TermInfo, index},
    rules::Candidate,
    spelling::{self, Heard, Spelling},
};

/// A template revision, compiled. Shared by all companies that use it.
#[derive(Debug)]
pub struct CompiledTemplate {
    synonyms: SynonymMap,
    fillers: Vec<String>,
    pub(crate) piece: Arc<Piece>,
}

impl CompiledTemplate {
    /// Compiles the live scenarios of a template.
    #[must_use]
    pub fn new(template: &Template, language: &'static Language) -> Self {
        let mut lexicon = Lexicon::default();
        lexicon.add(&template.synonym_map, &template.filler_words, language);
        let mut builder = PieceBuilder::new(language, &lexicon);
        for scenario in template
            .scenarios()
            .filter(|scenario| scenario.status == ScenarioStatus::Live)
        {
            for trigger in &scenario.triggers {
                builder.wording(trigger, Role::Wording);
            }
            builder.wording(&scenario.name, Role::Name);
            for negative in &scenario.negative_triggers {
                builder.negative(negative);
            }
            for pattern in &scenario.regex_triggers {
                builder.pattern(pattern);
            }
            builder.close(Some(Target::Scenario {
                template: template.id,
                scenario: Arc::new(scenario.clone()),
            }));
        }
        Self {
            synonyms: template.synonym_map.clone(),
            fillers: template.filler_words.clone(),
            piece: Arc::new(builder.finish()),
        }
    }
}

/// A set of Q&As, of a company or of a trade, compiled.
#[derive(Debug)]
pub struct CompiledQna {
    pub(crate) piece: Arc<Piece>,
}

impl CompiledQna {
    /// Compiles the active Q&As, in the order in which they are listed.
    #[must_use]
    pub fn new<'q>(qna: impl IntoIterator<Item = &'q Qna>, language: &'static Language) -> Self {
        Self::of_shared(qna.into_iter().map(|qna| Arc::new(qna.clone())), language)
    }

    /// The same of Q&As that others hold too.
    #[must_use]
    pub fn of_shared(qna: impl IntoIterator<Item = Arc<Qna>>, language: &'static Language) -> Self {
        let lexicon = Lexicon::default();
        let mut builder = PieceBuilder::new(language, &lexicon);
        for qna in qna.into_iter().filter(|qna| qna.active) {
            builder.wording(&qna.question, Role::Wording);
            for variant in &qna.variants {
                builder.wording(variant, Role::Wording);
            }
            for keyword in &qna.keywords {
                builder.wording(keyword, Role::Keyword);
            }
            builder.close(Some(Target::Qna(qna)));
        }
        Self {
            piece: Arc::new(builder.finish()),
        }
    }
}

/// A company's additions.
#[derive(Debug, Default)]
pub struct CompiledOverlay {
    pub(crate) overlay: Overlay,
}

impl CompiledOverlay {
    /// Takes the additions; they are compiled together with what they add to.
    #[must_use]
    pub fn new(overlay: &Overlay) -> Self {
        Self {
            overlay: overlay.clone(),
        }
    }
}

/// A source of answers that rules ask, in ladder order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The company's own Q&A.
    CompanyQna,
    /// The Q&A of its trades.
    TradeQna,
    /// Its templates.
    Template,
}

impl Source {
    /// All of them, in ladder order.
    pub const ALL: [Self; 3] = [Self::CompanyQna, Self::TradeQna, Self::Template];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::CompanyQna => 0,
            Self::TradeQna => 1,
            Self::Template => 2,
        }
    }
}

/// The pieces of which a company's knowledge is made.
#[derive(Debug, Default, Clone)]
pub struct Parts {
    /// The company's own Q&A.
    pub company_qna: Option<Arc<CompiledQna>>,
    /// The Q&A of its trades, in the order of the trades.
    pub trade_qna: Vec<Arc<CompiledQna>>,
    /// Its templates, in the order in which they are asked.
    pub templates: Vec<Arc<CompiledTemplate>>,
    /// Its additions.
    pub overlay: Option<Arc<CompiledOverlay>>,
}

/// A piece in its place in a company's knowledge.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) piece: Arc<Piece>,
    pub(crate) source: Source,
    /// The number of its first unit among all units of the company.
    pub(crate) base: u32,
    /// Of each term, in this company.
    pub(crate) weights: Vec<f32>,
    /// The units that the units of a company's additions stand for; empty for other pieces.
    pub(crate) stands_for: Vec<u32>,
}

impl Placed {
    /// The company-wide number of a unit of this piece.
    pub(crate) fn number(&self, unit: u32) -> u32 {
        let Some(mapped) = usize::try_from(unit).ok().and_then(|unit| self.stands_for.get(unit)) else {
            return self.base + unit;
        };
        *mapped
    }
}

/// Where a unit stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) piece: usize,
    pub(crate) unit: u32,
    /// Its unit among the company's additions.
    pub(crate) addition: Option<u32>,
    pub(crate) source: Source,
    pub(crate) disabled: bool,
}

/// What a company knows: shared pieces, and what is its own.
#[derive(Debug)]
pub struct Knowledge {
    pub(crate) language: &'static Language,
    pub(crate) lexicon: Lexicon,
    /// In ladder order; the company's additions last.
    pub(crate) pieces: Vec<Placed>,
    pub(crate) units: Vec<Place>,
    /// The numbers with which the units of the trades' Q&A and of templates begin.
    begins: [u32; 2],
    /// Where there are many pieces.
    vocabulary: Option<Vocabulary>,
}

/// Where one piece has a term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) piece: usize,
    pub(crate) id: usize,
}

/// More pieces than these are asked for a term at once. Fewer are asked one by one: their tables are shared by companies
/// and stay in the processor's cache, where a table of each company's own would not.
const FEW_PIECES: usize = 6;

/// Every term and word of every piece, so that one look-up finds it everywhere.
#[derive(Debug, Default)]
struct Vocabulary {
    /// The place in `spots` of a term's first spot.
    first: TermMap<u32>,
    /// With the place of the next one.
    spots: Vec<(Spot, Option<u32>)>,
    spelling: Spelling,
}

impl Vocabulary {
    fn new(placed: &[Placed]) -> Self {
        let mut vocabulary = Self {
            spelling: Spelling::combined(placed.iter().map(|place| &place.piece.spelling)),
            ..Self::default()
        };
        for (piece, place) in placed.iter().enumerate() {
            for (id, term) in place.piece.terms.iter().enumerate() {
                let next = vocabulary.first.insert(term.stem, index(vocabulary.spots.len()));
                vocabulary.spots.push((Spot { piece, id }, next));
            }
        }
        vocabulary
    }

    fn of(&self, term: Term) -> impl Iterator<Item = Spot> {
        let spot = |at: u32| usize::try_from(at).ok().and_then(|at| self.spots.get(at));
        let first = self.first.get(&term).and_then(|at| spot(*at));
        std::iter::successors(first, move |(_, next)| next.and_then(spot)).map(|(spot, _)| *spot)
    }
}

impl Knowledge {
    /// Combines compiled pieces. Cheap: nothing is compiled again but the wordings that a company's own words touch.
    #[must_use]
    pub fn new(parts: &Parts, language: &'static Language) -> Self {
        let own = Overlay::default();
        let overlay = parts.overlay.as_ref().map_or(&own, |compiled| &compiled.overlay);
        let mut lexicon = Lexicon::default();
        lexicon.add(&overlay.synonym_map, &overlay.filler_words, language);
        for template in &parts.templates {
            lexicon.add(&template.synonyms, &template.fillers, language);
        }
        let company = parts
            .company_qna
            .iter()
            .map(|qna| (Source::CompanyQna, Arc::clone(&qna.piece)));
        let trades = parts
            .trade_qna
            .iter()
            .map(|qna| (Source::TradeQna, Arc::clone(&qna.piece)));
        let templates = parts
            .templates
            .iter()
            .map(|template| (Source::Template, Arc::clone(&template.piece)));
        Self::combine(
            language,
            company.chain(trades).chain(templates).collect(),
            lexicon,
            overlay,
        )
    }

    /// What a candidate of this knowledge stands for; `None` for a candidate of another one.
    #[must_use]
    pub fn target(&self, candidate: &Candidate) -> Option<&Target> {
        let place = self.place(candidate.unit)?;
        let unit = self
            .pieces
            .get(place.piece)?
            .piece
            .units
            .get(usize::try_from(place.unit).ok()?)?;
        unit.target.as_ref()
    }

    /// The source of a unit; units are numbered in ladder order.
    pub(crate) fn source_of(&self, unit: u32) -> Source {
        let [trade, template] = self.begins;
        if unit >= template {
            Source::Template
        } else if unit >= trade {
            Source::TradeQna
        } else {
            Source::CompanyQna
        }
    }

    pub(crate) fn place(&self, unit: u32) -> Option<&Place> {
        self.units.get(usize::try_from(unit).ok()?)
    }

    fn combine(
        language: &'static Language,
        pieces: Vec<(Source, Arc<Piece>)>,
        lexicon: Lexicon,
        overlay: &Overlay,
    ) -> Self {
        let mut units = Vec::new();
        let mut placed = Vec::with_capacity(pieces.len() + 1);
        for (at, (source, piece)) in pieces.into_iter().enumerate() {
            let base = index(units.len());
            for (unit, compiled) in (0..).zip(&piece.units) {
                let disabled = matches!(&compiled.target, Some(Target::Scenario { scenario, .. })
                    if overlay.disabled_scenarios.contains(&scenario.id));
                units.push(Place {
                    piece: at,
                    unit,
                    addition: None,
                    source,
                    disabled,
                });
            }
            placed.push(Placed {
                piece,
                source,
                base,
                weights: Vec::new(),
                stands_for: Vec::new(),
            });
        }
        let (additions, stands_for) = additions::additions(language, &lexicon, &placed, overlay);
        for (addition, unit) in (0..).zip(&stands_for) {
            if let Some(place) = usize::try_from(*unit).ok().and_then(|unit| units.get_mut(unit)) {
                place.addition = Some(addition);
            }
        }
        let base = index(units.len());
        let piece = Arc::new(additions);
        placed.push(Placed {
            piece,
            source: Source::Template,
            base,
            weights: Vec::new(),
            stands_for,
        });
        weigh(&mut placed, units.len(), &lexicon);
        let begins = [Source::TradeQna, Source::Template]
            .map(|source| index(units.partition_point(|place: &Place| place.source < source)));
        let asked = placed.iter().filter(|place| !place.piece.terms.is_empty()).count();
        let vocabulary = (asked > FEW_PIECES).then(|| Vocabulary::new(&placed));
        Self {
            language,
            lexicon,
            pieces: placed,
            units,
            begins,
            vocabulary,
        }
    }

    /// Where a term stands in the pieces.
    pub(crate) fn spots(&self, term: Term) -> impl Iterator<Item = Spot> {
        let at_once = self.vocabulary.iter().flat_map(move |vocabulary| vocabulary.of(term));
        let pieces = if self.vocabulary.is_some() {
            &[]
        } else {
            self.pieces.as_slice()
        };
        let one_by_one = pieces.iter().enumerate().filter_map(move |(piece, placed)| {
            let id = placed.piece.dictionary.get(&term)?;
            Some(Spot {
                piece,
                id: usize::try_from(*id).ok()?,
            })
        });
        at_once.chain(one_by_one)
    }

    /// What the piece of a spot knows of the term.
    pub(crate) fn term(&self, spot: Spot) -> Option<&TermInfo> {
        self.pieces.get(spot.piece)?.piece.terms.get(spot.id)
    }

    /// The nearest word of any piece; `None` when there is none, or different ones are equally near.
    pub(crate) fn nearest(&self, heard: &Heard<'_>) -> Option<&Entry> {
        match &self.vocabulary {
            Some(vocabulary) => spelling::nearest(std::iter::once(&vocabulary.spelling), heard),
            None => spelling::nearest(self.pieces.iter().map(|placed| &placed.piece.spelling), heard),
        }
    }

    /// Whether any piece has the term.
    pub(crate) fn has(&self, term: Term) -> bool {
        self.spots(term).next().is_some()
    }
}

/// Weighs every term of every piece by how few of the company's units have it.
fn weigh(placed: &mut [Placed], units: usize, lexicon: &Lexicon) {
    let mut in_units: TermMap<u32> = TermMap::default();
    for term in placed.iter().flat_map(|place| &place.piece.terms) {
        *in_units.entry(term.stem).or_default() += term.having.units;
    }
    for place in placed {
        let weight = |term: &TermInfo| {
            let having = in_units.get(&term.stem).copied().unwrap_or_default();
            weight_of(units, having, term.class, lexicon.is_filler(term.exact))
        };
        place.weights = place.piece.terms.iter().map(weight).collect();
    }
}
