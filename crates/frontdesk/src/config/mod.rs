//! The configuration: embedded default < file < environment < command line.
//!
//! What is read here is checked here: the rest of the program gets types that are right.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use frontdesk_callflow::limits::Limits;
use frontdesk_domain::{ledger::PriceRow, money::PicoUsd};
use frontdesk_llm::{
    endpoint::{self, Endpoint},
    prices::parse_rows,
};
use frontdesk_store::{mongo_url::MongoUrl, redis_url::RedisUrl, seal::SealKey};
use frontdesk_twilio::signature::PublicUrl;
use secrecy::SecretString;

mod keys;
mod layers;
mod notices;
#[cfg(test)]
mod tests;

use layers::{Layers, OPENAI_API_KEY, Setting};
pub use notices::NoticesConfig;

/// The default configuration, which documents every key.
pub const DEFAULT: &str = include_str!("../../data/config.default.toml");

/// The file that is read if `--config` names none; it may be absent.
pub const DEFAULT_FILE: &str = "frontdesk.toml";

/// The whole configuration. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens and how it is reached.
    pub http: Http,
    /// The admin API's token, if it is set; else it is in [`Config::token_file`].
    pub token: Option<SecretString>,
    /// Where everything is kept.
    pub store: StoreUrl,
    /// The cache server that instances share; none: each process keeps its own.
    pub cache: Option<RedisUrl>,
    /// What signs webhooks.
    pub twilio: Twilio,
    /// What seals secrets.
    pub secrets: Secrets,
    /// Limits against abuse.
    pub limits: Limits,
    /// Where the encoder is.
    pub model: Model,
    /// Who is asked what no rule and no meaning answers.
    pub llm: LlmConfig,
    /// How operators are told.
    pub notices: NoticesConfig,
    /// How the log looks; absent: as fits where it goes.
    pub log_format: Option<LogFormat>,
}

/// Where the server listens and how it is reached.
#[derive(Debug, Clone)]
pub struct Http {
    /// Voice routes and admin API.
    pub listen: SocketAddr,
    /// The URL under which Twilio reaches this server, if it is set.
    pub public_url: Option<Arc<str>>,
    /// Serves `/metrics` without a token.
    pub metrics_listen: Option<SocketAddr>,
}

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A database that several instances share.
    Mongo(MongoUrl),
}

impl StoreUrl {
    /// Whether processes on other machines may use the same store.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Mongo(_))
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        read_store_url(text).map_err(StoreUrlError)
    }
}

/// An address of no store, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreUrlError(String);

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Mongo(url) => url.fmt(f),
        }
    }
}

/// Where a process keeps what is its own, if its store is no file.
const OWN_FOLDER: &str = "frontdesk-data";

/// What signs webhooks.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// For companies without a token of their own.
    pub auth_token: Option<SecretString>,
    /// Whether signatures are checked.
    pub verify: bool,
}

/// Where the encoder is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// The folder that is set; the others are not looked at then.
    pub path: Option<PathBuf>,
    /// The folder of the user's caches.
    pub caches: Option<PathBuf>,
}

impl Model {
    /// The folder of Frontdesk's own caches.
    #[must_use]
    pub fn cache_folder(&self) -> Option<PathBuf> {
        Some(self.caches.as_ref()?.join("frontdesk"))
    }

    /// Where `frontdesk model install` puts models.
    #[must_use]
    pub fn install_folder(&self) -> Option<PathBuf> {
        Some(self.cache_folder()?.join("models"))
    }

    /// The folders in which the encoder may be, in the order in which they are looked at.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.path {
            return vec![path.clone()];
        }
        let executable = std::env::current_exe().ok();
        let beside = executable
            .as_deref()
            .and_then(Path::parent)
            .map(|folder| folder.join("models"));
        beside.into_iter().chain(self.install_folder()).collect()
    }
}

/// The folder of the user's caches, by the XDG base directory specification.
fn caches(environment: &[(String, String)]) -> Option<PathBuf> {
    let find = |name: &str| {
        let found = environment.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| PathBuf::from(value))
            .filter(|path| path.is_absolute())
    };
    find("XDG_CACHE_HOME").or_else(|| Some(find("HOME")?.join(".cache")))
}

/// Who is asked what no rule and no meaning answers.
#[derive(Debug, Clone)]
pub struct LlmConfig {
    /// Where.
    pub endpoint: Endpoint,
    /// The key.
    pub api_key: Option<SecretString>,
    /// Where the key was set: a file, a variable.
    pub key_origin: Option<Arc<str>>,
    /// Which model.
    pub model: Arc<str>,
    /// Prices of models that the program does not know, or that cost less here.
    pub prices: Vec<PriceRow>,
    /// How long a model that reasons may do so; none if nothing is to be said of it.
    pub reasoning_effort: Option<Arc<str>>,
    /// Whoever does not settle within this time is charged in full.
    pub lease: Duration,
    /// What the platform's own account may spend in a month.
    pub platform_budget: PicoUsd,
    /// How often a call may ask; 0 for as often as it likes.
    pub calls_per_call: u32,
}

