//! The first look at what other processes change, before this one says that it is ready.

use std::time::Duration;

use frontdesk_store::cache::CachedStore;
use tokio::time;

/// So long the start waits for it: as long as one look may take. A store that does not answer keeps no caller waiting.
const LONGEST: Duration = Duration::from_secs(1);

const LOOK: Duration = Duration::from_millis(2);

/// Waits until changes are heard, so that `/readyz` does not call a start trouble.
pub(super) async fn heard(store: &CachedStore) {
    let heard = async {
        while !store.hears_changes() {
            time::sleep(LOOK).await;
        }
    };
    // If it is not, the check says so.
    _ = time::timeout(LONGEST, heard).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use frontdesk_store::{
        seal::Sealer,
        sqlite::{SqliteOptions, SqliteStore},
        system::SystemClock,
        tasks::TaskSet,
    };

    use super::*;

    #[tokio::test]
    async fn a_start_waits_for_the_first_look_at_changes() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Arc::new(Sealer::from_key([7; 32]));
        let file = folder.path().join("frontdesk.db");
        let sqlite = SqliteStore::open(&file, sealer, Arc::new(SystemClock), SqliteOptions::default()).unwrap();
        let store = CachedStore::start(Arc::new(sqlite), &TaskSet::new());
        assert!(!store.hears_changes());
        heard(&store).await;
        assert!(store.hears_changes());
    }
}
