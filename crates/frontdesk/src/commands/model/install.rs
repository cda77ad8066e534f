//! Takes the files of the model from a source, checks each and puts them in their place at once.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use frontdesk_encoder::{
    files::{FILES, PinnedFile},
    hexadecimal,
};
use sha2::{Digest as _, Sha256};

use super::{
    progress::{Bar, Progress},
    source::Source,
};

/// A file that is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Faulty {
    pub(super) name: &'static str,
    pub(super) why: String,
}

/// Whether a folder holds the model, byte for byte.
pub(super) fn check(folder: &Path) -> Result<(), Faulty> {
    for file in &FILES {
        check_file(&folder.join(file.name), file).map_err(|why| Faulty { name: file.name, why })?;
    }
    Ok(())
}

fn check_file(path: &Path, file: &PinnedFile) -> Result<(), String> {
    let hash = File::open(path)
        .and_then(|opened| hash(BufReader::new(opened)))
        .map_err(|error| format!("cannot be read: {error}"))?;
    compare(&hash, file)
}

fn compare(hash: &Hash, file: &PinnedFile) -> Result<(), String> {
    if hash.bytes < file.bytes {
        return Err(format!("is cut off: it has {} bytes, not {}", hash.bytes, file.bytes));
    }
    if hash.sha256 != file.sha256 {
        return Err(format!(
            "is another file: its SHA-256 is {}, not {}",
            hash.sha256, file.sha256
        ));
    }
    Ok(())
}

struct Hash {
    bytes: u64,
    sha256: String,
}

fn hash(mut reader: impl io::Read) -> io::Result<Hash> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    Ok(Hash {
        bytes,
        sha256: hexadecimal(&digest.finalize()),
    })
}

/// A folder that goes when it is not kept.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Puts the model into `place`: all files or none, checked, and on disk.
pub(super) fn install(source: &mut dyn Source, place: &Path, progress: Progress) -> Result<()> {
    let Some(parent) = place.parent() else {
        bail!("{} is no folder that a model can be put into", place.display());
    };
    fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    let staging = Staging(parent.join(format!(".installing-{}", std::process::id())));
    fs::create_dir_all(&staging.0).with_context(|| format!("cannot make the folder {}", staging.0.display()))?;
    source.prepare(&staging.0)?;
    let shown = progress.begin(FILES.iter().map(|file| file.bytes).sum());
    let files = staging.0.join("files");
    fs::create_dir(&files)?;
    for file in &FILES {
        let path = files.join(file.name);
        let copied = copy(source, file, &path, &shown);
        copied.with_context(|| format!("{} could not be fetched and written to {}", file.name, path.display()))?;
        if let Err(why) = check_file(&path, file) {
            bail!("{} {why}; nothing was installed", file.name);
        }
    }
    shown.finish();
    // What is there is not the model, or nobody would have asked for it.
    let old = staging.0.join("old");
    if place.exists() {
        fs::rename(place, &old).with_context(|| format!("cannot replace {}", place.display()))?;
    }
    fs::rename(&files, place).with_context(|| format!("cannot move the files to {}", place.display()))?;
    File::open(parent).and_then(|folder| folder.sync_all())?;
    Ok(())
}

fn copy(source: &mut dyn Source, file: &PinnedFile, to: &Path, shown: &Bar) -> Result<()> {
    let mut out = File::create(to)?;
    let mut reader = source.open(file)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        out.write_all(buffer.get(..read).unwrap_or_default())?;
        shown.add(read as u64);
    }
    out.sync_all()?;
    Ok(())
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.why)
    }
}