impl LlmConfig {
    /// Whether anybody can be asked: an endpoint that needs a key has one.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.api_key.is_some() || !self.endpoint.is_openai()
    }
}

/// What seals secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Seals and opens; absent: the one in [`Config::key_file`].
    pub key: Option<SealKey>,
    /// Opens what was sealed before the last change.
    pub previous_key: Option<SealKey>,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A setting that was given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The key that it sets.
    pub key: &'static str,
    /// How the user wrote it, such as `--listen`.
    pub name: &'static str,
    /// What it is set to.
    pub value: String,
}

/// Where the configuration comes from, so that tests can hand in their own.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// The file named on the command line.
    pub file: Option<PathBuf>,
    /// Variables of the environment; those that begin with `FRONTDESK_` are settings, and `XDG_CACHE_HOME` and `HOME` say
    /// where caches are.
    pub environment: Vec<(String, String)>,
    /// Settings on the command line.
    pub flags: Vec<Flag>,
}

/// What is wrong with one setting. A secret's value is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin} {detail}")]
pub struct SettingFault {
    /// Where it was set: a file, a variable, a flag.
    pub origin: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// Everything that is wrong with the configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<SettingFault>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Everything that is wrong, by the name under which it was set.
    pub fn load(origins: &Origins) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        layers.add_text("the embedded default", DEFAULT);
        layers.add_file(origins.file.as_deref());
        layers.add_environment(&origins.environment);
        layers.add_flags(&origins.flags);
        let mut config = Self::check(&mut layers, caches(&origins.environment));
        if let Some(config) = &mut config
            && config.llm.api_key.is_none()
        {
            config.llm.api_key = layers.api_key_of_openai(&origins.environment);
            config.llm.key_origin = config.llm.api_key.is_some().then(|| OPENAI_API_KEY.into());
        }
        layers.finish(config)
    }

    /// Every setting as its type; what cannot be one is a fault and counts as unset.
    fn check(layers: &mut Layers, caches: Option<PathBuf>) -> Option<Self> {
        let listen = layers.take("http.listen", socket_address);
        let public_url = layers.take("http.public_url", public_url);
        let metrics_listen = layers.take("http.metrics_listen", socket_address);
        let token = layers.take("admin.token", secret);
        let store = layers.take("store.url", store_url);
        let cache = layers.take("cache.url", cache_url);
        let auth_token = layers.take("twilio.auth_token", secret);
        let verify = layers.take("twilio.verify", switch);
        let key = layers.take("secrets.key", seal_key);
        let previous_key = layers.take("secrets.previous_key", seal_key);
        let turns_per_call = layers.take("limits.turns_per_call", count);
        let seconds_per_call = layers.take("limits.seconds_per_call", count);
        let calls_per_caller_per_hour = layers.take("limits.calls_per_caller_per_hour", count);
        let concurrent_calls_per_company = layers.take("limits.concurrent_calls_per_company", count);
        let log_format = layers.take("log.format", log_format);
        let path = layers.take("model.path", folder);
        let llm = Self::check_llm(layers);
        let notices = NoticesConfig::check(layers);
        Some(Self {
            http: Http {
                listen: listen?,
                public_url,
                metrics_listen,
            },
            token,
            store: store?,
            cache,
            twilio: Twilio {
                auth_token,
                verify: verify?,
            },
            secrets: Secrets { key, previous_key },
            limits: Limits {
                turns_per_call: turns_per_call?,
                seconds_per_call: seconds_per_call?,
                calls_per_caller_per_hour: calls_per_caller_per_hour?,
                concurrent_calls_per_company: concurrent_calls_per_company?,
            },
            log_format,
            model: Model { path, caches },
            llm: llm?,
            notices: notices?,
        })
    }

    fn check_llm(layers: &mut Layers) -> Option<LlmConfig> {
        let allow_plain_http = layers.take("llm.allow_plain_http", switch);
        let endpoint = layers.take("llm.base_url", |setting| {
            Endpoint::parse(setting.text()?, allow_plain_http.unwrap_or_default()).map_err(|error| error.to_string())
        });
        let key_origin = layers.origin("llm.api_key");
        let api_key = layers.take("llm.api_key", api_key);
        let model = layers.take("llm.model", name);
        let prices = layers.take("llm.prices", prices);
        let reasoning_effort = layers.take("llm.reasoning_effort", reasoning_effort);
        let lease = layers.take("llm.lease_seconds", lease);
        let platform_budget = layers.take("llm.platform_budget", money);
        let calls_per_call = layers.take("limits.llm_calls_per_call", count);
        Some(LlmConfig {
            endpoint: endpoint?,
            api_key,
            key_origin,
            model: model?,
            prices: prices.unwrap_or_default(),
            reasoning_effort: reasoning_effort?,
            lease: lease?,
            platform_budget: platform_budget?,
            calls_per_call: calls_per_call?,
        })
    }

    /// The folder of the store's file, or of what this process keeps for itself beside a shared store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        let StoreUrl::Sqlite(path) = &self.store else {
            return Path::new(OWN_FOLDER);
        };
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Where the admin token is kept if none is set.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.folder().join("admin.token")
    }

    /// Where the key that seals secrets is kept if none is set.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder().join("secrets.key")
    }
}

