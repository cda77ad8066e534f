//! Learning what companies mean that share templates and trades.

use std::sync::Arc;

use super::{
    Meaning,
    train::{Background, Embeddings, NotTrained, OwnHead, SharedHead},
    wordings::{OwnWordings, SharedWordings},
};
use crate::knowledge::Parts;

/// A shared head with what own heads are learnt against. Worth keeping while several companies are learnt, no longer.
#[derive(Debug)]
pub struct Ground {
    shared: Arc<SharedHead>,
    background: Background,
}

impl Ground {
    /// Learns the shared head.
    ///
    /// # Errors
    /// Those of [`SharedHead::train`].
    pub fn learn(
        wordings: &SharedWordings,
        embeddings: Option<Embeddings<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, NotTrained> {
        let shared = SharedHead::train(wordings, embeddings, stop)?;
        Self::of(Arc::new(shared), wordings, embeddings)
    }

    /// Of a shared head that was learnt from these wordings before.
    ///
    /// # Errors
    /// When an embedding is missing.
    pub fn of(
        shared: Arc<SharedHead>,
        wordings: &SharedWordings,
        embeddings: Option<Embeddings<'_>>,
    ) -> Result<Self, NotTrained> {
        let background = shared.background(wordings, embeddings)?;
        Ok(Self { shared, background })
    }

    /// Learns what is a company's own and joins it with what is shared.
    ///
    /// # Errors
    /// Those of [`OwnHead::train`].
    pub fn meaning(
        &self,
        own: &OwnWordings,
        embeddings: Option<Embeddings<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Meaning, NotTrained> {
        let own = OwnHead::train(own, &self.shared, &self.background, embeddings, stop)?;
        Ok(Meaning::new(Arc::clone(&self.shared), Arc::new(own)))
    }
}

impl Meaning {
    /// Learns what one company's pieces mean, with embeddings or by words alone.
    ///
    /// # Errors
    /// When told to stop, when an embedding is missing, or for more than 65,535 units.
    pub fn learn(
        parts: &Parts,
        embeddings: Option<Embeddings<'_>>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, NotTrained> {
        let ground = Ground::learn(&SharedWordings::of(parts), embeddings, stop)?;
        ground.meaning(&OwnWordings::of(parts), embeddings, stop)
    }
}
