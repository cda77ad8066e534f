//! The model that `frontdesk model install` puts into the user's caches.

use std::{path::PathBuf, sync::LazyLock};

use frontdesk_encoder::{Encoder as _, EncoderError, bert::Bert, files};
use frontdesk_matching::meaning::embedding::Embedding;
use serde::Deserialize;

static MODEL: LazyLock<Bert> = LazyLock::new(|| {
    let set = std::env::var_os("FRONTDESK_MODEL__PATH").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let installed = caches.map(|caches| caches.join("frontdesk/models"));
    let folders: Vec<PathBuf> = set.into_iter().chain(installed).collect();
    let folder = files::find(&folders);
    let folder = folder
        .unwrap_or_else(|| panic!("no encoder in {folders:?}: `cargo run -p frontdesk -- model install` gets it"));
    Bert::load(&folder).unwrap()
});

#[derive(Deserialize)]
struct Reference {
    text: String,
    numbers: Vec<f32>,
}

/// Made by a forward pass in numpy with the reference tokenizer.
fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../data/reference.json")).unwrap()
}

fn embed(text: &str) -> Embedding {
    MODEL.embed(text).unwrap()
}

#[test]
fn embeddings_are_those_of_an_independent_implementation() {
    let references = references();
    assert!(references.len() >= 4);
    for Reference { text, numbers } in references {
        let cosine = embed(&text).cosine(&Embedding::new(numbers).unwrap());
        assert!(cosine > 0.999_99, "{text}: {cosine}");
    }
}

#[test]
fn a_text_has_the_same_bits_alone_and_among_others() {
    let mut texts: Vec<String> = references().into_iter().map(|reference| reference.text).collect();
    texts.extend((0..60).map(|n| format!("the {n}th text, {}", "which is rather long ".repeat(n % 9))));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = MODEL.embed_all(&texts, &|| false).unwrap();
    for (text, embedding) in texts.iter().zip(together) {
        assert_eq!(embed(text), embedding, "{text}");
    }
}

#[test]
fn what_means_nearly_the_same_is_near() {
    let asked = embed("it's like a sauna in here and the box outside just hums");
    assert!(asked.cosine(&embed("AC not cooling")) > asked.cosine(&embed("what are your opening hours")) + 0.1);
}

#[test]
fn writing_and_unknown_signs_do_not_break_it() {
    assert_eq!(embed("AC NOT Cooling"), embed("ac not cooling"));
    for text in [
        "😀",
        "😀 my ac 🥵 is dead",
        "\u{0}ac",
        "日本語",
        "a\u{300}\u{301}",
        &"x".repeat(5_000),
    ] {
        assert_eq!(embed(text).as_slice().len(), 384, "{text}");
    }
}

#[test]
fn a_text_without_words_has_no_embedding() {
    for text in ["", "   ", "\n\t", "\u{0}\u{200b}"] {
        assert_eq!(MODEL.embed(text), Err(EncoderError::Empty { index: 0 }), "{text:?}");
    }
    assert_eq!(
        MODEL.embed_all(&["ac", ""], &|| false),
        Err(EncoderError::Empty { index: 1 })
    );
}

#[test]
fn a_long_text_is_cut_where_the_encoder_stops_reading() {
    let long = "word ".repeat(MODEL.most_tokens() - 2);
    assert_eq!(embed(&long), embed(&format!("{long} and much more that nobody reads")));
}

#[test]
fn who_wants_no_answer_any_more_gets_none() {
    assert_eq!(MODEL.embed_all(&["ac"], &|| true), Err(EncoderError::Stopped));
}
