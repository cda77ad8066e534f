//! The caches in front of a store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use frontdesk_domain::{documents::company::Company, documents::trade::TradeName, ids::CompanyId};
use frontdesk_store::{
    cache::{CachedStore, Settings},
    forward,
    ports::{
        Backend, CatalogueSnapshot, ChangeFeed, Changed, CompanySnapshot, CompanyStore as _, ImportItem,
        ImportStore as _, KnowledgeSnapshot, KnownTemplates, PlatformSnapshot, QnaOwner, QnaStore as _, Seq, Singleton,
        SingletonStore as _, SnapshotStore, StoreError, TemplateStore as _,
    },
    tasks::TaskSet,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::Semaphore, time};

use crate::support::{Place, at, company, company_document, id, number, object, qna, template, write_of};

/// A store whose reads for turns can be counted, held up after they have read, and made to fail.
pub(crate) struct Trying {
    pub(crate) inner: Arc<dyn Backend>,
    reads: AtomicUsize,
    fails: AtomicBool,
    holds: AtomicBool,
    pub(crate) released: Semaphore,
    deaf: AtomicBool,
}

impl Trying {
    pub(crate) fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            reads: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            released: Semaphore::new(0),
            deaf: AtomicBool::new(false),
        })
    }

    /// Tells nobody of changes.
    pub(crate) fn be_deaf(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    async fn pass<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.holds.load(Ordering::SeqCst) {
            self.released.acquire().await.unwrap().forget();
        }
        self.fail_if_told()?;
        read
    }

    fn fail_if_told(&self) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable {
                action: "answer",
                source: "it is switched off".into(),
            });
        }
        Ok(())
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn hold(&self, holds: bool) {
        self.holds.store(holds, Ordering::SeqCst);
    }
}

#[async_trait]
impl SnapshotStore for Trying {
    async fn company_snapshot(&self, id: CompanyId) -> Result<CompanySnapshot, StoreError> {
        self.pass(self.inner.company_snapshot(id).await).await
    }

    async fn knowledge_snapshot(
        &self,
        company: &Company,
        known: &KnownTemplates,
    ) -> Result<KnowledgeSnapshot, StoreError> {
        self.pass(self.inner.knowledge_snapshot(company, known).await).await
    }

    async fn platform_snapshot(&self) -> Result<PlatformSnapshot, StoreError> {
        self.pass(self.inner.platform_snapshot().await).await
    }

    async fn catalogue_snapshot(&self) -> Result<CatalogueSnapshot, StoreError> {
        self.pass(self.inner.catalogue_snapshot().await).await
    }
}

#[async_trait]
impl ChangeFeed for Trying {
    async fn newest(&self) -> Result<Seq, StoreError> {
        self.fail_if_told()?;
        self.inner.newest().await
    }

    async fn changes_after(&self, seq: Seq) -> Result<Vec<(Seq, Changed)>, StoreError> {
        self.fail_if_told()?;
        if self.deaf.load(Ordering::SeqCst) {
            Ok(Vec::new())
        } else {
            self.inner.changes_after(seq).await
        }
    }
}

forward!(
    CompanyStore, TemplateStore, QnaStore, SingletonStore, ImportStore, TurnLog, CallLog, MessageStore, AudioStore,
    RetentionStore, NotificationStore, OutboxStore, ContactStore, AnalyticsStore,
    RotationStore, LedgerStore, LeaseStore, HealthStore, Ping
    for Trying through inner
);

struct Stage {
    place: Place,
    trying: Arc<Trying>,
    cached: Arc<CachedStore>,
    tasks: TaskSet,
}

impl Stage {
    /// A store with company 1, which uses template 10.
    async fn new() -> Self {
        let place = Place::new();
        let inner: Arc<dyn Backend> = place.open();
        inner.insert_template(id(10), template(10, "open")).await.unwrap();
        inner
            .insert_company(write_of(&company_document(1, &[10])))
            .await
            .unwrap();
        let trying = Trying::new(inner);
        let tasks = TaskSet::new();
        let cached = CachedStore::start(trying.clone(), &tasks);
        while !cached.hears_changes() {
            time::sleep(Duration::from_millis(1)).await;
        }
        Self {
            place,
            trying,
            cached,
            tasks,
        }
    }

    async fn settings(&self) -> Arc<Settings> {
        self.cached.settings(id(1)).await.unwrap().unwrap()
    }

    async fn name(&self) -> String {
        self.settings().await.company.name.to_string()
    }

