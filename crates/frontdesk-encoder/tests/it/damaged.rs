//! Folders that hold no encoder, or another one. Each is told in words, none panics.

use std::{collections::BTreeMap, fs, path::Path};

use frontdesk_encoder::{Encoder as _, bert::Bert};
use serde_json::{Value, json};
use tempfile::TempDir;

const HIDDEN: usize = 4;
const WIDE: usize = 8;

/// A tiny encoder of the family, with other sizes than the installed one.
struct Tiny {
    config: Value,
    tokenizer: Value,
    /// By name: type, shape and numbers.
    tensors: BTreeMap<String, (&'static str, Vec<usize>)>,
}

impl Tiny {
    fn new() -> Self {
        let vocabulary = ["[UNK]", "[CLS]", "[SEP]", "ac", "hot", "##ter"];
        let numbers: BTreeMap<&str, usize> = vocabulary.iter().enumerate().map(|(at, token)| (*token, at)).collect();
        let mut tiny = Self {
            config: json!({ "model_type": "bert", "hidden_size": HIDDEN, "intermediate_size": WIDE,
                "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 6, "max_position_embeddings": 16,
                "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12 }),
            tokenizer: json!({
                "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                    "strip_accents": null, "lowercase": true },
                "pre_tokenizer": { "type": "BertPreTokenizer" },
                "post_processor": { "type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2] },
                "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100, "vocab": numbers } }),
            tensors: BTreeMap::new(),
        };
        tiny.add("embeddings.word_embeddings.weight", &[6, HIDDEN]);
        tiny.add("embeddings.position_embeddings.weight", &[16, HIDDEN]);
        tiny.add("embeddings.token_type_embeddings.weight", &[2, HIDDEN]);
        tiny.add_pair("embeddings.LayerNorm", &[HIDDEN], HIDDEN);
        for part in ["query", "key", "value"] {
            tiny.add_pair(
                &format!("encoder.layer.0.attention.self.{part}"),
                &[HIDDEN, HIDDEN],
                HIDDEN,
            );
        }
        tiny.add_pair("encoder.layer.0.attention.output.dense", &[HIDDEN, HIDDEN], HIDDEN);
        tiny.add_pair("encoder.layer.0.attention.output.LayerNorm", &[HIDDEN], HIDDEN);
        tiny.add_pair("encoder.layer.0.intermediate.dense", &[WIDE, HIDDEN], WIDE);
        tiny.add_pair("encoder.layer.0.output.dense", &[HIDDEN, WIDE], HIDDEN);
        tiny.add_pair("encoder.layer.0.output.LayerNorm", &[HIDDEN], HIDDEN);
        tiny
    }

    fn add(&mut self, name: &str, shape: &[usize]) {
        self.tensors.insert(name.to_owned(), ("F32", shape.to_vec()));
    }

    fn add_pair(&mut self, name: &str, shape: &[usize], outputs: usize) {
        self.add(&format!("{name}.weight"), shape);
        self.add(&format!("{name}.bias"), &[outputs]);
    }

    fn weights(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        let mut data: Vec<u8> = Vec::new();
        for (name, (kind, shape)) in &self.tensors {
            let begin = data.len();
            for at in 0..shape.iter().product() {
                let number = u8::try_from((at * 7 + name.len()) % 11).unwrap();
                data.extend((0.1 * f32::from(number) - 0.4).to_le_bytes());
            }
            header.insert(
                name.clone(),
                json!({ "dtype": kind, "shape": shape, "data_offsets": [begin, data.len()] }),
            );
        }
        let header = Value::Object(header).to_string();
        let length = u64::try_from(header.len()).unwrap().to_le_bytes();
        [&length[..], header.as_bytes(), &data].concat()
    }

    fn written(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), self.config.to_string()).unwrap();
        fs::write(folder.path().join("tokenizer.json"), self.tokenizer.to_string()).unwrap();
        fs::write(folder.path().join("model.safetensors"), self.weights()).unwrap();
        folder
    }
}

/// Why a folder is refused, with the cause.
fn refusal(folder: &Path) -> String {
    let refusal = Bert::load(folder).unwrap_err();
    let cause = std::error::Error::source(&refusal).map(ToString::to_string);
    format!("{refusal}: {}", cause.unwrap_or_default())
}

#[track_caller]
fn check(change: impl FnOnce(&mut Tiny), wanted: &str) {
    let mut tiny = Tiny::new();
    change(&mut tiny);
    let refused = refusal(tiny.written().path());
    assert!(refused.contains(wanted), "{refused}");
}

#[test]
fn another_encoder_of_the_family_is_taken() {
    let folder = Tiny::new().written();
    let encoder = Bert::load(folder.path()).unwrap();
    drop(folder);
    assert_eq!(encoder.dimensions(), HIDDEN);
    let hot = encoder.embed("hot").unwrap();
    assert_eq!(hot.as_slice().len(), HIDDEN);
    assert_eq!(encoder.embed("HOT").unwrap(), hot, "its files are gone, it still works");
    assert_ne!(encoder.embed("hotter").unwrap(), hot);
}

#[test]
fn the_prefix_of_a_larger_model_is_passed_over() {
    let (plain, mut prefixed) = (Tiny::new(), Tiny::new());
    prefixed.tensors = std::mem::take(&mut prefixed.tensors)
        .into_iter()
        .map(|(name, tensor)| (format!("bert.{name}"), tensor))
        .collect();
    assert!(Bert::load(prefixed.written().path()).is_ok());
    assert!(Bert::load(plain.written().path()).is_ok());
}

#[test]
fn kinds_that_are_not_known_are_refused_in_words() {
    check(
        |tiny| tiny.config["model_type"] = json!("gpt2"),
        "model_type `gpt2`, which is not supported",
    );
    check(|tiny| tiny.config["hidden_act"] = json!("relu"), "hidden_act `relu`");
    check(
        |tiny| tiny.config["num_attention_heads"] = json!(3),
        "num_attention_heads `3`",
    );
    check(|tiny| tiny.config["hidden_size"] = json!(0), "hidden_size `0`");
    check(
        |tiny| tiny.tokenizer["model"]["type"] = json!("BPE"),
        "tokenizer.json cannot be used",
    );
    check(|tiny| tiny.config["vocab_size"] = json!(3), "token");
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let name = "encoder.layer.0.output.dense.weight";
    check(
        |tiny| _ = tiny.tensors.remove(name),
        "has no tensor `encoder.layer.0.output.dense.weight`",
    );
    check(
        |tiny| tiny.add(name, &[WIDE, HIDDEN]),
        "has the shape [8, 4], config.json says [4, 8]",
    );
    check(
        |tiny| _ = tiny.tensors.insert(name.into(), ("F16", vec![HIDDEN, WIDE])),
        "holds F16, only F32 is read",
    );
}

#[test]
fn a_file_that_is_cut_off_or_lies_is_refused() {
    let tiny = Tiny::new();
    let whole = tiny.weights();
    let folder = tiny.written();
    let path = folder.path().join("model.safetensors");
    for length in [0, 4, 8, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        refusal(folder.path());
    }
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&path, &lying).unwrap();
    assert!(refusal(folder.path()).contains("claims to be longer"));
    fs::write(&path, b"\x02\0\0\0\0\0\0\0[]").unwrap();
    assert!(refusal(folder.path()).contains("is not what an encoder's folder has"));
    fs::remove_file(&path).unwrap();
    assert!(refusal(folder.path()).contains("cannot be read"));
}

#[test]
fn a_tensor_that_claims_more_than_the_file_has_is_refused_before_it_is_read() {
    let tiny = Tiny::new();
    let whole = tiny.weights();
    let folder = tiny.written();
    let path = folder.path().join("model.safetensors");
    let begin = 8 + usize::from(whole[0]) + 256 * usize::from(whole[1]);
    let mut header: Value = serde_json::from_slice(&whole[8..begin]).unwrap();
    // The first in the file: the last one still ends where the file does.
    let first = header.as_object_mut().unwrap().values_mut().next().unwrap();
    first["shape"] = json!([1_u64 << 60]);
    first["data_offsets"] = json!([0, 1_u64 << 62]);
    let header = header.to_string();
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    fs::write(&path, [&length[..], header.as_bytes(), &whole[begin..]].concat()).unwrap();
    assert!(refusal(folder.path()).contains("cut off"));
}

#[test]
fn every_byte_of_the_header_may_be_wrong() {
    let tiny = Tiny::new();
    let whole = tiny.weights();
    let folder = tiny.written();
    let path = folder.path().join("model.safetensors");
    let header = 8 + usize::from(whole[0]) + 256 * usize::from(whole[1]);
    for at in (0..header).step_by(3) {
        for value in [0, b'9', b'}', 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            fs::write(&path, &changed).unwrap();
            // Refused, or read as other numbers; never a panic.
            _ = Bert::load(folder.path());
        }
    }
}
