//! Puts the process together: store, caches, queues, call path, server; and takes it apart again.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use frontdesk_callflow::{CallFlow, Deps, meaning::Meanings, shares::AtOnce};
use frontdesk_domain::{alert::Notifier, clock::Clock};
use frontdesk_server::{
    App, Lifecycle, Parts,
    auth::AdminToken,
    health::NoEncoder,
    metrics::{CountedLog, CountedNotifier, Metrics, REFUSALS},
    router::{metrics_router, router},
    shared_cache::SharedCacheCheck,
    voice::{self, Voice},
};
use frontdesk_store::{
    blobs::{BlobCache, BlobFile},
    cache::CachedStore,
    leader::{self, Leadership},
    ports::{Backend, CompanyStore as _, NotificationStore, Page, StoredCompany},
    queue::{AlertQueue, TurnCounts, TurnQueue, TurnQueueOptions},
    system::{ObjectIds, SystemClock},
    tasks::TaskSet,
};
use frontdesk_twilio::signature::{PublicUrl, Verifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tracing::{error, info, warn};

use crate::{
    config::Config,
    health::Surroundings,
    recordings::{Fetcher, heard::HeardStore, source::TwilioRecordings},
    retention::Retention,
};

mod change_feed;
mod counting;
mod demo;
pub mod encoder;
mod listen;
mod llm;
pub mod log;
pub mod moving;
mod notices;
mod offline;
pub mod open_files;
mod recounting;
mod sharing;
mod signals;
mod store;
mod token;
mod watched;

pub use llm::DOUBLE;
use notices::Post;
pub use offline::{audit, fallback_documents, inspect, stored_auth_token};
pub use recounting::recount;
pub use signals::stop_signal;
use store::{open_existing, open_store, sealer};

/// Requests that are being answered get so long to end: a turn's deadline.
const HTTP_DRAIN: Duration = Duration::from_secs(4);
/// Where nobody calls, queues get so long to store what they hold.
const TASK_DRAIN: Duration = Duration::from_millis(1_800);
/// All of it together, from the signal on.
const DRAIN: Duration = Duration::from_millis(5_700);
/// What late tasks raised gets so long to be stored; and so long the queues' own tasks have to be gone.
const LAST_WRITES: Duration = Duration::from_millis(250);
/// So many companies are loaded before `/readyz` says that calls should come here; the others are loaded when they are
/// called. Calls that come earlier are answered: the listener serves from the start, and they wait for their company.
const WARM: usize = 1_000;

/// Nor for longer. What is left out is loaded while calls are answered.
const LONGEST_WARMING: Duration = Duration::from_secs(1);

/// The lease of those that work behind the calls for all processes that use the store.
const BACKGROUND: &str = "background";

/// A server that runs in this process.
pub struct Running {
    address: SocketAddr,
    public_url: String,
    token: SecretString,
    platform_token: Option<SecretString>,
    store: Arc<CachedStore>,
    turns: TurnQueue,
    alerts: AlertQueue,
    /// Where alerts go.
    notifications: Arc<dyn NotificationStore>,
    lifecycle: Arc<Lifecycle>,
    tasks: TaskSet,
    /// Tells the HTTP servers to end.
    closing: watch::Sender<bool>,
    /// Counts the HTTP servers that have not ended.
    serving: watch::Receiver<usize>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Starts a server as configured; with `demo`, imports the demo if none of it is there.
///
/// # Errors
/// The address is taken, a file cannot be used, or the store does not answer.
pub async fn start(config: &Config, demo: bool) -> Result<Running> {
    let listener = listen(config.http.listen).await?;
    let address = listener.local_addr()?;
    let public_url = public_url(config, address);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sealer = Arc::new(sealer(config)?);
    let token = token::admin_token(config)?;
    let tasks = TaskSet::new();
    let backend = open_store(config, Arc::clone(&sealer), Arc::clone(&clock)).await?;
    let kept = Arc::<Notify>::default();
    let heard = Arc::new(HeardStore::new(Arc::clone(&backend), Arc::clone(&kept)));
    let redis = sharing::connect(config, &tasks).await?;
    let shared = sharing::sharing(redis.as_ref(), &sealer);
    let store = CachedStore::start_sharing(heard, shared.clone(), &tasks);
    let post = Post::new(&config.notices, &public_url, &clock)?;
    let alerts = AlertQueue::start_in(Arc::clone(&backend) as _, Arc::clone(&clock), config.folder(), &tasks);
    let counted = Arc::new(CountedNotifier::new(Arc::new(alerts.clone())));
    let notifier = Arc::clone(&counted) as Arc<dyn Notifier>;
    let turns = turn_queue(config, &backend, &notifier, &tasks).await;
    let no_encoder = Arc::<OnceLock<NoEncoder>>::default();
    let flow = CallFlow::new(Deps {
        store: Arc::clone(&store),
        turns: turns.clone(),
        notifier: Arc::clone(&notifier),
        sealer: Arc::clone(&sealer),
        clock: Arc::clone(&clock),
        limits: config.limits,
        meanings: Arc::new(meanings(config, &clock, &no_encoder)?),
        llm: Arc::new(llm::start(config, demo, &store, &notifier, &clock, &tasks).await?),
        at_once: AtOnce::default(),
    });
    let flow = sharing::beside(flow, redis.as_ref(), sealer, &tasks);
    let lifecycle = Arc::<Lifecycle>::default();
    let leadership = leader::start(Arc::clone(&backend) as _, BACKGROUND, &tasks);
    let around = Arc::new(Surroundings {
        store: Arc::clone(&backend),
        cached: Arc::clone(&store),
        notifier: Arc::clone(&notifier),
        clock: Arc::clone(&clock),
        leadership: leadership.clone(),
    });
    let mut metrics = Metrics::install(&tasks).context("cannot collect metrics")?;
    let mut checks = watched::checks(config, &around, &turns, &alerts, &flow, no_encoder);
    if let Some((redis, shared)) = redis.zip(shared) {
        checks.push(Arc::new(SharedCacheCheck::new(Arc::clone(&redis))));
        metrics = metrics.with_shared_cache(redis, shared);
    }
    let app = App::new(Parts {
        store: Arc::clone(&store),
        flow: Arc::clone(&flow),
        clock: Arc::clone(&clock),
        ids: ObjectIds::new(Arc::clone(&clock)),
        token: AdminToken::new(&token).context("the admin token is empty")?,
        checks,
        notifier: Arc::clone(&notifier),
        lifecycle: Arc::clone(&lifecycle),
        metrics: watched::shown(metrics, &around, &turns, &alerts, counted, &flow).with(post.shown()),
        notices: post.centre(&config.notices),
    });
    let voice = voice(config, &public_url, &flow, notifier, &clock)?;
    let routes = router(app.clone(), voice::router(Arc::new(voice))).context("cannot describe the API")?;
    if demo {
        demo::import_once(&store, &routes, &token).await?;
    }
    let monitor = Arc::clone(app.monitor());
    let mut servers = vec![(listener, routes)];
    if let Some(listen_metrics) = config.http.metrics_listen {
        servers.push((listen(listen_metrics).await?, metrics_router(app)));
    }
    let (closing, serving) = serve(servers, &tasks);
    let loaded = store.warm(WARM, Instant::now() + LONGEST_WARMING).await;
    flow.prepare_safety().await;
    change_feed::heard(&store).await;
    // Of what is ready, everything has been asked once.
    monitor.look().await;
    monitor.start(leadership.clone(), &tasks);
    lifecycle.set_loaded();
    // Where instances share the store, only that knows what the others answered: it is asked for each turn.
    if !config.store.is_shared() {
        remember_the_day(Arc::clone(&flow), &tasks);
    }
    compile_ahead(Arc::clone(&store), flow, &tasks);
    start_behind_calls(config, &backend, &clock, kept, leadership.clone(), &tasks);
    post.deliver(Arc::clone(&backend), leadership, alerts.clone(), &tasks);
    announce(config, address, &public_url, loaded);
    Ok(Running {
        address,
        public_url,
        token,
        platform_token: config.twilio.auth_token.clone(),
        store,
        turns,
        alerts,
        notifications: backend,
        lifecycle,
        tasks,
        closing,
        serving,
    })
}

/// The queue of turn records. What an earlier process could not store is stored first.
async fn turn_queue(
    config: &Config,
    store: &Arc<dyn Backend>,
    notifier: &Arc<dyn Notifier>,
    tasks: &TaskSet,
) -> TurnQueue {
    let counting = Arc::new(CountedLog::new(Arc::clone(store) as _));
    let options = TurnQueueOptions::default();
    let turns = TurnQueue::start_in(counting, config.folder(), Arc::clone(notifier), tasks, options);
    if turns.counts().recovered > 0 {
        // So that whoever posts one of these webhooks again gets the answer that was given.
        _ = tokio::time::timeout(LONGEST_WARMING, turns.stored()).await;
    }
    turns
}

/// The URL under which Twilio reaches this server: the configured one, else where it listens.
fn public_url(config: &Config, address: SocketAddr) -> String {
    let configured = config.http.public_url.as_deref();
    configured.map_or_else(|| format!("http://{address}"), str::to_owned)
}

/// What computes meanings: the encoder, if it is there, and the file of what was computed before.
fn meanings(config: &Config, clock: &Arc<dyn Clock>, no_encoder: &Arc<OnceLock<NoEncoder>>) -> Result<Meanings> {
    let (folders, no_encoder) = (config.model.folders(), Arc::clone(no_encoder));
    let load = Box::new(move || {
        encoder::load(&folders)
            // It is looked for once.
            .inspect_err(|why| _ = no_encoder.set(why.clone()))
            .ok()
    });
    let path = config.folder().join("meaning.db");
    let cache: Option<Arc<dyn BlobCache>> = match BlobFile::open(&path, clock.now().as_second()) {
        Ok(file) => Some(Arc::new(file)),
        Err(error) => {
            warn!(
                file = %path.display(),
                error = &error as &dyn std::error::Error,
                "what is learnt cannot be kept: each start learns it again"
            );
            None
        }
    };
    Meanings::start(load, cache).context("cannot start the threads that compute meanings")
}

/// What the voice routes are made of.
fn voice(
    config: &Config,
    public_url: &str,
    flow: &Arc<CallFlow>,
    notifier: Arc<dyn Notifier>,
    clock: &Arc<dyn Clock>,
) -> Result<Voice> {
    Ok(Voice {
        flow: Arc::clone(flow),
        public_url: PublicUrl::parse(public_url).with_context(|| format!("`{public_url}` is no public URL"))?,
        platform: Verifier::new(config.twilio.auth_token.as_ref().map(ExposeSecret::expose_secret)),
        verify: config.twilio.verify,
        notifier,
        clock: Arc::clone(clock),
        refusals: Arc::new(|| metrics::counter!(REFUSALS).increment(1)),
        diagnosed: AtomicI64::new(0),
    })
}

/// Notes which turns of the last day the store has; until that is done, it is asked for each turn.
fn remember_the_day(flow: Arc<CallFlow>, tasks: &TaskSet) {
    let mut stopping = tasks.stopping();
    tasks.spawn("remember the turns of the last day", async move {
        tokio::select! {
            () = flow.remember_the_day() => {}
            () = stopping.wait() => {}
        }
    });
}

/// Starts what no caller waits for; `kept` rings for each recorded message. Whose turn the work for all is, says what it
/// gives.
fn start_behind_calls(
    config: &Config,
    store: &Arc<dyn Backend>,
    clock: &Arc<dyn Clock>,
    kept: Arc<Notify>,
    leadership: Leadership,
    tasks: &TaskSet,
) {
    let fetcher = Fetcher {
        store: Arc::clone(store),
        source: Arc::new(TwilioRecordings::new()),
        clock: Arc::clone(clock),
        platform_token: config.twilio.auth_token.clone(),
        woken: kept,
    };
    fetcher.start(tasks);
    let retention = Retention {
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        leadership: leadership.clone(),
        notification_days: config.notices.retention_days,
    };
    retention.start(tasks);
    counting::start(Arc::clone(store) as _, leadership.clone(), tasks);
    llm::reap(Arc::clone(store) as _, Arc::clone(clock), leadership, tasks);
}

/// What an operator wants to know at the start.
fn announce(config: &Config, address: SocketAddr, public_url: &str, companies: usize) {
    info!(%address, public_url, store = %config.store, companies, version = env!("CARGO_PKG_VERSION"), "frontdesk listens on http://{address}");
    info!("the admin API is described at http://{address}/api/docs");
    if config.token.is_none() {
        let file = config.token_file();
        info!(file = %file.display(), "the admin token is in {}", file.display());
    }
    if !config.twilio.verify {
        warn!("SIGNATURES ARE NOT VERIFIED: everybody who reaches this server can speak for Twilio; for trials only");
    }
}

/// Binds an address.
async fn listen(address: SocketAddr) -> Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!("something listens on {address} already; stop it, or choose another address with --listen")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

/// Serves until told to close; the receiver counts the servers that have not ended.
fn serve(servers: Vec<(TcpListener, Router)>, tasks: &TaskSet) -> (watch::Sender<bool>, watch::Receiver<usize>) {
    let closing = watch::Sender::new(false);
    let (count, serving) = watch::channel(servers.len());
    let count = Arc::new(count);
    for (listener, routes) in servers {
        let (mut told, count) = (closing.subscribe(), Arc::clone(&count));
        let connections = tasks.clone();
        tasks.spawn("serve HTTP", async move {
            let close = async move { _ = told.wait_for(|closing| *closing).await };
            listen::serve(listener, routes, &connections, listen::HEAD_WAIT, close).await;
            count.send_modify(|count| *count -= 1);
        });
    }
    (closing, serving)
}

/// Compiles what the first call of each company would otherwise wait for.
fn compile_ahead(store: Arc<CachedStore>, flow: Arc<CallFlow>, tasks: &TaskSet) {
    let stopping = tasks.stopping();
    tasks.spawn("compile companies ahead of their calls", async move {
        let page = Page {
            after: None,
            limit: WARM,
        };
        // Whoever calls first compiles what is left out here.
        let companies = store.companies(page).await.unwrap_or_default();
        for id in companies.iter().filter_map(StoredCompany::id) {
            if stopping.is_set() {
                return;
            }
            _ = flow.tenant(id).await;
        }
        flow.prepare_fallbacks().await;
    });
}

/// A server for one call, on a free port: the configured store, with the demo if it is empty.
///
/// # Errors
/// As [`start`].
pub async fn start_for_call(config: &Config) -> Result<Running> {
    let mut own = config.clone();
    own.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    own.http.metrics_listen = None;
    start(&own, true).await
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL whose webhooks it takes.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The admin token.
    #[must_use]
    pub const fn token(&self) -> &SecretString {
        &self.token
    }

    /// What signs a company's webhooks.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn auth_token(&self, company: &str) -> Result<Option<SecretString>> {
        let stored = self.store.company(company.parse()?).await?;
        let own = stored.and_then(|company| company.secrets.auth_token);
        Ok(own.or_else(|| self.platform_token.clone()))
    }

    /// Ends: no new calls, answers what was asked, stores what waits.
    pub async fn stop(mut self) {
        self.lifecycle.set_draining();
        self.closing.send_replace(true);
        let begun = Instant::now();
        let ended = tokio::time::timeout(HTTP_DRAIN, self.serving.wait_for(|count| *count == 0));
        if ended.await.is_err() {
            warn!("some connections did not end in time and are cut");
        }
        let before = self.turns.counts();
        // A store that is locked for a moment takes what waits a moment later.
        self.tasks.shutdown(DRAIN.saturating_sub(begun.elapsed())).await;
        tokio::join!(
            self.turns.finish(LAST_WRITES),
            self.alerts.finish(&*self.notifications, LAST_WRITES)
        );
        self.tell_losses(before);
        info!("frontdesk has ended");
    }

    /// Says what waited to be stored: what the next start stores, and what is lost with the process.
    fn tell_losses(&self, before: TurnCounts) {
        let TurnCounts {
            pushed,
            stored,
            dropped,
            rejected,
            spooled,
            ..
        } = self.turns.counts();
        let alerts = self.alerts.counts().waiting;
        if spooled > 0 || alerts > 0 {
            warn!(
                turn_records = spooled,
                alerts,
                "the store took no more: {spooled} turn records and {alerts} alerts wait in files for the next start"
            );
        }
        let elsewhere = stored.saturating_add(rejected).saturating_add(spooled);
        let lost = pushed.saturating_sub(elsewhere) + dropped.saturating_sub(before.dropped);
        if lost > 0 {
            error!(turn_records = lost, "{lost} turn records are lost");
        }
    }
}
