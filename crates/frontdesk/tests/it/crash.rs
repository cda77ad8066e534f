//! `kill -9` under load, in a small size; `cargo xtask verify` runs it in full.

use std::time::Duration;

use frontdesk_testkit::crash::{Options, run};

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill_under_load() {
    let options = Options {
        frontdesk: env!("CARGO_BIN_EXE_frontdesk").into(),
        rounds: 1,
        load: Duration::from_millis(1_500),
        callers: 8,
        seed: 7,
    };
    let report = run(&options, &mut |line| println!("{line}")).await.unwrap();
    assert!(report.is_pass(), "{:#?}", report.faults);
}
