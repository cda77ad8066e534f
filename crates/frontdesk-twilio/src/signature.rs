//! Proves that Twilio sent a request: both signature schemes, exactly as the official SDKs do them.
//!
//! The signed string is the URL as Twilio requested it, followed by the parameters of a form, sorted. The URL comes
//! from the configured [`PublicUrl`] and the raw request target, never from a header that the sender chooses.
//! `twilio` 9.13.0 of `PyPI` is the reference: `tests/oracle.py` compares every decision with it.
//!
//! A signature carries no time, so a captured request verifies for ever, and it joins names and values without a
//! separator. Whoever answers must tolerate the first (answer from the stored turn) and gain nothing by the second.

mod diagnosis;
mod key;
mod public_url;
mod settings;

pub use diagnosis::{Diagnosis, Mistake};
pub use key::{sign, sign_with_shared_key};
pub use public_url::{PublicUrl, PublicUrlError};
pub use settings::settings_header;

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::form::{Form, hexadecimal};
use key::{SharedKey, Token, sorted_parameters};
use settings::{Algorithm, Settings};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";
/// The header that names a shared key and its algorithm.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// What of a request its signature depends on.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// Path and query as they were sent, never decoded or encoded again.
    pub target: &'a str,
    /// The body.
    pub payload: Payload<'a>,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a [u8]>,
    /// The value of [`SETTINGS_HEADER`].
    pub settings: Option<&'a [u8]>,
}

/// The body of a signed request, which enters the signature in one of two ways.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// Parameters, which are signed themselves. A request without a body is an empty form.
    Form(&'a Form),
    /// Any other body, whose hash the signed URL carries as `bodySHA256`.
    Json(&'a [u8]),
}

/// A request that Twilio sent, by the secret that proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'v> {
    /// Which secret made the signature.
    pub by: VerifiedBy<'v>,
}

/// Which secret made a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedBy<'v> {
    /// The current auth token.
    Current,
    /// The auth token before the last rotation.
    Previous,
    /// The shared key of this id.
    SharedKey(&'v str),
}

/// Why a request is not taken for one of Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature, or an empty one.
    #[error("the signature is missing")]
    Missing,
    /// The signature is not the base64 of a hash of the algorithm in force.
    #[error("the signature is malformed")]
    Malformed,
    /// The request target is not a path with an optional query.
    #[error("the request target is malformed")]
    MalformedTarget,
    /// The settings header is not text of the form `key=…,algorithm=…`.
    #[error("the settings header is malformed")]
    MalformedSettings,
    /// The settings header names an algorithm that nobody knows.
    #[error("the signature's algorithm is unknown")]
    UnknownAlgorithm,
    /// The settings header names a key that the company does not have, or `HMAC_SHA256` and no key.
    #[error("the signature's key is unknown")]
    UnknownKey,
    /// A shared key signs with `HMAC_SHA256` only.
    #[error("a shared key does not sign with HMAC_SHA1")]
    WrongAlgorithm,
    /// There is no token to verify with.
    #[error("no auth token is set")]
    NoToken,
    /// A body that is no form, and no `bodySHA256` in the query.
    #[error("the query has no hash of the body")]
    NoBodyHash,
    /// The body is not the one whose hash was signed.
    #[error("the body does not have the signed hash")]
    WrongBodyHash,
    /// Everything is in form, and the signature is not of this request, this URL and these secrets.
    #[error("the signature does not match")]
    Mismatch,
}

/// The secrets of one company (or of the platform), ready to verify with.
///
/// Holds keyed hash states, so that a verification does not derive them again. Empty secrets count as absent:
/// everybody knows them.
#[derive(Clone)]
pub struct Verifier {
    current: Option<Token>,
    previous: Option<Token>,
    shared: Vec<(Box<str>, SharedKey)>,
}

impl Verifier {
    /// Verifies with this auth token, or with none, in which case only shared keys can be added.
    #[must_use]
    pub fn new(token: Option<&str>) -> Self {
        Self {
            current: token.and_then(Token::new),
            previous: None,
            shared: Vec::new(),
        }
    }

    /// Accepts the token before the last rotation as well.
    #[must_use]
    pub fn with_previous(mut self, token: Option<&str>) -> Self {
        self.previous = token.and_then(Token::new);
        self
    }

    /// Accepts signatures whose settings header names the shared key `id`.
    #[must_use]
    pub fn with_shared_key(mut self, id: &str, secret: &str) -> Self {
        self.shared.extend(SharedKey::new(secret).map(|key| (id.into(), key)));
        self
    }