fn socket_address(setting: &Setting) -> Result<SocketAddr, String> {
    let text = setting.text()?;
    text.parse()
        .map_err(|_| "should be an IP address and a port, such as 127.0.0.1:8080".to_owned())
}

fn public_url(setting: &Setting) -> Result<Arc<str>, String> {
    let text = setting.text()?;
    match PublicUrl::parse(text) {
        Ok(_) => Ok(text.strip_suffix('/').unwrap_or(text).into()),
        Err(error) => Err(format!(
            "should be a URL without a path, such as https://voice.example.com: {error}"
        )),
    }
}

fn secret(setting: &Setting) -> Result<SecretString, String> {
    Ok(setting.text()?.into())
}

fn store_url(setting: &Setting) -> Result<StoreUrl, String> {
    setting.text()?.parse().map_err(|StoreUrlError(words)| words)
}

fn read_store_url(text: &str) -> Result<StoreUrl, String> {
    if text.starts_with("mongodb:") || text.starts_with("mongodb+srv:") {
        return mongo_url(text);
    }
    match text.strip_prefix("sqlite:") {
        Some("") | None => {
            Err("should be `sqlite:` and the path of a file, such as sqlite:frontdesk-data/frontdesk.db, or the address of a MongoDB database, such as mongodb://host:27017/frontdesk".to_owned())
        }
        Some(path) => Ok(StoreUrl::Sqlite(path.into())),
    }
}

fn mongo_url(text: &str) -> Result<StoreUrl, String> {
    if cfg!(not(feature = "mongo")) {
        return Err("is for MongoDB, which this build leaves out; build it with the feature `mongo`".to_owned());
    }
    MongoUrl::parse(text)
        .map(StoreUrl::Mongo)
        .map_err(|error| error.to_string())
}

fn cache_url(setting: &Setting) -> Result<RedisUrl, String> {
    RedisUrl::parse(setting.text()?).map_err(|error| error.to_string())
}

fn count(setting: &Setting) -> Result<u32, String> {
    setting
        .count()
        .ok_or_else(|| "should be a whole number, 0 for no limit".to_owned())
}

fn switch(setting: &Setting) -> Result<bool, String> {
    setting.switch().ok_or_else(|| "should be true or false".to_owned())
}

fn seal_key(setting: &Setting) -> Result<SealKey, String> {
    SealKey::from_text(setting.text()?).map_err(|error| error.to_string())
}

fn api_key(setting: &Setting) -> Result<SecretString, String> {
    endpoint::api_key(setting.text()?).map_err(|error| error.to_string())
}

fn name(setting: &Setting) -> Result<Arc<str>, String> {
    match setting.text()?.trim() {
        "" => Err("should be the name of a model, such as gpt-6-luna".to_owned()),
        name => Ok(name.into()),
    }
}

fn prices(setting: &Setting) -> Result<Vec<PriceRow>, String> {
    parse_rows(setting.text()?).map_err(|error| format!("should be a JSON array of prices: {error}"))
}

fn reasoning_effort(setting: &Setting) -> Result<Option<Arc<str>>, String> {
    match setting.text()? {
        "unsent" => Ok(None),
        known @ ("none" | "minimal" | "low" | "medium" | "high") => Ok(Some(known.into())),
        _ => Err("should be none, minimal, low, medium, high, or unsent to send nothing of it".to_owned()),
    }
}

fn lease(setting: &Setting) -> Result<Duration, String> {
    const SHORTEST: u32 = 5;
    match setting.count() {
        Some(seconds) if seconds >= SHORTEST => Ok(Duration::from_secs(u64::from(seconds))),
        _ => Err(format!("should be a whole number of seconds, at least {SHORTEST}")),
    }
}

fn money(setting: &Setting) -> Result<PicoUsd, String> {
    let amount: PicoUsd = setting.text()?.parse().map_err(|error| format!("{error}"))?;
    if amount < PicoUsd::ZERO {
        return Err("should not be less than 0".to_owned());
    }
    Ok(amount)
}

fn folder(setting: &Setting) -> Result<PathBuf, String> {
    Ok(setting.text()?.into())
}

fn log_format(setting: &Setting) -> Result<LogFormat, String> {
    match setting.text()? {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("should be text or json".to_owned()),
    }
}
