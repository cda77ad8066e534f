//! Where a provider is, and the key that opens it.

use std::{fmt, net::IpAddr};

use reqwest::Url;
use secrecy::SecretString;

/// The base URL of an OpenAI-compatible server, such as `https://api.openai.com/v1`. It holds no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and path, without a slash at the end.
    base: String,
    host: String,
    is_https: bool,
    completions: Url,
    models: Url,
}

/// Why a text is no endpoint. None of the texts repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEndpoint {
    /// There is nothing.
    #[error("the base URL is empty; write it such as https://api.openai.com/v1")]
    Empty,
    /// It has a blank, a line break or a control character.
    #[error("the base URL has a blank or a control character within; write it such as https://api.openai.com/v1")]
    Blank,
    /// It does not begin with a scheme.
    #[error("the base URL has no scheme; begin it with https:// (or http:// for a server on this machine)")]
    NoScheme,
    /// Its scheme is another one.
    #[error(
        "`{0}` is no scheme of a provider; begin the base URL with https:// (or http:// for a server on this machine)"
    )]
    OtherScheme(String),
    /// It cannot be read.
    #[error("the base URL cannot be read ({0}); write it such as https://api.openai.com/v1")]
    Unreadable(String),
    /// It has a user's name or a password.
    #[error("the base URL has a user name or password; leave it out and set the API key instead")]
    Credentials,
    /// It has a query.
    #[error("the base URL has a query; leave out the ? and what follows it")]
    Query,
    /// It has a fragment.
    #[error("the base URL has a fragment; leave out the # and what follows it")]
    Fragment,
    /// It is the URL of one operation.
    #[error("the base URL is that of one operation; leave out {0}, which is added to it")]
    Operation(&'static str),
    /// It is plain HTTP to another machine.
    #[error(
        "the base URL is plain http to another machine, which would send the API key and callers' words readable; \
         write https://, or set FRONTDESK_LLM__ALLOW_PLAIN_HTTP=true where the network is trusted"
    )]
    PlainHttp,
}

const COMPLETIONS: &str = "/chat/completions";
const MODELS: &str = "/models";

impl Endpoint {
    /// Reads a base URL. Its path is kept, a slash at its end is not.
    ///
    /// Plain HTTP is refused unless the host is this machine or `allow_plain_http` is set.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(base_url: &str, allow_plain_http: bool) -> Result<Self, NotAnEndpoint> {
        let text = base_url.trim();
        if text.is_empty() {
            return Err(NotAnEndpoint::Empty);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(NotAnEndpoint::Blank);
        }
        // Without this, `localhost:8000` has the scheme `localhost`.
        let (scheme, _) = text.split_once("://").ok_or(NotAnEndpoint::NoScheme)?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return Err(other_scheme(scheme));
        }
        let mut url = Url::parse(text).map_err(|error| NotAnEndpoint::Unreadable(error.to_string()))?;
        refuse_parts(&url)?;
        let path = url.path().trim_end_matches('/').to_owned();
        if let Some(operation) = [COMPLETIONS, MODELS].into_iter().find(|end| path.ends_with(end)) {
            return Err(NotAnEndpoint::Operation(operation));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if !is_https && !allow_plain_http && !is_this_machine(&host) {
            return Err(NotAnEndpoint::PlainHttp);
        }
        let mut with_path = |end: &str| {
            url.set_path(&format!("{path}{end}"));
            url.clone()
        };
        let (completions, models) = (with_path(COMPLETIONS), with_path(MODELS));
        let base = models.as_str();
        let base = base.strip_suffix(MODELS).unwrap_or(base).to_owned();
        Ok(Self {
            base,
            host,
            is_https,
            completions,
            models,
        })
    }

    /// Whether this is api.openai.com.
    #[must_use]
    pub fn is_openai(&self) -> bool {
        self.host == "api.openai.com"
    }

    /// Whether it speaks TLS.
    pub(crate) const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Scheme, host and path, for logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Where completions are asked for.
    pub(crate) fn completions(&self) -> Url {
        self.completions.clone()
    }

    /// Where the models are listed.
    pub(crate) fn models(&self) -> Url {
        self.models.clone()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({self})")
    }
}

/// Something before `://` that is neither http nor https. What cannot be a scheme is not repeated: it may hold anything.
fn other_scheme(scheme: &str) -> NotAnEndpoint {
    let is_scheme = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    if !scheme.is_empty() && scheme.len() <= 20 && scheme.bytes().all(is_scheme) {
        NotAnEndpoint::OtherScheme(scheme.to_owned())
    } else {
        NotAnEndpoint::NoScheme
    }
}

