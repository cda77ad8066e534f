//! What the process takes of its surroundings at its start, and how it leaves.

use std::path::Path;

use frontdesk_testkit::server::Server;

fn server(folder: &Path) -> Server {
    Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder).unwrap()
}

#[tokio::test]
async fn as_many_files_may_be_open_as_the_process_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path()).with_prelude("ulimit -S -n 100 && ulimit -H -n 512");
    server.start().await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id().unwrap())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files
        .split_whitespace()
        .filter(|word| word.parse::<u64>().is_ok())
        .collect();
    assert_eq!(numbers, ["512", "512"], "{files}");
    let log = std::fs::read_to_string(server.log()).unwrap();
    assert!(log.contains("only 512 files may be open"), "{log}");
}
