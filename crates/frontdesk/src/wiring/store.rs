//! The store that is configured: a file on this machine, or a database that several instances share.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use frontdesk_domain::clock::Clock;
#[cfg(feature = "mongo")]
use frontdesk_store::mongo::{MongoOptions, MongoStore};
use frontdesk_store::{
    ports::{Backend, Movable},
    seal::{SealKey, Sealer, load_or_create_key_file},
    sqlite::{SqliteOptions, SqliteStore},
    system::SystemClock,
};

use crate::config::{Config, StoreUrl};

/// What seals secrets: with the configured key, or with the one that is kept beside the store.
pub(super) fn sealer(config: &Config) -> Result<Sealer> {
    let key: SealKey = match &config.secrets.key {
        Some(key) => key.clone(),
        None if config.store.is_shared() => bail!(
            "FRONTDESK_SECRETS__KEY is not set: the instances that share {} must seal with one key; make one with `openssl rand -hex 32` and give it to each of them",
            config.store
        ),
        None => load_or_create_key_file(&config.key_file())?,
    };
    let sealer = Sealer::new(&key);
    Ok(match &config.secrets.previous_key {
        Some(previous) => sealer.with_previous(previous),
        None => sealer,
    })
}

/// Opens the configured store, which is made if it is not there.
pub(super) async fn open_store(
    config: &Config,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Backend>> {
    Ok(open_movable(config, sealer, clock).await?)
}

/// The same, to be moved.
pub(super) async fn open_movable(
    config: &Config,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Movable>> {
    let cannot = || format!("cannot open the store {}", config.store);
    match &config.store {
        StoreUrl::Sqlite(path) => {
            let path = path.clone();
            let open = move || SqliteStore::open(&path, sealer, clock, SqliteOptions::default());
            let opened = tokio::task::spawn_blocking(open).await?;
            Ok(Arc::new(opened.with_context(cannot)?))
        }
        #[cfg(feature = "mongo")]
        StoreUrl::Mongo(url) => {
            // Here is kept what this process computes for itself.
            std::fs::create_dir_all(config.folder()).with_context(cannot)?;
            let opened = MongoStore::open(url, sealer, clock, MongoOptions::default()).await;
            Ok(Arc::new(opened.with_context(cannot)?))
        }
        #[cfg(not(feature = "mongo"))]
        StoreUrl::Mongo(_) => bail!("this build cannot use MongoDB"),
    }
}

/// Opens a store that is there already.
pub(super) async fn open_existing(config: &Config) -> Result<Arc<dyn Backend>> {
    if let StoreUrl::Sqlite(path) = &config.store
        && !path.exists()
    {
        bail!("there is no store at {}", path.display());
    }
    open_store(config, Arc::new(sealer(config)?), Arc::new(SystemClock)).await
}
