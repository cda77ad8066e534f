//! Embeddings for who looks at what was said: computed on a thread that no call waits for, and kept.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use frontdesk_encoder::{Encoder, EncoderError};
use frontdesk_matching::meaning::embedding::Embedding;
use frontdesk_store::cache::bounded::Bounded;
use tracing::warn;

use super::{NICENESS, pool::Pool};

/// So many embeddings are kept: 6 MB with the encoder that is installed.
const KEPT: usize = 4_096;

/// One piece of work ends after so long, done or not: what it has computed is kept, and whoever asks next goes on.
const LONGEST: Duration = Duration::from_secs(20);

/// A text, or that it has no embedding.
pub(super) type Known = Arc<Option<Embedding>>;

/// One thread, of lower priority than those that compute for turns.
pub(super) struct Beside {
    pool: Pool,
    known: Arc<Bounded<Box<str>, Option<Embedding>>>,
}

impl Beside {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self {
            pool: Pool::start(1, 1, 2 * NICENESS)?,
            known: Arc::new(Bounded::new(KEPT)),
        })
    }

    /// The embeddings of these texts, if all are there within `wait`. If not, they go on being computed.
    pub(super) async fn embeddings(
        &self,
        encoder: Arc<dyn Encoder>,
        texts: &[Box<str>],
        wait: Duration,
    ) -> Option<Vec<Known>> {
        if let Some(known) = self.all(texts) {
            return Some(known);
        }
        let (all, kept) = (texts.to_vec(), Arc::clone(&self.known));
        let work = move || compute(&*encoder, &all, &kept);
        _ = self.pool.compute(Instant::now() + wait, work).await;
        self.all(texts)
    }

    fn all(&self, texts: &[Box<str>]) -> Option<Vec<Known>> {
        texts.iter().map(|text| self.known.get(text, Arc::clone)).collect()
    }
}

fn compute(encoder: &dyn Encoder, texts: &[Box<str>], known: &Bounded<Box<str>, Option<Embedding>>) {
    let begun = Instant::now();
    for text in texts {
        if begun.elapsed() >= LONGEST {
            return;
        }
        if known.get(text, |_| ()).is_some() {
            continue;
        }
        let embedding = match encoder.embed(text) {
            Ok(embedding) => Some(embedding),
            Err(EncoderError::Empty { .. }) => None,
            Err(failure) => {
                warn!(
                    error = &failure as &dyn std::error::Error,
                    "what nothing matched could not be embedded; it is grouped by words"
                );
                return;
            }
        };
        known.insert(text.clone(), Arc::new(embedding));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    };

    use frontdesk_encoder::ModelId;

    use super::*;

    /// Embeds when it is told to, and counts.
    struct Slow {
        model: ModelId,
        gate: Mutex<Receiver<()>>,
        embedded: AtomicUsize,
    }

    impl Encoder for Slow {
        fn dimensions(&self) -> usize {
            2
        }

        fn model(&self) -> &ModelId {
            &self.model
        }

        fn weights(&self) -> &'static str {
            "none"
        }

        fn embed(&self, text: &str) -> Result<Embedding, EncoderError> {
            self.gate.lock().unwrap().recv().unwrap();
            self.embedded.fetch_add(1, Ordering::SeqCst);
            if text == "..." {
                return Err(EncoderError::Empty { index: 0 });
            }
            Ok(Embedding::new(vec![1.0, 0.0]).unwrap())
        }

        fn embed_all(&self, _: &[&str], _: &dyn Fn() -> bool) -> Result<Vec<Embedding>, EncoderError> {
            Err(EncoderError::Refused)
        }
    }

    fn slow() -> (Arc<Slow>, Sender<()>) {
        let (open, gate) = channel();
        let encoder = Slow {
            model: ModelId::new([0; 32], [0; 32], [0; 32]),
            gate: Mutex::new(gate),
            embedded: AtomicUsize::new(0),
        };
        (Arc::new(encoder), open)
    }

    #[tokio::test]
    async fn who_does_not_wait_finds_it_the_next_time() {
        let (encoder, open) = slow();
        let beside = Beside::start().unwrap();
        let texts: [Box<str>; 3] = ["one".into(), "...".into(), "two".into()];
        let asked = async |wait| beside.embeddings(encoder.clone(), &texts, wait).await;
        assert!(
            asked(Duration::from_millis(20)).await.is_none(),
            "it is not waited for long"
        );
        (0..3).for_each(|_| open.send(()).unwrap());
        let mut found = None;
        for _ in 0..200 {
            found = asked(Duration::from_millis(20)).await;
            if found.is_some() {
                break;
            }
        }
        let found = found.unwrap();
        let has_words: Vec<bool> = found.iter().map(|found| found.is_some()).collect();
        assert_eq!(has_words, [true, false, true]);
        assert!(asked(Duration::ZERO).await.is_some(), "it is kept");
        assert_eq!(encoder.embedded.load(Ordering::SeqCst), 3, "and each was computed once");
    }
}
