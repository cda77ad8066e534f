//! The one thread that writes: it takes what waits, does all of it in one transaction and answers when that is on disk.

use std::{
    collections::VecDeque,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time,
};
use tracing::{error, warn};

use super::{
    failure::{Failure, GroupFailure, store_error, unavailable},
    place::Place,
};
use crate::ports::StoreError;

/// So many pieces of work wait at most; who comes then waits for a place, within its deadline.
const QUEUE: usize = 1_024;

/// So many pieces of work are committed at once at most.
const GROUP: usize = 256;

/// Takes work for the writing thread. The thread ends when this is dropped and the work is done.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
}

enum Order {
    Work(Box<dyn Work>),
    Checkpoint,
}

/// A piece of work with its answer.
trait Work: Send {
    /// Whether nobody waits for the answer any more. The work is then not begun.
    fn is_abandoned(&self) -> bool;
    /// Does it. Unless that is done, what it wrote is to be undone.
    fn run(&mut self, connection: &Connection) -> Ended;
    /// Why it failed, in words.
    fn failure(&self) -> Option<String>;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<(), GroupFailure>);
}

/// How a piece of work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Done,
    Refused,
    Failed,
}

type Answer<T, R> = Result<Result<T, R>, StoreError>;

struct Job<F, T, R> {
    action: &'static str,
    work: Option<F>,
    done: Option<Answer<T, R>>,
    reply: oneshot::Sender<Answer<T, R>>,
}

impl<F, T, R> Work for Job<F, T, R>
where
    F: FnOnce(&Connection) -> Result<T, Failure<R>> + Send,
    T: Send,
    R: Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, connection: &Connection) -> Ended {
        let done = self.work.take().map(|work| match work(connection) {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            Err(Failure::Sql(error)) => Err(store_error(self.action, error)),
        });
        let ended = match &done {
            Some(Ok(Ok(_))) => Ended::Done,
            Some(Ok(Err(_))) => Ended::Refused,
            Some(Err(_)) | None => Ended::Failed,
        };
        self.done = done;
        ended
    }

    fn failure(&self) -> Option<String> {
        match self.done.as_ref()? {
            Err(StoreError::Unavailable { source, .. }) => Some(source.to_string()),
            Err(error @ StoreError::Unreadable { .. }) => Some(error.to_string()),
            Ok(_) => None,
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), GroupFailure>) {
        let answer = match (committed, self.done) {
            // A refusal and an error of its own are true whatever became of the others.
            (_, Some(done @ (Err(_) | Ok(Err(_))))) | (Ok(()), Some(done)) => done,
            (Err(failure), _) => Err(unavailable(self.action, failure)),
            (Ok(()), None) => return,
        };
        // Whoever asked may have given up.
        _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(place: Arc<Place>, max_pages: Option<u32>) -> rusqlite::Result<Self> {
        let connection = super::connection::writer(place.path(), max_pages)?;
        let (queue, orders) = mpsc::channel(QUEUE);
        let spawned = thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || write(&connection, &place, orders));
        spawned.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self { queue })
    }

    /// Does work in a transaction. Returns when it is on disk, was refused or failed; after `deadline` it may still
    /// be done or not.
    pub(super) async fn run<T, R, F>(&self, action: &'static str, deadline: Duration, work: F) -> Answer<T, R>
    where
        F: FnOnce(&Connection) -> Result<T, Failure<R>> + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            action,
            work: Some(work),
            done: None,
            reply,
        };
        let answered = time::timeout(deadline, async {
            let sent = self.queue.send(Order::Work(Box::new(job))).await;
            sent.map_err(|_| unavailable(action, "the writing thread has ended"))?;
            answer.await.unwrap_or_else(|gone| Err(unavailable(action, gone)))
        });
        answered.await.unwrap_or_else(|late| Err(unavailable(action, late)))
    }

    /// Moves what was written from the log into the file, soon.
    pub(super) fn checkpoint(&self) {
        // A full queue means that many commits follow, and they bring checkpoints themselves.
        _ = self.queue.try_send(Order::Checkpoint);
    }
}

