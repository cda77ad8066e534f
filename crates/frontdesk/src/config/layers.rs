//! The layers of the configuration, the last one that sets a key wins.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc};

use frontdesk_llm::endpoint::api_key;
use secrecy::SecretString;
use toml::{Table, Value};

use super::{Config, ConfigError, DEFAULT_FILE, Flag, SettingFault, keys};

/// The LLM's key under the name that `OpenAI`'s own tools know.
pub(super) const OPENAI_API_KEY: &str = "OPENAI_API_KEY";

/// A value and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    origin: String,
    value: Value,
}

impl Setting {
    /// The value as text without blanks around it; it must be one, and not empty.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self.value.as_str().map(str::trim) {
            None => Err(format!("is {}, and should be text in quotes", self.value.type_str())),
            Some("") => Err("is empty; remove it or give it a value".to_owned()),
            Some(text) => Ok(text),
        }
    }

    /// The value as a whole number that is not negative.
    pub(super) fn count(&self) -> Option<u32> {
        match &self.value {
            Value::Integer(value) => (*value).try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The value as a switch; in the environment, switches are texts.
    pub(super) fn switch(&self) -> Option<bool> {
        match &self.value {
            Value::Boolean(value) => Some(*value),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// Settings by key, and what is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    settings: BTreeMap<String, Setting>,
    faults: Vec<SettingFault>,
}

impl Layers {
    /// Adds what a TOML text sets.
    pub(super) fn add_text(&mut self, origin: &str, text: &str) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return self.fault(origin, no_toml(text, &error)),
        };
        for (section, value) in table {
            let Value::Table(section_keys) = value else {
                self.fault(origin, format!("sets `{section}` outside of a [section]"));
                continue;
            };
            for (key, value) in section_keys {
                let key = format!("{section}.{key}");
                self.set(format!("{origin}: `{key}`"), key, value, |known| format!("`{known}`"));
            }
        }
    }

    /// Adds what a file sets; only the default file may be absent.
    pub(super) fn add_file(&mut self, named: Option<&Path>) {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let origin = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => self.add_text(&origin, &text),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.fault(&origin, format!("cannot be read: {error}")),
        }
    }

    /// Adds what environment variables set.
    pub(super) fn add_environment(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            if let Some(key) = keys::of_variable(name) {
                self.set(name.clone(), key, Value::String(value.clone()), keys::variable);
            }
        }
    }

    /// Adds what the command line sets.
    pub(super) fn add_flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            self.set(
                flag.name.to_owned(),
                flag.key.to_owned(),
                Value::String(flag.value.clone()),
                str::to_owned,
            );
        }
    }

    fn set(&mut self, origin: String, key: String, value: Value, spell: impl Fn(&str) -> String) {
        match keys::refusal(&key, spell) {
            Some(refusal) => self.fault(&origin, refusal),
            None => _ = self.settings.insert(key, Setting { origin, value }),
        }
    }

    fn fault(&mut self, origin: &str, detail: String) {
        self.faults.push(SettingFault {
            origin: origin.to_owned(),
            detail,
        });
    }

    /// Where a setting was set that was not taken yet.
    pub(super) fn origin(&self, key: &str) -> Option<Arc<str>> {
        self.settings.get(key).map(|setting| setting.origin.as_str().into())
    }

    /// Takes a setting as its type. What is wrong with it is noted and it counts as unset.
    pub(super) fn take<T>(&mut self, key: &str, read: impl Fn(&Setting) -> Result<T, String>) -> Option<T> {
        let setting = self.settings.remove(key)?;
        match read(&setting) {
            Ok(value) => Some(value),
            Err(detail) => {
                let shown = if is_secret(key) {
                    String::new()
                } else {
                    format!("is {}; it ", setting.value)
                };
                self.fault(&setting.origin, format!("{shown}{detail}"));
                None
            }
        }
    }

    /// The LLM's key as `OpenAI`'s own tools find it.
    pub(super) fn api_key_of_openai(&mut self, environment: &[(String, String)]) -> Option<SecretString> {
        let (_, key) = environment
            .iter()
            .find(|(name, key)| name == OPENAI_API_KEY && !key.is_empty())?;
        match api_key(key) {
            Ok(key) => Some(key),
            Err(error) => {
                self.fault(OPENAI_API_KEY, error.to_string());
                None
            }
        }
    }

    /// The configuration, if nothing is wrong.
    pub(super) fn finish(mut self, config: Option<Config>) -> Result<Config, ConfigError> {
        match config {
            Some(config) if self.faults.is_empty() => Ok(config),
            _ => {
                if self.faults.is_empty() {
                    self.fault("the embedded default", "lacks a key".to_owned());
                }
                Err(ConfigError(self.faults))
            }
        }
    }
}

/// Where a text is no TOML and why. The line itself is left out: it may hold a password.
fn no_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("is no TOML: line {line}: {}", error.message().trim())
}

fn is_secret(key: &str) -> bool {
    matches!(
        key,
        "admin.token"
            | "twilio.auth_token"
            | "secrets.key"
            | "secrets.previous_key"
            | "store.url"
            | "cache.url"
            | "llm.api_key"
            | "llm.base_url"
            | "smtp.url"
    )
}
