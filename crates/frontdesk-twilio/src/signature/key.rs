//! Secrets as keyed hash states, and what they sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;

use super::Tail;
use crate::form::Form;

/// Bytes of a signature by `HMAC_SHA1`, in base64.
pub(super) const SHA1_SIGNATURE: usize = 28;
/// Bytes of a signature by `HMAC_SHA256`, in base64.
pub(super) const SHA256_SIGNATURE: usize = 44;

/// An auth token, which signs with `HMAC_SHA1`.
#[derive(Clone)]
pub(super) struct Token(Hmac<Sha1>);

impl Token {
    /// `None` for an empty token.
    pub(super) fn new(token: &str) -> Option<Self> {
        // HMAC takes keys of any length.
        Hmac::new_from_slice(token.as_bytes())
            .ok()
            .filter(|_| !token.is_empty())
            .map(Self)
    }

    pub(super) fn signature(&self, prefix: &str, tail: &str) -> [u8; SHA1_SIGNATURE] {
        let mut mac = self.0.clone();
        mac.update(prefix.as_bytes());
        mac.update(tail.as_bytes());
        base64(&mac.finalize().into_bytes())
    }
}

/// The secret of a shared key, which signs with `HMAC_SHA256`.
#[derive(Clone)]
pub(super) struct SharedKey(Hmac<Sha256>);

impl SharedKey {
    /// `None` for an empty secret.
    pub(super) fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes())
            .ok()
            .filter(|_| !secret.is_empty())
            .map(Self)
    }

    pub(super) fn signature(&self, prefix: &str, tail: &str) -> [u8; SHA256_SIGNATURE] {
        let mut mac = self.0.clone();
        mac.update(prefix.as_bytes());
        mac.update(tail.as_bytes());
        base64(&mac.finalize().into_bytes())
    }
}

/// Signs a request for `url` as Twilio does with an auth token: the value of [`super::SIGNATURE_HEADER`].
///
/// `url` is signed as it stands, without its `#fragment`. An empty token signs nothing: the result is empty.
pub fn sign(token: &str, url: &str, form: &Form) -> String {
    let signature = Token::new(token).map(|token| token.signature(without_fragment(url), &parameters_of(form)));
    ascii(signature.as_ref().map_or(&[], <[u8; SHA1_SIGNATURE]>::as_slice))
}

/// Signs a request for `url` as Twilio does with the secret of a shared key.
///
/// Such a request also carries [`super::settings_header`].
pub fn sign_with_shared_key(secret: &str, url: &str, form: &Form) -> String {
    let signature = SharedKey::new(secret).map(|key| key.signature(without_fragment(url), &parameters_of(form)));
    ascii(signature.as_ref().map_or(&[], <[u8; SHA256_SIGNATURE]>::as_slice))
}

/// The distinct parameters, by name and then by value, in byte order.
///
/// Pairs are compared, not joined strings: `Reason` comes before `ReasonConferenceEnded` whatever their values are.
pub(super) fn sorted_parameters(form: &Form) -> Vec<(&str, &str)> {
    let mut parameters: Vec<_> = form.pairs().collect();
    parameters.sort_unstable();
    parameters.dedup();
    parameters
}

fn parameters_of(form: &Form) -> String {
    Tail::join("", "", &sorted_parameters(form)).0
}

fn without_fragment(url: &str) -> &str {
    url.split('#').next().unwrap_or(url)
}

fn base64<const LENGTH: usize>(hash: &[u8]) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    // The lengths fit each other by construction; zeros would equal no base64.
    let written = STANDARD.encode_slice(hash, &mut text);
    debug_assert_eq!(written.ok(), Some(LENGTH));
    text
}

fn ascii(signature: &[u8]) -> String {
    signature.iter().copied().map(char::from).collect()
}
