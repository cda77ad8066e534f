//! What goes wrong in a run: how often, and how the store is locked and its disk filled.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rand::{RngExt as _, rngs::StdRng};

/// Shares from 0 to 1: of the webhooks for the first four, of the calls for the others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shares {
    /// Webhooks that are sent again once they were answered.
    pub duplicates: f64,
    /// Webhooks that are sent several times at once.
    pub parallel: f64,
    /// Webhooks that are sent again after later ones.
    pub reordered: f64,
    /// Turns after which the caller hangs up while the answer is awaited.
    pub hang_ups: f64,
    /// Calls that live through a locked store.
    pub store_locked: f64,
    /// Calls that live through a full disk.
    pub disk_full: f64,
    /// Calls that live through an orderly restart.
    pub restarts: f64,
    /// Calls that live through a `kill -9`.
    pub kills: f64,
}

impl Shares {
    /// Whether the server's process or store is tampered with.
    #[must_use]
    pub fn touch_the_server(&self) -> bool {
        self.store_locked + self.disk_full + self.restarts + self.kills > 0.0
    }
}

/// How a webhook is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// How many more at the same time.
    pub(crate) at_once: usize,
    /// How many more afterwards.
    pub(crate) after: usize,
    /// Whether once more after later turns.
    pub(crate) late: bool,
}

impl Shares {
    pub(crate) fn repeats(&self, rng: &mut StdRng) -> Repeats {
        let mut drawn = |share: f64, most: usize| {
            let happens = rng.random_bool(share.clamp(0.0, 1.0));
            let count = rng.random_range(1..=most);
            if happens { count } else { 0 }
        };
        Repeats {
            after: drawn(self.duplicates, 9),
            at_once: drawn(self.parallel, 9),
            late: drawn(self.reordered, 1) > 0,
        }
    }

    pub(crate) fn hangs_up(&self, rng: &mut StdRng) -> bool {
        rng.random_bool(self.hang_ups.clamp(0.0, 1.0))
    }
}

/// Locks the store's file for writing, as a backup or another process would. Blocks.
///
/// # Errors
/// The file cannot be opened or locked.
pub fn lock_store(file: &Path, length: Duration) -> Result<()> {
    let connection = rusqlite::Connection::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    std::thread::sleep(length);
    connection.execute_batch("ROLLBACK")?;
    Ok(())
}

/// Fills the disk on which a folder lies until nothing fits any more, and frees it after a while. Blocks.
///
/// # Errors
/// The file that fills it cannot be made, or something else than a full disk stops it.
pub fn fill_disk(folder: &Path, length: Duration) -> Result<()> {
    let path = folder.join("callsim-fills-this-disk");
    let filled = fill(&path);
    if filled.is_ok() {
        std::thread::sleep(length);
    }
    std::fs::remove_file(&path)?;
    filled.with_context(|| format!("cannot fill the disk of {}", folder.display()))
}

fn fill(path: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let mut chunk: &[u8] = &[b'x'; 16 * 1024];
    loop {
        match file.write_all(chunk) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => match chunk.get(..chunk.len() / 2) {
                Some(smaller) if !smaller.is_empty() => chunk = smaller,
                _ => return Ok(()),
            },
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn what_has_no_share_never_happens_and_what_has_all_always_does() {
        let mut rng = StdRng::seed_from_u64(1);
        let never = Repeats {
            at_once: 0,
            after: 0,
            late: false,
        };
        assert!((0..100).all(|_| Shares::default().repeats(&mut rng) == never));
        let always = Shares {
            duplicates: 1.0,
            parallel: 1.0,
            reordered: 1.0,
            ..Shares::default()
        };
        let drawn = always.repeats(&mut rng);
        assert!(
            (1..=9).contains(&drawn.at_once) && (1..=9).contains(&drawn.after) && drawn.late,
            "{drawn:?}"
        );
    }

    #[test]
    fn a_locked_store_refuses_writers_and_is_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let other = rusqlite::Connection::open(&file).unwrap();
        other.execute_batch("CREATE TABLE t (a)").unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        let locker = std::thread::spawn(move || lock_store(&file, Duration::from_millis(300)).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(other.execute_batch("INSERT INTO t VALUES (1)").is_err());
        locker.join().unwrap();
        other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
    }
}
