//! Which file the store opened, and whether its path still leads there.
//!
//! `SQLite` goes on writing into a file that was removed or replaced, and its commits succeed: what is acknowledged
//! then is gone with the process. Looked at by path alone: to open and close the file would drop `SQLite`'s locks on it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// A file as the operating system knows it: the device it is on and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// The path of the store leads to another file than was opened, or to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Moved {
    #[error(
        "the store's file was removed or replaced while it was open, so nothing is written any more: stop, put the right file in its place (beside a backup no old -wal and -shm: they would go into it) and start again"
    )]
    File,
    #[error(
        "the store's write-ahead log (-wal) was removed or replaced while it was open, so nothing is written any more: stop in order (SIGTERM), which saves what can be saved, and start again"
    )]
    Log,
}

/// The file and its write-ahead log, as they were opened.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    opened: Identity,
    log: PathBuf,
    /// Known from the first write on: the log is made when it is needed.
    log_opened: OnceLock<Identity>,
}

impl Place {
    /// The file that is there now, which is then opened.
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self {
            file: file.to_owned(),
            opened: Identity::of(file)?,
            log: log.into(),
            log_opened: OnceLock::new(),
        })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// Whether the path still leads to the file that was opened. Takes a microsecond; may wait for a sick disk.
    pub(super) fn check(&self) -> Result<(), Moved> {
        // A path that cannot be looked at leads to nothing that could be found after a restart.
        if Identity::of(&self.file).ok() != Some(self.opened) {
            return Err(Moved::File);
        }
        match self.log_opened.get() {
            Some(opened) if Identity::of(&self.log).ok() != Some(*opened) => Err(Moved::Log),
            _ => Ok(()),
        }
    }

    /// The same after a commit, which has made the log if it was not there.
    pub(super) fn check_written(&self) -> Result<(), Moved> {
        if self.log_opened.get().is_none()
            && let Ok(opened) = Identity::of(&self.log)
        {
            _ = self.log_opened.set(opened);
        }
        self.check()
    }
}