fn refuse_parts(url: &Url) -> Result<(), NotAnEndpoint> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotAnEndpoint::Credentials);
    }
    if url.query().is_some() {
        return Err(NotAnEndpoint::Query);
    }
    if url.fragment().is_some() {
        return Err(NotAnEndpoint::Fragment);
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    // An IPv6 address stands in brackets.
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Why a text is no API key. The text itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnApiKey {
    /// There is nothing.
    #[error("the API key is empty; leave it unset for a server that needs none")]
    Empty,
    /// It has a blank or a line break within.
    #[error("the API key has a blank or a line break within; it is one word, without `Bearer` before it")]
    Blank,
    /// It stands in quotation marks.
    #[error("the API key stands in quotation marks; leave them out")]
    Quoted,
    /// It has something else than printable ASCII characters.
    #[error("the API key has characters that no key has; copy it again from the provider's console")]
    NotAscii,
}

/// Reads an API key. Blanks and line breaks around it, as files end with, are not part of it.
///
/// # Errors
/// Says what is wrong, without repeating the text.
pub fn api_key(text: &str) -> Result<SecretString, NotAnApiKey> {
    let key = text.trim();
    if key.is_empty() {
        return Err(NotAnApiKey::Empty);
    }
    if key.contains(char::is_whitespace) {
        return Err(NotAnApiKey::Blank);
    }
    if key.contains(['"', '\'']) {
        return Err(NotAnApiKey::Quoted);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NotAnApiKey::NotAscii);
    }
    Ok(key.into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[track_caller]
    fn check(text: &str, base: &str) {
        assert_eq!(Endpoint::parse(text, false).unwrap().as_str(), base);
    }

    #[track_caller]
    fn check_refused(text: &str, why: &NotAnEndpoint) {
        assert_eq!(&Endpoint::parse(text, false).unwrap_err(), why, "{text}");
    }

    #[test]
    fn a_path_is_kept_and_a_slash_at_its_end_is_not() {
        check("https://api.openai.com/v1", "https://api.openai.com/v1");
        check(" https://api.openai.com/v1/\n", "https://api.openai.com/v1");
        check("https://gateway.example.com:8443", "https://gateway.example.com:8443");
        check("HTTPS://Example.com//a//", "https://example.com//a");
        let endpoint = Endpoint::parse("https://example.com/a/v1/", false).unwrap();
        assert_eq!(
            endpoint.completions().as_str(),
            "https://example.com/a/v1/chat/completions"
        );
        assert_eq!(endpoint.models().as_str(), "https://example.com/a/v1/models");
        let endpoint = Endpoint::parse("https://example.com", false).unwrap();
        assert_eq!(endpoint.models().as_str(), "https://example.com/models");
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_allowed() {
        check("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1");
        check("http://127.9.9.9", "http://127.9.9.9");
        check("http://[::1]:8000/v1", "http://[::1]:8000/v1");
        check("http://localhost:11434/v1", "http://localhost:11434/v1");
        for elsewhere in [
            "http://10.0.0.7:8000/v1",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://[fe80::1]/v1",
        ] {
            check_refused(elsewhere, &NotAnEndpoint::PlainHttp);
            assert!(Endpoint::parse(elsewhere, true).is_ok(), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        check_refused("", &NotAnEndpoint::Empty);
        check_refused("api.openai.com/v1", &NotAnEndpoint::NoScheme);
        check_refused("localhost:8000/v1", &NotAnEndpoint::NoScheme);
        check_refused("https:/api.openai.com", &NotAnEndpoint::NoScheme);
        check_refused("ttps://api.openai.com", &NotAnEndpoint::OtherScheme("ttps".to_owned()));
        check_refused("me:secret@x://y", &NotAnEndpoint::NoScheme);
        check_refused("https://api.openai.com/v1 ?", &NotAnEndpoint::Blank);
        check_refused("https://key@api.openai.com/v1", &NotAnEndpoint::Credentials);
        check_refused("https://u:p@api.openai.com/v1", &NotAnEndpoint::Credentials);
        check_refused("https://api.openai.com/v1?a=b", &NotAnEndpoint::Query);
        check_refused("https://api.openai.com/v1#", &NotAnEndpoint::Fragment);
        check_refused(
            "https://api.openai.com/v1/chat/completions",
            &NotAnEndpoint::Operation("/chat/completions"),
        );
        let unreadable = Endpoint::parse("https://", false).unwrap_err();
        assert!(matches!(unreadable, NotAnEndpoint::Unreadable(_)), "{unreadable}");
    }

    #[test]
    fn a_refusal_says_what_would_be_right_and_repeats_no_password() {
        for text in [
            "ttps://me:hunter2@x",
            "https://me:hunter2@x",
            "me:hunter2@x",
            "https://me:hunter2@",
            "https://me:hunter2@x:99999",
            "http://x",
            "https:// hunter2",
        ] {
            let said = Endpoint::parse(text, false).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
            assert!(said.contains("https://") || said.contains("leave"), "{said}");
        }
    }

    #[test]
    fn only_openais_own_host_is_openai() {
        let is_openai = |text| Endpoint::parse(text, false).unwrap().is_openai();
        assert!(is_openai("https://api.openai.com/v1"));
        assert!(is_openai("https://API.OpenAI.com/v1"));
        assert!(!is_openai("https://api.openai.com.example.com/v1"));
    }

    #[test]
    fn a_key_is_one_word_without_what_surrounds_it() {
        for (text, expected) in [
            ("sk-proj-A_1\n", Ok("sk-proj-A_1")),
            ("\r\n  sk-1\t", Ok("sk-1")),
            (" \n", Err(NotAnApiKey::Empty)),
            ("sk-1\nsk-2", Err(NotAnApiKey::Blank)),
            ("Bearer sk-1", Err(NotAnApiKey::Blank)),
            ("\"sk-1\"", Err(NotAnApiKey::Quoted)),
            ("sk-\u{200b}1", Err(NotAnApiKey::NotAscii)),
            ("sk-1\u{0}", Err(NotAnApiKey::NotAscii)),
        ] {
            let key = api_key(text);
            assert_eq!(
                key.as_ref().map(SecretString::expose_secret),
                expected.as_ref().copied()
            );
        }
    }
}
