//! The layers: attention and feed-forward, each with what came in added and levelled.
//!
//! Matrices are multiplied by `rten-gemm` on weights that are packed once (ADR 0009); the rest is a few percent of the work.
//! Several texts go through together, as rows below each other: each looks at its own rows alone, so a text's numbers do
//! not depend on its company.

use std::cell::OnceCell;

use rayon::{ThreadPool, ThreadPoolBuilder};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp as _, SimdUnaryOp as _};
use rten_tensor::NdTensorView;
use rten_vecmath::{Gelu, Softmax};

use crate::{EncoderError, bert::LoadError, config::Config, safetensors::Tensors};

/// What the names of the tensors may begin with, by how the encoder was saved.
const PREFIX: &str = "bert.";

/// The layers of an encoder.
pub(crate) struct Layers {
    hidden: usize,
    heads: usize,
    words: Vec<f32>,
    /// With the embedding of the only sentence added.
    places: Vec<f32>,
    level: Level,
    stack: Vec<Layer>,
}

struct Layer {
    /// Query, key and value beside each other.
    look: Linear,
    gather: Linear,
    after_attention: Level,
    widen: Linear,
    narrow: Linear,
    after_all: Level,
}

/// A matrix and what is added.
struct Linear {
    matrix: PackedBMatrix<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

/// Layer normalisation (Ba et al. 2016, arXiv:1607.06450).
struct Level {
    scale: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

/// Buffers, so that a text allocates its embedding only.
#[derive(Default)]
pub(crate) struct Scratch {
    rows: Vec<f32>,
    looked: Vec<f32>,
    gathered: Vec<f32>,
    wide: Vec<f32>,
    added: Vec<f32>,
    weights: Vec<f32>,
}

thread_local! {
    /// The arithmetic library asks rayon for threads; this one says that there is the caller's and no other.
    static ALONE: OnceCell<Option<ThreadPool>> = const { OnceCell::new() };
    /// Chosen by what this machine's processor can do: the same on every thread.
    static MULTIPLY: GemmExecutor = GemmExecutor::default();
}

/// Runs arithmetic on this thread alone.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    ALONE.with(|pool| {
        let pool = pool.get_or_init(|| {
            ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build()
                .ok()
        });
        Some(pool.as_ref()?.install(work))
    })
}

impl Layers {
    /// Whether a tensor is needed.
    pub(crate) fn reads(name: &str) -> bool {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        // Some files hold the numbers from 0 on as well.
        (name.starts_with("embeddings.") || name.starts_with("encoder.")) && name != "embeddings.position_ids"
    }

