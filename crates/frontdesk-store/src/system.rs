//! The machine's own clock and new ids.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use frontdesk_domain::{clock::Clock, ids::ObjectId, time::Timestamp};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that is handed in everywhere else"
        )]
        Timestamp::now()
    }
}

/// Makes ids as `MongoDB` drivers do: seconds, five random bytes of this process, a counter of three bytes.
///
/// Ids of one process sort in the order in which they were made (until the counter turns over, once in 16 million).
#[derive(Clone)]
pub struct ObjectIds {
    clock: Arc<dyn Clock>,
    /// Its low 40 bits count.
    process: u64,
    counter: Arc<AtomicU32>,
}

impl std::fmt::Debug for ObjectIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectIds").finish_non_exhaustive()
    }
}

impl ObjectIds {
    /// Makes ids of the time that this clock tells.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let start = rand::random::<u32>() >> 9;
        Self {
            clock,
            process: rand::random(),
            counter: Arc::new(AtomicU32::new(start)),
        }
    }

    /// A new id.
    #[must_use]
    pub fn make(&self) -> ObjectId {
        let seconds = u32::try_from(self.clock.now().as_second()).unwrap_or_default();
        let count = self.counter.fetch_add(1, Ordering::Relaxed) & 0xff_ffff;
        let rest = self.process << 24 | u64::from(count);
        ObjectId::from_parts(seconds, rest.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids = ObjectIds::new(Arc::new(SystemClock));
        let made: Vec<_> = (0..1_000).map(|_| ids.make()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert_ne!(ObjectIds::new(Arc::new(SystemClock)).make(), ids.make());
    }
}
