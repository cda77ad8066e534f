//! Which likely mistake explains a signature that does not match. Off the call path; accepts nothing.

use super::public_url::{Scheme, split_port};
use super::{PublicUrl, Refusal, SignedRequest, Tail, Verifier, present};

/// The URL that the sender really signed, and how it differs from the one configured here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The URL with which the signature would have matched.
    pub url: String,
    /// What is different, most telling first; empty when only a standard port is spelt out.
    pub mistakes: Vec<Mistake>,
}

/// One way in which the URL configured at Twilio and the one configured here differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// `http` instead of `https` or the other way round: often a proxy that ends TLS.
    Scheme,
    /// Another host, which the request named in its headers.
    Host,
    /// Another port.
    Port,
    /// A slash at the end of the path that the other lacks: often a proxy that rewrites it.
    TrailingSlash,
}

impl Mistake {
    /// What an operator should do about it, in words for an alert.
    pub const fn likely_fix(self) -> &'static str {
        match self {
            Self::Scheme => {
                "use the same scheme in the webhook's URL at Twilio and in the public URL configured here; \
                 a proxy that ends TLS is the usual cause"
            }
            Self::Host => "use the same host, in the same case, at Twilio and in the public URL configured here",
            Self::Port => "use the same port at Twilio and in the public URL configured here",
            Self::TrailingSlash => {
                "remove or add the slash at the end of the webhook's path at Twilio, \
                 or stop the proxy from rewriting it"
            }
        }
    }
}

/// Ports that development servers and proxies like.
const LIKELY_PORTS: [u16; 7] = [80, 443, 8080, 8443, 3000, 5000, 8000];

/// Scheme, authority and path of a URL that may have been signed.
struct Guess {
    prefix: String,
    other_slash: bool,
    mistakes: Vec<Mistake>,
}

impl Verifier {
    /// Names the URL for which a mismatched signature is right, the fewest mistakes first.
    ///
    /// `hosts` are authorities that the request named (`Host`, `X-Forwarded-Host`). They come from the sender, and
    /// are shown only when the signature proves that Twilio signed them. `None` when nothing likely fits, or the
    /// request was refused for another reason than [`Refusal::Mismatch`].
    pub fn diagnose(&self, public: &PublicUrl, request: &SignedRequest<'_>, hosts: &[&str]) -> Option<Diagnosis> {
        if self.verify(public, request) != Err(Refusal::Mismatch) {
            return None;
        }
        let signature = present(request.signature).ok()?;
        let secret = self.secret(request.settings).ok()?;
        let target = request.target.split('#').next().unwrap_or_default();
        let sent = Tail::of(public, request).ok()?.0;
        let slashed = toggle_slash(target);
        let other = Tail::of(
            public,
            &SignedRequest {
                target: &slashed,
                ..*request
            },
        )
        .ok()?
        .0;
        let guess = guesses(public, hosts).into_iter().find(|guess| {
            let tail = if guess.other_slash { &other } else { &sent };
            secret.signs(&guess.prefix, tail, signature).is_some()
        })?;
        let target = if guess.other_slash { &slashed } else { target };
        Some(Diagnosis {
            url: format!("{}{target}", guess.prefix),
            mistakes: guess.mistakes,
        })
    }
}

/// All likely URLs, by the number of mistakes.
fn guesses(public: &PublicUrl, hosts: &[&str]) -> Vec<Guess> {
    let configured = split_port(public.authority());
    let authorities: Vec<_> = std::iter::once(configured)
        .chain(hosts.iter().map(|host| split_port(host)))
        .collect();
    let named = authorities
        .iter()
        .filter_map(|(_, port)| port.and_then(|port| port.parse().ok()));
    let mut ports: Vec<Option<u16>> = std::iter::once(None).chain(named.map(Some)).collect();
    ports.extend(LIKELY_PORTS.map(Some));
    let schemes = match public.scheme() {
        Scheme::Http | Scheme::Https => [Scheme::Https, Scheme::Http],
        Scheme::Ws | Scheme::Wss => [Scheme::Wss, Scheme::Ws],
    };
    let here = unusual_port(public.scheme(), configured.1.and_then(|port| port.parse().ok()));
    let mut guesses = Vec::new();
    for scheme in schemes {
        for &(host, _) in &authorities {
            for &port in &ports {
                for other_slash in [false, true] {
                    let mistakes = [
                        (scheme != public.scheme(), Mistake::Scheme),
                        (host != configured.0, Mistake::Host),
                        (unusual_port(scheme, port) != here, Mistake::Port),
                        (other_slash, Mistake::TrailingSlash),
                    ];
                    guesses.push(Guess {
                        prefix: match port {
                            Some(port) => format!("{}://{host}:{port}", scheme.name()),
                            None => format!("{}://{host}", scheme.name()),
                        },
                        other_slash,
                        mistakes: mistakes
                            .iter()
                            .filter(|(made, _)| *made)
                            .map(|(_, mistake)| *mistake)
                            .collect(),
                    });
                }
            }
        }
    }
    guesses.sort_by_key(|guess| guess.mistakes.len());
    guesses
}

/// The port, unless it is the one that the scheme implies.
fn unusual_port(scheme: Scheme, port: Option<u16>) -> Option<u16> {
    let standard = match scheme {
        Scheme::Https | Scheme::Wss => 443,
        Scheme::Http | Scheme::Ws => 80,
    };
    port.filter(|port| *port != standard)
}

/// The target with a slash more or less at the end of its path.
fn toggle_slash(target: &str) -> String {
    let (path, query) = target
        .split_at_checked(target.find('?').unwrap_or(target.len()))
        .unwrap_or((target, ""));
    match path.strip_suffix('/') {
        Some(shorter) => format!("{shorter}{query}"),
        None => format!("{path}/{query}"),
    }
}
