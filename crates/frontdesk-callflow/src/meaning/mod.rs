//! Tier 2 behind the calls: who computes the meaning of an utterance, and who learns what a company's answers mean.
//!
//! [`Meanings::ask`] is what a turn waits for: one embedding at most, on the threads of [`pool`], under a deadline. Where
//! words alone decide there is none, and they are judged at once, as rules are. Heads are learnt by [`training`]; right
//! after an edit a turn waits a moment for the one of words, and where there is none yet, tier 2 is skipped.

mod beside;
pub(crate) mod ladder;
mod pool;
mod training;

use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use frontdesk_domain::{
    confidence::Confidence,
    decision::{Matcher, SkipReason},
    documents::safety::SafetyRules,
    ids::SafetyId,
};
use frontdesk_encoder::{Encoder, EncoderError};
use frontdesk_matching::{
    knowledge::{Knowledge, Parts},
    meaning::{Meaning, ask::Meanings as Meant, embedding::Embedding, safety::SafetyByMeaning},
};
use frontdesk_store::{blobs::BlobCache, cache::bounded::Bounded};
use tracing::error;

use self::{
    beside::Beside,
    pool::{NotComputed, Pool},
    training::Trainer,
};
use crate::{
    company::{Platform, Tenant},
    settings,
    shares::within,
};

/// Finds and loads the encoder; `None` if there is none. Called once, on the thread that learns.
pub type LoadEncoder = Box<dyn FnOnce() -> Option<Arc<dyn Encoder>> + Send>;

/// So many embeddings of utterances are kept.
const HEARD: usize = 4_096;

/// Threads that compute for turns have this lower priority than those that answer webhooks.
const NICENESS: i32 = 5;

/// So many utterances wait for each of these threads.
const PLACES: usize = 8;

/// What a company's answers mean, once it is learnt.
#[derive(Default)]
pub(crate) struct Learnt(RwLock<Option<Arc<Meaning>>>);

impl Learnt {
    fn get(&self) -> Option<Arc<Meaning>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, meaning: Arc<Meaning>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(meaning);
    }

    /// What stands behind tier 2 now.
    pub(crate) fn matcher(&self) -> Matcher {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(meaning) if !meaning.is_lexical() => Matcher::Semantic,
            _ => Matcher::Lexical,
        }
    }
}

impl fmt::Debug for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Learnt").field(&self.matcher()).finish()
    }
}

/// Dangers by their meaning, once they are learnt.
#[derive(Default)]
pub(crate) struct LearntDangers(RwLock<Option<Arc<SafetyByMeaning>>>);

impl LearntDangers {
    fn get(&self) -> Option<Arc<SafetyByMeaning>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, dangers: Arc<SafetyByMeaning>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(dangers);
    }
}

impl fmt::Debug for LearntDangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LearntDangers").field(&self.get().is_some()).finish()
    }
}

/// What an utterance may mean, and what that was asked of.
pub(crate) struct MeaningFindings {
    pub(crate) meaning: Arc<Meaning>,
    pub(crate) meant: Meant,
    /// A danger that the rules have no words for.
    pub(crate) danger: Option<Danger>,
}

/// A danger by its meaning.
pub(crate) struct Danger {
    pub(crate) id: SafetyId,
    pub(crate) confidence: Confidence,
    /// The example that is nearest.
    pub(crate) nearest: Arc<str>,
}

/// Why meaning was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAsked {
    /// The trace says why.
    Skipped(SkipReason),
    /// It failed.
    Failed,
}

/// Computes meanings for turns, and learns what companies' answers mean.
pub struct Meanings(Option<Running>);

struct Running {
    trainer: Arc<Trainer>,
    pool: Pool,
    beside: Beside,
    heard: Arc<Bounded<Box<str>, Embedding>>,
    /// Meanings that could not be computed.
    failed: AtomicU64,
    /// Meanings that came too late, or had no place to wait in.
    late: AtomicU64,
}

