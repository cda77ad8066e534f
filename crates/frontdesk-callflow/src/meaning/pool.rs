//! Threads that compute beside the calls: no meaning is computed on a thread that answers webhooks.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time};

/// Why a turn got nothing computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotComputed {
    /// All places are taken.
    Busy,
    /// It was not done in time.
    Late,
    /// It panicked.
    Failed,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads of lower priority than those that answer calls, with few places to wait in.
pub(crate) struct Pool {
    places: SyncSender<Work>,
}

impl Pool {
    /// Starts the threads. `places` wait at most, beside what is being computed.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(threads: usize, places: usize, niceness: i32) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<Work>(places);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("meaning-{number}"))
                .spawn(move || {
                    step_back(niceness);
                    while let Some(work) = next(&receiver) {
                        work();
                    }
                })?;
        }
        Ok(Self { places: sender })
    }

    /// Computes this on one of the threads. What nobody waits for any more when its turn comes is not begun.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        until: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotComputed> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                // Whoever asked may have given up meanwhile.
                _ = sender.send(work());
            }
        };
        match self.places.try_send(Box::new(guarded(job))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(NotComputed::Busy),
            Err(TrySendError::Disconnected(_)) => return Err(NotComputed::Failed),
        }
        let left = until.saturating_duration_since(Instant::now());
        match time::timeout(left.max(Duration::from_millis(1)), receiver).await {
            Ok(Ok(computed)) => Ok(computed),
            Ok(Err(_)) => Err(NotComputed::Failed),
            Err(_) => Err(NotComputed::Late),
        }
    }
}

/// A panic costs the one who asked, not the thread.
fn guarded(job: impl FnOnce() + Send) -> impl FnOnce() + Send {
    move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("computing the meaning of an utterance panicked");
        }
    }
}

/// The next piece of work; `None` when the pool is gone.
fn next(receiver: &Mutex<Receiver<Work>>) -> Option<Work> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Gives this thread a lower priority; on other systems than Linux that would be the whole process's.
pub(crate) fn step_back(niceness: i32) {
    #[cfg(target_os = "linux")]
    {
        // A system that refuses it computes at the usual priority.
        _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    }
    #[cfg(not(target_os = "linux"))]
    {
        _ = niceness;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn what_is_computed_comes_back() {
        let pool = Pool::start(2, 4, 5).unwrap();
        assert_eq!(pool.compute(soon(), || 6 * 7).await, Ok(42));
    }

    #[tokio::test]
    async fn who_finds_no_place_hears_so_at_once_and_the_others_are_served() {
        let pool = Pool::start(1, 1, 5).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let first = pool.compute(soon(), move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        });
        let mut first = Box::pin(first);
        assert!(first.as_mut().now_or_never().is_none());
        begins.recv().unwrap();
        let mut second = Box::pin(pool.compute(soon(), || 2));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(pool.compute(soon(), || 3).await, Err(NotComputed::Busy));
        release.send(()).unwrap();
        assert_eq!(first.await, Ok(()));
        assert_eq!(second.await, Ok(2));
    }

    #[tokio::test]
    async fn what_is_late_is_given_up_and_not_begun() {
        let pool = Pool::start(1, 4, 5).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let mut first = Box::pin(pool.compute(soon(), move || held.recv().unwrap()));
        assert!(first.as_mut().now_or_never().is_none());
        let (begun, begins) = mpsc::channel();
        let late = pool.compute(Instant::now(), move || begun.send(()).unwrap());
        assert_eq!(late.await, Err(NotComputed::Late));
        release.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(pool.compute(soon(), || 1).await, Ok(1), "the one thread is past it");
        assert!(begins.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_panic_costs_the_one_who_asked() {
        let pool = Pool::start(1, 4, 5).unwrap();
        assert_eq!(
            pool.compute(soon(), || panic!("on purpose")).await,
            Err::<(), _>(NotComputed::Failed)
        );
        assert_eq!(pool.compute(soon(), || 1).await, Ok(1));
    }
}