    /// Gives company 1 another name, through the cache.
    async fn rename(&self, name: &str) {
        let rev = self.trying.inner.company(id(1)).await.unwrap().unwrap().document.rev;
        self.cached.replace_company(named(name), rev).await.unwrap();
    }
}

pub(crate) fn named(name: &str) -> frontdesk_store::ports::CompanyWrite {
    let mut document = company_document(1, &[10]);
    document["name"] = name.into();
    write_of(&document)
}

#[tokio::test]
async fn a_value_is_read_once_and_is_the_same_until_it_is_written() {
    let stage = Stage::new().await;
    let first = stage.settings().await;
    let documents = stage.cached.knowledge_documents(&first).await.unwrap();
    let platform = stage.cached.platform().await;
    let reads = stage.trying.reads();
    assert!(Arc::ptr_eq(&first, &stage.settings().await));
    assert!(Arc::ptr_eq(
        &documents,
        &stage.cached.knowledge_documents(&first).await.unwrap()
    ));
    assert!(Arc::ptr_eq(&platform, &stage.cached.platform().await));
    assert_eq!(stage.trying.reads(), reads);
    stage.rename("Renamed").await;
    assert_eq!(stage.name().await, "Renamed");
    assert_eq!(stage.settings().await.rev, 2);
    let settings = stage.settings().await;
    let again = stage.cached.knowledge_documents(&settings).await.unwrap();
    assert!(
        Arc::ptr_eq(&documents, &again),
        "other settings, the same knowledge: it need not be compiled again"
    );
    let counts = stage.cached.counts();
    assert!(counts.iter().all(|(_, counts)| counts.stale == 0), "{counts:?}");
}

