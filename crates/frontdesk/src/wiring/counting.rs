//! Counting turns for the analytics, behind the calls.

use std::{sync::Arc, time::Duration};

use frontdesk_store::{leader::Leadership, ports::AnalyticsStore, tasks::TaskSet};
use tokio::time::sleep;
use tracing::warn;

/// So often stored turns are counted. Whoever reads the counts earlier counts what is left.
const EVERY: Duration = Duration::from_secs(5);

/// Counts, by one process for all, what storing turns has left to be counted.
pub(super) fn start(store: Arc<dyn AnalyticsStore>, leadership: Leadership, tasks: &TaskSet) {
    let mut stopping = tasks.stopping();
    tasks.spawn("count turns", async move {
        let mut failing = false;
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = sleep(EVERY) => {}
            }
            if !leadership.is_held() {
                continue;
            }
            let counted = store.count_turns().await;
            if let (Err(error), false) = (&counted, failing) {
                let error = error as &dyn std::error::Error;
                warn!(error, "turns are stored but not counted yet; it is tried again");
            }
            failing = counted.is_err();
        }
    });
}
