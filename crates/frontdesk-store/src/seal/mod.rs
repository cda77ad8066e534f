//! Encryption of what must not rest or travel in clear: companies' secrets, call states.
//!
//! XChaCha20-Poly1305 with a random 24-byte nonce. The *context* (what it is and whose, such as
//! `company:{id}:secrets`) is authenticated with the text, so that what was sealed for one place opens in no other.
//!
//! Layout: format (1 byte), key id (1 byte), nonce (24), ciphertext, tag (16). The key id is the first byte of the
//! key's SHA-256; it names the key to try first, so that a store can hold texts of two keys while one is being changed.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::Rng as _;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

mod key;
#[cfg(test)]
mod tests;

pub use key::{KeyFileError, NotAKey, SealKey, load_or_create_key_file};

const FORMAT: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

/// How many bytes a sealed text is longer than the text.
pub const OVERHEAD: usize = 2 + NONCE + TAG;

/// What was to be opened was sealed with another key or for another context, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key, for another purpose, or changed since")]
pub struct NotOpened;

/// Seals with one key; opens with it and with the one before.
pub struct Sealer {
    current: Cipher,
    previous: Option<Cipher>,
}

struct Cipher {
    id: u8,
    cipher: XChaCha20Poly1305,
}

impl Cipher {
    fn new(key: &SealKey) -> Self {
        let [id, ..] = <[u8; 32]>::from(Sha256::digest(key.bytes()));
        Self {
            id,
            cipher: XChaCha20Poly1305::new(key.bytes().into()),
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("has_previous", &self.previous.is_some())
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// Seals and opens with this key.
    #[must_use]
    pub fn new(key: &SealKey) -> Self {
        Self {
            current: Cipher::new(key),
            previous: None,
        }
    }

    /// Seals and opens with the key of these bytes.
    #[must_use]
    pub fn from_key(key: [u8; 32]) -> Self {
        Self::new(&SealKey::from_bytes(key))
    }

    /// Opens what was sealed with this key as well.
    #[must_use]
    pub fn with_previous(mut self, key: &SealKey) -> Self {
        self.previous = Some(Cipher::new(key));
        self
    }

    /// Seals bytes for a context.
    #[must_use]
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: context.as_bytes(),
        };
        // Fails only beyond 256 GiB; the empty text that stands in then opens nowhere.
        let ciphertext = self
            .current
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .unwrap_or_default();
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.extend_from_slice(&[FORMAT, self.current.id]);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for this context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let (&[format, key_id], rest) = sealed.split_first_chunk().ok_or(NotOpened)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
        if format != FORMAT {
            return Err(NotOpened);
        }
        let keys = std::iter::once(&self.current).chain(&self.previous);
        let payload = || Payload {
            msg: ciphertext,
            aad: context.as_bytes(),
        };
        keys.filter(|key| key.id == key_id)
            .find_map(|key| key.cipher.decrypt(&XNonce::from(*nonce), payload()).ok())
            .map(Zeroizing::new)
            .ok_or(NotOpened)
    }

    /// Whether this was sealed with the previous key, so that writing it again would seal it with the current one.
    #[must_use]
    pub fn is_of_previous_key(&self, sealed: &[u8]) -> bool {
        let key_id = sealed.get(1);
        key_id != Some(&self.current.id) && key_id == self.previous.as_ref().map(|key| &key.id)
    }

    /// Seals bytes to text that needs no escaping in a URL.
    #[must_use]
    pub fn seal_text(&self, context: &str, plain: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.seal(context, plain))
    }

    /// Opens what [`seal_text`](Self::seal_text) made.
    pub fn open_text(&self, context: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| NotOpened)?;
        self.open(context, &sealed)
    }
}
