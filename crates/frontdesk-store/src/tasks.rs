//! Tasks that shutdown waits for.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{sync::watch, task::AbortHandle, time};
use tracing::{error, warn};

/// The tasks of this process. The only way to start one; cheap to clone.
///
/// A task that runs until the process ends waits for [`Stopping`] and then finishes what it has.
#[derive(Debug, Clone)]
pub struct TaskSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    running: Mutex<HashMap<u64, Running>>,
    next: AtomicU64,
    count: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Running {
    name: &'static str,
    /// Absent for the moment between registering and starting.
    abort: Option<AbortHandle>,
}

/// Tells a task that the process is about to end.
#[derive(Debug, Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until the process is about to end.
    pub async fn wait(&mut self) {
        // An error means that the set is gone, and with it the process.
        _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// Whether the process is about to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}

impl Default for TaskSet {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskSet {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            running: Mutex::default(),
            next: AtomicU64::new(0),
            count: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Starts a task. If it panics, that is logged under its name.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let done = Done {
            inner: Arc::clone(&self.0),
            number,
        };
        self.0
            .with_running(|running| _ = running.insert(number, Running { name, abort: None }));
        let guarded = async move {
            let _done = done;
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                error!(task = name, "task `{name}` panicked");
            }
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks")]
        let handle = tokio::spawn(guarded);
        self.0.with_running(|running| {
            // It may have ended already.
            if let Some(task) = running.get_mut(&number) {
                task.abort = Some(handle.abort_handle());
            }
        });
    }

    /// Tells when the process is about to end.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping(self.0.stopping.subscribe())
    }

    /// How many tasks run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether no task runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells all tasks to end and waits for them; those that have not ended after `deadline` are aborted and named.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<&'static str> {
        self.0.stopping.send_replace(true);
        let mut count = self.0.count.subscribe();
        if time::timeout(deadline, count.wait_for(|count| *count == 0))
            .await
            .is_ok()
        {
            return Vec::new();
        }
        let (mut late, aborts): (Vec<_>, Vec<_>) = self
            .0
            .lock()
            .values()
            .map(|task| (task.name, task.abort.clone()))
            .unzip();
        late.sort_unstable();
        for abort in aborts.into_iter().flatten() {
            abort.abort();
        }
        warn!(tasks = ?late, "some tasks did not end in time and were aborted");
        late
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_running(&self, change: impl FnOnce(&mut HashMap<u64, Running>)) {
        let mut running = self.lock();
        change(&mut running);
        self.count.send_replace(running.len());
    }
}

/// Takes a task off the list when it ends, panics or is aborted.
struct Done {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Done {
    fn drop(&mut self) {
        self.inner.with_running(|running| _ = running.remove(&self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_what_runs() {
        let tasks = TaskSet::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut stopping = tasks.stopping();
        tasks.spawn("slow", async move {
            stopping.wait().await;
            time::sleep(Duration::from_secs(2)).await;
            sender.send("finished").unwrap();
        });
        assert!(!tasks.is_empty());
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
        assert_eq!(receiver.await, Ok("finished"));
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_what_is_late_and_names_it() {
        let tasks = TaskSet::new();
        tasks.spawn("endless", std::future::pending());
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, ["endless"]);
        time::sleep(Duration::from_millis(1)).await;
        assert!(tasks.is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_its_task_only() {
        let tasks = TaskSet::new();
        tasks.spawn("broken", async { panic!("on purpose") });
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }
}
