//! `model.safetensors`: eight bytes of header length, a JSON header, then the numbers
//! (<https://github.com/huggingface/safetensors#format>).
//!
//! The file is read once from front to back and hashed meanwhile, so that what is hashed is what is used and no second copy
//! of the weights is ever held.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::bert::LoadError;

/// The header of a model of thousands of tensors has less than one megabyte.
const LONGEST_HEADER: u64 = 16 << 20;

/// What all names begin with where the encoder was saved as a part of something larger.
const PREFIX: &str = "bert.";

#[derive(Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The numbers that were asked for, by name, and the hash of the whole file.
#[derive(Debug)]
pub(crate) struct Tensors {
    path: PathBuf,
    by_name: HashMap<String, (Vec<usize>, Vec<f32>)>,
    pub(crate) sha256: [u8; 32],
}

impl Tensors {
    /// Reads the tensors that `wanted` says yes to; all others are only hashed.
    pub(crate) fn read(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut reader = Hashing {
            file,
            hasher: Sha256::new(),
        };
        let damaged = |why| LoadError::Damaged {
            path: path.to_path_buf(),
            why,
        };
        let mut header_length = [0; 8];
        if length < 8 {
            return Err(damaged("it is too short"));
        }
        reader.read_exact(&mut header_length).map_err(unreadable)?;
        let header_length = u64::from_le_bytes(header_length);
        if header_length > LONGEST_HEADER || header_length > length - 8 {
            return Err(damaged("its header claims to be longer than it can be"));
        }
        let entries = read_header(&mut reader, header_length, path)?;
        let data_length = length - 8 - header_length;
        if entries.iter().any(|(_, entry)| entry.data_offsets.1 > data_length) {
            return Err(damaged("it is cut off"));
        }
        let mut at = 0;
        let mut by_name = HashMap::new();
        for (name, entry) in entries {
            let (begin, end) = entry.data_offsets;
            if begin < at || end < begin {
                return Err(damaged("tensors overlap"));
            }
            reader.skip(begin - at).map_err(unreadable)?;
            if wanted(&name) {
                let numbers = reader.numbers(&entry, &name, path)?;
                let short = name.strip_prefix(PREFIX).unwrap_or(&name).to_owned();
                by_name.insert(short, (entry.shape, numbers));
            } else {
                reader.skip(end - begin).map_err(unreadable)?;
            }
            at = end;
        }
        reader.skip(data_length - at).map_err(unreadable)?;
        Ok(Self {
            path: path.to_path_buf(),
            by_name,
            sha256: reader.hasher.finalize().into(),
        })
    }

    /// Gives away the numbers of a tensor, row by row, if its shape is this.
    pub(crate) fn take(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f32>, LoadError> {
        match self.by_name.remove(name) {
            Some((shape, numbers)) if shape == expected => Ok(numbers),
            Some((shape, _)) => Err(LoadError::Shape {
                path: self.path.clone(),
                tensor: name.to_owned(),
                expected: expected.to_vec(),
                found: shape,
            }),
            None => Err(LoadError::Missing {
                path: self.path.clone(),
                tensor: name.to_owned(),
            }),
        }
    }
}

/// The tensors in the order of the file.
fn read_header(reader: &mut Hashing, length: u64, path: &Path) -> Result<Vec<(String, Entry)>, LoadError> {
    let mut header = vec![0; usize::try_from(length).unwrap_or(0)];
    reader.read_exact(&mut header).map_err(|source| LoadError::Unreadable {
        path: path.to_path_buf(),
        source,
    })?;
    let not_understood = |source| LoadError::NotUnderstood {
        path: path.to_path_buf(),
        source,
    };
    let mut values: HashMap<String, serde_json::Value> = serde_json::from_slice(&header).map_err(not_understood)?;
    values.remove("__metadata__");
    let mut entries = Vec::with_capacity(values.len());
    for (name, value) in values {
        let entry: Entry = serde_json::from_value(value).map_err(not_understood)?;
        entries.push((name, entry));
    }
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    Ok(entries)
}

/// A file whose bytes are hashed as they are read.
struct Hashing {
    file: File,
    hasher: Sha256,
}

impl Hashing {
    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact(bytes)?;
        self.hasher.update(bytes);
        Ok(())
    }

    fn blocks(&mut self, length: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let mut left = length;
        while left > 0 {
            let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let (block, _) = buffer.split_at_mut(size);
            self.read_exact(block)?;
            each(block);
            left -= size as u64;
        }
        Ok(())
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        self.blocks(length, |_| ())
    }

    /// The numbers of a tensor. Its size is known to be within the file.
    fn numbers(&mut self, entry: &Entry, name: &str, path: &Path) -> Result<Vec<f32>, LoadError> {
        if entry.dtype != "F32" {
            return Err(LoadError::Type {
                path: path.to_path_buf(),
                tensor: name.to_owned(),
                found: entry.dtype.clone(),
            });
        }
        let count = entry
            .shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size));
        let bytes = entry.data_offsets.1 - entry.data_offsets.0;
        let count = count.filter(|&count| (count as u64).checked_mul(4) == Some(bytes));
        let count = count.ok_or_else(|| LoadError::Damaged {
            path: path.to_path_buf(),
            why: "a tensor has another size than its shape says",
        })?;
        let mut numbers = Vec::with_capacity(count);
        // A block is a multiple of four bytes: 64 KiB, or what is left of a multiple of four.
        let read = self.blocks(bytes, |block| {
            let (words, _) = block.as_chunks::<4>();
            numbers.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
        });
        read.map_err(|source| LoadError::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(numbers)
    }
}
