//! A provider of a language model for demos and tests: it speaks `OpenAI`'s chat completions, answers sensibly, can
//! break in every way and keeps its own bill.
//!
//! Nothing here knows the product's code, so that a mistake in the product is not repeated in its judge. The same
//! request gets the same answer: nothing is drawn and no clock is read but to measure.
//!
//! Over HTTP: `POST …/chat/completions` and `GET …/models` for clients; `GET` and `POST /control` (a [`control::Control`]),
//! `GET /stats` and `POST /reset` for people and scripts.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Duration, sleep},
};

mod answer;
mod bill;
mod choice;
pub mod control;
mod deliver;
mod request;
mod schema;
mod script;
mod server;
mod stats;

pub use script::{Mode, Prices, Script, UsageScript};
pub use stats::{Received, Stats};

use server::Shared;

/// How long a failing `accept` is waited out, so that a process out of file handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A running double. Cheap to clone; it runs until [`Double::stop`] or the runtime's end.
#[derive(Debug, Clone)]
pub struct Double {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Set to end it; closed once its last connection is.
    stopping: watch::Sender<bool>,
}

impl Double {
    /// Listens at an address, port 0 for any that is free, and answers by the script.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(listen: SocketAddr, script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stopping, told) = watch::channel(false);
        let shared = Arc::new(Shared::new(script));
        let accepting = accept(listener, Arc::clone(&shared), told);
        #[expect(
            clippy::disallowed_methods,
            reason = "the double knows no crate of the product; `stop` waits for this"
        )]
        tokio::spawn(accepting);
        Ok(Self {
            shared,
            address,
            stopping,
        })
    }

    /// What a client takes as its base URL: `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How requests are answered from now on. One that is being answered keeps the script under which it came.
    pub fn set(&self, script: Script) {
        self.shared.set(script);
    }

    /// The script in force.
    #[must_use]
    pub fn script(&self) -> Script {
        self.shared.script()
    }

    /// What was counted since the start or the last [`Double::reset`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counts().stats()
    }

    /// The last 500 chat completions that were asked for, oldest first.
    #[must_use]
    pub fn bodies(&self) -> Vec<Received> {
        self.shared.counts().received()
    }

    /// Forgets counts, bills and bodies. What is in flight stays in flight and is not counted when it ends.
    pub fn reset(&self) {
        self.shared.counts().reset();
    }

    /// Closes all connections, hanging ones too, and the port.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.stopping.closed().await;
    }
}

/// Runs a double until `stop` is ready and returns what it counted. `started` is told once it listens.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve_until(
    listen: SocketAddr,
    script: Script,
    started: impl FnOnce(&Double),
    stop: impl Future<Output = ()>,
) -> io::Result<Stats> {
    let double = Double::start(listen, script).await?;
    started(&double);
    stop.await;
    let stats = double.stats();
    double.stop().await;
    Ok(stats)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut told: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => _ = connections.spawn(server::serve(stream, Arc::clone(&shared))),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            // An error means that all handles are gone: nobody can stop it, so it runs on with the runtime.
            Ok(()) = async { told.wait_for(|stopping| *stopping).await.map(|_| ()) } => break,
        }
    }
    connections.shutdown().await;
    // `told` is dropped last: `stop` waits for that.
    drop(listener);
    drop(told);
}
