//! Holds of which nothing was heard in time: they may have been made all the same.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::ids::LedgerEntryId;
use frontdesk_store::ports::LedgerStore as _;
use tokio::time::sleep;
use tracing::info;

use super::Running;

/// The pauses before it is looked for a hold again: the store may come to make it later. After that its lease lets it go,
/// charged in full.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// Lets a hold go, if it was made: nothing was asked for it, so that it must not stand in another turn's way.
pub(super) fn let_go_if_made(running: &Running, id: LedgerEntryId) {
    let (store, clock) = (Arc::clone(&running.parts.store), Arc::clone(&running.parts.clock));
    running
        .parts
        .tasks
        .spawn("let go a hold of which nothing was heard", async move {
            for pause in LOOKS {
                sleep(pause).await;
                if matches!(store.void(id, clock.now()).await, Ok(true)) {
                    info!(entry.id = %id, "a hold of which nothing was heard in time was made, and is let go");
                    return;
                }
            }
        });
}
