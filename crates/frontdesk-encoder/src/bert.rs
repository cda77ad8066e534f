//! The BERT family of sentence encoders: a text's tokens through the layers, the mean over them, unit length
//! (Devlin et al. 2018, arXiv:1810.04805; Reimers and Gurevych 2019, arXiv:1908.10084).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use frontdesk_matching::meaning::embedding::Embedding;
use sha2::{Digest as _, Sha256};

use crate::{
    Encoder, EncoderError, ModelId,
    config::{Config, check_pooling},
    hexadecimal,
    layers::{Layers, Scratch},
    safetensors::Tensors,
    tokenizer::{Tokenizer, TokenizerError},
};

/// Texts are embedded together up to so many tokens: a few milliseconds of work.
const TOGETHER: usize = 128;

/// Why a folder's encoder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not of the shape that it should have.
    #[error("{} is not what an encoder's folder has under that name", path.display())]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The tokenizer is of another kind, or does not fit the weights.
    #[error("{} cannot be used", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// The encoder is of a kind that is not known here.
    #[error("{} wants {what} `{found}`, which is not supported: take a sentence encoder of the BERT family", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not supported.
        what: &'static str,
        /// As it stands in the file.
        found: String,
    },
    /// The weights are damaged.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A tensor is not there.
    #[error("{} has no tensor `{tensor}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape than `config.json` says.
    #[error("tensor `{tensor}` of {} has the shape {found:?}, config.json says {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// By `config.json`.
        expected: Vec<usize>,
        /// As it is.
        found: Vec<usize>,
    },
    /// A tensor holds other numbers than 32-bit floats.
    #[error("tensor `{tensor}` of {} holds {found}, only F32 is read", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What it holds.
        found: String,
    },
    /// The threads that arithmetic runs on cannot be set up.
    #[error("this system gives no thread to compute on")]
    NoThread,
}

/// A sentence encoder of the BERT family. About 50 MB of token embeddings and 43 MB of weights for all-MiniLM-L6-v2.
pub struct Bert {
    tokenizer: Tokenizer,
    layers: Layers,
    model: ModelId,
    weights: String,
    /// Buffers that are not in use.
    idle: Mutex<Vec<Scratch>>,
}

impl std::fmt::Debug for Bert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bert")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Bert {
    /// Reads `config.json`, `tokenizer.json` and `model.safetensors` of a folder. Afterwards no file is needed any more.
    ///
    /// # Errors
    /// A file is missing, damaged, or of an encoder that is not supported.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let read = |name: &str| {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(bytes) => Ok((path, bytes)),
                Err(source) => Err(LoadError::Unreadable { path, source }),
            }
        };
        let (config_path, config_bytes) = read("config.json")?;
        let config = Config::parse(&config_path, &config_bytes)?;
        check_pooling(folder)?;
        let (path, tokenizer_bytes) = read("tokenizer.json")?;
        let tokenizer = Tokenizer::parse(&tokenizer_bytes, config.vocab_size, config.max_position_embeddings)
            .map_err(|source| LoadError::Tokenizer { path, source })?;
        let mut tensors = Tensors::read(&folder.join("model.safetensors"), Layers::reads)?;
        let weights = tensors.sha256;
        let layers = Layers::take(&config, &mut tensors)?;
        let hash = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        Ok(Self {
            model: ModelId::new(weights, hash(&tokenizer_bytes), hash(&config_bytes)),
            weights: hexadecimal(&weights),
            tokenizer,
            layers,
            idle: Mutex::default(),
        })
    }

    /// How many tokens of a text are read, special tokens included.
    #[must_use]
    pub fn most_tokens(&self) -> usize {
        self.tokenizer.most_tokens()
    }

    /// The numbers of the tokens of a text, special tokens included; two when it has no words.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.tokens(text)
    }

    fn words(&self, text: &str, index: usize) -> Result<Vec<u32>, EncoderError> {
        let tokens = self.tokens(text);
        // Nothing but the marks of beginning and end.
        if tokens.len() <= 2 {
            return Err(EncoderError::Empty { index });
        }
        Ok(tokens)
    }

    /// The embeddings of texts whose tokens lie one after the other.
    fn forward(&self, tokens: &[u32], lengths: &[usize]) -> Result<Vec<Option<Embedding>>, EncoderError> {
        let idle = || self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let means = self.layers.means(tokens, lengths, &mut scratch);
        idle().push(scratch);
        Ok(means?.into_iter().map(Embedding::new).collect())
    }
}

impl Encoder for Bert {
    fn dimensions(&self) -> usize {
        self.layers.dimensions()
    }

    fn model(&self) -> &ModelId {
        &self.model
    }

    fn weights(&self) -> &str {
        &self.weights
    }

    fn embed(&self, text: &str) -> Result<Embedding, EncoderError> {
        let tokens = self.words(text, 0)?;
        let embedded = self.forward(&tokens, &[tokens.len()])?;
        embedded
            .into_iter()
            .next()
            .flatten()
            .ok_or(EncoderError::NoDirection { index: 0 })
    }

    fn embed_all(&self, texts: &[&str], stop: &dyn Fn() -> bool) -> Result<Vec<Embedding>, EncoderError> {
        let mut embeddings = Vec::with_capacity(texts.len());
        let (mut tokens, mut lengths) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            let next = self.words(text, index)?;
            lengths.push(next.len());
            tokens.extend(next);
            if tokens.len() < TOGETHER && index + 1 < texts.len() {
                continue;
            }
            if stop() {
                return Err(EncoderError::Stopped);
            }
            for embedding in self.forward(&tokens, &lengths)? {
                let index = embeddings.len();
                embeddings.push(embedding.ok_or(EncoderError::NoDirection { index })?);
            }
            tokens.clear();
            lengths.clear();
        }
        Ok(embeddings)
    }
}
