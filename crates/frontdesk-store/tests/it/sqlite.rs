//! What is particular to the `SQLite` file.

use std::{
    fmt::Write as _,
    fs,
    future::{Ready, ready},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use frontdesk_domain::{decision::FallbackKind, documents::company::CompanySecrets};
use frontdesk_store::{
    ports::{
        AnalyticsStore as _, Backend, CallFilter, CallLog as _, ChangeFeed as _, Changed, CompanyStore as _,
        CompanyWrite, Erased, Page, Ping as _, RotationStore as _, SnapshotStore as _, StoreError, TemplateStore as _,
        TurnLog as _, WriteError,
    },
    seal::{SealKey, Sealer},
    sqlite::{OpenError, SqliteOptions, SqliteStore},
};
use futures_util::FutureExt as _;
use rusqlite::Connection;
use secrecy::SecretString;

use crate::{
    conformance::Given,
    support::{self, Place, TestClock, company, id, template, turn},
};

fn given() -> Ready<Option<(Given, Arc<Place>)>> {
    let place = Arc::new(Place::new());
    let again = Arc::clone(&place);
    let given = Given {
        store: place.open(),
        reopen: Box::new(move || {
            let store: Arc<dyn Backend> = again.open();
            ready(store).boxed()
        }),
    };
    ready(Some((given, place)))
}

/// The folder goes with what holds it.
fn end(_place: Arc<Place>) -> Ready<()> {
    ready(())
}

crate::conformance::run_all!(super::given, super::end);

const TOKEN: &str = "3f9a-the-auth-token-that-nobody-may-read";

fn with_token() -> CompanyWrite {
    let secrets = CompanySecrets {
        auth_token: Some(SecretString::from(TOKEN)),
        ..CompanySecrets::default()
    };
    CompanyWrite { secrets, ..company(1) }
}

#[tokio::test]
async fn no_secret_is_in_the_files_in_clear() {
    let place = Place::new();
    let store = place.open();
    store.insert_company(with_token()).await.unwrap();
    let mut searched = 0;
    for file in fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()));
        searched += usize::from(bytes.windows(9).any(|window| window == b"Company 1"));
    }
    assert!(searched > 0, "the company itself is in one of them");
}

#[tokio::test]
async fn secrets_of_another_key_are_unreadable_and_not_lost() {
    let place = Place::new();
    place.open().insert_company(with_token()).await.unwrap();
    let open = |sealer| {
        let clock = Arc::new(TestClock::default());
        SqliteStore::open(&place.path(), Arc::new(sealer), clock, SqliteOptions::default()).unwrap()
    };
    let error = open(Sealer::from_key([8; 32])).company(id(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    let rotated = Sealer::from_key([8; 32]).with_previous(&SealKey::from_bytes([7; 32]));
    let read = open(rotated).company(id(1)).await.unwrap().unwrap();
    assert!(read.secrets.auth_token.is_some());
}

#[test]
fn the_file_is_its_owners_alone() {
    let place = Place::new();
    place.open();
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_of_a_newer_version_is_refused_in_words() {
    let place = Place::new();
    place.open();
    let raw = Connection::open(place.path()).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let error = open_error(&place.path());
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer version of Frontdesk"), "{error}");
}

#[test]
fn another_programs_file_is_left_alone() {
    let place = Place::new();
    let path = place.folder().join("other.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    assert!(matches!(open_error(&path), OpenError::Foreign { .. }));
    let text = place.folder().join("notes.txt");
    fs::write(&text, "these are my notes and no database at all".repeat(100)).unwrap();
    assert!(matches!(open_error(&text), OpenError::Sqlite { .. }));
    let folder = place.folder().join("notes.txt").join("below").join("a.db");
    assert!(matches!(open_error(&folder), OpenError::Make { .. }));
}

fn open_error(path: &Path) -> OpenError {
    let key = Arc::new(Sealer::from_key([7; 32]));
    SqliteStore::open(path, key, Arc::new(TestClock::default()), SqliteOptions::default()).unwrap_err()
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let place = Place::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| place.open());
        }
    });
}

