//! Turns a text into a direction of meaning, without asking anybody else: one model folder, no service.
//!
//! [`Encoder`] is what callers know. [`bert::Bert`] is the one encoder that there is: the BERT family of sentence encoders,
//! read from its official files (ADR 0009). [`files`] has the pinned facts of the model that Frontdesk installs and where it
//! is looked for.

pub mod bert;
mod config;
pub mod files;
mod layers;
mod safetensors;
mod tokenizer;

use std::fmt;

use frontdesk_matching::meaning::embedding::Embedding;
pub use tokenizer::TokenizerError;

/// Turns texts into directions of meaning.
///
/// Contract: the same text gives the same bits, alone or among others, on the same machine. An encoder reads no file after it
/// was made, and needs no thread but the caller's.
pub trait Encoder: Send + Sync {
    /// How many numbers an embedding has.
    fn dimensions(&self) -> usize;

    /// What decides the numbers; embeddings that are kept are kept under it.
    fn model(&self) -> &ModelId;

    /// The SHA-256 of the weights in hexadecimal digits: what was fitted with an encoder names it by them.
    fn weights(&self) -> &str;

    /// The embedding of one text. What is longer than the encoder reads is cut.
    fn embed(&self, text: &str) -> Result<Embedding, EncoderError>;

    /// The embeddings of many texts, in their order, as efficiently as the encoder can.
    ///
    /// `stop` is asked between batches of a few milliseconds; once it says yes, the answer is [`EncoderError::Stopped`].
    fn embed_all(&self, texts: &[&str], stop: &dyn Fn() -> bool) -> Result<Vec<Embedding>, EncoderError>;
}

/// Why a text has no embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncoderError {
    /// Nothing is left of the text at this place of what was asked for (0 when it was asked for alone).
    #[error("text {index} has no words")]
    Empty {
        /// Its place among the texts.
        index: usize,
    },
    /// The encoder gave no direction for the text at this place: its weights are damaged.
    #[error("the encoder gives no direction for text {index}; its weights are damaged")]
    NoDirection {
        /// Its place among the texts.
        index: usize,
    },
    /// Who asked wants no answer any more.
    #[error("embedding was stopped")]
    Stopped,
    /// The arithmetic library refused a matrix, which is a defect of ours.
    #[error("the arithmetic library refused a matrix")]
    Refused,
}

/// Bytes as pairs of hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// SHA-256 over the hashes of weights, vocabulary and configuration, in this order: all that decides an embedding.
///
/// Displayed short, 12 hexadecimal digits; [`ModelId::as_bytes`] has it whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId([u8; 32]);

impl ModelId {
    /// The id of a model whose files have these hashes.
    #[must_use]
    pub fn new(weights: [u8; 32], tokenizer: [u8; 32], config: [u8; 32]) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut hasher = Sha256::new();
        for file in [weights, tokenizer, config] {
            hasher.update(file);
        }
        Self(hasher.finalize().into())
    }

    /// All of it, in 64 hexadecimal digits.
    #[must_use]
    pub fn whole(&self) -> String {
        hexadecimal(&self.0)
    }

    /// All 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ModelId({self})")
    }
}
