//! The embeddings of wordings: kept in memory and on disk, computed once.

use std::{collections::HashMap, sync::Arc};

use frontdesk_encoder::{Encoder, EncoderError};
use frontdesk_matching::meaning::{embedding::Embedding, train::NotTrained};
use frontdesk_store::blobs::BlobKey;
use sha2::{Digest as _, Sha256};
use tracing::error;

use super::Trainer;

/// So many texts are embedded before they are kept.
const SOME: usize = 256;

impl Trainer {
    /// The embeddings of texts: from memory, from disk, else computed.
    pub(super) fn embed<'t>(
        &self,
        encoder: &dyn Encoder,
        model: &str,
        texts: Vec<&'t str>,
        stop: &dyn Fn() -> bool,
    ) -> Result<HashMap<&'t str, Arc<Embedding>>, NotTrained> {
        let mut found: HashMap<&str, Arc<Embedding>> = HashMap::with_capacity(texts.len());
        let mut missing: Vec<(&str, BlobKey)> = Vec::new();
        for text in texts {
            let key = key_of(model, text);
            match self.embeddings.get(&key, Arc::clone) {
                Some(known) => _ = found.insert(text, known),
                None => missing.push((text, key)),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if let Some(cache) = self.cache.as_ref().filter(|_| !missing.is_empty()) {
            let keys: Vec<BlobKey> = missing.iter().map(|(_, key)| *key).collect();
            let kept = cache.get(&keys).into_iter();
            let read = kept.map(|bytes| bytes.and_then(|bytes| from_bytes(&bytes, encoder.dimensions())));
            let read: Vec<Option<Embedding>> = read.collect();
            let mut read = read.into_iter();
            missing.retain(|(text, key)| match read.next().flatten() {
                Some(embedding) => {
                    self.note(text, *key, embedding, &mut found);
                    false
                }
                None => true,
            });
        }
        // Stored as they come, so that work which is given up is not lost.
        for some in missing.chunks(SOME) {
            let texts: Vec<&str> = some.iter().map(|(text, _)| *text).collect();
            let computed = match encoder.embed_all(&texts, stop) {
                Ok(computed) => computed,
                Err(EncoderError::Stopped) => return Err(NotTrained::Stopped),
                Err(failure) => {
                    error!(
                        error = &failure as &dyn std::error::Error,
                        "wordings could not be embedded"
                    );
                    return Err(NotTrained::NoEmbedding(
                        texts.first().copied().unwrap_or_default().to_owned(),
                    ));
                }
            };
            if let Some(cache) = &self.cache {
                let bytes = computed.iter().map(to_bytes);
                let values: Vec<_> = some.iter().map(|(_, key)| *key).zip(bytes).collect();
                cache.put(&values);
            }
            for ((text, key), embedding) in some.iter().zip(computed) {
                self.note(text, *key, embedding, &mut found);
            }
        }
        Ok(found)
    }

    fn note<'t>(
        &self,
        text: &'t str,
        key: BlobKey,
        embedding: Embedding,
        found: &mut HashMap<&'t str, Arc<Embedding>>,
    ) {
        let embedding = Arc::new(embedding);
        self.embeddings.insert(key, Arc::clone(&embedding));
        found.insert(text, embedding);
    }
}

/// Names the embedding of a text.
fn key_of(model: &str, text: &str) -> BlobKey {
    let mut hash = Sha256::new();
    hash.update(b"embedding\0");
    hash.update(model);
    hash.update([0]);
    hash.update(text);
    hash.finalize().into()
}

fn to_bytes(embedding: &Embedding) -> Vec<u8> {
    embedding
        .as_slice()
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// `None` for what is no embedding of this encoder.
fn from_bytes(bytes: &[u8], dimensions: usize) -> Option<Embedding> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    if numbers.len() != dimensions || !rest.is_empty() {
        return None;
    }
    Embedding::from_unit(numbers)
}
