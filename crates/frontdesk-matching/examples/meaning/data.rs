//! Reading the intent set and the trades, with embeddings that were made before.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs,
    path::Path,
    sync::Arc,
};

use frontdesk_domain::documents::template::Template;
use frontdesk_matching::{
    Target,
    knowledge::{CompiledTemplate, Knowledge, Parts},
    language::Language,
    meaning::{
        Meaning,
        ask::{Meanings, Meant},
        confidence::Coefficients,
        embedding::Embedding,
        train::{Embeddings, NotTrained},
    },
    normal::normalize,
};
use serde_json::json;

/// Questions by intent.
pub(crate) type Intents = BTreeMap<String, Vec<String>>;

/// Embeddings by text.
#[derive(Default)]
pub(crate) struct Vectors(HashMap<String, Arc<Embedding>>);

impl Vectors {
    /// Of a folder with `texts.json` (a list) and `vectors.f32` (a row for each, little endian).
    pub(crate) fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let texts: Vec<String> = serde_json::from_str(&fs::read_to_string(folder.join("texts.json"))?)?;
        let bytes = fs::read(folder.join("vectors.f32"))?;
        let width = bytes.len() / texts.len().max(1);
        let mut vectors = HashMap::with_capacity(texts.len());
        for (text, row) in texts.into_iter().zip(bytes.chunks_exact(width)) {
            let numbers = row.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            vectors.insert(
                text.trim().to_owned(),
                Arc::new(Embedding::new(numbers).ok_or("an empty embedding")?),
            );
        }
        Ok(Self(vectors))
    }

    pub(crate) fn of(&self, text: &str) -> Option<Arc<Embedding>> {
        self.0.get(text.trim()).cloned()
    }
}

/// A company that can be asked.
pub(crate) struct Tenant {
    pub(crate) knowledge: Knowledge,
    pub(crate) meaning: Meaning,
}

impl Tenant {
    pub(crate) fn new(parts: &Parts, vectors: Option<&Vectors>) -> Result<Self, NotTrained> {
        let of = |text: &str| vectors.and_then(|vectors| vectors.of(text));
        let embeddings: Option<Embeddings<'_>> = if vectors.is_some() { Some(&of) } else { None };
        Ok(Self {
            knowledge: Knowledge::new(parts, Language::english()),
            meaning: Meaning::learn(parts, embeddings, &|| false)?,
        })
    }
}

impl Tenant {
    /// What a question may mean to it.
    pub(crate) fn ask(
        &self,
        question: &str,
        vectors: Option<&Vectors>,
        coefficients: &Coefficients,
    ) -> Result<Meanings, Box<dyn Error>> {
        let embedding = vectors
            .map(|vectors| {
                vectors
                    .of(question)
                    .ok_or_else(|| format!("no embedding of {question:?}"))
            })
            .transpose()?;
        let question = normalize(question);
        Ok(self
            .meaning
            .ask_with(&self.knowledge, &question, embedding.as_deref(), coefficients))
    }

    /// The scenario or Q&A that was meant.
    pub(crate) fn id(&self, meant: &Meant) -> String {
        let target = self.knowledge.target(&meant.candidate);
        target.map(Target::id).unwrap_or_default().to_owned()
    }
}

/// A file of questions and intents with a heading; fields may be quoted and then hold commas and line breaks.
pub(crate) fn intents(csv: &str) -> Intents {
    let mut all = Intents::new();
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut heading = true;
    let mut letters = csv.chars().filter(|letter| *letter != '\r').peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                let intent = std::mem::take(&mut field);
                if let [question] = fields.as_slice()
                    && !std::mem::take(&mut heading)
                {
                    all.entry(intent).or_default().push(question.trim().to_owned());
                }
                fields.clear();
            }
            other => field.push(other),
        }
    }
    all
}

/// Draws without end, the same ones for the same seed (Steele, Lea and Flood, `SplitMix64`).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    /// So many of these, in the order in which they were drawn; the rest after them.
    pub(crate) fn shuffled<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let mut left = from.to_vec();
        for at in 0..left.len() {
            let other = at + self.below(left.len() - at);
            left.swap(at, other);
        }
        left
    }
}

/// A company whose only template has these intents as scenarios.
pub(crate) fn parts(intents: &Intents) -> Result<Parts, serde_json::Error> {
    let scenario = |(intent, triggers): (&String, &Vec<String>)| json!({ "id": intent, "name": intent.replace('_', " "), "triggers": triggers });
    let template: Template = serde_json::from_value(json!({
        "_id": "66f0a1c0de0000000000a0ff", "name": "drawn", "trade": "drawn",
        "categories": [{ "id": "all", "name": "all", "scenarios": intents.iter().map(scenario).collect::<Vec<_>>() }] }))?;
    Ok(Parts {
        templates: vec![Arc::new(CompiledTemplate::new(&template, Language::english()))],
        ..Parts::default()
    })
}
