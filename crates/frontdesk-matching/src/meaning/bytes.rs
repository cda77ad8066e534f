//! Heads as bytes, for a cache on disk. Little endian; a revision in front, a checksum behind.

use sha2::{Digest, Sha256};

use super::{
    crowding::Crowding,
    head::{Head, Vocabulary},
    train::{OwnHead, SharedHead},
    wordings::REVISION,
};

const MAGIC: [u8; 4] = *b"FDmh";
const CHECKSUM: usize = 16;
const SHARED: u8 = 0;
const OWN: u8 = 1;
/// In place of a number of a shared unit.
const NONE: u32 = u32::MAX;

/// Why bytes are no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHead {
    /// It is something else, or is cut short.
    #[error("not a head, or cut short")]
    Foreign,
    /// It was written by another version.
    #[error("written by another version")]
    OtherRevision,
    /// It has changed since it was written.
    #[error("damaged")]
    Damaged,
}

impl SharedHead {
    /// The head as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(SHARED);
        writer.head(&self.head);
        writer.finish()
    }

    /// The head that was written.
    ///
    /// # Errors
    /// When these bytes are no shared head of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAHead> {
        let mut reader = Reader::new(bytes, SHARED)?;
        let head = reader.head()?;
        reader.finish()?;
        Ok(Self { head })
    }
}

impl OwnHead {
    /// The head as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(OWN);
        writer.head(&self.head);
        writer.numbers(self.changes.iter().map(|change| change.unwrap_or(NONE).to_le_bytes()));
        writer.count(self.added.len());
        for text in &self.added {
            writer.numbers(text.bytes().map(|byte| [byte]));
        }
        let Crowding { own, cross, apart } = self.crowding;
        writer.numbers([own, cross, apart].into_iter().map(f32::to_le_bytes));
        writer.finish()
    }

    /// The head that was written.
    ///
    /// # Errors
    /// When these bytes are no own head of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAHead> {
        let mut reader = Reader::new(bytes, OWN)?;
        let head = reader.head()?;
        let changes = reader.numbers(u32::from_le_bytes)?;
        let changes: Vec<Option<u32>> = changes
            .into_iter()
            .map(|unit| Some(unit).filter(|unit| *unit != NONE))
            .collect();
        let mut added = Vec::new();
        for _ in 0..reader.count()? {
            let text = String::from_utf8(reader.numbers(|[byte]: [u8; 1]| byte)?);
            added.push(text.map_err(|_| NotAHead::Foreign)?.into_boxed_str());
        }
        let crowding = reader.numbers(f32::from_le_bytes)?;
        let &[own, cross, apart] = crowding.as_slice() else {
            return Err(NotAHead::Foreign);
        };
        reader.finish()?;
        if changes.len() != head.slots() {
            return Err(NotAHead::Foreign);
        }
        Ok(Self {
            head,
            changes,
            added,
            crowding: Crowding { own, cross, apart },
        })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u8) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(REVISION.to_le_bytes());
        bytes.push(kind);
        Self(bytes)
    }

    fn count(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.extend(count.to_le_bytes());
    }

    fn numbers<const N: usize>(&mut self, numbers: impl Iterator<Item = [u8; N]>) {
        let start = self.0.len();
        self.count(0);
        let first = self.0.len();
        self.0.extend(numbers.flatten());
        let count = u64::try_from((self.0.len() - first) / N).unwrap_or(u64::MAX);
        if let Some(place) = self.0.get_mut(start..first) {
            place.copy_from_slice(&count.to_le_bytes());
        }
    }

    fn head(&mut self, head: &Head) {
        self.count(head.dimension);
        self.0.extend(head.documents.to_le_bytes());
        self.numbers(head.vocabulary.features().iter().map(|value| value.to_le_bytes()));
        for values in [&head.rarity, &head.bias, &head.steps, &head.near, &head.cross] {
            self.numbers(values.iter().map(|value| value.to_le_bytes()));
        }
        for values in [&head.starts, &head.wordings] {
            self.numbers(values.iter().map(|value| value.to_le_bytes()));
        }
        for values in [&head.slots, &head.weights, &head.dense] {
            self.numbers(values.iter().map(|value| value.to_le_bytes()));
        }
        self.numbers(head.identities.iter().map(|value| value.to_le_bytes()));
        self.numbers(head.rows.iter().map(|value| value.to_le_bytes()));
    }

    fn finish(mut self) -> Vec<u8> {
        let sum = checksum(&self.0);
        self.0.extend(sum);
        self.0
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    whole.first_chunk().copied().unwrap_or_default()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], kind: u8) -> Result<Self, NotAHead> {
        let (rest, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(NotAHead::Foreign)?;
        let mut reader = Self(rest);
        if reader.take()? != MAGIC {
            return Err(NotAHead::Foreign);
        }
        if u32::from_le_bytes(reader.take()?) != REVISION {
            return Err(NotAHead::OtherRevision);
        }
        if checksum(rest) != *sum {
            return Err(NotAHead::Damaged);
        }
        if reader.take()? != [kind] {
            return Err(NotAHead::Foreign);
        }
        Ok(reader)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], NotAHead> {
        let (first, rest) = self.0.split_first_chunk().ok_or(NotAHead::Foreign)?;
        self.0 = rest;
        Ok(*first)
    }

    fn count(&mut self) -> Result<usize, NotAHead> {
        usize::try_from(u64::from_le_bytes(self.take()?)).map_err(|_| NotAHead::Foreign)
    }

    fn numbers<T, const N: usize>(&mut self, number: impl Fn([u8; N]) -> T) -> Result<Vec<T>, NotAHead> {
        let length = self.count()?.checked_mul(N).ok_or(NotAHead::Foreign)?;
        let (these, rest) = self.0.split_at_checked(length).ok_or(NotAHead::Foreign)?;
        self.0 = rest;
        Ok(these.as_chunks().0.iter().map(|bytes| number(*bytes)).collect())
    }

    fn head(&mut self) -> Result<Head, NotAHead> {
        let head = Head {
            dimension: self.count()?,
            documents: u32::from_le_bytes(self.take()?),
            vocabulary: Vocabulary::new(self.numbers(u32::from_le_bytes)?),
            rarity: self.numbers(f32::from_le_bytes)?,
            bias: self.numbers(f32::from_le_bytes)?,
            steps: self.numbers(f32::from_le_bytes)?,
            near: self.numbers(f32::from_le_bytes)?,
            cross: self.numbers(f32::from_le_bytes)?,
            starts: self.numbers(u32::from_le_bytes)?,
            wordings: self.numbers(u32::from_le_bytes)?,
            slots: self.numbers(u16::from_le_bytes)?,
            weights: self.numbers(u16::from_le_bytes)?,
            dense: self.numbers(u16::from_le_bytes)?,
            identities: self.numbers(u64::from_le_bytes)?,
            rows: self.numbers(i8::from_le_bytes)?,
        };
        let fits = head.dense.len() == head.slots().saturating_mul(head.dimension)
            && head.slots.len() == head.weights.len()
            && head.identities.len() == head.slots();
        if fits { Ok(head) } else { Err(NotAHead::Foreign) }
    }

    fn finish(self) -> Result<(), NotAHead> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(NotAHead::Foreign)
        }
    }
}
