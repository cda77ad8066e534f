//! What the caches hold: documents, parsed, each with its revision.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use frontdesk_domain::{
    documents::{
        Faults, Mode, Parsed,
        company::{Company, CompanySecrets},
        overlay::Overlay,
        prompts::Prompts,
        qna::{Owner, Qna},
        safety::SafetyRules,
        template::Template,
        trade::TradeName,
    },
    ids::{CompanyId, TemplateId},
};
use serde_json::{Map, Value};
use tracing::error;

use super::layer::Loaded;
use crate::ports::{
    Changed, CompanySnapshot, KnowledgeSnapshot, KnownTemplates, PlatformSnapshot, QnaSetSnapshot, Rev, Stamp,
    StoreError, Stored, StoredCompany, TemplateState,
};

/// A company's settings with its secrets. The same `Arc` is handed out until the company is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings.
    pub company: Arc<Company>,
    /// The secrets.
    pub secrets: CompanySecrets,
    /// The company's revision.
    pub rev: Rev,
    stamp: Stamp,
}

impl Settings {
    /// What a snapshot says of a company.
    pub(super) fn load(
        id: CompanyId,
        snapshot: CompanySnapshot,
        old: Option<Arc<Self>>,
        fresh_for: Option<Duration>,
    ) -> Result<Loaded<Option<Arc<Self>>>, StoreError> {
        let value = snapshot.company.map(|stored| Self::read(id, stored, old)).transpose()?;
        Ok(Loaded {
            value,
            as_of: snapshot.as_of,
            made_of: vec![Changed::Company(id)],
            fresh_for,
        })
    }

    /// Parses what was stored; `old` again if it is still that.
    fn read(id: CompanyId, stored: StoredCompany, old: Option<Arc<Self>>) -> Result<Arc<Self>, StoreError> {
        let stamp = Stamp::of(&stored.document);
        if let Some(old) = old.filter(|old| old.stamp == stamp) {
            return Ok(old);
        }
        let document = Value::Object(stored.document.json);
        let parsed =
            Company::parse(&document, Mode::Stored).map_err(|faults| unreadable(&format!("company {id}"), &faults))?;
        let company = Arc::new(parsed.value.company);
        Ok(Arc::new(Self {
            company,
            secrets: stored.secrets,
            rev: stamp.rev,
            stamp,
        }))
    }
}

/// A document with its revision.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The document; one `Arc` for all companies, as long as it is not written.
    pub document: Arc<T>,
    /// Its revision.
    pub rev: Rev,
    stamp: Stamp,
}

impl<T> Versioned<T> {
    fn is(&self, stored: &Stored) -> bool {
        self.stamp == Stamp::of(stored)
    }
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Self {
            document: Arc::clone(&self.document),
            rev: self.rev,
            stamp: self.stamp,
        }
    }
}

/// An owner's Q&As with their revision.
#[derive(Debug, Clone)]
pub struct QnaSet {
    /// The Q&As in the order in which they were made; one `Arc` for all companies, as long as none is written.
    pub items: Arc<[Arc<Qna>]>,
    /// Grows with each change to the set.
    pub rev: Rev,
}

/// What a company's knowledge is compiled from. The same `Arc` is handed out until a part of it is written.
#[derive(Debug, Clone)]
pub struct KnowledgeDocuments {
    /// The enabled templates, in the order in which they are asked.
    pub templates: Vec<Versioned<Template>>,
    /// The company's own Q&As.
    pub company_qna: QnaSet,
    /// The Q&As of its trades, in the order of its trades.
    pub trade_qna: Vec<QnaSet>,
    /// Its additions to the templates.
    pub overlay: Option<Versioned<Overlay>>,
}

impl KnowledgeDocuments {
    /// Whether these are, part for part, the same `Arc`s.
    fn is(&self, other: &Self) -> bool {
        let same_set = |one: &QnaSet, other: &QnaSet| Arc::ptr_eq(&one.items, &other.items) && one.rev == other.rev;
        let overlay = |documents: &Self| documents.overlay.as_ref().map(|overlay| Arc::as_ptr(&overlay.document));
        let pairs = |len: usize, other_len: usize| len == other_len;
        pairs(self.templates.len(), other.templates.len())
            && pairs(self.trade_qna.len(), other.trade_qna.len())
            && self
                .templates
                .iter()
                .zip(&other.templates)
                .all(|(one, other)| Arc::ptr_eq(&one.document, &other.document))
            && self
                .trade_qna
                .iter()
                .zip(&other.trade_qna)
                .all(|(one, other)| same_set(one, other))
            && same_set(&self.company_qna, &other.company_qna)
            && overlay(self) == overlay(other)
    }
}

