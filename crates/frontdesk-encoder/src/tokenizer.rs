//! `tokenizer.json` of the BERT family: text to word pieces.
//!
//! Normal form and splitting as in Devlin et al. 2018, arXiv:1810.04805, and its reference `tokenization.py`; word pieces by the
//! longest piece that fits, a word that cannot be spelled whole is one unknown piece. A special token that is spelled out
//! in the text ("[SEP]") is text like any other: callers do not steer the encoder.

use std::collections::HashMap;

use regex_syntax::{
    Parser,
    hir::{Class, HirKind},
};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

/// As far as encoders of the family are trained; a longer text is cut.
const MOST_TOKENS: usize = 256;

/// Why a `tokenizer.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// It is no JSON, or not of the shape that the family has.
    #[error("it is not the tokenizer of a BERT encoder")]
    NotUnderstood(#[source] serde_json::Error),
    /// A token that it names itself is not in its vocabulary.
    #[error("its vocabulary has no `{0}`")]
    MissingToken(String),
    /// A token's number is beyond the encoder's vocabulary.
    #[error("token `{token}` has number {number}, the encoder knows {known}")]
    UnknownNumber {
        /// The token.
        token: String,
        /// Its number.
        number: u32,
        /// How many tokens the encoder knows.
        known: usize,
    },
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    truncation: Option<Truncation>,
    normalizer: Normalizer,
    pre_tokenizer: PreTokenizer,
    post_processor: PostProcessor,
    model: Model,
}

