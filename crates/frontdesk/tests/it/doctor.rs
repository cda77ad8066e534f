//! `frontdesk doctor` beside a real server: keys, encoders and stores that are not as they should be.

use std::{
    fs,
    path::Path,
    process::Output,
    time::{Duration, Instant},
};

use frontdesk_encoder::files;
use frontdesk_testkit::server::Server;
use http::Method;

use super::cli::Stage;

/// What was printed by a command that ended with this code.
#[track_caller]
fn printed(ran: &Output, code: i32) -> String {
    let printed = String::from_utf8(ran.stdout.clone()).unwrap();
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(code), "{printed}{complaint}");
    format!("{printed}{complaint}")
}

/// Fills a folder with files that have the names of an encoder's.
fn damage(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for file in files::FILES {
        fs::write(folder.join(file.name), "{}").unwrap();
    }
}

#[test]
fn where_the_llms_key_comes_from_is_said_and_not_the_key() {
    let stage = Stage::new();
    let key = "sk-4f1c0ffee";
    let said = |name: &str| printed(&stage.command(&["doctor"]).env(name, key).output().unwrap(), 0);
    for name in ["OPENAI_API_KEY", "FRONTDESK_LLM__API_KEY"] {
        let found = said(name);
        assert!(
            found.contains("tier 3 asks") && found.contains(&format!("with the key of {name}")),
            "{found}"
        );
        assert!(!found.contains(key), "{found}");
    }
    let without = printed(&stage.command(&["doctor"]).output().unwrap(), 0);
    assert!(without.contains("set OPENAI_API_KEY"), "{without}");
}

#[test]
fn a_damaged_encoder_is_told_with_its_file_and_its_fault() {
    let stage = Stage::new();
    let folder = stage.path().join("model");
    damage(&folder);
    let mut doctor = stage.command(&["doctor"]);
    let found = printed(&doctor.env("FRONTDESK_MODEL__PATH", &folder).output().unwrap(), 1);
    for part in [
        "cannot be used",
        "config.json",
        "missing field",
        "frontdesk model install",
    ] {
        assert!(found.contains(part), "`{part}` is not in:\n{found}");
    }
}

#[tokio::test]
async fn a_server_with_a_damaged_encoder_says_why_words_alone_decide() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    damage(&model);
    let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path())
        .unwrap()
        .with_setting("MODEL__PATH", model.display().to_string());
    server.start().await.unwrap();
    let mut operator = server.operator();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let ready = operator.send(Method::GET, "/readyz", None).await.unwrap();
        let text = ready.text();
        if text.contains("degraded") && text.contains("config.json") && text.contains("missing field") {
            assert_eq!(ready.status, 200, "calls are answered");
            assert!(text.contains("\"matcher\":\"lexical\""), "{text}");
            break;
        }
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = printed(&server.command(&["doctor"]).unwrap(), 1);
    assert!(found.contains("its encoder is degraded"), "{found}");
}

#[tokio::test]
async fn a_store_that_was_taken_away_is_no_store_that_will_be_made() {
    let stage = Stage::new();
    let serving = stage.serve().await;
    let store = stage.path().join("frontdesk-data/frontdesk.db");
    fs::rename(&store, stage.path().join("elsewhere.db")).unwrap();
    let found = printed(&stage.command(&["doctor"]).output().unwrap(), 1);
    assert!(
        found.contains("✗ there is no store") && found.contains("a Frontdesk answers at"),
        "{found}"
    );
    drop(serving);
    let found = printed(&stage.command(&["doctor"]).output().unwrap(), 0);
    assert!(
        found.contains("! there is no store") && found.contains("the key of one"),
        "{found}"
    );
}
