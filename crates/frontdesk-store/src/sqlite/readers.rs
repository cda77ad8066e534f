//! A few connections that read, each used by one thread at a time.

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task, time};

use super::failure::{store_error, unavailable};
use crate::ports::StoreError;

/// So many instructions of `SQLite` lie between two looks at the deadline.
const LOOK_EVERY: i32 = 10_000;

/// A pool of reading connections.
#[derive(Debug)]
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let idle = (0..count)
            .map(|_| super::connection::reader(path))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(count)),
            idle: Arc::new(Mutex::new(idle)),
        })
    }

    /// Reads in one transaction: all that `read` sees is one state of the store. What takes longer than `deadline` is
    /// broken off.
    pub(super) async fn run<T, F>(&self, action: &'static str, deadline: Duration, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let until = Instant::now() + deadline;
        let done = time::timeout(deadline, async {
            let permit = Arc::clone(&self.permits)
                .acquire_owned()
                .await
                .map_err(|gone| unavailable(action, gone))?;
            let idle = Arc::clone(&self.idle);
            let reading = task::spawn_blocking(move || {
                let connection = lock(&idle).pop();
                let done = connection.map(|mut connection| {
                    // The connection is as good as before: unwinding has ended its statements and its transaction.
                    let done = panic::catch_unwind(AssertUnwindSafe(|| read_until(&mut connection, until, read)));
                    lock(&idle).push(connection);
                    done
                });
                drop(permit);
                done
            });
            match reading.await {
                Ok(Some(Ok(done))) => done.map_err(|error| store_error(action, error)),
                Ok(Some(Err(_))) => Err(unavailable(action, "the read panicked")),
                Ok(None) => Err(unavailable(action, "no connection is free")),
                Err(panicked) => Err(unavailable(action, panicked)),
            }
        });
        done.await.unwrap_or_else(|late| Err(unavailable(action, late)))
    }
}

fn read_until<T>(
    connection: &mut Connection,
    until: Instant,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.progress_handler(LOOK_EVERY, Some(move || Instant::now() >= until))?;
    // Ends with a rollback, which for a read is as good as a commit.
    let transaction = connection.unchecked_transaction()?;
    read(&transaction)
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_costs_no_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frontdesk.db");
        super::super::connection::prepare(&path).unwrap();
        let readers = Readers::open(&path, 1).unwrap();
        let second = Duration::from_secs(1);
        for _ in 0..3 {
            let broken = readers.run("panic", second, |connection| -> rusqlite::Result<()> {
                let mut statement = connection.prepare_cached("SELECT 1")?;
                let _rows = statement.query([])?;
                panic!("on purpose")
            });
            assert!(matches!(broken.await, Err(StoreError::Unavailable { .. })));
            let one = readers.run("read", second, |connection| {
                connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))
            });
            assert_eq!(one.await.unwrap(), 1);
        }
    }
}