fn write(connection: &Connection, place: &Place, mut orders: mpsc::Receiver<Order>) {
    let (mut failing, mut moved) = (false, false);
    while let Some(first) = orders.blocking_recv() {
        let mut waiting = VecDeque::from([first]);
        while waiting.len() < GROUP
            && let Ok(next) = orders.try_recv()
        {
            waiting.push_back(next);
        }
        let mut checkpoint = false;
        let mut group = Vec::with_capacity(waiting.len());
        for order in waiting {
            match order {
                Order::Work(work) if work.is_abandoned() => {}
                Order::Work(work) => group.push(work),
                Order::Checkpoint => checkpoint = true,
            }
        }
        if !group.is_empty() {
            let committed = commit(connection, place, &mut group);
            let fails = !matches!(committed, Ok(Ended::Done | Ended::Refused));
            let is_moved = matches!(committed, Err(GroupFailure::Moved(_)));
            match &committed {
                Err(failure) if !failing || is_moved && !moved => {
                    error!(
                        error = failure as &dyn std::error::Error,
                        file = %place.path().display(),
                        "the store takes no writes"
                    );
                }
                Ok(Ended::Failed) if !failing => error!("the store takes no writes: all that waited failed"),
                Ok(Ended::Done) if failing => warn!("the store takes writes again"),
                _ => {}
            }
            (failing, moved) = (fails, is_moved);
            let committed = committed.map(drop);
            for work in group {
                work.answer(committed.clone());
            }
        }
        if checkpoint
            && place.check().is_ok()
            && let Err(error) = connection.pragma_query(None, "wal_checkpoint", |_| Ok(()))
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "the log could not be moved into the file yet"
            );
        }
    }
}

/// Does all work of a group in one transaction, of a file that is where it was before and after. Work that fails is
/// undone alone. [`Ended::Failed`] if all of it failed.
fn commit(connection: &Connection, place: &Place, group: &mut [Box<dyn Work>]) -> Result<Ended, GroupFailure> {
    place.check()?;
    run(connection, "BEGIN IMMEDIATE")?;
    let done = match group {
        // The transaction itself is undone: a savepoint would copy every page before it is changed.
        [only] => match do_one(connection, only.as_mut()) {
            Ended::Done => run(connection, "COMMIT").map(|()| Ended::Done).map_err(Into::into),
            ended => Ok(ended),
        },
        group => do_each(connection, group).and_then(|ended| Ok(run(connection, "COMMIT").map(|()| ended)?)),
    };
    // Some errors, such as a full disk, end the transaction by themselves.
    if !connection.is_autocommit() {
        run(connection, "ROLLBACK")?;
    }
    let done = done?;
    place.check_written()?;
    Ok(done)
}

fn do_each(connection: &Connection, group: &mut [Box<dyn Work>]) -> Result<Ended, GroupFailure> {
    let mut all = Ended::Failed;
    for work in group {
        run(connection, "SAVEPOINT one")?;
        let ended = do_one(connection, work.as_mut());
        // The savepoint is gone then, and with it what the others had written.
        if connection.is_autocommit() {
            let cause = work.failure().unwrap_or_default();
            return Err(GroupFailure::Ended { cause });
        }
        if ended != Ended::Done {
            run(connection, "ROLLBACK TO one")?;
        }
        run(connection, "RELEASE one")?;
        if ended == Ended::Done || all == Ended::Failed {
            all = ended;
        }
    }
    Ok(all)
}

/// Work does not panic; if it does, it must not take the writer with it.
fn do_one(connection: &Connection, work: &mut dyn Work) -> Ended {
    // The transaction may have waited for another process's lock, and nobody any more for this.
    if work.is_abandoned() {
        return Ended::Refused;
    }
    panic::catch_unwind(AssertUnwindSafe(|| work.run(connection))).unwrap_or(Ended::Failed)
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