    /// Whether there is no secret at all, so that nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.current.is_none() && self.previous.is_none() && self.shared.is_empty()
    }

    /// Decides whether Twilio sent this request to this URL.
    pub fn verify(&self, public: &PublicUrl, request: &SignedRequest<'_>) -> Result<Verified<'_>, Refusal> {
        let signature = present(request.signature)?;
        let secret = self.secret(request.settings)?;
        if signature.len() != secret.signature_length() || !signature.iter().all(|byte| is_base64(*byte)) {
            return Err(Refusal::Malformed);
        }
        let tail = Tail::of(public, request)?;
        for prefix in public.candidates() {
            if let Some(by) = secret.signs(prefix, &tail.0, signature) {
                return Ok(Verified { by });
            }
        }
        Err(Refusal::Mismatch)
    }

    /// The secret that the settings header calls for.
    fn secret(&self, header: Option<&[u8]>) -> Result<Secret<'_>, Refusal> {
        let settings = header.map(Settings::parse).transpose()?.unwrap_or_default();
        match (settings.key, settings.algorithm) {
            (None, Algorithm::Sha1) if self.current.is_none() && self.previous.is_none() => Err(Refusal::NoToken),
            (None, Algorithm::Sha1) => Ok(Secret::Tokens {
                current: self.current.as_ref(),
                previous: self.previous.as_ref(),
            }),
            (None, Algorithm::Sha256) => Err(Refusal::UnknownKey),
            (Some(id), algorithm) => {
                let named = self
                    .shared
                    .iter()
                    .find(|(known, _)| **known == *id)
                    .ok_or(Refusal::UnknownKey)?;
                match algorithm {
                    Algorithm::Sha1 => Err(Refusal::WrongAlgorithm),
                    Algorithm::Sha256 => Ok(Secret::Shared {
                        id: &named.0,
                        key: &named.1,
                    }),
                }
            }
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("current", &self.current.is_some())
            .field("previous", &self.previous.is_some())
            .field("shared", &self.shared.iter().map(|(id, _)| id).collect::<Vec<_>>())
            .finish()
    }
}

/// The secrets that may have signed a request.
#[derive(Clone, Copy)]
enum Secret<'v> {
    Tokens {
        current: Option<&'v Token>,
        previous: Option<&'v Token>,
    },
    Shared {
        id: &'v str,
        key: &'v SharedKey,
    },
}

impl<'v> Secret<'v> {
    /// How long the base64 of the algorithm's hash is.
    const fn signature_length(self) -> usize {
        match self {
            Self::Tokens { .. } => key::SHA1_SIGNATURE,
            Self::Shared { .. } => key::SHA256_SIGNATURE,
        }
    }

    /// Which secret signed `prefix` + `tail`, if one did. Compares in constant time.
    fn signs(self, prefix: &str, tail: &str, signature: &[u8]) -> Option<VerifiedBy<'v>> {
        let made_by = |token: Option<&Token>| {
            token.is_some_and(|token| bool::from(token.signature(prefix, tail).as_slice().ct_eq(signature)))
        };
        match self {
            Self::Tokens { current, previous } => made_by(current)
                .then_some(VerifiedBy::Current)
                .or_else(|| made_by(previous).then_some(VerifiedBy::Previous)),
            Self::Shared { id, key } => {
                bool::from(key.signature(prefix, tail).as_slice().ct_eq(signature)).then_some(VerifiedBy::SharedKey(id))
            }
        }
    }
}

/// The part of the signed string after scheme and authority, which all candidates share.
struct Tail(String);

impl Tail {
    fn of(public: &PublicUrl, request: &SignedRequest<'_>) -> Result<Self, Refusal> {
        let (path, query) = public.reduce(request.target)?;
        match request.payload {
            Payload::Form(form) => Ok(Self::join(path, query, &sorted_parameters(form))),
            Payload::Json(body) => {
                check_body_hash(query, body)?;
                Ok(Self::join(path, query, &[]))
            }
        }
    }

    fn join(path: &str, query: &str, parameters: &[(&str, &str)]) -> Self {
        let length = parameters
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>();
        let mut text = String::with_capacity(path.len() + query.len() + length);
        text.push_str(path);
        text.push_str(query);
        for (name, value) in parameters {
            text.push_str(name);
            text.push_str(value);
        }
        Self(text)
    }
}

fn present(signature: Option<&[u8]>) -> Result<&[u8], Refusal> {
    signature
        .filter(|signature| !signature.is_empty())
        .ok_or(Refusal::Missing)
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// A body that is no form must have the hash that the signed URL names; only an empty one may do without.
fn check_body_hash(query: &str, body: &[u8]) -> Result<(), Refusal> {
    let Some(named) = body_hash_of(query) else {
        return if body.is_empty() {
            Ok(())
        } else {
            Err(Refusal::NoBodyHash)
        };
    };
    let mut hexadecimal = [0; 64];
    let digits = b"0123456789abcdef";
    for (pair, byte) in hexadecimal.chunks_exact_mut(2).zip(Sha256::digest(body)) {
        for (place, digit) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = digits.get(usize::from(digit)).copied().unwrap_or_default();
        }
    }
    if bool::from(hexadecimal.as_slice().ct_eq(&named)) {
        Ok(())
    } else {
        Err(Refusal::WrongBodyHash)
    }
}

/// The first `bodySHA256` of a query (with its `?`) that is not empty.
fn body_hash_of(query: &str) -> Option<Vec<u8>> {
    let query = query.strip_prefix('?')?;
    query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .find_map(|(name, value)| (!value.is_empty() && unquote(name) == b"bodySHA256").then(|| unquote(value)))
}

/// Decodes a piece of a query as the reference does: what is no escape stands for itself.
fn unquote(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|_| byte == b'%');
        let escaped = digits.and_then(|[high, low]| Some(hexadecimal(*high)? << 4 | hexadecimal(*low)?));
        decoded.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    decoded
}

#[cfg(test)]
mod tests;
