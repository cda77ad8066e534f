use std::{fs, os::unix::fs::PermissionsExt as _, thread};

use super::*;

const KEY: [u8; 32] = [7; 32];

#[test]
fn what_was_sealed_opens_again() {
    let seal = Sealer::from_key(KEY);
    for plain in [b"".as_slice(), b"a", &[0; 4_000]] {
        let sealed = seal.seal("call-state", plain);
        assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        assert_eq!(seal.open("call-state", &sealed).unwrap().as_slice(), plain);
        let text = seal.seal_text("call-state", plain);
        assert!(
            text.bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'),
            "{text}"
        );
        assert_eq!(seal.open_text("call-state", &text).unwrap().as_slice(), plain);
    }
}

#[test]
fn no_two_texts_look_alike() {
    let seal = Sealer::from_key(KEY);
    assert_ne!(seal.seal("a", b"same"), seal.seal("a", b"same"));
}

#[test]
fn another_context_key_or_byte_does_not_open() {
    let seal = Sealer::from_key(KEY);
    let sealed = seal.seal("company:1:secrets", b"token");
    assert_eq!(seal.open("company:2:secrets", &sealed), Err(NotOpened));
    assert_eq!(
        Sealer::from_key([8; 32]).open("company:1:secrets", &sealed),
        Err(NotOpened)
    );
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(seal.open("company:1:secrets", &changed), Err(NotOpened), "byte {at}");
        assert_eq!(
            seal.open("company:1:secrets", &sealed[..at]),
            Err(NotOpened),
            "cut at {at}"
        );
    }
    assert_eq!(seal.open_text("company:1:secrets", "not base64!"), Err(NotOpened));
}

#[test]
fn the_previous_key_still_opens() {
    let old = Sealer::from_key(KEY).seal("a", b"token");
    let new_key = SealKey::from_bytes([9; 32]);
    let rotated = Sealer::new(&new_key).with_previous(&SealKey::from_bytes(KEY));
    assert_eq!(rotated.open("a", &old).unwrap().as_slice(), b"token");
    assert!(rotated.is_of_previous_key(&old));
    let new = rotated.seal("a", b"token");
    assert!(!rotated.is_of_previous_key(&new));
    assert!(Sealer::new(&new_key).open("a", &new).is_ok());
    assert_eq!(Sealer::new(&new_key).open("a", &old), Err(NotOpened));
}

#[track_caller]
fn check_key(text: &str, want: Result<[u8; 32], NotAKey>) {
    assert_eq!(SealKey::from_text(text).map(|key| *key.bytes()), want, "{text}");
}

#[test]
fn a_key_is_written_in_hex_or_base64() {
    let hex = "00ff".repeat(16);
    let bytes: [u8; 32] = std::array::from_fn(|at| if at % 2 == 0 { 0 } else { 255 });
    check_key(&hex, Ok(bytes));
    check_key(&format!(" {}\n", hex.to_uppercase()), Ok(bytes));
    check_key("AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=", Ok(bytes));
    check_key("AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8", Ok(bytes));
}

#[test]
fn another_long_text_stands_for_its_hash_and_a_short_one_is_refused() {
    let long = "correct horse battery staple and more";
    check_key(long, Ok(Sha256::digest(long).into()));
    check_key(&"x".repeat(31), Err(NotAKey));
    check_key("", Err(NotAKey));
}

#[test]
fn a_key_file_is_made_once_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("secrets.key");
    let keys: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| load_or_create_key_file(&path).unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| *thread.join().unwrap().bytes())
            .collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "all who race get one key");
    assert_eq!(*load_or_create_key_file(&path).unwrap().bytes(), keys[0]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no draft is left"
    );
}

#[test]
fn a_key_file_that_holds_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    fs::write(&path, "short").unwrap();
    let error = load_or_create_key_file(&path).unwrap_err();
    assert!(error.to_string().contains("secrets.key"), "{error}");
}