    pub(crate) fn take(config: &Config, tensors: &mut Tensors) -> Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let multiply = GemmExecutor::default();
        let words = tensors.take("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let positions = [config.max_position_embeddings, hidden];
        let mut places = tensors.take("embeddings.position_embeddings.weight", &positions)?;
        let sentences = tensors.take(
            "embeddings.token_type_embeddings.weight",
            &[config.type_vocab_size, hidden],
        )?;
        for place in places.chunks_exact_mut(hidden) {
            add(place, &sentences);
        }
        let level = Level::take(tensors, "embeddings.LayerNorm", config)?;
        let stack = (0..config.num_hidden_layers).map(|layer| Layer::take(tensors, layer, config, &multiply));
        Ok(Self {
            hidden,
            heads: config.num_attention_heads,
            words,
            places,
            level,
            stack: stack.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.hidden
    }

    /// The mean over the tokens of each text.
    pub(crate) fn means(
        &self,
        tokens: &[u32],
        lengths: &[usize],
        scratch: &mut Scratch,
    ) -> Result<Vec<Vec<f32>>, EncoderError> {
        let forward = || MULTIPLY.with(|multiply| self.forward(multiply, tokens, lengths, scratch));
        alone(forward).ok_or(EncoderError::Refused)??;
        let mut means = Vec::with_capacity(lengths.len());
        let mut rows = scratch.rows.chunks_exact(self.hidden);
        for length in lengths {
            let mut mean = vec![0.0; self.hidden];
            rows.by_ref().take(*length).for_each(|row| add(&mut mean, row));
            means.push(mean);
        }
        Ok(means)
    }

    fn forward(
        &self,
        multiply: &GemmExecutor,
        tokens: &[u32],
        lengths: &[usize],
        scratch: &mut Scratch,
    ) -> Result<(), EncoderError> {
        self.look_up(tokens, lengths, &mut scratch.rows)?;
        for layer in &self.stack {
            let Scratch {
                rows,
                looked,
                gathered,
                wide,
                added,
                weights,
            } = &mut *scratch;
            layer.look.apply(multiply, rows, looked)?;
            gathered.clear();
            gathered.resize(rows.len(), 0.0);
            self.attend(looked, lengths, gathered, weights);
            layer.gather.apply(multiply, gathered, added)?;
            add(rows, added);
            layer.after_attention.apply(rows, self.hidden);
            layer.widen.apply(multiply, rows, wide)?;
            Gelu {}.map_mut(wide);
            layer.narrow.apply(multiply, wide, added)?;
            add(rows, added);
            layer.after_all.apply(rows, self.hidden);
        }
        Ok(())
    }

    fn look_up(&self, tokens: &[u32], lengths: &[usize], rows: &mut Vec<f32>) -> Result<(), EncoderError> {
        rows.clear();
        let row =
            |table: &'_ [f32], at: usize| table.get(at * self.hidden..(at + 1) * self.hidden).map(<[f32]>::to_vec);
        let places = lengths.iter().flat_map(|length| 0..*length);
        for (token, place) in tokens.iter().zip(places) {
            // The tokenizer gives no token or place that the encoder does not have.
            let word = usize::try_from(*token).ok().and_then(|token| row(&self.words, token));
            let (mut word, place) = word.zip(row(&self.places, place)).ok_or(EncoderError::Refused)?;
            add(&mut word, &place);
            rows.extend(word);
        }
        self.level.apply(rows, self.hidden);
        Ok(())
    }

    /// Scaled dot-product attention of each head, within each text.
    fn attend(&self, looked: &[f32], lengths: &[usize], out: &mut [f32], weights: &mut Vec<f32>) {
        let size = self.hidden / self.heads;
        // Exact for every size of a head.
        let scale = f32::from(u16::try_from(size).unwrap_or(u16::MAX)).sqrt().recip();
        let (mut looked, mut out) = (looked, out);
        for length in lengths {
            let (of_text, others) = looked.split_at_checked(length * 3 * self.hidden).unwrap_or_default();
            let (to, rest) = out.split_at_mut_checked(length * self.hidden).unwrap_or_default();
            for head in 0..self.heads {
                let column = |part: usize| part * self.hidden + head * size;
                let (query, key, value) = (column(0), column(1), column(2));
                let rows = || of_text.chunks_exact(3 * self.hidden);
                for (row, target) in rows().zip(to.chunks_exact_mut(self.hidden)) {
                    let asked = row.get(query..query + size).unwrap_or_default();
                    weights.clear();
                    weights
                        .extend(rows().map(|other| scale * dot(asked, other.get(key..key + size).unwrap_or_default())));
                    Softmax::new_mut(weights).dispatch();
                    let target = target.get_mut(head * size..(head + 1) * size).unwrap_or_default();
                    for (weight, other) in weights.iter().zip(rows()) {
                        let told = other.get(value..value + size).unwrap_or_default();
                        for (cell, number) in target.iter_mut().zip(told) {
                            *cell += weight * number;
                        }
                    }
                }
            }
            (looked, out) = (others, rest);
        }
    }
}

impl Layer {
    fn take(tensors: &mut Tensors, layer: usize, config: &Config, multiply: &GemmExecutor) -> Result<Self, LoadError> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let mut matrix = Vec::with_capacity(3 * hidden * hidden);
        let mut bias = Vec::with_capacity(3 * hidden);
        for part in ["query", "key", "value"] {
            let part = name(&format!("attention.self.{part}"));
            matrix.extend(tensors.take(&format!("{part}.weight"), &[hidden, hidden])?);
            bias.extend(tensors.take(&format!("{part}.bias"), &[hidden])?);
        }
        let mut linear = |part: &str, inputs: usize, outputs: usize| -> Result<Linear, LoadError> {
            let matrix = tensors.take(&format!("{}.weight", name(part)), &[outputs, inputs])?;
            let bias = tensors.take(&format!("{}.bias", name(part)), &[outputs])?;
            Ok(Linear::new(multiply, &matrix, bias, inputs))
        };
        let gather = linear("attention.output.dense", hidden, hidden)?;
        let widen = linear("intermediate.dense", hidden, wide)?;
        let narrow = linear("output.dense", wide, hidden)?;
        Ok(Self {
            look: Linear::new(multiply, &matrix, bias, hidden),
            gather,
            after_attention: Level::take(tensors, &name("attention.output.LayerNorm"), config)?,
            widen,
            narrow,
            after_all: Level::take(tensors, &name("output.LayerNorm"), config)?,
        })
    }
}

impl Linear {
    /// Of a matrix with a row for each output.
    fn new(multiply: &GemmExecutor, matrix: &[f32], bias: Vec<f32>, inputs: usize) -> Self {
        let by_row = NdTensorView::from_data([bias.len(), inputs], matrix);
        Self {
            matrix: multiply.prepack_b(by_row.transposed()),
            bias,
            inputs,
        }
    }

