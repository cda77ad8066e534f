//! The cache that instances share: what is believed, what is not, and how soon writes are heard.

use frontdesk_domain::{documents::company::CompanySecrets, ids::CompanyId};
use frontdesk_store::{
    cache::{CachedStore, Settings, SharedCache},
    ports::{Backend, CompanyStore as _, CompanyWrite, ImportStore as _, QnaOwner, QnaStore as _, TemplateStore as _},
    seal::Sealer,
};
use redis::cmd;
use secrecy::{ExposeSecret as _, SecretString};

use super::*;
use crate::{
    cache::{Trying, named},
    support::{Place, company_document, id, qna, template, write_of},
};

const COMPANY: u32 = 1;

/// A store and a cache server.
pub(super) struct Stage {
    pub(super) server: RedisServer,
    /// Looks at what lies on the server.
    looking: Arc<Redis>,
    place: Place,
}

/// One of several processes on a store and a cache server.
pub(super) struct Instance {
    pub(super) trying: Arc<Trying>,
    pub(super) cached: Arc<CachedStore>,
    redis: Arc<Redis>,
    _tasks: TaskSet,
}

impl Stage {
    /// A store with company 1, which uses template 10. `None` if there is no cache server here.
    pub(super) async fn new() -> Option<Self> {
        let server = server()?;
        let looking = connect(&server, &TaskSet::new()).await;
        let place = Place::new();
        let store = place.open();
        store.insert_template(id(10), template(10, "open")).await.unwrap();
        let secrets = CompanySecrets {
            auth_token: Some(SecretString::from("the-token-in-clear")),
            ..CompanySecrets::default()
        };
        let write = write_of(&company_document(COMPANY, &[10]));
        store.insert_company(CompanyWrite { secrets, ..write }).await.unwrap();
        Some(Self { server, looking, place })
    }

    /// Starts a process. With `deaf`, the store tells it of no changes.
    pub(super) async fn start(&self, is_deaf: bool) -> Instance {
        let tasks = TaskSet::new();
        let redis = connect(&self.server, &tasks).await;
        let inner: Arc<dyn Backend> = self.place.open();
        let trying = Trying::new(inner);
        if is_deaf {
            trying.be_deaf();
        }
        let sharing = SharedCache::new(Arc::clone(&redis), Arc::new(Sealer::from_key([7; 32])));
        let store: Arc<dyn Backend> = trying.clone();
        let cached = CachedStore::start_sharing(store, Some(sharing), &tasks);
        let instance = Instance {
            trying,
            cached,
            redis,
            _tasks: tasks,
        };
        if self.looking.is_here() {
            instance.until_told().await;
        }
        instance
    }

    async fn raw(&self, command: &[&str]) -> redis::Value {
        let (name, arguments) = command.split_first().unwrap();
        self.looking.ask(cmd(name).arg(arguments)).await.unwrap()
    }

    async fn text(&self, key: &str) -> Option<String> {
        self.looking.ask(cmd("GET").arg(key)).await.unwrap()
    }

