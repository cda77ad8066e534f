//! The queue of turn records: never waits on the caller's side, stores in batches.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::record::TurnRecord;
use tokio::{
    sync::{mpsc, oneshot},
    time,
};
use tracing::{error, info};

use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::{
    ports::{CallEnd, StoreError, TurnLog},
    tasks::{Stopping, TaskSet},
};

/// How the queue of turn records works.
#[derive(Debug, Clone, Copy)]
pub struct TurnQueueOptions {
    /// So many records wait at most; a record of a full trace takes about 3 KB.
    pub capacity: usize,
    /// So many records are stored at once at most.
    pub batch: usize,
    /// A record waits at most so long for others to be stored with it.
    pub gather: Duration,
}

impl Default for TurnQueueOptions {
    fn default() -> Self {
        Self {
            capacity: 65_536,
            batch: 500,
            gather: Duration::from_millis(10),
        }
    }
}

/// How many records went through the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnCounts {
    /// Taken.
    pub pushed: u64,
    /// On disk.
    pub stored: u64,
    /// Not taken, because the queue was full.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Counters {
    pushed: AtomicU64,
    stored: AtomicU64,
    dropped: AtomicU64,
}

/// What waits to be stored.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are turns: a box would cost each of them an allocation"
)]
#[derive(Debug)]
enum Entry {
    Turn(TurnRecord),
    End(CallEnd),
    /// Somebody waits until what was pushed before is stored.
    Mark(oneshot::Sender<()>),
}

/// Takes turn records and the ends of calls; cheap to clone.
///
/// A record is on disk within a second of its push while the store answers. While it does not, records wait in memory
/// and the oldest batch is tried again; when the queue is full, new records are counted and let go.
#[derive(Debug, Clone)]
pub struct TurnQueue {
    sender: mpsc::Sender<Entry>,
    counters: Arc<Counters>,
}

impl TurnQueue {
    /// Starts a queue in front of a call log. On shutdown it stores what it holds; what is pushed after that is dropped.
    #[must_use]
    pub fn start(log: Arc<dyn TurnLog>, tasks: &TaskSet, options: TurnQueueOptions) -> Self {
        let (sender, receiver) = mpsc::channel(options.capacity.max(1));
        let counters = Arc::<Counters>::default();
        let flusher = Flusher {
            log,
            receiver,
            counters: Arc::clone(&counters),
            options,
            stopping: tasks.stopping(),
        };
        tasks.spawn("store turn records", flusher.run());
        Self { sender, counters }
    }

    /// Hands over a record. `false` if the queue is full or has ended: the record is counted as dropped.
    #[must_use = "a record that is dropped is to be told"]
    pub fn push(&self, record: TurnRecord) -> bool {
        let taken = self.sender.try_send(Entry::Turn(record)).is_ok();
        let counter = if taken {
            &self.counters.pushed
        } else {
            &self.counters.dropped
        };
        counter.fetch_add(1, Ordering::Relaxed);
        taken
    }

    /// Hands over the end of a call, to be noted after the turns that were pushed before. `false` if the queue is full
    /// or has ended.
    #[must_use = "an end that is dropped is to be told"]
    pub fn push_end(&self, end: CallEnd) -> bool {
        self.sender.try_send(Entry::End(end)).is_ok()
    }

    /// Waits until every record that was pushed before is on disk. `false` if that cannot be told: the queue is full or
    /// has ended. Without a deadline of its own: while the store does not answer, it waits.
    pub async fn stored(&self) -> bool {
        let (mark, reached) = oneshot::channel();
        self.sender.try_send(Entry::Mark(mark)).is_ok() && reached.await.is_ok()
    }

    /// How many records went through.
    #[must_use]
    pub fn counts(&self) -> TurnCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            pushed,
            stored,
            dropped,
        } = &*self.counters;
        TurnCounts {
            pushed: read(pushed),
            stored: read(stored),
            dropped: read(dropped),
        }
    }

    /// How many records wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

struct Flusher {
    log: Arc<dyn TurnLog>,
    receiver: mpsc::Receiver<Entry>,
    counters: Arc<Counters>,
    options: TurnQueueOptions,
    stopping: Stopping,
}

impl Flusher {
    async fn run(mut self) {
        loop {
            let batch = self.gather().await;
            if batch.is_empty() {
                return;
            }
            self.store(batch).await;
        }
    }

    /// The next records; none when the process ends and all are stored.
    async fn gather(&mut self) -> Vec<Entry> {
        let mut batch = Vec::with_capacity(self.options.batch);
        tokio::select! {
            biased;
            _ = self.receiver.recv_many(&mut batch, self.options.batch) => {}
            () = self.stopping.wait() => {
                // Nothing new gets in; what is there still comes out.
                self.receiver.close();
                self.receiver.recv_many(&mut batch, self.options.batch).await;
                return batch;
            }
        }
        // Others come meanwhile, and nobody wakes for each of them; but somebody may wait for these.
        let is_awaited = batch.iter().any(|entry| matches!(entry, Entry::Mark(_)));
        if batch.len() < self.options.batch && !is_awaited {
            _ = time::timeout(self.options.gather, self.stopping.wait()).await;
            while batch.len() < self.options.batch
                && let Ok(record) = self.receiver.try_recv()
            {
                batch.push(record);
            }
        }
        batch
    }

    /// Stores a batch, trying until it is stored or shutdown aborts this task.
    async fn store(&self, batch: Vec<Entry>) {
        let (mut turns, mut ends, mut marks) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
        for entry in batch {
            match entry {
                Entry::Turn(turn) => turns.push(turn),
                Entry::End(end) => ends.push(end),
                Entry::Mark(mark) => marks.push(mark),
            }
        }
        if !turns.is_empty() {
            let turns = Arc::new(turns);
            until_done("turn records", turns.len(), || {
                self.log.append_turns(Arc::clone(&turns))
            })
            .await;
            self.counters.stored.fetch_add(turns.len() as u64, Ordering::Relaxed);
        }
        for mark in marks {
            // Whoever waited may have given up.
            _ = mark.send(());
        }
        if !ends.is_empty() {
            let ends = Arc::new(ends);
            until_done("ends of calls", ends.len(), || self.log.end_calls(Arc::clone(&ends))).await;
        }
    }
}

/// Tries until it is done.
async fn until_done<F>(what: &'static str, records: usize, store: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut pause = FIRST_PAUSE;
    let mut failures = 0_u32;
    while let Err(failure) = store().await {
        failures += 1;
        if failures == 1 {
            error!(
                error = &failure as &dyn Error,
                records, "{what} cannot be stored; they are kept and tried again"
            );
        }
        time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
    if failures > 0 {
        info!(records, failures, "{what} are stored again");
    }
}