    /// Puts the outputs of all rows into `out`.
    fn apply(&self, multiply: &GemmExecutor, rows: &[f32], out: &mut Vec<f32>) -> Result<(), EncoderError> {
        let count = rows.len() / self.inputs;
        out.resize(count * self.bias.len(), 0.0);
        let rows = NdTensorView::from_data([count, self.inputs], rows);
        let options = GemmOptions {
            bias: Some(BiasVector::Row(&self.bias)),
            ..GemmOptions::default()
        };
        let done = multiply.gemm(
            out,
            GemmInputA::Unpacked(rows),
            GemmInputB::Packed(&self.matrix),
            options,
        );
        done.map_err(|_| EncoderError::Refused)
    }
}

impl Level {
    fn take(tensors: &mut Tensors, name: &str, config: &Config) -> Result<Self, LoadError> {
        Ok(Self {
            scale: tensors.take(&format!("{name}.weight"), &[config.hidden_size])?,
            shift: tensors.take(&format!("{name}.bias"), &[config.hidden_size])?,
            epsilon: config.layer_norm_eps,
        })
    }

    fn apply(&self, rows: &mut [f32], width: usize) {
        let count = f32::from(u16::try_from(width).unwrap_or(u16::MAX));
        for row in rows.chunks_exact_mut(width) {
            let mean = sum(row, |number| number) / count;
            let spread = sum(row, |number| (number - mean) * (number - mean)) / count;
            let steep = (spread + self.epsilon).sqrt().recip();
            for ((number, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *number = (*number - mean) * steep * scale + shift;
            }
        }
    }
}

/// Numbers that are added side by side, so that the compiler can use wide registers.
const LANES: usize = 16;

fn sum(numbers: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, number) in sums.iter_mut().zip(chunk) {
            *sum += of(*number);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|number| of(*number)).sum::<f32>()
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let (left, rest) = one.as_chunks::<LANES>();
    let (right, other_rest) = other.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for ((sum, one), other) in sums.iter_mut().zip(left).zip(right) {
            *sum += one * other;
        }
    }
    let rest = rest.iter().zip(other_rest).map(|(one, other)| one * other);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

fn add(to: &mut [f32], numbers: &[f32]) {
    for (to, number) in to.iter_mut().zip(numbers) {
        *to += number;
    }
}
