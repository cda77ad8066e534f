//! What is not the model is never installed, and what was there stays.

use std::{
    fs,
    io::{Cursor, Read},
    path::Path,
};

use anyhow::Result;
use frontdesk_encoder::files::PinnedFile;

use super::{
    install::{check, install},
    progress::Progress,
    source::{Folder, Hub, Source},
};
use crate::output::Terminal;

fn quietly() -> Progress {
    Progress::on(Terminal::default())
}

fn refusal(source: &mut dyn Source, place: &Path) -> String {
    format!("{:#}", install(source, place, quietly()).unwrap_err())
}

/// Gives the same bytes for every file.
struct Wrong(&'static [u8]);

impl Source for Wrong {
    fn describe(&self) -> String {
        "from nowhere".to_owned()
    }

    fn prepare(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn open(&mut self, _: &PinnedFile) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(Cursor::new(self.0)))
    }
}

#[test]
fn what_is_cut_off_or_another_file_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("models").join("m");
    let cut = refusal(&mut Wrong(b"{}"), &place);
    assert!(cut.contains("config.json is cut off: it has 2 bytes, not 612"), "{cut}");
    let other = refusal(&mut Wrong(&[b' '; 612]), &place);
    assert!(other.contains("config.json is another file: its SHA-256 is"), "{other}");
    assert_eq!(
        fs::read_dir(root.path().join("models")).unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn what_was_there_stays_when_nothing_better_comes() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("m");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("config.json"), "old").unwrap();
    refusal(&mut Wrong(b"{}"), &place);
    assert_eq!(fs::read_to_string(place.join("config.json")).unwrap(), "old");
    assert!(
        check(&place)
            .unwrap_err()
            .to_string()
            .starts_with("config.json is cut off")
    );
}

#[test]
fn a_folder_without_the_files_and_a_disk_that_takes_none_are_told() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("m");
    let absent = refusal(&mut Folder(root.path().join("absent")), &place);
    assert!(absent.contains("is no folder"), "{absent}");
    let empty = refusal(&mut Folder(root.path().to_path_buf()), &place);
    assert!(empty.contains("config.json could not be fetched"), "{empty}");
    // A device that is always full stands in for a full disk.
    let full = refusal(&mut Wrong(b"{}"), Path::new("/dev/full/models/m"));
    assert!(full.contains("cannot make the folder /dev/full/models"), "{full}");
}

#[test]
fn a_hub_that_cannot_be_reached_is_told() {
    let root = tempfile::tempdir().unwrap();
    // Nobody listens on port 1.
    let refused = refusal(&mut Hub::at("http://127.0.0.1:1"), &root.path().join("m"));
    assert!(refused.contains("config.json could not be fetched"), "{refused}");
}