#[tokio::test]
async fn what_was_acknowledged_is_heard_by_the_next_turn() {
    let stage = Stage::new().await;
    let cached = &stage.cached;
    let read = async || {
        let settings = stage.settings().await;
        cached.knowledge_documents(&settings).await.unwrap()
    };
    let trigger = async || read().await.templates[0].document.categories[0].scenarios[0].triggers[0].clone();
    assert_eq!(trigger().await, "open");
    cached.replace_template(id(10), template(10, "shut"), 1).await.unwrap();
    assert_eq!(trigger().await, "shut");
    let owner = QnaOwner::Company(id(1));
    let (qna_id, json) = qna("hours", "Eight.");
    cached.insert_qna(&owner, &qna_id, json).await.unwrap();
    assert_eq!(read().await.company_qna.items.len(), 1);
    let (_, json) = qna("hours", "Nine.");
    cached.replace_qna(&owner, &qna_id, json, 1).await.unwrap();
    assert_eq!(read().await.company_qna.items[0].answer, "Nine.".into());
    cached.delete_qna(&owner, &qna_id, None).await.unwrap();
    assert!(read().await.company_qna.items.is_empty());
    let trade = QnaOwner::Trade(TradeName::new("DENTAL"));
    let (qna_id, json) = qna("teeth", "Two.");
    cached.insert_qna(&trade, &qna_id, json).await.unwrap();
    assert_eq!(read().await.trade_qna[0].items.len(), 1);
    let overlay = object(json!({ "fillerWords": ["um"] }));
    cached
        .put_singleton(&Singleton::Overlay(id(1)), overlay, None)
        .await
        .unwrap();
    assert_eq!(read().await.overlay.as_ref().unwrap().document.filler_words, ["um"]);
    let items = vec![ImportItem::Template(id(10), template(10, "imported"))];
    cached.import(items, at("2026-11-15T12:00:00Z")).await.unwrap();
    assert_eq!(trigger().await, "imported");
    cached.delete_company(id(1), None).await.unwrap();
    assert!(cached.settings(id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn prompts_are_heard_and_the_embedded_ones_stand_in() {
    let stage = Stage::new().await;
    let embedded = stage.cached.platform().await;
    assert!(embedded.safety.is_none());
    assert_eq!((embedded.prompts.len(), embedded.prompts_rev("en-US")), (1, 0));
    let mut prompts = object(serde_json::from_str(frontdesk_domain::documents::prompts::EMBEDDED).unwrap());
    prompts["version"] = "mine".into();
    stage
        .cached
        .put_singleton(&Singleton::Prompts("en-US".into()), prompts, None)
        .await
        .unwrap();
    let platform = stage.cached.platform().await;
    assert_eq!(&*platform.prompts["en-US"].version, "mine");
    assert_eq!(platform.prompts_rev("en-US"), 1);
}

#[tokio::test]
async fn a_new_company_is_heard_although_it_was_asked_for_before() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        assert!(stage.cached.settings(id(2)).await.unwrap().is_none());
    }
    assert_eq!(stage.trying.reads(), 1, "that it is not there is remembered");
    stage.cached.insert_company(company(2)).await.unwrap();
    assert!(stage.cached.settings(id(2)).await.unwrap().is_some());
}

/// The race of a slow reader: it reads the old state, a write is acknowledged, and only then does it come in.
#[tokio::test]
async fn what_a_slow_reader_read_before_a_write_is_never_served_after_it() {
    let stage = Stage::new().await;
    stage.trying.hold(true);
    let cached = Arc::clone(&stage.cached);
    let slow = tokio::task::JoinSet::from_iter([async move { cached.settings(id(1)).await.unwrap().unwrap() }]);
    while stage.trying.reads() == 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
    stage.rename("Renamed").await;
    stage.trying.hold(false);
    stage.trying.released.add_permits(1);
    assert_eq!(
        &*slow.join_all().await[0].company.name,
        "Renamed",
        "the slow reader itself reads again"
    );
    assert_eq!(stage.name().await, "Renamed");
}

#[tokio::test]
async fn of_many_who_miss_one_reads() {
    let stage = Stage::new().await;
    stage.trying.hold(true);
    let reading = join_all((0..64).map(|_| stage.settings()));
    let releasing = async {
        time::sleep(Duration::from_millis(20)).await;
        stage.trying.hold(false);
        stage.trying.released.add_permits(1);
    };
    let (settings, ()) = tokio::join!(reading, releasing);
    assert_eq!(stage.trying.reads(), 1);
    assert!(settings.iter().all(|one| Arc::ptr_eq(one, &settings[0])));
}

#[tokio::test]
async fn a_reader_that_gives_up_does_not_take_the_load_with_it() {
    let stage = Stage::new().await;
    stage.trying.hold(true);
    assert!(
        time::timeout(Duration::from_millis(20), stage.settings())
            .await
            .is_err()
    );
    stage.trying.hold(false);
    stage.trying.released.add_permits(1);
    stage.settings().await;
    assert_eq!(stage.trying.reads(), 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_a_second() {
    let stage = Stage::new().await;
    stage.trying.hold(true);
    let begun = time::Instant::now();
    assert!(stage.cached.settings(id(1)).await.is_err());
    let waited = begun.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_millis(1_400)).contains(&waited),
        "{waited:?}"
    );
}

/// Lets time pass for the cache. The store's threads do not live in paused time, so it is paused only meanwhile.
async fn let_pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[tokio::test]
async fn a_value_is_read_again_when_its_time_is_over_and_stays_the_same_if_nothing_changed() {
    let stage = Stage::new().await;
    let first = stage.settings().await;
    let reads = stage.trying.reads();
    let_pass(Duration::from_secs(301)).await;
    assert!(Arc::ptr_eq(&first, &stage.settings().await));
    assert_eq!(stage.trying.reads(), reads + 1);
    stage.settings().await;
    assert_eq!(stage.trying.reads(), reads + 1);
}

#[tokio::test]
async fn while_the_store_fails_old_values_serve_without_waiting() {
    let stage = Stage::new().await;
    let first = stage.settings().await;
    let documents = stage.cached.knowledge_documents(&first).await.unwrap();
    stage.trying.fail(true);
    let_pass(Duration::from_hours(2)).await;
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        assert!(Arc::ptr_eq(&first, &stage.settings().await));
        assert!(Arc::ptr_eq(
            &documents,
            &stage.cached.knowledge_documents(&first).await.unwrap()
        ));
        stage.cached.platform().await;
    }
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(
        stage.cached.settings(id(2)).await.is_err(),
        "what was never read is not made up"
    );
    let (_, settings) = stage.cached.counts()[0];
    assert_eq!(settings.stale, 100);
    stage.trying.fail(false);
    stage.rename("Renamed").await;
    assert_eq!(stage.name().await, "Renamed", "it heals at once");
}

