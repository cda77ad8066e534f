//! The address of a cache server, which may hold a password.

use std::{fmt, sync::Arc};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// The address of a `Redis` server and the number of its database. Shown and logged without name and password.
#[derive(Clone)]
pub struct RedisUrl {
    url: Arc<str>,
    info: ConnectionInfo,
}

/// Why a text is no address of a cache server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedisUrl {
    /// It begins with something else.
    #[error("should begin with redis:// or rediss:// (with TLS)")]
    Scheme,
    /// It cannot be read. The text itself is left out: it may hold a password.
    #[error("is no address of a server; write it such as redis://host:6379/0")]
    Address,
}

impl RedisUrl {
    /// Takes an address.
    ///
    /// # Errors
    /// It is of another kind, or cannot be read.
    pub fn parse(url: &str) -> Result<Self, NotRedisUrl> {
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(NotRedisUrl::Scheme);
        }
        let info = url.into_connection_info().map_err(|_| NotRedisUrl::Address)?;
        Ok(Self { url: url.into(), info })
    }

    /// All of it, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// The address as the client takes it.
    pub(crate) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for RedisUrl {}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.info.addr();
        let scheme = match address {
            ConnectionAddr::TcpTls { .. } => "rediss",
            _ => "redis",
        };
        write!(f, "{scheme}://{address}/{}", self.info.redis_settings().db())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, want) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/0"),
            ("redis://cache/3", "redis://cache:6379/3"),
            (
                "rediss://me:p%40ss@cache.example:6380/1",
                "rediss://cache.example:6380/1",
            ),
        ] {
            let url = RedisUrl::parse(url).unwrap();
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (want, want));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        assert_eq!(RedisUrl::parse("memcached://host"), Err(NotRedisUrl::Scheme));
        let refused = RedisUrl::parse("redis://me:secret@host:port/x").unwrap_err();
        assert_eq!(refused, NotRedisUrl::Address);
        assert!(!refused.to_string().contains("secret"));
    }
}
