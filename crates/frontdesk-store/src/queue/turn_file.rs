//! Turn records and ends of calls on disk that the store does not have, one a line, as the store would keep them.
//!
//! `turns.*.jsonl` is what it took no more before a process ended. The next process takes it over, and removes the file when
//! all of it is stored; what was stored already is left as it is then. `turns-rejected.jsonl` is what the store refuses
//! for good, each with the reason; nobody reads it but operators, who may rename it to have it tried again.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frontdesk_domain::{
    ids::{CallId, CompanyId},
    record::TurnRecord,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{error, info};

use super::hand::{Batch, Left};
use crate::ports::CallEnd;

/// The file of what the store refuses for good.
pub(super) const REJECTED: &str = "turns-rejected.jsonl";

/// Twilio's words for how a call ended.
const ENDINGS: [&str; 5] = ["completed", "busy", "failed", "no-answer", "canceled"];

/// A line as it is written.
#[derive(Serialize, Default)]
struct Line<'l> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<&'l TurnRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<EndLine>,
}

/// A line as it is read.
#[derive(Deserialize)]
struct Found {
    turn: Option<Value>,
    document: Option<Arc<str>>,
    end: Option<EndLine>,
}

#[derive(Serialize, Deserialize)]
struct EndLine {
    company: CompanyId,
    call: CallId,
    from: Option<Arc<str>>,
    at: Timestamp,
    status: String,
}

impl<'l> Line<'l> {
    fn of_turn(turn: &'l TurnRecord, reason: Option<&'l str>) -> Self {
        Self {
            reason,
            turn: Some(turn),
            document: turn.document.as_deref(),
            end: None,
        }
    }

    fn of_end(end: &CallEnd, reason: Option<&'l str>) -> Self {
        let CallEnd {
            company,
            call,
            from,
            at,
            status,
        } = end.clone();
        Self {
            reason,
            end: Some(EndLine {
                company,
                call,
                from,
                at,
                status: status.to_owned(),
            }),
            ..Self::default()
        }
    }

    fn write(&self, file: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *file, self)?;
        file.write_all(b"\n")
    }
}

impl From<EndLine> for CallEnd {
    fn from(line: EndLine) -> Self {
        let status = ENDINGS.into_iter().find(|ending| *ending == line.status);
        Self {
            company: line.company,
            call: line.call,
            from: line.from,
            at: line.at,
            status: status.unwrap_or("completed"),
        }
    }
}

/// Adds what a line says to what was found.
fn read_line(line: &str, found: &mut Left) -> Result<(), serde_json::Error> {
    let Found { turn, document, end } = serde_json::from_str(line)?;
    if let Some(turn) = turn {
        found.turns.push(TurnRecord::from_json(&turn, document)?);
    }
    found.ends.extend(end.map(CallEnd::from));
    Ok(())
}

/// The files of this process, and those that it has taken over. Every method but [`rejected`](Self::rejected) blocks.
#[derive(Debug, Clone)]
pub(super) struct TurnFiles(Arc<Files>);

#[derive(Debug)]
struct Files {
    folder: PathBuf,
    taken_over: Mutex<Vec<PathBuf>>,
}

impl TurnFiles {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self(Arc::new(Files {
            folder: folder.to_owned(),
            taken_over: Mutex::default(),
        }))
    }

    /// Where what is refused for good is kept.
    pub(super) fn rejected(&self) -> PathBuf {
        self.0.folder.join(REJECTED)
    }

    /// What waits from earlier, of this process and others.
    pub(super) fn read(&self) -> Left {
        let mut found = Left::default();
        for entry in fs::read_dir(&self.0.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("turns.") && name.ends_with(".jsonl") {
                self.take_over(entry.path(), &mut found);
            }
        }
        if !found.is_empty() {
            info!(
                turn_records = found.turns.len(),
                ends_of_calls = found.ends.len(),
                "what waited in files for the store is stored now"
            );
        }
        found
    }

    fn take_over(&self, path: PathBuf, found: &mut Left) {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(failure) => {
                let failure = &failure as &dyn Error;
                error!(file = %path.display(), error = failure, "turn records that wait in a file cannot be read");
                return;
            }
        };
        let lines = text.lines().map(|line| read_line(line, found));
        let unread = lines.filter(Result::is_err).count();
        if unread == 0 {
            self.taken_over().push(path);
            return;
        }
        // What another version wrote stays for that one; the other lines are stored, and once however often they are read.
        error!(
            file = %path.display(),
            lines = unread,
            "some turn records that wait in a file cannot be read; the file stays"
        );
    }

    /// Keeps what is not stored for the next start, and removes the files that it had been taken from.
    pub(super) fn write(&self, left: &Left) -> io::Result<()> {
        let folder = &self.0.folder;
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("turns.{:08x}.jsonl", rand::random::<u32>()));
        let draft = path.with_extension("new");
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let mut file = BufWriter::new(file);
        for turn in &left.turns {
            Line::of_turn(turn, None).write(&mut file)?;
        }
        for end in &left.ends {
            Line::of_end(end, None).write(&mut file)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(folder)?.sync_all()?;
        self.clear();
        Ok(())
    }

    /// Keeps what the store refuses for good.
    pub(super) fn reject(&self, batch: &Batch, reason: &str) -> io::Result<()> {
        let mut lines = Vec::new();
        match batch {
            Batch::Turns(turns) => {
                for turn in &**turns {
                    Line::of_turn(turn, Some(reason)).write(&mut lines)?;
                }
            }
            Batch::Ends(ends) => {
                for end in &**ends {
                    Line::of_end(end, Some(reason)).write(&mut lines)?;
                }
            }
        }
        fs::create_dir_all(&self.0.folder)?;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.rejected())?;
        file.write_all(&lines)?;
        file.sync_all()?;
        File::open(&self.0.folder)?.sync_all()
    }

    /// What was taken over is stored, or kept elsewhere.
    pub(super) fn clear(&self) {
        for path in self.taken_over().drain(..) {
            // One that stays is read at the next start, and what is in it is known then.
            _ = fs::remove_file(path);
        }
    }

    fn taken_over(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.taken_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