#[derive(Deserialize)]
struct Truncation {
    max_length: usize,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Normalizer {
    #[serde(rename = "BertNormalizer")]
    Bert {
        clean_text: bool,
        handle_chinese_chars: bool,
        strip_accents: Option<bool>,
        lowercase: bool,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum PreTokenizer {
    #[serde(rename = "BertPreTokenizer")]
    Bert,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    #[serde(rename = "TemplateProcessing")]
    Template { single: Vec<Part> },
    #[serde(rename = "BertProcessing")]
    Bert { cls: (String, u32), sep: (String, u32) },
}

#[derive(Deserialize)]
enum Part {
    SpecialToken { id: String },
    Sequence {},
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Model {
    WordPiece {
        unk_token: String,
        continuing_subword_prefix: String,
        max_input_chars_per_word: usize,
        vocab: HashMap<String, u32>,
    },
}

/// Splits texts into word pieces.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four switches of the file, as it names them"
)]
pub(crate) struct Tokenizer {
    first: HashMap<Box<str>, u32>,
    /// Pieces inside a word, without the prefix that marks them.
    inner: HashMap<Box<str>, u32>,
    begin: u32,
    end: u32,
    unknown: u32,
    longest_word: usize,
    most_tokens: usize,
    clean: bool,
    split_chinese: bool,
    strip_accents: bool,
    lowercase: bool,
    marks: Vec<(char, char)>,
    punctuation: Vec<(char, char)>,
    controls: Vec<(char, char)>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` for an encoder that knows this many tokens and places.
    pub(crate) fn parse(bytes: &[u8], known: usize, places: usize) -> Result<Self, TokenizerError> {
        let document: Document = serde_json::from_slice(bytes).map_err(TokenizerError::NotUnderstood)?;
        let PreTokenizer::Bert = document.pre_tokenizer;
        let Normalizer::Bert {
            clean_text,
            handle_chinese_chars,
            strip_accents,
            lowercase,
        } = document.normalizer;
        let Model::WordPiece {
            unk_token,
            continuing_subword_prefix,
            max_input_chars_per_word,
            vocab,
        } = document.model;
        let number = |token: &str| {
            let found = vocab.get(token).copied();
            found.ok_or_else(|| TokenizerError::MissingToken(token.to_owned()))
        };
        let (begin, end) = match document.post_processor {
            PostProcessor::Template { single } => match single.as_slice() {
                [
                    Part::SpecialToken { id: begin },
                    Part::Sequence {},
                    Part::SpecialToken { id: end },
                ] => (number(begin)?, number(end)?),
                _ => return Err(TokenizerError::MissingToken("[CLS] … [SEP]".to_owned())),
            },
            PostProcessor::Bert { cls, sep } => (number(&cls.0)?, number(&sep.0)?),
        };
        let unknown = number(&unk_token)?;
        let mut first = HashMap::with_capacity(vocab.len());
        let mut inner = HashMap::new();
        for (token, number) in vocab {
            if usize::try_from(number).is_ok_and(|number| number >= known) {
                return Err(TokenizerError::UnknownNumber { token, number, known });
            }
            if let Some(rest) = token.strip_prefix(&continuing_subword_prefix) {
                inner.insert(rest.into(), number);
            }
            first.insert(token.into_boxed_str(), number);
        }
        let most_tokens = document
            .truncation
            .map_or(MOST_TOKENS, |truncation| truncation.max_length);
        Ok(Self {
            first,
            inner,
            begin,
            end,
            unknown,
            longest_word: max_input_chars_per_word,
            most_tokens: most_tokens.min(MOST_TOKENS).min(places).max(3),
            clean: clean_text,
            split_chinese: handle_chinese_chars,
            strip_accents: strip_accents.unwrap_or(lowercase),
            lowercase,
            marks: ranges(r"\p{Mn}"),
            punctuation: ranges(r"\p{P}"),
            controls: ranges(r"[\p{Cc}\p{Cf}\p{Co}]"),
        })
    }

    /// How many tokens a text may have, special tokens included.
    pub(crate) fn most_tokens(&self) -> usize {
        self.most_tokens
    }

    /// The tokens of a text, special tokens included; two when the text has no words.
    pub(crate) fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = vec![self.begin];
        let mut word = String::new();
        let full = self.most_tokens - 1;
        for character in self.normal_form(text).chars() {
            if tokens.len() >= full {
                break;
            }
            let punctuation = self.is_punctuation(character);
            if punctuation || character.is_whitespace() {
                self.push_pieces(&word, &mut tokens);
                word.clear();
            } else {
                word.push(character);
            }
            if punctuation {
                self.push_pieces(character.encode_utf8(&mut [0; 4]), &mut tokens);
            }
        }
        self.push_pieces(&word, &mut tokens);
        tokens.truncate(full);
        tokens.push(self.end);
        tokens
    }

    fn normal_form(&self, text: &str) -> String {
        let mut cleaned = String::with_capacity(text.len());
        for character in text.chars() {
            if self.clean && self.is_noise(character) {
                continue;
            }
            if self.clean && character.is_whitespace() {
                cleaned.push(' ');
            } else if self.split_chinese && is_chinese(character) {
                cleaned.extend([' ', character, ' ']);
            } else {
                cleaned.push(character);
            }
        }
        if self.strip_accents && !cleaned.is_ascii() {
            cleaned = cleaned
                .nfd()
                .filter(|&character| !within(&self.marks, character))
                .collect();
        }
        if self.lowercase {
            // Character by character, as the reference does: no final sigma.
            cleaned = cleaned.chars().flat_map(char::to_lowercase).collect();
        }
        cleaned
    }

    fn is_noise(&self, character: char) -> bool {
        match character {
            '\t' | '\n' | '\r' => false,
            '\0' | '\u{fffd}' => true,
            _ => within(&self.controls, character),
        }
    }

    fn is_punctuation(&self, character: char) -> bool {
        character.is_ascii_punctuation() || (!character.is_ascii() && within(&self.punctuation, character))
    }

    /// The longest pieces that spell the word, or one unknown piece.
    fn push_pieces(&self, word: &str, tokens: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        let begun = tokens.len();
        let mut spelled = word.chars().take(self.longest_word + 1).count() <= self.longest_word;
        let mut rest = word;
        let mut vocabulary = &self.first;
        while spelled && !rest.is_empty() {
            let ends = rest
                .char_indices()
                .rev()
                .map(|(at, character)| at + character.len_utf8());
            let longest = ends
                .filter_map(|end| rest.split_at_checked(end))
                .find_map(|(piece, after)| vocabulary.get(piece).map(|&number| (number, after)));
            if let Some((number, after)) = longest {
                tokens.push(number);
                rest = after;
            } else {
                spelled = false;
            }
            vocabulary = &self.inner;
        }
        if !spelled {
            tokens.truncate(begun);
            tokens.push(self.unknown);
        }
    }
}

/// The blocks of ideographs that the reference sets apart.
fn is_chinese(character: char) -> bool {
    matches!(u32::from(character),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF
        | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

/// The characters of a class, as ascending ranges. An unknown class has none, which a test would show.
fn ranges(class: &str) -> Vec<(char, char)> {
    match Parser::new().parse(class).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class.iter().map(|range| (range.start(), range.end())).collect(),
        _ => Vec::new(),
    }
}

fn within(ranges: &[(char, char)], character: char) -> bool {
    let order = |&(first, last): &(char, char)| {
        if last < character {
            std::cmp::Ordering::Less
        } else if first > character {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    };
    ranges.binary_search_by(order).is_ok()
}
