//! The keys of the caches. Each fixes its name, the type stored under it and how long that is fresh.

use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use frontdesk_domain::{documents::company::Company, ids::CompanyId};

use super::{
    catalogue::Catalogue,
    documents::{KnowledgeDocuments, PlatformDocuments, Settings},
};

/// Names one cache entry.
pub trait CacheKey: fmt::Display + fmt::Debug + Clone + Eq + Hash + Send + Sync + 'static {
    /// What is stored under it.
    type Value: Clone + Send + Sync + 'static;

    /// The kind of entry, for metrics.
    const NAME: &'static str;

    /// How long a value is fresh. After that it is loaded again; while that fails, it still serves.
    const TTL: Duration;

    /// Whether the value says that there is nothing. Such values are kept apart and for [`ABSENT_TTL`] only.
    fn is_absent(_value: &Self::Value) -> bool {
        false
    }
}

/// How long it is taken for true that something does not exist.
pub const ABSENT_TTL: Duration = Duration::from_secs(5);

/// A company's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SettingsOf(pub CompanyId);

impl fmt::Display for SettingsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "company:{}:production-ai", self.0)
    }
}

impl CacheKey for SettingsOf {
    type Value = Option<Arc<Settings>>;
    const NAME: &'static str = "settings";
    const TTL: Duration = Duration::from_mins(5);

    fn is_absent(value: &Self::Value) -> bool {
        value.is_none()
    }
}

/// What a company's knowledge is compiled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KnowledgeOf(pub CompanyId);

impl fmt::Display for KnowledgeOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "templates:{}", self.0)
    }
}

/// A company's knowledge documents, and the settings that named them.
#[derive(Debug, Clone)]
pub struct KnowledgeOfSettings {
    pub(super) company: Arc<Company>,
    pub(super) documents: Arc<KnowledgeDocuments>,
}

impl CacheKey for KnowledgeOf {
    type Value = KnowledgeOfSettings;
    const NAME: &'static str = "knowledge";
    const TTL: Duration = Duration::from_mins(10);
}

/// Safety rules and prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlatformData;

impl fmt::Display for PlatformData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("platform:production-ai")
    }
}

impl CacheKey for PlatformData {
    type Value = Arc<PlatformDocuments>;
    const NAME: &'static str = "platform";
    const TTL: Duration = Duration::from_mins(10);
}

/// All templates, with those who use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TemplateCatalogue;

impl fmt::Display for TemplateCatalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("templates:catalogue")
    }
}

impl CacheKey for TemplateCatalogue {
    type Value = Arc<Catalogue>;
    const NAME: &'static str = "catalogue";
    const TTL: Duration = Duration::from_mins(10);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_names_and_times_of_the_contract() {
        let id: CompanyId = "507f1f77bcf86cd799439011".parse().unwrap();
        assert_eq!(
            SettingsOf(id).to_string(),
            "company:507f1f77bcf86cd799439011:production-ai"
        );
        assert_eq!(SettingsOf::TTL, Duration::from_mins(5));
        assert_eq!(KnowledgeOf(id).to_string(), "templates:507f1f77bcf86cd799439011");
        assert_eq!(KnowledgeOf::TTL, Duration::from_mins(10));
    }
}
