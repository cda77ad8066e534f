use super::*;

const NOW: i64 = 1_795_000_000;

fn key(name: u8) -> BlobKey {
    [name; 32]
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meaning.db");
    let file = BlobFile::open(&path, NOW).unwrap();
    file.put(&[(key(1), vec![1, 2]), (key(2), vec![])]);
    file.put(&[(key(1), vec![3])]);
    drop(file);
    let file = BlobFile::open(&path, NOW + 10).unwrap();
    assert_eq!(file.get(&[key(2), key(9), key(1)]), [Some(vec![]), None, Some(vec![3])]);
}

#[test]
fn what_is_not_used_for_long_is_forgotten_and_what_is_used_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meaning.db");
    let days = |days: i64| NOW + days * 24 * 3_600;
    BlobFile::open(&path, NOW)
        .unwrap()
        .put(&[(key(1), vec![1]), (key(2), vec![2])]);
    assert!(BlobFile::open(&path, days(40)).unwrap().get(&[key(1)])[0].is_some());
    let file = BlobFile::open(&path, days(80)).unwrap();
    assert_eq!(file.get(&[key(1), key(2)]), [Some(vec![1]), None]);
}

#[test]
fn a_file_that_is_none_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meaning.db");
    std::fs::write(
        &path,
        "this is no database, and long enough to be taken for a header of one",
    )
    .unwrap();
    let file = BlobFile::open(&path, NOW).unwrap();
    file.put(&[(key(1), vec![1])]);
    assert_eq!(file.get(&[key(1)]), [Some(vec![1])]);
}

#[test]
fn a_folder_that_takes_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(BlobFile::open(&folder.path().join("nowhere/meaning.db"), NOW).is_err());
}
