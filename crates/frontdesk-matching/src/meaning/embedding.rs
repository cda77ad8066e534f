//! A sentence as numbers.

use super::dense::dot;

/// What an encoder makes of a text: a direction. Unit length, so a product is a cosine.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Box<[f32]>);

impl Embedding {
    /// Scales to unit length; `None` if a number is not finite or all are 0.
    #[must_use]
    pub fn new(numbers: Vec<f32>) -> Option<Self> {
        let length = dot(&numbers, &numbers).sqrt();
        if !length.is_finite() || length <= f32::MIN_POSITIVE {
            return None;
        }
        let mut numbers = numbers.into_boxed_slice();
        numbers.iter_mut().for_each(|number| *number /= length);
        Some(Self(numbers))
    }

    /// Takes numbers of unit length as they are, to the last bit; `None` if they are not.
    #[must_use]
    pub fn from_unit(numbers: Vec<f32>) -> Option<Self> {
        let is_unit = (dot(&numbers, &numbers) - 1.0).abs() < 1e-3;
        is_unit.then(|| Self(numbers.into_boxed_slice()))
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// From -1 to 1; 0 for embeddings of different encoders.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        if self.0.len() == other.0.len() {
            dot(&self.0, &other.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_unit_length_or_is_none() {
        let embedding = Embedding::new(vec![3.0, 4.0]).unwrap();
        assert_eq!(embedding.as_slice(), [0.6, 0.8]);
        assert!((embedding.cosine(&embedding) - 1.0).abs() < 1e-6);
        for numbers in [vec![], vec![0.0; 4], vec![1.0, f32::NAN], vec![f32::INFINITY]] {
            assert_eq!(Embedding::new(numbers), None);
        }
        assert_eq!(embedding.cosine(&Embedding::new(vec![1.0]).unwrap()).to_bits(), 0);
    }
}