    /// Waits until somebody has put a value there.
    async fn until_kept(&self, key: &str) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(text) = self.text(key).await {
                return text;
            }
            assert!(Instant::now() < until, "nobody keeps {key}");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Instance {
    pub(super) async fn settings(&self) -> Arc<Settings> {
        self.cached.settings(id(COMPANY)).await.unwrap().unwrap()
    }

    pub(super) async fn name(&self) -> String {
        self.settings().await.company.name.to_string()
    }

    async fn until_told(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.counts().is_heard {
            assert!(Instant::now() < until, "it does not hear the others");
            sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn rename(&self, name: &str) {
        let rev = self
            .trying
            .inner
            .company(id(COMPANY))
            .await
            .unwrap()
            .unwrap()
            .document
            .rev;
        self.cached.replace_company(named(name), rev).await.unwrap();
    }

    fn counts(&self) -> frontdesk_store::cache::SharedCounts {
        self.cached.sharing().unwrap().counts()
    }

    /// Waits until the name is heard; how long that took.
    pub(super) async fn until_named(&self, name: &str) -> Duration {
        let begun = Instant::now();
        while self.name().await != name {
            assert!(begun.elapsed() < Duration::from_secs(10), "`{name}` is not heard");
            sleep(Duration::from_millis(1)).await;
        }
        begun.elapsed()
    }
}

fn settings_key() -> String {
    format!("company:{}:production-ai", id::<CompanyId>(COMPANY))
}

fn knowledge_key() -> String {
    format!("templates:{}", id::<CompanyId>(COMPANY))
}

#[tokio::test]
async fn what_one_instance_read_another_has_without_the_store() {
    let Some(stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    let settings = one.settings().await;
    one.cached.knowledge_documents(&settings).await.unwrap();
    let kept = stage.until_kept(&settings_key()).await;
    assert!(!kept.contains("the-token-in-clear"), "secrets are sealed");
    stage.until_kept(&knowledge_key()).await;
    for (key, at_most) in [(settings_key(), 300), (knowledge_key(), 600)] {
        let ttl: i64 = stage.looking.ask(cmd("TTL").arg(&key)).await.unwrap();
        assert!((at_most - 60..=at_most).contains(&ttl), "{key}: {ttl} s");
    }
    let other = stage.start(false).await;
    other.trying.fail(true);
    let settings = other.settings().await;
    assert_eq!(&*settings.company.name, "Company 1");
    assert_eq!(
        settings.secrets.auth_token.as_ref().unwrap().expose_secret(),
        "the-token-in-clear"
    );
    let documents = other.cached.knowledge_documents(&settings).await.unwrap();
    assert_eq!(documents.templates.len(), 1);
    assert_eq!(other.trying.reads(), 0, "the store was not read");
    assert_eq!(other.counts().hits, 2);
}

#[tokio::test]
async fn a_write_drops_what_is_kept_and_is_heard_at_once() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    // It is told by the cache server alone.
    let reader = stage.start(true).await;
    reader.name().await;
    stage.until_kept(&settings_key()).await;
    writer.rename("Another").await;
    let took = reader.until_named("Another").await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(reader.counts().news >= 1);
}

#[tokio::test]
async fn a_template_a_question_and_an_overlay_drop_the_knowledge_made_of_them() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    let reader = stage.start(true).await;
    let settings = reader.settings().await;
    reader.cached.knowledge_documents(&settings).await.unwrap();
    stage.until_kept(&knowledge_key()).await;
    let (qna_id, json) = qna("parking", "Behind the house.");
    let owner = QnaOwner::Company(id(COMPANY));
    writer.cached.insert_qna(&owner, &qna_id, json).await.unwrap();
    assert_eq!(stage.text(&knowledge_key()).await, None, "dropped by name");
    let begun = Instant::now();
    while reader
        .cached
        .knowledge_documents(&settings)
        .await
        .unwrap()
        .company_qna
        .items
        .len()
        != 1
    {
        assert!(begun.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(1)).await;
    }
    stage.until_kept(&knowledge_key()).await;
    writer
        .cached
        .replace_template(id(10), template(10, "closed"), 1)
        .await
        .unwrap();
    // It is not dropped by name, for many may use the template: it is no longer believed.
    assert!(stage.text(&knowledge_key()).await.is_some());
    let cold = stage.start(true).await;
    let settings = cold.settings().await;
    let documents = cold.cached.knowledge_documents(&settings).await.unwrap();
    assert_eq!(documents.templates.first().unwrap().rev, 2);
}

#[tokio::test]
async fn a_slow_reader_does_not_bring_back_what_was_written_over() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    let slow = stage.start(true).await;
    slow.trying.hold(true);
    let cached = Arc::clone(&slow.cached);
    let reading = async move { cached.settings(id(COMPANY)).await };
    let writing = async {
        while slow.trying.reads() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        writer.rename("Another").await;
        slow.trying.hold(false);
        slow.trying.released.add_permits(100);
    };
    let (read, ()) = tokio::join!(reading, writing);
    read.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while slow.counts().refused == 0 {
        assert!(Instant::now() < until, "{:?}", slow.counts());
        sleep(Duration::from_millis(1)).await;
    }
    let third = stage.start(true).await;
    assert_eq!(third.name().await, "Another");
}

#[tokio::test]
async fn what_was_written_while_the_server_was_away_drops_what_it_had() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    writer.name().await;
    stage.until_kept(&settings_key()).await;
    // The server hangs, so that it has all it had when it goes on.
    stage.server.hang().unwrap();
    let begun = Instant::now();
    writer.rename("Another").await;
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(1),
        "an operator waits for the budget at most: {took:?}"
    );
    assert_eq!(writer.counts().owed, 1);
    assert_eq!(writer.name().await, "Another");
    stage.server.go_on().unwrap();
    until_here(&stage.looking, true).await;
    let until = Instant::now() + Duration::from_secs(20);
    while writer.counts().owed > 0 {
        assert!(Instant::now() < until, "what is owed is paid");
        sleep(Duration::from_millis(5)).await;
    }
    // One that never heard of the change from the store does not believe what lies there.
    let cold = stage.start(true).await;
    assert_eq!(cold.name().await, "Another");
}

