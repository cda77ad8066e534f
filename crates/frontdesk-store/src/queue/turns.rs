//! The queue of turn records: never waits on the caller's side, stores in batches.

use std::{
    error::Error,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use frontdesk_domain::{
    alert::{Alert, AlertCode, Notifier},
    record::TurnRecord,
};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    time,
};
use tracing::{error, info};

use super::{
    FIRST_PAUSE, LONGEST_PAUSE,
    hand::{Batch, Hand, Left, Next},
    turn_file::{REJECTED, TurnFiles},
};
use crate::{
    common::cause::Cause,
    ports::{CallEnd, StoreError, TurnLog},
    tasks::{Stopping, TaskSet},
};

/// After so many failures in a row one batch is split, so that one half tells of the other whether the store works.
const TRIES_ALONE: u32 = 5;

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
    /// Taken, those from files included.
    pub pushed: u64,
    /// On disk.
    pub stored: u64,
    /// Not taken, because the queue was full.
    pub dropped: u64,
    /// Taken from files in which they waited for this process.
    pub recovered: u64,
    /// Refused by the store for good, and kept in a file where the queue has a folder.
    pub rejected: u64,
    /// Kept in a file at the end, for the next start.
    pub spooled: u64,
}

#[derive(Debug, Default)]
struct Counters {
    pushed: AtomicU64,
    stored: AtomicU64,
    dropped: AtomicU64,
    recovered: AtomicU64,
    rejected: AtomicU64,
    spooled: AtomicU64,
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
/// and are tried again; when the queue is full, new records are counted and let go. A record that the store refuses for
/// good holds up no other.
#[derive(Debug, Clone)]
pub struct TurnQueue {
    sender: mpsc::Sender<Entry>,
    counters: Arc<Counters>,
    files: Option<TurnFiles>,
    /// Gives what is not stored when the queue's task has ended.
    left: Arc<Mutex<Option<oneshot::Receiver<Left>>>>,
}

impl TurnQueue {
    /// Starts a queue in front of a call log. On shutdown it stores what it holds; what is pushed after that is dropped.
    #[must_use]
    pub fn start(log: Arc<dyn TurnLog>, tasks: &TaskSet, options: TurnQueueOptions) -> Self {
        Self::start_with(log, None, tasks, options)
    }

    /// As [`start`](Self::start), with a folder for what the store does not take: by the end of the process, which is stored
    /// first by the next one, and for good, of which the notifier is told. Blocks while it reads what waits there.
    #[must_use]
    pub fn start_in(
        log: Arc<dyn TurnLog>,
        folder: &Path,
        notifier: Arc<dyn Notifier>,
        tasks: &TaskSet,
        options: TurnQueueOptions,
    ) -> Self {
        let refuge = Refuge {
            files: TurnFiles::in_folder(folder),
            notifier,
        };
        Self::start_with(log, Some(refuge), tasks, options)
    }

    fn start_with(log: Arc<dyn TurnLog>, refuge: Option<Refuge>, tasks: &TaskSet, options: TurnQueueOptions) -> Self {
        let (sender, receiver) = mpsc::channel(options.capacity.max(1));
        let (give, left) = oneshot::channel();
        let counters = Arc::<Counters>::default();
        let files = refuge.as_ref().map(|refuge| refuge.files.clone());
        let waiting = files.as_ref().map(TurnFiles::read).unwrap_or_default();
        let recovered = waiting.turns.len() as u64;
        counters.pushed.store(recovered, Ordering::Relaxed);
        counters.recovered.store(recovered, Ordering::Relaxed);
        let mut flusher = Flusher {
            log,
            receiver,
            hand: Hand::default(),
            marks: Vec::new(),
            refuge,
            is_full: false,
            counters: Arc::clone(&counters),
            options,
            stopping: tasks.stopping(),
            give: Some(give),
        };
        flusher.take_over(waiting);
        tasks.spawn("store turn records", flusher.run());
        Self {
            sender,
            counters,
            files,
            left: Arc::new(Mutex::new(Some(left))),
        }
    }

