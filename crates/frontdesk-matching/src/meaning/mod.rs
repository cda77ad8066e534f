//! Tier 2: what an utterance means, whatever words it has.
//!
//! A joint head (multinomial logistic regression over an embedding and the words and letters) tells a company's units
//! apart. The part for templates and trade Q&A is learnt once and shared; a company's own Q&A and triggers are learnt
//! beside it. Without an encoder the same head works on words and letters alone. Pure: embeddings come in as numbers.

pub mod ask;
pub mod bytes;
pub mod confidence;
mod crowding;
mod dense;
pub mod embedding;
mod grams;
pub mod ground;
mod head;
mod means;
mod rows;
pub mod safety;
mod scene;
mod solver;
#[cfg(test)]
mod tests;
pub mod train;
pub mod wordings;

use std::sync::Arc;

use self::train::{OwnHead, SharedHead};
use crate::knowledge::Knowledge;

pub use self::crowding::Crowding;

/// What a company's knowledge means: the shared head and its own.
#[derive(Debug, Clone, Default)]
pub struct Meaning {
    shared: Arc<SharedHead>,
    own: Arc<OwnHead>,
}

impl Meaning {
    /// Joins what is shared and what is a company's own. Both were learnt from the same [`Parts`](crate::knowledge::Parts).
    #[must_use]
    pub fn new(shared: Arc<SharedHead>, own: Arc<OwnHead>) -> Self {
        Self { shared, own }
    }

    /// What is shared with other companies.
    #[must_use]
    pub const fn shared(&self) -> &Arc<SharedHead> {
        &self.shared
    }

    /// What is the company's own.
    #[must_use]
    pub const fn own(&self) -> &Arc<OwnHead> {
        &self.own
    }

    /// Whether it goes by words alone.
    #[must_use]
    pub fn is_lexical(&self) -> bool {
        self.dimension() == 0
    }

    /// Bytes that both heads take on the heap.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shared.size() + self.own.size()
    }

    fn dimension(&self) -> usize {
        self.shared.head.dimension.max(self.own.head.dimension)
    }

    /// Whether the numbers of units agree; heads of another version of the knowledge say nothing.
    fn is_of(&self, knowledge: &Knowledge) -> bool {
        self.own.qna() + self.shared.head.slots() == knowledge.units.len()
    }
}
