//! Mail, through a real server (aiosmtpd from PyPI, which `cargo xtask test` installs), and servers that fail.

use std::{
    io::Read as _,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use frontdesk_delivery::{
    NotSent,
    channels::{Channels, ChannelsOptions, MailOptions, check_mail, system},
};
use frontdesk_store::system::SystemClock;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::sink::{ANYWHERE, contact, message};

/// The path of `aiosmtpd`.
const PROGRAM: &str = "FRONTDESK_TEST_AIOSMTPD";

fn options(url: &str) -> MailOptions {
    MailOptions {
        url: url.into(),
        from: "Frontdesk <frontdesk@example.com>".into(),
    }
}

async fn send(port: u16) -> Result<(), NotSent> {
    let options = ChannelsOptions {
        mail: Some(options(&format!("smtp://127.0.0.1:{port}"))),
        reach: ANYWHERE,
    };
    let channels = Channels::new(&options, system(), Arc::new(SystemClock)).unwrap();
    let (contact, _) = contact(&json!([{ "kind": "email", "address": "oncall@example.com" }]));
    channels.send(&contact.channels[0], None, &message()).await
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_mail_server_takes_a_mail() {
    #[expect(clippy::disallowed_methods, reason = "tests are told where the mail server is")]
    let Ok(program) = std::env::var(PROGRAM) else {
        eprintln!("skipped: {PROGRAM} names no mail server");
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(program)
        .args([
            "-n",
            "-l",
            &format!("127.0.0.1:{port}"),
            "-c",
            "aiosmtpd.handlers.Debugging",
            "stdout",
        ])
        .env("PYTHONUNBUFFERED", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let begun = Instant::now();
    while send(port).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the mail server takes nothing"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(server);
    let mut mail = String::new();
    stdout.read_to_string(&mut mail).unwrap();
    for part in [
        "From: Frontdesk <frontdesk@example.com>",
        "To: oncall@example.com",
        "Subject: [CRITICAL] PRODUCTION_AI_LLM_DOWN:",
        "Message-ID: <65f123456789abcdef000001@example.com>",
        "Code: PRODUCTION_AI_LLM_DOWN",
    ] {
        assert!(mail.contains(part), "{part} is missing:\n{mail}");
    }
}

#[tokio::test]
async fn a_dead_mail_server_is_tried_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let failed = send(port).await.unwrap_err();
    assert!(!failed.is_final, "{failed:?}");
    assert!(!failed.reason.contains("oncall"), "{failed:?}");
}

/// A server that answers line by line; an empty line closes.
async fn scripted(script: &'static [&'static str]) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        for answer in script {
            if answer.is_empty() {
                return;
            }
            write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            _ = lines.next_line().await;
        }
    });
    serving.detach_all();
    port
}

#[tokio::test]
async fn a_mail_server_that_accepts_and_drops_is_tried_again() {
    for script in [
        &[""][..],
        &["220 here", ""],
        &["220 here", "250 hello", "250 from", "250 to", ""],
    ] {
        let failed = send(scripted(script).await).await.unwrap_err();
        assert!(!failed.is_final, "{script:?}: {failed:?}");
    }
    let busy = send(scripted(&["220 here", "250 hello", "451 later"]).await)
        .await
        .unwrap_err();
    assert_eq!(
        (busy.reason.as_str(), busy.is_final),
        ("the mail server answered 451", false)
    );
}

#[tokio::test]
async fn a_mailbox_that_is_refused_is_given_up() {
    let script = &[
        "220 here",
        "250 hello",
        "250 from",
        "550 no oncall@example.com here",
        "221 bye",
    ];
    let failed = send(scripted(script).await).await.unwrap_err();
    assert_eq!(
        (failed.reason.as_str(), failed.is_final),
        ("the mail server answered 550", true)
    );
}

#[test]
fn settings_of_a_mail_server_are_checked_and_never_quoted() {
    assert!(check_mail(&options("smtps://me:word@mail.example.com")).is_ok());
    assert!(check_mail(&options("smtp://mail.example.com:587?tls=required")).is_ok());
    for bad in [
        "",
        "mail.example.com",
        "http://me:word@mail.example.com",
        "smtp://me:word@mail.example.com?tls=maybe",
    ] {
        let refused = check_mail(&options(bad)).unwrap_err().to_string();
        assert!(
            !refused.contains("word@mail.example.com?") && refused.contains("smtps://"),
            "{refused}"
        );
    }
    let nobody = MailOptions {
        from: "nobody".into(),
        ..options("smtp://127.0.0.1")
    };
    assert!(check_mail(&nobody).unwrap_err().to_string().contains("sender"));
}
