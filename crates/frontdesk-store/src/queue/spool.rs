//! Alerts on disk while the store does not take them: what waits, as a whole, one group a line.
//!
//! The file says what is not stored yet, so it is written anew, never added to. A group that is stored and still stands
//! in it is not counted twice, because the store knows the groups that it has. Every process has a file of its own, and
//! takes over those that it finds.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use frontdesk_domain::{
    alert::{Alert, AlertCode},
    ids::{CompanyId, ContactId, NotificationId},
    notice::ChannelKind,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{error, info, warn};

use crate::{
    common::notices::bounded,
    ports::{RaisedAlert, Told},
};

/// A file has at most so many bytes; what does not fit goes to the log.
const MAX_BYTES: usize = 8 << 20;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: NotificationId,
    code: AlertCode,
    company: Option<CompanyId>,
    message: String,
    details: Value,
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    told: Vec<LineTold>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineTold {
    contact: ContactId,
    channel: Arc<str>,
    kind: ChannelKind,
    occasion: Arc<str>,
    at: Timestamp,
}

impl From<&RaisedAlert> for Line {
    fn from(group: &RaisedAlert) -> Self {
        let told = group.told.iter().map(|told| LineTold {
            contact: told.contact_id,
            channel: Arc::clone(&told.channel_id),
            kind: told.kind,
            occasion: Arc::clone(&told.occasion),
            at: told.at,
        });
        Self {
            id: group.id,
            code: group.alert.code,
            company: group.alert.company,
            message: bounded::message(&group.alert.message).into_owned(),
            details: bounded::details(&group.alert.details).into_owned(),
            count: group.count,
            first_at: group.first_at,
            last_at: group.last_at,
            told: told.collect(),
        }
    }
}

impl From<Line> for RaisedAlert {
    fn from(line: Line) -> Self {
        let told = line.told.into_iter().map(|told| Told {
            contact_id: told.contact,
            channel_id: told.channel,
            kind: told.kind,
            occasion: told.occasion,
            at: told.at,
        });
        Self {
            id: line.id,
            alert: Alert {
                code: line.code,
                company: line.company,
                message: line.message,
                details: line.details,
            },
            count: line.count,
            first_at: line.first_at,
            last_at: line.last_at,
            told: told.collect(),
        }
    }
}

/// The file of this process, and those that it has taken over.
#[derive(Debug, Clone)]
pub(super) struct Spool(Arc<Files>);

#[derive(Debug)]
struct Files {
    folder: PathBuf,
    own: PathBuf,
    taken_over: Mutex<Vec<PathBuf>>,
    is_written: AtomicBool,
    is_failing: AtomicBool,
}

impl Spool {
    pub(super) fn in_folder(folder: &Path) -> Self {
        let name = format!("spool.{:08x}.jsonl", rand::random::<u32>());
        Self(Arc::new(Files {
            folder: folder.to_owned(),
            own: folder.join(name),
            taken_over: Mutex::default(),
            is_written: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }))
    }

    /// What waits from earlier, of this process and others. Blocks: for starts.
    pub(super) fn read(&self) -> Vec<RaisedAlert> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with("spool.") || !name.ends_with(".jsonl") {
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(text) => {
                    // A line that was cut by a crash is the last one.
                    found.extend(text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()));
                    let mut taken_over = self.0.taken_over.lock().unwrap_or_else(PoisonError::into_inner);
                    taken_over.push(path);
                }
                Err(failure) => warn!(
                    file = %path.display(),
                    error = &failure as &dyn std::error::Error,
                    "alerts that wait in a file cannot be read"
                ),
            }
        }
        if !found.is_empty() {
            info!(groups = found.len(), "alerts that waited for the store are stored now");
        }
        found.into_iter().map(RaisedAlert::from).collect()
    }

    /// Writes what waits. What the disk does not take either goes to the log, which is the standard error.
    pub(super) fn write(&self, waiting: &[RaisedAlert]) {
        let mut text = Vec::new();
        let mut left_out: Vec<&RaisedAlert> = Vec::new();
        for group in waiting {
            let line = serde_json::to_vec(&Line::from(group)).unwrap_or_default();
            if text.len() + line.len() < MAX_BYTES {
                text.extend_from_slice(&line);
                text.push(b'\n');
            } else {
                left_out.push(group);
            }
        }
        let written = self.replace(&text);
        self.0.is_written.store(true, Ordering::Relaxed);
        let was_failing = self
            .0
            .is_failing
            .swap(written.is_err() || !left_out.is_empty(), Ordering::Relaxed);
        if let Err(failure) = &written {
            left_out = waiting.iter().collect();
            if !was_failing {
                error!(file = %self.0.own.display(), error = failure as &dyn std::error::Error, "alerts that wait for the store cannot be written to a file either");
            }
        }
        if was_failing {
            return;
        }
        for group in left_out {
            let company = group.alert.company.map(|company| company.to_string());
            error!(
                code = group.alert.code.as_str(),
                company,
                count = group.count,
                message = group.alert.message,
                "an alert waits in memory alone"
            );
        }
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let new = self.0.own.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text)?;
        file.sync_data()?;
        fs::rename(&new, &self.0.own)
    }

    /// Everything is stored: the files go.
    pub(super) fn clear(&self) {
        if self.0.is_written.swap(false, Ordering::Relaxed) {
            // One that stays is read at the next start, and its groups are known then.
            _ = fs::remove_file(&self.0.own);
        }
        let mut taken_over = self.0.taken_over.lock().unwrap_or_else(PoisonError::into_inner);
        for path in taken_over.drain(..) {
            _ = fs::remove_file(path);
        }
    }
}
