//! The address of a database, which may hold a password.

use std::{fmt, sync::Arc};

/// The address of a `MongoDB` database. Shown and logged without name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUrl {
    url: Arc<str>,
    database: Arc<str>,
}

/// Why a text is no address of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMongoUrl {
    /// It begins with something else.
    #[error("should begin with mongodb:// or mongodb+srv://")]
    Scheme,
    /// It names no database.
    #[error("names no database; write it such as mongodb://host:27017/frontdesk")]
    Database,
}

impl MongoUrl {
    /// Takes an address.
    ///
    /// # Errors
    /// It is of another kind, or names no database.
    pub fn parse(url: &str) -> Result<Self, NotMongoUrl> {
        let rest = url
            .strip_prefix("mongodb://")
            .or_else(|| url.strip_prefix("mongodb+srv://"));
        let (_, path) = servers(rest.ok_or(NotMongoUrl::Scheme)?)
            .split_once('/')
            .ok_or(NotMongoUrl::Database)?;
        match path.split('?').next() {
            None | Some("") => Err(NotMongoUrl::Database),
            Some(database) => Ok(Self {
                url: url.into(),
                database: database.into(),
            }),
        }
    }

    /// The database that it names.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// All of it, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }
}

/// What follows name and password, which may hold an `@` that nobody has escaped.
fn servers(rest: &str) -> &str {
    rest.rsplit_once('@').map_or(rest, |(_, servers)| servers)
}

impl fmt::Display for MongoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let hosts = servers(rest).split('/').next().unwrap_or_default();
        write!(f, "{scheme}://{hosts}/{}", self.database)
    }
}

impl fmt::Debug for MongoUrl {
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
            (
                "mongodb://127.0.0.1:27017/frontdesk",
                "mongodb://127.0.0.1:27017/frontdesk",
            ),
            (
                "mongodb://me:p%40ss@a:1,b:2/desk?replicaSet=rs",
                "mongodb://a:1,b:2/desk",
            ),
            (
                "mongodb+srv://me:p@ss/word@cluster.example/desk?w=1",
                "mongodb+srv://cluster.example/desk",
            ),
        ] {
            let url = MongoUrl::parse(url).unwrap();
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (want, want));
        }
    }

    #[test]
    fn the_database_is_the_path() {
        assert_eq!(
            MongoUrl::parse("mongodb://me:x@a:1,b:2/desk?w=1").unwrap().database(),
            "desk"
        );
        for none in ["mongodb://host", "mongodb://host/", "mongodb://host/?w=1"] {
            assert_eq!(MongoUrl::parse(none), Err(NotMongoUrl::Database), "{none}");
        }
        assert_eq!(MongoUrl::parse("host/desk"), Err(NotMongoUrl::Scheme));
    }
}