    /// After the queue's own task has ended, or was aborted: keeps in a file what is not stored, for the next start. Waits so
    /// long at most for that task to be gone, and as long as it takes for the disk.
    pub async fn finish(&self, within: Duration) {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((left, files)) = left.zip(self.files.clone()) else {
            return;
        };
        let Ok(Ok(left)) = time::timeout(within, left).await else {
            error!("turn records that are not stored cannot be kept in a file: they are still being stored");
            return;
        };
        if left.is_empty() {
            return;
        }
        let turns = left.turns.len() as u64;
        let written = tokio::task::spawn_blocking(move || files.write(&left)).await;
        match written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(()) => _ = self.counters.spooled.fetch_add(turns, Ordering::Relaxed),
            Err(failure) => error!(
                error = &failure as &dyn Error,
                turn_records = turns,
                "turn records that are not stored cannot be kept in a file either"
            ),
        }
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
            recovered,
            rejected,
            spooled,
        } = &*self.counters;
        TurnCounts {
            pushed: read(pushed),
            stored: read(stored),
            dropped: read(dropped),
            recovered: read(recovered),
            rejected: read(rejected),
            spooled: read(spooled),
        }
    }

    /// How many records wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// Where what the store does not take goes, and who is told of it.
struct Refuge {
    files: TurnFiles,
    notifier: Arc<dyn Notifier>,
}

struct Flusher {
    log: Arc<dyn TurnLog>,
    receiver: mpsc::Receiver<Entry>,
    /// What is being stored.
    hand: Hand,
    /// Who waits until all turns in hand are stored.
    marks: Vec<oneshot::Sender<()>>,
    refuge: Option<Refuge>,
    /// The disk does not take what the store refuses, which was said.
    is_full: bool,
    counters: Arc<Counters>,
    options: TurnQueueOptions,
    stopping: Stopping,
    give: Option<oneshot::Sender<Left>>,
}

impl Drop for Flusher {
    /// Gives away what is not stored, however its task ended.
    fn drop(&mut self) {
        self.receiver.close();
        let mut entries = Vec::new();
        while let Ok(entry) = self.receiver.try_recv() {
            entries.push(entry);
        }
        self.take(entries);
        let left = self.hand.take();
        if let Some(give) = self.give.take() {
            // Without a folder nobody waits for it.
            _ = give.send(left);
        }
    }
}

/// How storing what is in hand goes.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    /// Since something was stored.
    in_a_row: u32,
}

impl Trouble {
    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.in_a_row.saturating_sub(1).min(16));
        LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(doubled))
    }
}

impl Flusher {
    async fn run(mut self) {
        self.store_all().await;
        while self.gather().await {
            self.store_all().await;
        }
    }

    /// Takes in hand what waited in files.
    fn take_over(&mut self, waiting: Left) {
        let Left { turns, ends } = waiting;
        let mut entries = turns
            .into_iter()
            .map(Entry::Turn)
            .chain(ends.into_iter().map(Entry::End));
        loop {
            let some: Vec<Entry> = entries.by_ref().take(self.options.batch.max(1)).collect();
            if some.is_empty() {
                return;
            }
            self.take(some);
        }
    }