/// Safety rules and prompts that are stored. The same `Arc` is handed out until one of them is written.
#[derive(Debug, Clone, Default)]
pub struct PlatformDocuments {
    /// The stored safety rules; none means the embedded ones.
    pub safety: Option<Arc<SafetyRules>>,
    /// Their revision; 0 for the embedded ones.
    pub safety_rev: Rev,
    /// The prompts by language, among them the embedded ones of a language that has no stored ones.
    pub prompts: BTreeMap<Arc<str>, Arc<Prompts>>,
    prompts_revs: BTreeMap<Arc<str>, Rev>,
    stamps: Vec<(Option<Arc<str>>, Stamp)>,
}

impl PlatformDocuments {
    /// The revision of a language's prompts; 0 for the embedded ones.
    #[must_use]
    pub fn prompts_rev(&self, language: &str) -> Rev {
        self.prompts_revs.get(language).copied().unwrap_or_default()
    }

    /// What comes with the program.
    pub(super) fn embedded() -> Self {
        let embedded = Prompts::embedded();
        Self {
            prompts: BTreeMap::from([(Arc::clone(&embedded.language), Arc::new(embedded.clone()))]),
            ..Self::default()
        }
    }

    /// Parses what was stored; `old` again if it is still that. What cannot be read is reported and left out.
    pub(super) fn read(snapshot: PlatformSnapshot, old: Option<Arc<Self>>) -> Arc<Self> {
        let safety = snapshot.safety.iter().map(|stored| (None, Stamp::of(stored)));
        let prompts = snapshot
            .prompts
            .iter()
            .map(|(language, stored)| (Some(Arc::clone(language)), Stamp::of(stored)));
        let stamps: Vec<_> = safety.chain(prompts).collect();
        if let Some(old) = old.filter(|old| old.stamps == stamps) {
            return old;
        }
        let mut documents = Self {
            stamps,
            ..Self::embedded()
        };
        if let Some(stored) = snapshot.safety {
            let rev = stored.rev;
            if let Some(rules) = parsed("the safety rules", stored, |document| {
                SafetyRules::parse(document, Mode::Stored)
            }) {
                (documents.safety, documents.safety_rev) = (Some(Arc::new(rules)), rev);
            }
        }
        for (language, stored) in snapshot.prompts {
            let rev = stored.rev;
            let what = format!("the prompts of {language}");
            if let Some(prompts) = parsed(&what, stored, |document| Prompts::parse(document, Mode::Stored)) {
                documents.prompts.insert(Arc::clone(&language), Arc::new(prompts));
                documents.prompts_revs.insert(language, rev);
            }
        }
        Arc::new(documents)
    }
}

/// Templates that are parsed already, held while what is read may refer to them.
#[derive(Debug, Default)]
pub(super) struct HeldTemplates(HashMap<TemplateId, Versioned<Template>>);

impl HeldTemplates {
    /// What a store is told of them.
    pub(super) fn stamps(&self) -> KnownTemplates {
        self.0.iter().map(|(id, held)| (*id, held.stamp)).collect()
    }
}

/// Parsed documents that several companies use, as long as one does.
#[derive(Debug, Default)]
pub(super) struct SharedDocuments {
    templates: Shelf<TemplateId, Template, Stamp>,
    trade_qna: Shelf<TradeName, [Arc<Qna>], (Rev, Vec<Stamp>)>,
}

impl SharedDocuments {
    /// Parses what was stored; parts that `old` has already are taken from there, and `old` itself if it has all.
    /// What cannot be read is reported and left out.
    pub(super) fn read(
        &self,
        company: CompanyId,
        snapshot: KnowledgeSnapshot,
        known: &HeldTemplates,
        old: Option<&Arc<KnowledgeDocuments>>,
    ) -> Arc<KnowledgeDocuments> {
        let templates = snapshot.templates.into_iter();
        let templates = templates
            .filter_map(|(id, state)| match state {
                TemplateState::Known => known.0.get(&id).cloned(),
                TemplateState::Read(stored) => self.template(id, stored),
            })
            .collect();
        let owner = Owner::Company(company);
        let company_qna = match old.map(|old| &old.company_qna) {
            // A set's revision never falls, not even when its company is deleted.
            Some(old) if old.rev == snapshot.company_qna.rev => old.clone(),
            _ => QnaSet {
                rev: snapshot.company_qna.rev,
                items: qnas(&owner, snapshot.company_qna.qnas),
            },
        };
        let overlay = snapshot.overlay.and_then(|stored| {
            let kept = old.and_then(|old| old.overlay.as_ref()).filter(|old| old.is(&stored));
            kept.cloned().or_else(|| {
                let stamp = Stamp::of(&stored);
                let what = format!("the overlay of company {company}");
                let overlay = parsed(&what, stored, |document| {
                    Overlay::parse(document, company, Mode::Stored)
                })?;
                Some(Versioned {
                    document: Arc::new(overlay),
                    rev: stamp.rev,
                    stamp,
                })
            })
        });
        let trade_qna = snapshot
            .trade_qna
            .into_iter()
            .map(|(trade, set)| self.trade_qna(trade, set))
            .collect();
        let documents = KnowledgeDocuments {
            templates,
            company_qna,
            trade_qna,
            overlay,
        };
        match old {
            Some(old) if old.is(&documents) => Arc::clone(old),
            _ => Arc::new(documents),
        }
    }

