//! What the call path hands over and does not wait for: turn records and alerts.

mod alerts;
mod hand;
mod spool;
mod turn_file;
mod turns;

pub use alerts::{AlertCounts, AlertQueue, Waiting};
pub use turns::{TurnCounts, TurnQueue, TurnQueueOptions};

use std::time::Duration;

/// The first pause after a write that failed; each further one doubles it, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
