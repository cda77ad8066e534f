//! The URL under which Twilio reaches us, as far as configuration knows it.

use super::Refusal;

/// Scheme, host and port under which Twilio reaches this server; no path.
///
/// User information and the host's case are kept, because Twilio signs them as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: Scheme,
    /// `scheme://authority`, as configured.
    text: String,
    with_port: String,
    without_port: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Ws,
    Wss,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The port that the reference adds: 443 for `https`, 80 for every other scheme, `wss` too.
    pub(super) const fn added_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http | Self::Ws | Self::Wss => 80,
        }
    }
}

/// Why a text is not a public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// It begins with none of `https://`, `http://`, `wss://` and `ws://`.
    #[error("a public URL begins with `https://` or `http://`")]
    Scheme,
    /// It has a path, query or fragment.
    #[error("a public URL ends after host and port")]
    Path,
    /// The host is absent, or has characters that a host cannot have; other alphabets are written in Punycode.
    #[error("the host of the public URL is absent or malformed")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the public URL is not a number from 1 to 65535")]
    Port,
}

impl PublicUrl {
    /// Reads `scheme://host[:port]`; one `/` at the end is tolerated.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let (scheme, authority) = text.split_once("://").ok_or(PublicUrlError::Scheme)?;
        let scheme = [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(scheme))
            .ok_or(PublicUrlError::Scheme)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#']) {
            return Err(PublicUrlError::Path);
        }
        let (host, port) = split_port(authority);
        check_host(host)?;
        let named = scheme.name();
        let as_configured = format!("{named}://{authority}");
        let (with_port, without_port) = match port {
            None => (
                format!("{as_configured}:{}", scheme.added_port()),
                as_configured.clone(),
            ),
            Some(port) => {
                let number = port.parse::<u16>().ok().filter(|number| *number != 0);
                number
                    .filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))
                    .ok_or(PublicUrlError::Port)?;
                // The reference cuts at the first colon, also where it belongs to user information or IPv6.
                let cut = authority.split(':').next().unwrap_or(authority);
                (as_configured.clone(), format!("{named}://{cut}"))
            }
        };
        Ok(Self {
            scheme,
            text: as_configured,
            with_port,
            without_port,
        })
    }

    /// Scheme and authority as configured, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL against which a request for `target` is verified, as an operator would write it.
    pub fn url_of(&self, target: &str) -> String {
        let target = target.split('#').next().unwrap_or(target);
        format!("{}{target}", self.text)
    }

    /// What may stand before path and query in the signed string: which of them Twilio signs varies.
    pub(super) fn candidates(&self) -> [&str; 2] {
        [&self.without_port, &self.with_port]
    }

    pub(super) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Authority as configured.
    pub(super) fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Path and query (with its `?`) of a target as the reference signs them: without fragment, and without a
    /// `?` or `;` that nothing follows.
    pub(super) fn reduce<'t>(&self, target: &'t str) -> Result<(&'t str, &'t str), Refusal> {
        let target = target.split('#').next().unwrap_or(target);
        // Anything but a slash would continue the host.
        let is_path = target.is_empty() || target.starts_with(['/', '?']);
        if !is_path || target.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Refusal::MalformedTarget);
        }
        let start = target.find('?').unwrap_or(target.len());
        let (path, query) = target.split_at_checked(start).unwrap_or((target, ""));
        let has_parameters = matches!(self.scheme, Scheme::Http | Scheme::Https);
        let path = match path.strip_suffix(';') {
            Some(shorter) if has_parameters && !last_segment(shorter).contains(';') => shorter,
            _ => path,
        };
        Ok((path, if query == "?" { "" } else { query }))
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Host (with user information) and port of an authority; the colons of an IPv6 address separate nothing.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host_start = authority.rfind('@').map_or(0, |at| at + 1);
    let after_address = authority
        .rfind(']')
        .map_or(host_start, |bracket| bracket.max(host_start));
    let colon = authority
        .get(after_address..)
        .and_then(|rest| rest.find(':'))
        .map(|colon| after_address + colon);
    match colon.and_then(|colon| authority.split_at_checked(colon)) {
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
        None => (authority, None),
    }
}

fn check_host(host: &str) -> Result<(), PublicUrlError> {
    let (user, name) = host.rsplit_once('@').unwrap_or(("", host));
    let visible = host
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
    let bracketed = match name.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        None => !name.contains(['[', ']']),
        Some(address) => address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
    };
    if name.is_empty() || !visible || !bracketed || user.contains(['[', ']']) {
        Err(PublicUrlError::Host)
    } else {
        Ok(())
    }
}