impl Meanings {
    /// Starts the threads. Heads and embeddings are kept in `cache` if there is one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(load: LoadEncoder, cache: Option<Arc<dyn BlobCache>>) -> io::Result<Self> {
        // The others answer webhooks.
        let threads = available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        Ok(Self(Some(Running {
            trainer: Trainer::start(load, cache)?,
            pool: Pool::start(threads, PLACES * threads, NICENESS)?,
            beside: Beside::start()?,
            heard: Arc::new(Bounded::new(HEARD)),
            failed: AtomicU64::new(0),
            late: AtomicU64::new(0),
        })))
    }

    /// Learns nothing and starts no thread: for what answers no calls.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether the encoder is there.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        match self.0.as_ref().and_then(|running| running.trainer.encoder()) {
            Some(_) => Matcher::Semantic,
            None => Matcher::Lexical,
        }
    }

    /// The embeddings of texts that somebody looks at, computed beside the calls; `None` for a text without words. Nothing
    /// if there is no encoder, or they are not all there within `wait`: then they go on being computed, for the next time.
    pub async fn embeddings(&self, texts: &[Box<str>], wait: Duration) -> Option<Vec<Arc<Option<Embedding>>>> {
        let running = self.0.as_ref()?;
        let encoder = running.trainer.encoder()?;
        running.beside.embeddings(encoder, texts, wait).await
    }

    /// How many meanings could not be computed so far, and how many came too late or had no place to wait in.
    #[must_use]
    pub fn failures(&self) -> (u64, u64) {
        let of = |running: &Running| {
            (
                running.failed.load(Ordering::Relaxed),
                running.late.load(Ordering::Relaxed),
            )
        };
        self.0.as_ref().map_or((0, 0), of)
    }

    /// How many companies wait to have their answers learnt.
    #[must_use]
    pub fn training(&self) -> usize {
        self.0.as_ref().map_or(0, |running| running.trainer.waiting())
    }

    /// What these pieces mean: at once if it is known, else as soon as it is learnt. Learning ends when whoever asked
    /// drops it.
    pub(crate) fn of_parts(&self, parts: &Parts) -> Arc<Learnt> {
        match &self.0 {
            Some(running) => running.trainer.learn(parts),
            None => Arc::default(),
        }
    }

    /// Dangers by their meaning, as soon as they are learnt; never without the encoder that they were fitted with.
    pub(crate) fn of_rules(&self, rules: &SafetyRules) -> Arc<LearntDangers> {
        match &self.0 {
            Some(running) => running.trainer.learn_dangers(rules),
            None => Arc::default(),
        }
    }

    /// What an utterance may mean to a company. `normalized` is what words are compared by, `utterance` what is embedded.
    pub(crate) async fn ask(
        &self,
        tenant: &Tenant,
        utterance: &str,
        normalized: &str,
    ) -> Result<MeaningFindings, NotAsked> {
        if normalized.is_empty() {
            return Err(NotAsked::Skipped(SkipReason::NoWords));
        }
        let no_model = NotAsked::Skipped(SkipReason::NoModel);
        let running = self.0.as_ref().ok_or(no_model)?;
        let meaning = match tenant.learnt.get() {
            Some(meaning) => meaning,
            None => running.soon(tenant).await.ok_or(no_model)?,
        };
        let encoder = if meaning.is_lexical() {
            None
        } else {
            running.trainer.encoder()
        };
        let Some(encoder) = encoder else {
            let words = || meaning.ask(&tenant.knowledge, normalized, None);
            let meant = catch_unwind(AssertUnwindSafe(words)).map_err(|_| NotAsked::Failed)?;
            let danger = None;
            return Ok(MeaningFindings { meaning, meant, danger });
        };
        let question = Question {
            meaning: Arc::clone(&meaning),
            knowledge: Arc::clone(&tenant.knowledge),
            platform: Arc::clone(&tenant.platform),
            heard: Arc::clone(&running.heard),
            encoder,
            utterance: utterance.into(),
            normalized: normalized.into(),
        };
        let until = Instant::now() + settings::MEANING_DEADLINE;
        let computing = running.pool.compute(until, move || question.answer());
        let computed = within(&tenant.shares.meanings, until.into(), computing).await;
        let computed = computed.unwrap_or(Err(NotComputed::Late));
        match &computed {
            Ok(Ok(_) | Err(EncoderError::Empty { .. })) => {}
            Ok(Err(_)) | Err(NotComputed::Failed) => _ = running.failed.fetch_add(1, Ordering::Relaxed),
            Err(NotComputed::Busy | NotComputed::Late) => _ = running.late.fetch_add(1, Ordering::Relaxed),
        }
        match computed {
            Ok(Ok((meant, danger))) => Ok(MeaningFindings { meaning, meant, danger }),
            Ok(Err(EncoderError::Empty { .. })) => Err(NotAsked::Skipped(SkipReason::NoWords)),
            Ok(Err(failure)) => {
                error!(
                    error = &failure as &dyn std::error::Error,
                    "an utterance could not be embedded"
                );
                Err(NotAsked::Failed)
            }
            Err(NotComputed::Busy) => Err(NotAsked::Skipped(SkipReason::Busy)),
            Err(NotComputed::Late) => Err(NotAsked::Skipped(SkipReason::Deadline)),
            Err(NotComputed::Failed) => Err(NotAsked::Failed),
        }
    }
}

impl Running {
    /// What a company's answers mean, right after an edit: its words are learnt in a moment.
    async fn soon(&self, tenant: &Tenant) -> Option<Arc<Meaning>> {
        let until = Instant::now() + settings::LEARNING_WAIT;
        self.trainer.soon(&tenant.learnt, until.into()).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.trainer.stop();
    }
}

impl fmt::Debug for Meanings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meanings")
            .field("matcher", &self.matcher())
            .field("training", &self.training())
            .finish_non_exhaustive()
    }
}

/// All that computing the meaning of an utterance takes.
struct Question {
    meaning: Arc<Meaning>,
    knowledge: Arc<Knowledge>,
    platform: Arc<Platform>,
    heard: Arc<Bounded<Box<str>, Embedding>>,
    encoder: Arc<dyn Encoder>,
    utterance: Box<str>,
    normalized: Box<str>,
}

impl Question {
    fn answer(self) -> Result<(Meant, Option<Danger>), EncoderError> {
        let embedding = self.embedding()?;
        let danger = self.danger(&embedding);
        let meant = self.meaning.ask(&self.knowledge, &self.normalized, Some(&embedding));
        Ok((meant, danger))
    }

    fn danger(&self, embedding: &Embedding) -> Option<Danger> {
        let dangers = self.platform.dangers.get()?;
        let found = dangers.decide(self.platform.safety(), &self.normalized, embedding)?;
        Some(Danger {
            id: found.category.id.clone(),
            confidence: Confidence::clamped(found.confidence),
            nearest: found.nearest.into(),
        })
    }

    fn embedding(&self) -> Result<Arc<Embedding>, EncoderError> {
        if let Some(known) = self.heard.get(&self.utterance, Arc::clone) {
            return Ok(known);
        }
        let embedding = Arc::new(self.encoder.embed(&self.utterance)?);
        self.heard.insert(self.utterance.clone(), Arc::clone(&embedding));
        Ok(embedding)
    }
}
