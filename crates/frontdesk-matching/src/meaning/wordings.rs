//! What a head learns from: the wordings of units, in the order of a company's units.

use frontdesk_domain::fnv::fnv1a;
use sha2::{Digest, Sha256};

use crate::{
    knowledge::Parts,
    normal::normalize,
    piece::{Piece, Target, index},
};

/// Names what was learnt from what, for a cache: equal keys, equal heads.
pub type Key = [u8; 32];

/// A unit and how callers may word it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitWordings {
    /// The hash of its id: what it is recognised by after an edit.
    pub identity: u64,
    /// As they are written; none is empty in normal form, and no two are equal in it.
    pub texts: Vec<String>,
}

impl UnitWordings {
    fn of<'t>(id: &str, texts: impl Iterator<Item = &'t str>) -> Self {
        Self {
            identity: fnv1a(id.bytes()),
            texts: distinct(texts).map(str::to_owned).collect(),
        }
    }
}

/// The texts that say something, each once, as they are counted.
fn distinct<'t>(texts: impl Iterator<Item = &'t str>) -> impl Iterator<Item = &'t str> {
    let mut known = Vec::new();
    texts.filter(move |text| {
        let normal = normalize(text);
        let is_new = !normal.is_empty() && !known.contains(&normal);
        known.push(normal);
        is_new
    })
}

/// The wordings of a scenario (its triggers, then its name) or of a Q&A (its question, then the variants), as they are
/// counted.
pub(super) fn of_target(target: &Target) -> impl Iterator<Item = &str> {
    let (first, many, last): (Option<&str>, &[String], Option<&str>) = match target {
        Target::Scenario { scenario, .. } => (None, &scenario.triggers, Some(&scenario.name)),
        Target::Qna(qna) => (Some(&qna.question), &qna.variants, None),
    };
    distinct(first.into_iter().chain(many.iter().map(String::as_str)).chain(last))
}

fn target_wordings(target: &Target) -> UnitWordings {
    UnitWordings::of(target.id(), of_target(target))
}

fn piece_wordings(piece: &Piece) -> impl Iterator<Item = UnitWordings> {
    piece
        .units
        .iter()
        .map(|unit| unit.target.as_ref().map(target_wordings).unwrap_or_default())
}

/// The wordings of the trades' Q&A and of the templates of a company: the same for all companies with the same sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedWordings {
    /// In ladder order, as the company's units are numbered after its own Q&A.
    pub units: Vec<UnitWordings>,
}

impl SharedWordings {
    /// Of a company's pieces.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        let pieces = parts.trade_qna.iter().map(|qna| qna.piece.as_ref());
        let pieces = pieces.chain(parts.templates.iter().map(|template| template.piece.as_ref()));
        Self {
            units: pieces.flat_map(piece_wordings).collect(),
        }
    }

    /// Every text that needs an embedding.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.units.iter().flat_map(|unit| &unit.texts).map(String::as_str)
    }

    /// Names the head that is learnt from these with the embeddings of `model`; empty for none.
    #[must_use]
    pub fn key(&self, model: &str) -> Key {
        let mut hash = begin("shared", model);
        self.units.iter().for_each(|unit| add_unit(&mut hash, unit));
        hash.finalize().into()
    }
}

/// A unit of which something is a company's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUnit {
    /// Its number among the units of the shared head if it is one of them with triggers of the company's own.
    pub shared: Option<u32>,
    /// The company's own wordings of it.
    pub wordings: UnitWordings,
}

/// What is a company's own: its Q&A, the triggers that it adds, and what it disables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnWordings {
    /// Its Q&A first, one for each unit; then shared units with triggers of its own.
    pub units: Vec<OwnUnit>,
    /// How many of them are its Q&A.
    pub qna: u32,
    /// The shared units that do not answer here, in order.
    pub disabled: Vec<u32>,
}

impl OwnWordings {
    /// Of a company's pieces.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        let qna = parts.company_qna.iter().flat_map(|qna| piece_wordings(&qna.piece));
        let mut own = Self {
            units: qna.map(|wordings| OwnUnit { shared: None, wordings }).collect(),
            ..Self::default()
        };
        own.qna = index(own.units.len());
        let Some(overlay) = parts.overlay.as_ref().map(|compiled| &compiled.overlay) else {
            return own;
        };
        let trades = parts.trade_qna.iter().map(|qna| qna.piece.as_ref());
        let pieces = trades.chain(parts.templates.iter().map(|template| template.piece.as_ref()));
        for (shared, unit) in (0..).zip(pieces.flat_map(|piece| &piece.units)) {
            let Some(Target::Scenario { scenario, .. }) = &unit.target else {
                continue;
            };
            if overlay.disabled_scenarios.contains(&scenario.id) {
                own.disabled.push(shared);
            } else if let Some(triggers) = overlay.triggers.get(&scenario.id) {
                let wordings = UnitWordings::of(scenario.id.as_str(), triggers.iter().map(String::as_str));
                if !wordings.texts.is_empty() {
                    own.units.push(OwnUnit {
                        shared: Some(shared),
                        wordings,
                    });
                }
            }
        }
        own
    }

    /// Every text that needs an embedding.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.units
            .iter()
            .flat_map(|unit| &unit.wordings.texts)
            .map(String::as_str)
    }

    /// Names the head that is learnt from these beside the shared one with the given key.
    #[must_use]
    pub fn key(&self, shared: &Key) -> Key {
        let mut hash = begin("own", "");
        hash.update(shared);
        hash.update(self.qna.to_le_bytes());
        for unit in &self.units {
            hash.update(unit.shared.map_or(u32::MAX, |unit| unit).to_le_bytes());
            add_unit(&mut hash, &unit.wordings);
        }
        self.disabled.iter().for_each(|unit| hash.update(unit.to_le_bytes()));
        hash.finalize().into()
    }
}

/// Raised when the same wordings would give another head.
pub(super) const REVISION: u32 = 2;

fn begin(kind: &str, model: &str) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(REVISION.to_le_bytes());
    for text in [kind, model] {
        add_text(&mut hash, text);
    }
    hash
}

fn add_text(hash: &mut Sha256, text: &str) {
    hash.update(index(text.len()).to_le_bytes());
    hash.update(text);
}

fn add_unit(hash: &mut Sha256, unit: &UnitWordings) {
    hash.update(unit.identity.to_le_bytes());
    hash.update(index(unit.texts.len()).to_le_bytes());
    unit.texts.iter().for_each(|text| add_text(hash, text));
}
