//! The header that says with which key and how a request was signed.

use super::Refusal;

/// What the settings header says; without one, an auth token signed with `HMAC_SHA1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settings<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) algorithm: Algorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Algorithm {
    #[default]
    Sha1,
    Sha256,
}

impl<'a> Settings<'a> {
    /// Reads `key=<id>,algorithm=<name>`: unknown fields are passed over, the first field of a name counts.
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(header).map_err(|_| Refusal::MalformedSettings)?;
        if !text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(Refusal::MalformedSettings);
        }
        let field = |wanted: &str| {
            text.split(',')
                .filter_map(|field| field.split_once('='))
                .map(|(name, value)| (name.trim(), value.trim()))
                .find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
        };
        let algorithm = match field("algorithm") {
            None => Algorithm::Sha1,
            Some(name) if name.eq_ignore_ascii_case("HMAC_SHA1") => Algorithm::Sha1,
            Some(name) if name.eq_ignore_ascii_case("HMAC_SHA256") => Algorithm::Sha256,
            Some(_) => return Err(Refusal::UnknownAlgorithm),
        };
        Ok(Self {
            key: field("key"),
            algorithm,
        })
    }
}

/// The value of [`super::SETTINGS_HEADER`] for a request signed with the shared key `id`.
pub fn settings_header(id: &str) -> String {
    format!("key={id},algorithm=HMAC_SHA256")
}