    /// Those of a company's templates that are parsed already.
    pub(super) fn held(&self, company: &Company) -> HeldTemplates {
        let held = company.enabled_templates().filter_map(|id| {
            let (stamp, document) = self.templates.newest(&id)?;
            let rev = stamp.rev;
            Some((id, Versioned { document, rev, stamp }))
        });
        HeldTemplates(held.collect())
    }

    pub(super) fn template(&self, id: TemplateId, stored: Stored) -> Option<Versioned<Template>> {
        let stamp = Stamp::of(&stored);
        let document = self.templates.get_or(id, stamp, || {
            let what = format!("template {id}");
            parsed(&what, stored, |document| Template::parse(document, Mode::Stored)).map(Arc::new)
        })?;
        Some(Versioned {
            document,
            rev: stamp.rev,
            stamp,
        })
    }

    fn trade_qna(&self, trade: TradeName, set: QnaSetSnapshot) -> QnaSet {
        let rev = set.rev;
        let stamp = (rev, set.qnas.iter().map(Stamp::of).collect());
        let owner = Owner::Trade(trade.clone());
        let items = self.trade_qna.get_or(trade, stamp, || Some(qnas(&owner, set.qnas)));
        QnaSet {
            items: items.unwrap_or_default(),
            rev,
        }
    }
}

fn qnas(owner: &Owner, stored: Vec<Stored>) -> Arc<[Arc<Qna>]> {
    let what = match owner {
        Owner::Company(company) => format!("a Q&A of company {company}"),
        Owner::Trade(trade) => format!("a Q&A of the trade {trade}"),
    };
    let read = |stored| parsed(&what, stored, |document| Qna::parse(document, owner, Mode::Stored)).map(Arc::new);
    stored.into_iter().filter_map(read).collect()
}

fn parsed<T>(what: &str, stored: Stored, parse: impl FnOnce(&Value) -> Result<Parsed<T>, Faults>) -> Option<T> {
    let json: Map<String, Value> = stored.json;
    match parse(&Value::Object(json)) {
        Ok(parsed) => Some(parsed.value),
        Err(faults) => {
            error!(%faults, "{what} in the store cannot be read and is left out");
            None
        }
    }
}

fn unreadable(what: &str, faults: &Faults) -> StoreError {
    StoreError::Unreadable {
        what: what.to_owned(),
        detail: faults.to_string(),
    }
}

/// The newest state of each document that somebody still holds.
#[derive(Debug)]
struct Shelf<K, V: ?Sized, S>(Mutex<Places<K, V, S>>);

#[derive(Debug)]
struct Places<K, V: ?Sized, S> {
    documents: HashMap<K, (S, Weak<V>)>,
    /// Places of documents that nobody holds are cleared when there are so many.
    clear_at: usize,
}

impl<K, V: ?Sized, S> Default for Shelf<K, V, S> {
    fn default() -> Self {
        Self(Mutex::new(Places {
            documents: HashMap::new(),
            clear_at: 256,
        }))
    }
}

impl<K: Hash + Eq, V: ?Sized, S: PartialEq> Shelf<K, V, S> {
    fn get_or(&self, key: K, stamp: S, parse: impl FnOnce() -> Option<Arc<V>>) -> Option<Arc<V>> {
        if let Some(kept) = self.find(&key, &stamp) {
            return Some(kept);
        }
        let made = parse()?;
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have made it meanwhile: theirs is shared already.
        let theirs = places
            .documents
            .get(&key)
            .filter(|(kept, _)| *kept == stamp)
            .and_then(|(_, kept)| kept.upgrade());
        if theirs.is_some() {
            return theirs;
        }
        places.documents.insert(key, (stamp, Arc::downgrade(&made)));
        if places.documents.len() >= places.clear_at {
            places.documents.retain(|_, (_, kept)| kept.strong_count() > 0);
            places.clear_at = 2 * places.documents.len().max(128);
        }
        Some(made)
    }

    /// The newest state of a document, if somebody still holds it.
    fn newest(&self, key: &K) -> Option<(S, Arc<V>)>
    where
        S: Clone,
    {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stamp, kept) = places.documents.get(key)?;
        Some((stamp.clone(), kept.upgrade()?))
    }

    fn find(&self, key: &K, stamp: &S) -> Option<Arc<V>> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places
            .documents
            .get(key)
            .filter(|(kept, _)| kept == stamp)
            .and_then(|(_, kept)| kept.upgrade())
    }
}