#[tokio::test]
async fn while_another_process_holds_the_lock_writes_fail_in_time_and_reads_go_on() {
    let place = Place::new();
    let store = place.open();
    store.insert_company(company(1)).await.unwrap();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let (rotation, refused, read) = tokio::join!(
        async {
            let rotation = store.next_rotation(id(1), FallbackKind::NoMatchFound).await;
            assert!(
                begun.elapsed() < Duration::from_millis(1_200),
                "a turn waits for a second: {:?}",
                begun.elapsed()
            );
            rotation
        },
        store.insert_company(company(2)),
        store.company_snapshot(id(1)),
    );
    assert!(matches!(rotation, Err(StoreError::Unavailable { .. })), "{rotation:?}");
    assert!(matches!(refused, Err(WriteError::Store(_))), "{refused:?}");
    assert!(read.unwrap().company.is_some());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    store.insert_company(company(2)).await.unwrap();
    assert_eq!(
        store.next_rotation(id(1), FallbackKind::NoMatchFound).await.unwrap(),
        0,
        "a write that failed left nothing"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_heals_when_there_is_room() {
    let place = Place::new();
    let store = support::open(
        &place.path(),
        SqliteOptions {
            max_pages: Some(200),
            ..SqliteOptions::default()
        },
    );
    store.insert_company(company(1)).await.unwrap();
    let other = Connection::open(place.path()).unwrap();
    other
        .execute_batch("CREATE TABLE filler (a); INSERT INTO filler VALUES (zeroblob(2000000))")
        .unwrap();
    let turns = Arc::new(
        (1..200)
            .map(|number| turn(1, &format!("CA{number}"), 1, "hello"))
            .collect::<Vec<_>>(),
    );
    let full = store.append_turns(Arc::clone(&turns)).await.unwrap_err();
    let cause = std::error::Error::source(&full).unwrap().to_string();
    assert!(cause.contains("full"), "{cause}");
    assert!(
        store.company_snapshot(id(1)).await.unwrap().company.is_some(),
        "reads go on"
    );
    other.execute_batch("DROP TABLE filler").unwrap();
    store.append_turns(turns).await.unwrap();
    let calls = store
        .calls(
            id(1),
            &CallFilter::default(),
            Page {
                after: None,
                limit: 500,
            },
        )
        .await
        .unwrap();
    assert_eq!(calls.len(), 199);
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_midst_of_a_group_is_told_as_the_cause() {
    let place = Place::new();
    let options = SqliteOptions {
        max_pages: Some(200),
        ..SqliteOptions::default()
    };
    let store = support::open(&place.path(), options);
    let writes = (1..2_000).map(|number| store.insert_company(company(number)));
    let written = futures_util::future::join_all(writes).await;
    let causes: std::collections::BTreeSet<String> = written
        .iter()
        .filter_map(|one| Some(cause(one.as_ref().err()?)))
        .collect();
    assert!(!causes.is_empty() && written.iter().any(Result::is_ok), "{causes:?}");
    assert!(causes.iter().all(|cause| cause.contains("full")), "{causes:?}");
    assert!(
        causes.iter().any(|cause| cause.contains("same transaction")),
        "there was a group: {causes:?}"
    );
    let page = Page {
        after: None,
        limit: 2_000,
    };
    let acknowledged = written.iter().filter(|one| one.is_ok()).count();
    assert_eq!(store.companies(page).await.unwrap().len(), acknowledged);
}

/// The innermost cause of an error.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

/// Takes the store's file away in some manner, and looks at what becomes of writes and reads.
async fn check_moved(take: impl FnOnce(&Path), told: &str) {
    let place = Place::new();
    let store = place.open();
    store.insert_company(company(1)).await.unwrap();
    store.ping().await.unwrap();
    take(&place.path());
    let refused = store.insert_company(company(2)).await.unwrap_err();
    assert!(
        matches!(refused, WriteError::Store(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    assert!(cause(&refused).contains(told), "{refused:?}");
    let turns = Arc::new(vec![turn(1, "CA1", 1, "hello")]);
    assert!(store.append_turns(turns).await.is_err());
    assert!(cause(&store.ping().await.unwrap_err()).contains("start again"));
    assert!(
        store.company_snapshot(id(1)).await.unwrap().company.is_some(),
        "reads go on"
    );
}

#[tokio::test]
async fn writes_into_a_file_that_was_removed_are_refused() {
    let told = "file was removed or replaced";
    check_moved(|path| fs::remove_file(path).unwrap(), told).await;
    check_moved(|path| fs::remove_dir_all(path.parent().unwrap()).unwrap(), told).await;
}

#[tokio::test]
async fn writes_into_a_file_that_was_replaced_are_refused() {
    let replace = |path: &Path| {
        let backup = path.with_extension("backup");
        fs::copy(path, &backup).unwrap();
        fs::rename(&backup, path).unwrap();
    };
    check_moved(replace, "file was removed or replaced").await;
}

#[tokio::test]
async fn writes_into_a_log_that_was_removed_are_refused() {
    check_moved(|path| fs::remove_file(wal(path)).unwrap(), "(-wal) was removed").await;
}

#[tokio::test]
async fn what_was_in_a_removed_log_is_saved_by_an_orderly_end() {
    let place = Place::new();
    let store = place.open();
    store.insert_company(company(1)).await.unwrap();
    fs::remove_file(wal(&place.path())).unwrap();
    store.insert_company(company(2)).await.unwrap_err();
    let written = || fs::metadata(place.path()).unwrap().modified().unwrap();
    let before = written();
    drop(store);
    // The writing thread ends by itself, and its connection moves the log into the file.
    let until = Instant::now() + Duration::from_secs(10);
    while written() == before {
        assert!(Instant::now() < until, "nothing is saved");
        thread::sleep(Duration::from_millis(5));
    }
    let store = place.open();
    assert!(store.company(id(1)).await.unwrap().is_some());
    assert!(store.company(id(2)).await.unwrap().is_none());
}

fn wal(path: &Path) -> std::path::PathBuf {
    path.with_extension("db-wal")
}

#[tokio::test]
async fn writes_are_taken_again_when_the_file_is_back() {
    let place = Place::new();
    let store = place.open();
    let aside = place.folder().join("aside.db");
    fs::rename(place.path(), &aside).unwrap();
    store.insert_company(company(1)).await.unwrap_err();
    fs::rename(&aside, place.path()).unwrap();
    store.insert_company(company(1)).await.unwrap();
    assert!(store.company(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn one_refused_write_does_not_take_its_group_along() {
    let place = Place::new();
    let store = place.open();
    store.insert_company(company(1)).await.unwrap();
    let writes = (1..40).map(|number| store.insert_company(company(number)));
    let written = futures_util::future::join_all(writes).await;
    let refused: Vec<_> = written
        .iter()
        .enumerate()
        .filter(|(_, one)| one.is_err())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(refused, [0]);
    assert_eq!(
        store
            .companies(Page {
                after: None,
                limit: 100
            })
            .await
            .unwrap()
            .len(),
        39
    );
    let seqs: std::collections::BTreeSet<_> = written.into_iter().flatten().map(|written| written.seq).collect();
    assert_eq!(seqs.len(), 38, "each has a number of its own");
}

#[tokio::test]
async fn who_heard_nothing_for_too_long_takes_everything_for_changed() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let mut rev = store.insert_template(id(1), template(1, "open")).await.unwrap().rev;
    let raw = Connection::open(place.path()).unwrap();
    raw.execute_batch("UPDATE sqlite_sequence SET seq = 11998 WHERE name = 'changes'")
        .unwrap();
    for _ in 0..3 {
        rev = store
            .replace_template(id(1), template(1, "open"), rev)
            .await
            .unwrap()
            .rev;
    }
    let heard = other.changes_after(0).await.unwrap();
    assert_eq!(heard.first().unwrap().1, Changed::Everything, "{heard:?}");
    assert_eq!(heard.last().unwrap(), &(12_001, Changed::Template(id(1))));
    assert!(other.changes_after(12_001).await.unwrap().is_empty());
}

/// Runs this test binary again, with one of the tests below that do nothing unless they are asked.
fn run_again(place: &Place, test: &str, change: impl FnOnce(&mut Command)) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("sqlite::{test}"), "--nocapture"])
        .current_dir(place.folder());
    command.env("FRONTDESK_STORE_TEST_FILE", place.path());
    change(&mut command);
    command.spawn().unwrap()
}

fn asked() -> Option<std::path::PathBuf> {
    std::env::var_os("FRONTDESK_STORE_TEST_FILE").map(Into::into)
}

const DRAWS: u64 = 200;

#[tokio::test]
async fn rotation_numbers_are_unique_over_four_processes() {
    let place = Place::new();
    let store = place.open();
    let processes: Vec<_> = (0..4).map(|_| run_again(&place, "draws_when_asked", |_| {})).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let mut drawn = Vec::new();
    for file in fs::read_dir(place.folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "drawn") {
            drawn.extend(
                fs::read_to_string(path)
                    .unwrap()
                    .lines()
                    .map(|line| line.parse::<u64>().unwrap()),
            );
        }
    }
    drawn.sort_unstable();
    assert_eq!(drawn, (0..4 * DRAWS).collect::<Vec<_>>());
    assert_eq!(
        store.peek_rotation(id(1), FallbackKind::NoMatchFound).await.unwrap(),
        4 * DRAWS
    );
}

#[tokio::test]
async fn draws_when_asked() {
    let Some(path) = asked() else { return };
    let store = support::open(&path, SqliteOptions::default());
    let mut drawing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        drawing.spawn(async move {
            let mut drawn = String::new();
            for _ in 0..DRAWS / 8 {
                let number = store.next_rotation(id(1), FallbackKind::NoMatchFound).await.unwrap();
                writeln!(drawn, "{number}").unwrap();
            }
            drawn
        });
    }
    let drawn = drawing.join_all().await.concat();
    fs::write(format!("{}.drawn", std::process::id()), drawn).unwrap();
}

#[tokio::test]
async fn a_file_that_may_only_be_read_refuses_writes_and_is_read() {
    let place = Place::new();
    place.open().insert_company(company(1)).await.unwrap();
    let data = place.path().parent().unwrap().to_owned();
    // Root may write whatever the mode says, so another user tries.
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    for file in fs::read_dir(&data).unwrap() {
        fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(0o444)).unwrap();
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut process = run_again(&place, "reads_when_asked", |command| {
        if is_root {
            command.uid(65_534).gid(65_534);
        }
    });
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
async fn reads_when_asked() {
    let Some(path) = asked() else { return };
    let store = support::open(&path, SqliteOptions::default());
    assert!(store.company_snapshot(id(1)).await.unwrap().company.is_some());
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn no_index_of_turns_is_for_counting_alone() {
    let place = Place::new();
    let _store = place.open();
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'turns' ORDER BY name";
    let mut statement = raw.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let names: Vec<String> = names.map(Result::unwrap).collect();
    // That of the key, by which a turn is stored once and found.
    assert_eq!(names, ["sqlite_autoindex_turns_1"]);
}

/// Rows that are gone leave nothing behind in the file, of which people keep copies.
#[tokio::test]
async fn what_is_erased_stands_nowhere_in_the_file() {
    let place = Place::new();
    let store = place.open();
    let said = "the pangolin in my attic";
    let turns = (1..=20).map(|call| turn(1, &format!("CA{call}"), 1, said)).collect();
    store.append_turns(Arc::new(turns)).await.unwrap();
    let has_words = || {
        let raw = Connection::open(place.path()).unwrap();
        raw.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let file = fs::read(place.path()).unwrap();
        file.windows(8).any(|bytes| bytes == b"pangolin")
    };
    assert!(has_words());
    while store.erase(id(1), "+15550109999").await.unwrap() != Erased::default() {}
    assert!(!has_words());
}
