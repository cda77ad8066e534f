//! Work that several turns want at once and one does for all.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

type Landing<T> = watch::Receiver<Option<Arc<T>>>;

/// What is under way, by what it is.
pub(crate) struct Flights<K, T>(Arc<Mutex<HashMap<K, Landing<T>>>>);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// The work failed: it panicked, or the process ends.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the work was broken off")]
pub(crate) struct Aborted;

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Send + Sync + 'static,
{
    /// The result of this work: of the one under way, else of a new one on a thread that may block. The work goes on when
    /// those who wait give up.
    pub(crate) async fn join_or_start(
        &self,
        key: K,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Arc<T>, Aborted> {
        let mut landing = self.begin(key, work);
        let landed = landing.wait_for(Option::is_some).await.map_err(|_| Aborted)?;
        landed.clone().ok_or(Aborted)
    }

    fn begin(&self, key: K, work: impl FnOnce() -> T + Send + 'static) -> Landing<T> {
        let mut flights = lock(&self.0);
        if let Some(landing) = flights.get(&key).filter(|landing| landing.has_changed().is_ok()) {
            return landing.clone();
        }
        let (sender, landing) = watch::channel(None);
        flights.insert(key.clone(), landing.clone());
        let all = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let done = Arc::new(work());
            sender.send_replace(Some(done));
            lock(&all).remove(&key);
        });
        landing
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn one_works_for_all_who_want_the_same() {
        let flights = Flights::<u8, u8>::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let all = (0..20).map(|number: u8| {
            let begun = Arc::clone(&begun);
            flights.join_or_start(number % 2, move || {
                begun.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(50));
                number % 2
            })
        });
        let results = futures_util::future::join_all(all).await;
        let results: Vec<u8> = results.into_iter().map(|result| *result.unwrap()).collect();
        assert!(results.iter().zip(0..).all(|(result, number)| *result == number % 2));
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_waits_for_work_that_panics_hears_of_it_and_the_next_one_tries_again() {
        let flights = Flights::<u8, u8>::default();
        let broken = flights.join_or_start(1, || panic!("on purpose")).await;
        assert!(broken.is_err());
        assert_eq!(*flights.join_or_start(1, || 7).await.unwrap(), 7);
    }
}
