//! How a hold ends: settled, let go, or looked for where nothing was heard of it.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{ids::LedgerEntryId, money::PicoUsd};
use frontdesk_store::ports::{Bill, LedgerStore as _, StoreError};
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use super::{Running, attempt::Reservation};

/// Between tries to close a hold.
const PAUSE: Duration = Duration::from_millis(200);

/// So long after its lease a bill beyond its hold is tried to be noted: a store may be away for an hour.
const FOR_AN_OVERRUN: Duration = Duration::from_hours(1);

/// The pauses before it is looked for a hold of which nothing was heard: the store may come to make it later. After that
/// its lease lets it go, charged in full.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// Settles until it is settled; after the lease the reaper charges the hold in full, and what was billed beyond it is
/// still to be noted.
pub(super) async fn settle(running: &Running, held: &Reservation, bill: Bill) {
    let until = if bill.overrun > PicoUsd::ZERO {
        held.lease_ends + FOR_AN_OVERRUN
    } else {
        held.lease_ends
    };
    until_closed(held, until, "settled", || {
        running.parts.store.settle(held.id, bill.clone())
    })
    .await;
}

/// Lets a hold go, likewise.
pub(super) async fn void(running: &Running, held: &Reservation) {
    let now = running.parts.clock.now();
    until_closed(held, held.lease_ends, "let go", || {
        running.parts.store.void(held.id, now)
    })
    .await;
}

async fn until_closed<F>(held: &Reservation, until: Instant, what: &'static str, close: impl Fn() -> F)
where
    F: Future<Output = Result<bool, StoreError>>,
{
    loop {
        match close().await {
            Ok(_) => return,
            Err(failure) if Instant::now() >= until => {
                let error = &failure as &dyn std::error::Error;
                error!(entry.id = %held.id, error, "a hold could not be {what}: it will be charged in full");
                return;
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

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
