//! A company's secrets, which rest apart from its settings and are only ever written.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::documents::{Fault, Faults};

/// The secrets of a company. `Debug` shows none.
#[derive(Debug, Clone, Default)]
pub struct CompanySecrets {
    /// Signs its webhooks.
    pub auth_token: Option<SecretString>,
    /// Still accepted while a token is being changed.
    pub previous_auth_token: Option<SecretString>,
    /// Keys of the second signature scheme, in the order in which they are listed.
    pub shared_keys: Vec<SharedKey>,
}

/// A key of the second signature scheme.
#[derive(Debug, Clone)]
pub struct SharedKey {
    /// Its name on the wire.
    pub id: Arc<str>,
    /// The key.
    pub secret: SecretString,
}

/// The bytes are not those of [`CompanySecrets::to_bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no company's secrets")]
pub struct NotSecrets;

#[derive(Serialize, Deserialize)]
struct Rest<Text> {
    auth_token: Option<Text>,
    previous_auth_token: Option<Text>,
    shared_keys: Vec<(Text, Text)>,
}

impl CompanySecrets {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.auth_token.is_none() && self.previous_auth_token.is_none() && self.shared_keys.is_empty()
    }

    /// The form in which they are sealed. The bytes are in clear: seal them at once.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let rest = Rest {
            auth_token: self.auth_token.as_ref().map(ExposeSecret::expose_secret),
            previous_auth_token: self.previous_auth_token.as_ref().map(ExposeSecret::expose_secret),
            shared_keys: self
                .shared_keys
                .iter()
                .map(|key| (&*key.id, key.secret.expose_secret()))
                .collect(),
        };
        Zeroizing::new(serde_json::to_vec(&rest).unwrap_or_default())
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotSecrets> {
        let rest: Rest<String> = serde_json::from_slice(bytes).map_err(|_| NotSecrets)?;
        Ok(Self {
            auth_token: rest.auth_token.map(SecretString::from),
            previous_auth_token: rest.previous_auth_token.map(SecretString::from),
            shared_keys: rest
                .shared_keys
                .into_iter()
                .map(|(id, secret)| SharedKey {
                    id: id.into(),
                    secret: secret.into(),
                })
                .collect(),
        })
    }

    /// Marks in a company's JSON which secrets are set: `authTokenSet`, `previousAuthTokenSet`, and the
    /// `sharedKeys` by id, which stand nowhere else.
    pub fn mark(&self, company: &mut Map<String, Value>) {
        let Some(twilio) = company.get_mut("twilio").and_then(Value::as_object_mut) else {
            return;
        };
        twilio.insert("authTokenSet".into(), self.auth_token.is_some().into());
        twilio.insert("previousAuthTokenSet".into(), self.previous_auth_token.is_some().into());
        let keys = self
            .shared_keys
            .iter()
            .map(|key| json!({ "id": &*key.id, "secretSet": true }));
        twilio.insert("sharedKeys".into(), keys.collect());
    }
}

/// What a document says about one secret.
#[derive(Clone, Default)]
pub enum Change {
    /// It says nothing.
    #[default]
    Keep,
    /// It says `null`.
    Remove,
    /// It gives one.
    Set(SecretString),
}

impl Change {
    fn apply(self, old: Option<&SecretString>) -> Option<SecretString> {
        match self {
            Self::Keep => old.cloned(),
            Self::Remove => None,
            Self::Set(secret) => Some(secret),
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Set(_) => "Set",
        })
    }
}

/// What a document says about one shared key.
#[derive(Debug, Clone)]
pub struct SharedKeyChange {
    /// Which key.
    pub id: Arc<str>,
    /// Its secret; none keeps the old one.
    pub secret: Option<SecretString>,
}

/// What a document says about secrets.
#[derive(Debug, Clone, Default)]
pub struct SecretChanges {
    /// About `authToken`.
    pub auth_token: Change,
    /// About `previousAuthToken`.
    pub previous_auth_token: Change,
    /// The shared keys that stay; none says nothing about them.
    pub shared_keys: Option<Vec<SharedKeyChange>>,
}

impl SecretChanges {
    /// The secrets after the change.
    ///
    /// # Errors
    /// A shared key that is new and comes without its secret.
    pub fn apply(self, old: &CompanySecrets) -> Result<CompanySecrets, Faults> {
        let mut faults = Vec::new();
        let shared_keys = match self.shared_keys {
            None => old.shared_keys.clone(),
            Some(keys) => {
                let mut kept = Vec::with_capacity(keys.len());
                for (index, SharedKeyChange { id, secret }) in keys.into_iter().enumerate() {
                    let before = || {
                        old.shared_keys
                            .iter()
                            .find(|key| key.id == id)
                            .map(|key| key.secret.clone())
                    };
                    match secret.or_else(before) {
                        Some(secret) => kept.push(SharedKey { id, secret }),
                        None => faults.push(Fault {
                            pointer: format!("/twilio/sharedKeys/{index}/secret"),
                            detail: format!("is missing; the key \"{id}\" is new, so its secret has to come with it"),
                        }),
                    }
                }
                kept
            }
        };
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(CompanySecrets {
            auth_token: self.auth_token.apply(old.auth_token.as_ref()),
            previous_auth_token: self.previous_auth_token.apply(old.previous_auth_token.as_ref()),
            shared_keys,
        })
    }
}