    /// Takes the next records in hand; `false` when the process ends and there are none.
    async fn gather(&mut self) -> bool {
        let mut batch = Vec::with_capacity(self.options.batch);
        tokio::select! {
            biased;
            _ = self.receiver.recv_many(&mut batch, self.options.batch) => {}
            () = self.stopping.wait() => {
                // Nothing new gets in; what is there still comes out.
                self.receiver.close();
                self.receiver.recv_many(&mut batch, self.options.batch).await;
                return self.take(batch);
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
        self.take(batch)
    }

    /// Takes entries in hand; `false` if there are none.
    fn take(&mut self, entries: Vec<Entry>) -> bool {
        let is_some = !entries.is_empty();
        let (mut turns, mut ends) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match entry {
                Entry::Turn(turn) => turns.push(turn),
                Entry::End(end) => ends.push(end),
                Entry::Mark(mark) => self.marks.push(mark),
            }
        }
        self.hand.add(Batch::Turns(Arc::new(turns)));
        self.hand.add(Batch::Ends(Arc::new(ends)));
        is_some
    }

    /// Stores what is in hand, trying until all is stored or kept elsewhere, or shutdown aborts this task.
    async fn store_all(&mut self) {
        let mut trouble = Trouble::default();
        while let Some(batch) = self.hand.first() {
            match batch.clone().store(&*self.log).await {
                Ok(()) => {
                    self.hand.note_stored();
                    self.counters.stored.fetch_add(batch.turns(), Ordering::Relaxed);
                    trouble.in_a_row = 0;
                    self.tell_waiting();
                }
                Err(failure) => self.recover(&batch, &failure, &mut trouble).await,
            }
        }
        if trouble.failures > 0 {
            info!(failures = trouble.failures, "what calls leave behind is stored again");
        }
        self.tell_waiting();
        if let Some(refuge) = &self.refuge {
            refuge.files.clear();
        }
    }

    /// Tells who waits for turns, when none is left in hand but what the store refuses while it takes others.
    fn tell_waiting(&mut self) {
        if self.marks.is_empty() || self.hand.has_turns() {
            return;
        }
        for mark in self.marks.drain(..) {
            // Whoever waited may have given up.
            _ = mark.send(());
        }
    }

    /// Makes the best of a batch that could not be stored.
    async fn recover(&mut self, batch: &Batch, failure: &StoreError, trouble: &mut Trouble) {
        trouble.failures = trouble.failures.saturating_add(1);
        if trouble.failures == 1 {
            error!(
                error = failure as &dyn Error,
                records = batch.count(),
                "{} cannot be stored; they are kept and tried again",
                batch.what()
            );
        }
        let cause = Cause::of(failure);
        match self.hand.failed(cause) {
            Next::Parts => return,
            Next::Reject => {
                if self.reject(batch, failure).await {
                    return self.hand.note_rejected();
                }
                self.hand.put_off();
            }
            Next::Pause => {}
        }
        self.tell_waiting();
        trouble.in_a_row = trouble.in_a_row.saturating_add(1);
        time::sleep(trouble.pause()).await;
        // What came meanwhile is tried as well: what is refused by itself holds up nothing.
        if self.hand.has_room(self.options.batch) {
            let mut entries = Vec::new();
            while entries.len() < self.options.batch
                && let Ok(entry) = self.receiver.try_recv()
            {
                entries.push(entry);
            }
            self.take(entries);
        }
        if trouble.in_a_row >= TRIES_ALONE && cause == Cause::Unknown {
            self.hand.split_one();
        }
    }

    /// Keeps in a file what the store refuses for good, and tells of it. `false` if the disk does not take it either.
    async fn reject(&mut self, batch: &Batch, failure: &StoreError) -> bool {
        let reason = with_causes(failure);
        let file = self.refuge.as_ref().map(|refuge| refuge.files.rejected());
        let file = file.map(|file| file.display().to_string());
        if let Some(refuge) = &self.refuge {
            let (files, batch, why) = (refuge.files.clone(), batch.clone(), reason.clone());
            let written = tokio::task::spawn_blocking(move || files.reject(&batch, &why)).await;
            if let Err(failure) = written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                if !self.is_full {
                    self.is_full = true;
                    error!(
                        error = &failure as &dyn Error,
                        file, "what the store refuses cannot be kept in a file; it waits in memory"
                    );
                }
                return false;
            }
            self.is_full = false;
        }
        let rejected = self.counters.rejected.fetch_add(batch.turns(), Ordering::Relaxed) + batch.turns();
        let what = batch.what();
        let Some(refuge) = &self.refuge else {
            error!(reason, "the store refuses one of the {what} for good; it is lost");
            return true;
        };
        error!(
            reason,
            file, "the store refuses one of the {what} for good; it is kept in a file instead"
        );
        refuge.notifier.raise(Alert {
            code: AlertCode::DatabaseError,
            company: None,
            message: format!(
                "the store refuses one of the {what} for good; it is kept in {REJECTED} in the data folder"
            ),
            details: json!({ "reason": reason, "file": file, "turnRecordsRejected": rejected }),
        });
        true
    }
}

/// A failure and why it came about.
fn with_causes(failure: &StoreError) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