#[tokio::test]
async fn what_is_missed_while_a_channel_is_lost_is_heard_from_the_store() {
    let Some(mut stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    let reader = stage.start(false).await;
    assert_eq!(reader.name().await, "Company 1");
    stage.server.kill().unwrap();
    until_here(&reader.redis, false).await;
    writer.rename("Another").await;
    let took = reader.until_named("Another").await;
    assert!(took < Duration::from_secs(1), "by asking the store: {took:?}");
    stage.server.start().unwrap();
    until_here(&writer.redis, true).await;
    reader.until_told().await;
    writer.until_told().await;
    let news = reader.counts().news;
    writer.rename("A third").await;
    reader.until_named("A third").await;
    let until = Instant::now() + Duration::from_secs(5);
    while reader.counts().news == news {
        assert!(Instant::now() < until, "it is told again");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_empty_server_and_garbage_are_misses() {
    let Some(stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    one.name().await;
    let good = stage.until_kept(&settings_key()).await;
    let floors: Vec<String> = stage
        .looking
        .ask(cmd("KEYS").arg("production-ai:floors:*"))
        .await
        .unwrap();
    let [floors] = floors.as_slice() else {
        panic!("{floors:?}")
    };
    let newer = good.replace("\"v\":1", "\"v\":2");
    let other_store = good.replacen("\"store\":\"", "\"store\":\"x", 1);
    let spoilt: [&[&[&str]]; 7] = [
        &[&["SET", &settings_key(), "garbage"]],
        &[&["SET", &settings_key(), &newer]],
        &[&["SET", &settings_key(), &other_store]],
        &[&["DEL", &settings_key()], &["LPUSH", &settings_key(), "x"]],
        &[&["SET", &settings_key(), &good], &["SET", floors, "garbage"]],
        &[
            &["SET", &settings_key(), &good],
            &["DEL", floors],
            &["HSET", floors, "a", "b"],
        ],
        &[&["FLUSHALL"]],
    ];
    for commands in spoilt {
        for command in commands {
            stage.raw(command).await;
        }
        let cold = stage.start(false).await;
        assert_eq!(cold.name().await, "Company 1", "{commands:?}");
        assert_eq!((cold.counts().hits, cold.trying.reads()), (0, 1), "{commands:?}");
    }
    // And what was put right by the last one serves again.
    stage.until_kept(&settings_key()).await;
    let cold = stage.start(false).await;
    cold.name().await;
    assert_eq!(cold.counts().hits, 1);
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_read_from_the_store() {
    let Some(stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    one.name().await;
    let good = stage.until_kept(&settings_key()).await;
    let newer = good.replace(r#""name":"Company 1""#, r#""name":{"short":"C"}"#);
    assert_ne!(newer, good);
    stage.raw(&["SET", &settings_key(), &newer]).await;
    let cold = stage.start(false).await;
    assert_eq!(cold.name().await, "Company 1");
    assert_eq!(cold.trying.reads(), 1);
}

#[tokio::test]
async fn a_floor_that_is_no_number_lets_nothing_pass() {
    let Some(stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    one.name().await;
    stage.until_kept(&settings_key()).await;
    let floors: Vec<String> = stage
        .looking
        .ask(cmd("KEYS").arg("production-ai:floors:*"))
        .await
        .unwrap();
    let part = format!("company {}", id::<CompanyId>(COMPANY));
    stage.raw(&["HSET", &floors[0], &part, "garbage"]).await;
    let cold = stage.start(false).await;
    assert_eq!(cold.name().await, "Company 1");
    assert_eq!(cold.counts().hits, 0);
}

#[tokio::test]
async fn a_write_that_the_store_told_of_is_not_undone_by_what_lies_on_the_server() {
    let Some(stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    one.name().await;
    stage.until_kept(&settings_key()).await;
    // A process that shares nothing writes: the server hears nothing of it.
    let alone = stage.place.open();
    let rev = alone.company(id(COMPANY)).await.unwrap().unwrap().document.rev;
    alone.replace_company(named("Another"), rev).await.unwrap();
    assert!(stage.text(&settings_key()).await.is_some());
    let cold = stage.start(false).await;
    assert_eq!(cold.name().await, "Another", "the store's changes were looked at first");
}

#[tokio::test]
async fn values_are_renewed_every_few_seconds_while_the_others_are_not_heard() {
    let Some(mut stage) = Stage::new().await else { return };
    let one = stage.start(false).await;
    one.name().await;
    let reads = one.trying.reads();
    stage.server.kill().unwrap();
    let begun = Instant::now();
    while one.trying.reads() == reads {
        assert!(begun.elapsed() < Duration::from_secs(8), "it is not renewed");
        one.name().await;
        sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn many_changes_at_once_are_told_in_few_words() {
    let Some(stage) = Stage::new().await else { return };
    let writer = stage.start(false).await;
    let reader = stage.start(false).await;
    reader.name().await;
    stage.until_kept(&settings_key()).await;
    let items = (100..800)
        .map(|number| frontdesk_store::ports::ImportItem::Template(id(number), template(number, "open")))
        .collect();
    writer
        .cached
        .import(items, crate::support::at("2026-11-15T12:00:00Z"))
        .await
        .unwrap();
    let cold = stage.start(true).await;
    cold.name().await;
    assert_eq!(cold.counts().hits, 0, "the epoch is another");
}
