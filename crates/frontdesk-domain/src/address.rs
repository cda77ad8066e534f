//! Which network addresses a message may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where messages may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// To networks of one's own: private, loopback and link-local addresses. Lets whoever may write contacts ask what
    /// runs there.
    pub private: bool,
    /// Without TLS.
    pub plain_http: bool,
}

/// Why a URL is refused, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It cannot be read as one.
    #[error("should be a URL such as \"https://hooks.example.com/frontdesk\"")]
    NoUrl,
    /// Its scheme is another one.
    #[error("should begin with https://")]
    Scheme,
    /// It goes without TLS.
    #[error("should begin with https://; http:// is allowed by FRONTDESK_DELIVERY__ALLOW_PLAIN_HTTP=true")]
    PlainHttp,
    /// A user or password stands in it.
    #[error("should hold no user and no password; a webhook's `secret` signs what is sent")]
    Credentials,
    /// It names an address of a network of one's own.
    #[error("names an address that is not public; such networks are allowed by FRONTDESK_DELIVERY__ALLOW_PRIVATE=true")]
    Private,
}

/// Reads a URL that messages may be sent to. What its name resolves to is checked when it is connected to.
///
/// # Errors
/// What is wrong with it.
pub fn webhook_url(text: &str, reach: Reach) -> Result<Url, Unreachable> {
    let url = Url::parse(text.trim()).map_err(|_| Unreachable::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if reach.plain_http => {}
        "http" => return Err(Unreachable::PlainHttp),
        _ => return Err(Unreachable::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unreachable::Credentials);
    }
    let is_public_host = match url.host() {
        Some(Host::Ipv4(address)) => is_public_v4(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        Some(Host::Domain(name)) => !is_local_name(name),
        None => return Err(Unreachable::NoUrl),
    };
    if !is_public_host && !reach.private {
        return Err(Unreachable::Private);
    }
    Ok(url)
}

/// Names that never leave a machine or a site (RFC 6761, RFC 6762, RFC 9476).
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    matches!(last, "localhost" | "local" | "internal" | "home" | "lan")
}

/// Whether an address is one of the public Internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Not one of the special-purpose addresses (IANA's registry, RFC 6890). The metadata of clouds, at 169.254.169.254, is
/// link-local.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

/// A global unicast address that stands for no IPv4 address that is none.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    let last = |address: Ipv6Addr| {
        let [.., high, low] = address.segments();
        let [[a, b], [c, d]] = [high, low].map(u16::to_be_bytes);
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    match (first, second) {
        // NAT64.
        (0x64, 0xff9b) => third == 0 && is_public_v4(last(address)),
        // 6to4 names an IPv4 address, Teredo another one, and some are for documentation and benchmarks.
        (0x2002, _) | (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => false,
        // 2000::/3 is all that is given out.
        _ => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, want: &Result<(), Unreachable>) {
        assert_eq!(&webhook_url(url, Reach::default()).map(drop), want, "{url}");
    }

    #[test]
    fn a_webhook_is_public_and_encrypted() {
        check("https://hooks.example.com/x?y=1", &Ok(()));
        check("https://8.8.8.8/", &Ok(()));
        check("https://[2606:4700::1111]/", &Ok(()));
        check("http://hooks.example.com/", &Err(Unreachable::PlainHttp));
        check("ftp://hooks.example.com/", &Err(Unreachable::Scheme));
        check("file:///etc/passwd", &Err(Unreachable::Scheme));
        check("hooks.example.com", &Err(Unreachable::NoUrl));
        check("", &Err(Unreachable::NoUrl));
        check("https://me:word@hooks.example.com/", &Err(Unreachable::Credentials));
    }

    #[test]
    fn addresses_of_ones_own_networks_are_refused_however_they_are_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "0",
            "10.0.0.8",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[fd00:ec2::254]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::a00:1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "localhost",
            "localhost.",
            "a.LOCALHOST",
            "printer.local",
            "metadata.google.internal",
        ] {
            check(&format!("https://{host}/"), &Err(Unreachable::Private));
        }
    }

    #[test]
    fn what_is_allowed_is_taken() {
        let all = Reach {
            private: true,
            plain_http: true,
        };
        assert!(webhook_url("http://127.0.0.1:9000/", all).is_ok());
        assert!(webhook_url("http://localhost/", all).is_ok());
        assert!(webhook_url("gopher://localhost/", all).is_err());
    }
}