#[tokio::test]
async fn a_store_that_hangs_holds_up_no_turn_whose_company_is_known() {
    let stage = Stage::new().await;
    let first = stage.settings().await;
    stage.trying.hold(true);
    let_pass(Duration::from_secs(301)).await;
    let begun = std::time::Instant::now();
    assert!(Arc::ptr_eq(&first, &stage.settings().await));
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn another_processs_edit_is_heard_within_a_second() {
    let stage = Stage::new().await;
    assert_eq!(stage.name().await, "Company 1");
    let other = stage.place.open();
    other.replace_company(named("Renamed elsewhere"), 1).await.unwrap();
    let begun = std::time::Instant::now();
    while stage.name().await != "Renamed elsewhere" {
        assert!(begun.elapsed() < Duration::from_secs(1));
        time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_failing_poll_is_shown_and_heals() {
    let stage = Stage::new().await;
    stage.trying.fail(true);
    time::sleep(Duration::from_millis(400)).await;
    assert!(!stage.cached.hears_changes());
    stage.trying.fail(false);
    time::sleep(Duration::from_millis(400)).await;
    assert!(stage.cached.hears_changes());
}

#[tokio::test]
async fn companies_share_one_template_and_one_set_of_trade_qna() {
    let stage = Stage::new().await;
    let (qna_id, json) = qna("teeth", "Two.");
    stage
        .cached
        .insert_qna(&QnaOwner::Trade(TradeName::new("Dental")), &qna_id, json)
        .await
        .unwrap();
    stage
        .cached
        .insert_company(write_of(&company_document(2, &[10])))
        .await
        .unwrap();
    let documents = async |company: u32| {
        let settings = stage.cached.settings(id(company)).await.unwrap().unwrap();
        stage.cached.knowledge_documents(&settings).await.unwrap()
    };
    let (one, two) = (documents(1).await, documents(2).await);
    assert!(Arc::ptr_eq(&one.templates[0].document, &two.templates[0].document));
    assert!(Arc::ptr_eq(&one.trade_qna[0].items, &two.trade_qna[0].items));
    let catalogue = stage.cached.catalogue().await.unwrap();
    assert!(Arc::ptr_eq(&catalogue.entries[0].template, &one.templates[0].document));
}

#[tokio::test]
async fn a_template_that_was_made_again_is_not_taken_for_the_old_one() {
    let stage = Stage::new().await;
    stage.rename("Renamed").await;
    let settings = stage.settings().await;
    let old = stage.cached.knowledge_documents(&settings).await.unwrap();
    let mut without = company_document(1, &[]);
    without["name"] = "Without".into();
    stage.cached.replace_company(write_of(&without), 2).await.unwrap();
    stage.cached.delete_template(id(10), None).await.unwrap();
    stage
        .cached
        .insert_template(id(10), template(10, "again"))
        .await
        .unwrap();
    stage.rename("Renamed").await;
    let settings = stage.settings().await;
    let new = stage.cached.knowledge_documents(&settings).await.unwrap();
    assert_eq!((old.templates[0].rev, new.templates[0].rev), (1, 1));
    assert_eq!(new.templates[0].document.categories[0].scenarios[0].triggers, ["again"]);
}

#[tokio::test]
async fn after_warming_up_calls_are_answered_without_the_store() {
    let stage = Stage::new().await;
    for number in 2..=30 {
        stage.cached.insert_company(company(number)).await.unwrap();
    }
    assert_eq!(stage.cached.warm(1_000, Instant::now()).await, 0, "there is no time");
    let until = Instant::now() + Duration::from_mins(1);
    assert_eq!(stage.cached.warm(1_000, until).await, 30);
    stage.trying.fail(true);
    for number in 1..=30 {
        let settings = stage.cached.settings(id(number)).await.unwrap().unwrap();
        stage.cached.knowledge_documents(&settings).await.unwrap();
    }
    assert_eq!(stage.cached.company_of_number(&number(7)).await.unwrap(), Some(id(7)));
}

#[tokio::test]
async fn a_number_that_moved_leads_to_its_new_company() {
    let stage = Stage::new().await;
    stage.settings().await;
    assert_eq!(stage.cached.company_of_number(&number(1)).await.unwrap(), Some(id(1)));
    let mut document = company_document(1, &[10]);
    document["phone"] = number(8).into();
    stage.cached.replace_company(write_of(&document), 1).await.unwrap();
    let mut successor = company_document(2, &[]);
    successor["phone"] = number(1).into();
    stage.cached.insert_company(write_of(&successor)).await.unwrap();
    assert_eq!(stage.cached.company_of_number(&number(1)).await.unwrap(), Some(id(2)));
    assert_eq!(stage.cached.company_of_number(&number(8)).await.unwrap(), Some(id(1)));
    assert_eq!(stage.cached.company_of_number("anonymous").await.unwrap(), None);
}

#[tokio::test]
async fn shutdown_ends_the_poll() {
    let stage = Stage::new().await;
    assert!(stage.tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}
