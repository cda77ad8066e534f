//! An encoder that knows a few concepts, and breaks where a test wants it to.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use frontdesk_encoder::{Encoder, EncoderError, ModelId};
use frontdesk_matching::{meaning::embedding::Embedding, normal::normalize};

/// How the encoder behaves when it is asked for one utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Slow,
    Panics,
    /// Wordings are never done; who waits for them has to give up.
    Stuck,
}

/// Words of one concept point the same way.
const CONCEPTS: [&[&str]; 7] = [
    &["cooling", "sauna", "ac", "conditioner", "air", "box", "hums"],
    &["hours", "open", "awake", "clock"],
    &["schedule", "visit", "book", "appointment", "send", "somebody"],
    &["person", "talk"],
    &["plan", "club"],
    &["goodbye", "then"],
    &["parrot", "eagle", "river"],
];

const DIMENSIONS: usize = 16;

/// The encoder.
pub(super) struct Concepts {
    model: ModelId,
    mood: Mutex<Mood>,
    /// How many utterances it embedded, and how many wordings.
    pub(super) utterances: AtomicUsize,
    pub(super) wordings: AtomicUsize,
    /// How often it began with wordings.
    pub(super) begun: AtomicUsize,
    /// How often it was told to stop, and did.
    pub(super) stopped: AtomicUsize,
}

impl Default for Concepts {
    fn default() -> Self {
        Self {
            model: ModelId::new([7; 32], [8; 32], [9; 32]),
            mood: Mutex::new(Mood::Well),
            utterances: AtomicUsize::new(0),
            wordings: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            stopped: AtomicUsize::new(0),
        }
    }
}

impl Concepts {
    pub(super) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn point(text: &str) -> Embedding {
        let normal = normalize(text);
        let mut numbers = vec![0.02; DIMENSIONS];
        for word in normal.split(' ') {
            let concept = CONCEPTS.iter().position(|words| words.contains(&word));
            numbers[concept.unwrap_or(8 + word.len() % 8)] += if concept.is_some() { 1.0 } else { 0.05 };
        }
        Embedding::new(numbers).unwrap()
    }
}

impl Encoder for Concepts {
    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    #[expect(clippy::unnecessary_literal_bound, reason = "the port's other encoders own theirs")]
    fn weights(&self) -> &str {
        "concepts"
    }

    fn model(&self) -> &ModelId {
        &self.model
    }

    fn embed(&self, text: &str) -> Result<Embedding, EncoderError> {
        self.utterances.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well | Mood::Stuck => {}
            Mood::Slow => thread::sleep(Duration::from_millis(600)),
            // Without the message, which takes longer than a turn waits.
            Mood::Panics => std::panic::resume_unwind(Box::new("on purpose")),
        }
        Ok(Self::point(text))
    }

    fn embed_all(&self, texts: &[&str], stop: &dyn Fn() -> bool) -> Result<Vec<Embedding>, EncoderError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        while *self.mood.lock().unwrap() == Mood::Stuck {
            if stop() {
                self.stopped.fetch_add(1, Ordering::SeqCst);
                return Err(EncoderError::Stopped);
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.wordings.fetch_add(texts.len(), Ordering::SeqCst);
        Ok(texts.iter().map(|text| Self::point(text)).collect())
    }
}
