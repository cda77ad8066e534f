//! `config.json`: the sizes of an encoder, and whether it is one that we can compute.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::bert::LoadError;

/// Larger numbers than any encoder of the family has; they bound what a damaged file can make us allocate.
const MOST: usize = 1 << 20;

/// What we need of `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    /// Numbers a token.
    pub(crate) hidden_size: usize,
    /// Numbers a token inside the feed-forward part.
    pub(crate) intermediate_size: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) vocab_size: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    #[serde(default = "layer_norm_eps")]
    pub(crate) layer_norm_eps: f32,
}

fn layer_norm_eps() -> f32 {
    1e-12
}

impl Config {
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LoadError> {
        let config: Self = serde_json::from_slice(bytes).map_err(|source| LoadError::NotUnderstood {
            path: path.to_path_buf(),
            source,
        })?;
        let refuse = |what: &'static str, found: &str| LoadError::Unsupported {
            path: path.to_path_buf(),
            what,
            found: found.to_owned(),
        };
        if config.model_type != "bert" {
            return Err(refuse("model_type", &config.model_type));
        }
        if let Some(other) = config.hidden_act.as_deref().filter(|name| *name != "gelu") {
            return Err(refuse("hidden_act", other));
        }
        if let Some(other) = config
            .position_embedding_type
            .as_deref()
            .filter(|name| *name != "absolute")
        {
            return Err(refuse("position_embedding_type", other));
        }
        let sizes = [
            ("hidden_size", config.hidden_size),
            ("intermediate_size", config.intermediate_size),
            ("num_attention_heads", config.num_attention_heads),
            ("num_hidden_layers", config.num_hidden_layers),
            ("vocab_size", config.vocab_size),
            ("max_position_embeddings", config.max_position_embeddings),
            ("type_vocab_size", config.type_vocab_size),
        ];
        for (name, size) in sizes {
            if size == 0 || size > MOST {
                return Err(refuse(name, &size.to_string()));
            }
        }
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(refuse("num_attention_heads", &config.num_attention_heads.to_string()));
        }
        if !(config.layer_norm_eps > 0.0 && config.layer_norm_eps < 1.0) {
            return Err(refuse("layer_norm_eps", &config.layer_norm_eps.to_string()));
        }
        Ok(config)
    }
}

/// What a folder of sentence-transformers says about what comes after the layers: how rows become one, by name.
type Pooling = BTreeMap<String, serde_json::Value>;

/// The one way that is known here.
const MEAN: &str = "pooling_mode_mean_tokens";

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

/// Refuses a folder whose own words want other than the mean over tokens. A folder that says nothing is taken.
pub(crate) fn check_pooling(folder: &Path) -> Result<(), LoadError> {
    let path = folder.join("1_Pooling").join("config.json");
    if let Some(pooling) = read_if_there::<Pooling>(&path)? {
        let is_on = |value: &serde_json::Value| value == &serde_json::Value::Bool(true);
        let mut modes = pooling
            .iter()
            .filter(|(name, value)| name.starts_with("pooling_mode_") && is_on(value));
        if !modes.all(|(name, _)| name == MEAN) || !pooling.get(MEAN).is_some_and(is_on) {
            return Err(LoadError::Unsupported {
                path,
                what: "pooling",
                found: "other than the mean over tokens".to_owned(),
            });
        }
    }
    let path = folder.join("modules.json");
    for module in read_if_there::<Vec<Module>>(&path)?.unwrap_or_default() {
        let known = ["Transformer", "Pooling", "Normalize"];
        if !known.iter().any(|name| module.kind.ends_with(name)) {
            return Err(LoadError::Unsupported {
                path,
                what: "module",
                found: module.kind,
            });
        }
    }
    Ok(())
}

fn read_if_there<T: serde::de::DeserializeOwned>(path: &PathBuf) -> Result<Option<T>, LoadError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(LoadError::Unreadable {
                path: path.clone(),
                source,
            });
        }
    };
    let read = serde_json::from_slice(&bytes).map_err(|source| LoadError::NotUnderstood {
        path: path.clone(),
        source,
    })?;
    Ok(Some(read))
}
