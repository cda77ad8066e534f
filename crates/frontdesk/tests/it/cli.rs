//! The command line: what is printed, and how the process ends.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use frontdesk::{admin::Admin, http_client::BaseUrl};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "token-of-a-test";

/// A folder to run the binary in, with an address that nobody listens on.
pub(super) struct Stage {
    folder: TempDir,
    address: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            address: free.local_addr().unwrap().to_string(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FRONTDESK_") || name == "OPENAI_API_KEY" {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.path());
        command
            .env("FRONTDESK_HTTP__LISTEN", &self.address)
            .env("FRONTDESK_ADMIN__TOKEN", TOKEN)
            // Words alone: what is embedded at the first start takes a minute of an unoptimised build.
            .env("FRONTDESK_MODEL__PATH", "/nonexistent/model");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, with these lines typed into it.
    pub(super) fn run(&self, arguments: &[&str], typed: impl AsRef<[u8]>) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        // A command that reads nothing may have ended already.
        _ = child.stdin.take().unwrap().write_all(typed.as_ref());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed and gives what it printed.
    #[track_caller]
    pub(super) fn succeed(&self, arguments: &[&str], typed: impl AsRef<[u8]>) -> String {
        let ran = self.run(arguments, typed);
        assert!(
            ran.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Runs a command that must end with this code and gives its complaint.
    #[track_caller]
    pub(super) fn fail(&self, arguments: &[&str], typed: impl AsRef<[u8]>, code: i32) -> String {
        let ran = self.run(arguments, typed);
        let complaint = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {complaint}");
        complaint
    }

    pub(super) fn admin(&self) -> Admin {
        let server: BaseUrl = format!("http://{}", self.address).parse().unwrap();
        Admin {
            server,
            token: Some(TOKEN.into()),
            token_hint: String::new(),
        }
    }

    /// A server with the demo, ready to answer.
    pub(super) async fn serve(&self) -> Serving {
        let log = fs::File::create(self.path().join("log")).unwrap();
        let mut command = self.command(&["serve", "--demo"]);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let serving = Serving(child);
        let since = Instant::now();
        let server = self.admin().server;
        while since.elapsed() < Duration::from_secs(20) {
            if server
                .send("GET", "/readyz", &[], Vec::new())
                .await
                .is_ok_and(|reply| reply.is_success())
            {
                return serving;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not ready: {}", fs::read_to_string(self.path().join("log")).unwrap());
    }
}

/// A server process; killed when it is dropped.
pub(super) struct Serving(Child);

impl Serving {
    /// Ends it as a service manager would.
    fn stop(mut self) {
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(6) {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not ended within 6 s of SIGTERM");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_pipe_holds_a_call_with_a_server_of_its_own() {
    let stage = Stage::new();
    let typed = "/help\nhow much is the diagnostic charge\n/why\ni smell gas in my house\n";
    let printed = stage.succeed(&["call", "--company", "norvell"], typed);
    for part in [
        "Thank you for calling Norvell & Tate Heating and Cooling.",
        "/silence",
        "> how much is the diagnostic charge",
        "µs · $0",
        "heard as: how much is the diagnostic charge",
        "safety · confidence 1.00",
    ] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "no colour goes into a pipe");
}

#[test]
fn json_is_one_object_a_turn() {
    let stage = Stage::new();
    let printed = stage.succeed(
        &["call", "--company", "saguaro", "--json"],
        "when are you open\n/silence\n/hangup\nnot said\n",
    );
    let turns: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(turns.len(), 3, "greeting, answer, silence");
    for (index, turn) in turns.iter().enumerate() {
        assert_eq!(turn["turn"], json!(index + 1));
        assert!(turn["twiml"].as_str().unwrap().starts_with("<?xml"));
        assert_eq!(turn["decision"]["callId"], turn["callId"]);
        assert!(!turn["said"].as_array().unwrap().is_empty());
    }
    assert_eq!(
        turns[1]["caller"],
        json!({ "does": "says", "what": "when are you open" })
    );
}

#[tokio::test]
async fn the_demo_never_undoes_an_edit() {
    let stage = Stage::new();
    let serving = stage.serve().await;
    let admin = stage.admin();
    let companies = admin.list("/api/v1/companies").await.unwrap();
    assert_eq!(companies.len(), 8);
    let id = |at: usize| companies[at]["_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/companies/{}", id(0));
    admin.send("PATCH", &path, &json!({ "name": "Renamed" })).await.unwrap();
    admin
        .send("DELETE", &format!("/api/v1/companies/{}", id(1)), &Value::Null)
        .await
        .unwrap();
    serving.stop();
    let _serving = stage.serve().await;
    assert_eq!(admin.get(&path).await.unwrap()["name"], "Renamed");
    assert_eq!(admin.list("/api/v1/companies").await.unwrap().len(), 7);
}

#[tokio::test]
async fn documents_go_out_and_come_in_again() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    stage.succeed(&["export", "-o", "all.jsonl"], "");
    let exported = fs::read_to_string(stage.path().join("all.jsonl")).unwrap();
    assert!(!exported.contains("demo-token"), "secrets stay where they are");
    let printed = stage.succeed(&["import", "all.jsonl"], "");
    assert!(
        printed.starts_with("imported 8 companies, 82 Q&As, 3 templates, 24 trade Q&As"),
        "{printed}"
    );
    assert!(stage.succeed(&["doctor"], "").contains("a Frontdesk answers"));
    let routed = stage.succeed(&["route", "--company", "norvell", "i", "smell", "gas"], "");
    assert!(routed.contains("safety"), "{routed}");
}

#[tokio::test]
async fn a_wording_that_stands_in_two_places_is_told_by_import_and_doctor() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    let qna = |id: &str, question: &str| {
        format!(
            "{{\"type\": \"qna\", \"document\": {{\"companyId\": \"66f0a1c0de00000000000c01\", \"id\": \"{id}\", \"question\": \"{question}\", \"answer\": \"b\"}}}}\n"
        )
    };
    let lines = qna("qna-one", "Do you mend kites?") + &qna("qna-two", "do you mend kites");
    fs::write(stage.path().join("twice.jsonl"), lines).unwrap();
    let told = "says the same as \"Do you mend kites?\" of Q&A \"qna-one\"; of the two, \"qna-one\" answers";
    let printed = stage.succeed(&["import", "twice.jsonl"], "");
    assert!(
        printed.contains(&format!("twice.jsonl, line 2: /document/question {told}")),
        "{printed}"
    );
    let printed = stage.succeed(&["doctor"], "");
    assert!(
        printed.contains(&format!("\"do you mend kites\" of qna-two {told}")),
        "{printed}"
    );
}

#[tokio::test]
async fn a_refused_import_names_file_line_and_place() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    fs::write(stage.path().join("good.jsonl"), "{\"type\": \"qna\", \"document\": {\"companyId\": \"66f0a1c0de00000000000c01\", \"question\": \"a?\", \"answer\": \"b\"}}\n").unwrap();
    fs::write(
        stage.path().join("bad.jsonl"),
        "\n{\"type\": \"company\", \"document\": {\"name\": 1, \"phone\": \"+12025550101\"}}\n",
    )
    .unwrap();
    let before = stage.succeed(&["export"], "").lines().count();
    let complaint = stage.fail(&["import", "good.jsonl", "bad.jsonl"], "", 1);
    assert!(
        complaint.contains("nothing was imported") && complaint.contains("bad.jsonl, line 2: /document/name"),
        "{complaint}"
    );
    assert_eq!(stage.succeed(&["export"], "").lines().count(), before);
}

#[test]
fn words_that_are_not_utf_8_are_explained() {
    let stage = Stage::new();
    let complaint = stage.fail(&["call", "--company", "norvell"], b"my furnace is b\xfcrning\n", 1);
    assert!(
        complaint.contains("is not UTF-8") && complaint.contains("iconv"),
        "{complaint}"
    );
}

#[test]
fn words_that_no_webhook_holds_are_explained() {
    let stage = Stage::new();
    let complaint = stage.fail(&["call", "--company", "norvell"], "my furnace ".repeat(7_000) + "\n", 1);
    assert!(
        complaint.contains("that is too long") && complaint.contains("64 KiB"),
        "{complaint}"
    );
    assert!(!complaint.contains("--auth-token"), "{complaint}");
}

#[tokio::test]
async fn the_admin_api_wants_its_token() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    assert!(stage.fail(&["export", "--token", "another"], "", 1).contains("--token"));
}

#[tokio::test]
async fn a_wrong_auth_token_is_explained() {
    let stage = Stage::new();
    let _serving = stage.serve().await;
    let complaint = stage.fail(&["call", "--company", "norvell", "--auth-token", "another"], "hi\n", 1);
    assert!(complaint.contains("--auth-token"), "{complaint}");
    let complaint = stage.fail(
        &[
            "call",
            "--company",
            "norvell",
            "--public-url",
            "https://elsewhere.example",
        ],
        "hi\n",
        1,
    );
    assert!(
        complaint.contains("--public-url") && complaint.contains(&stage.address),
        "{complaint}"
    );
}

#[test]
fn exit_codes_tell_usage_from_failure_from_absence() {
    let stage = Stage::new();
    assert!(stage.fail(&["sing"], "", 2).contains("sing"));
    assert!(
        stage
            .fail(&["call", "--url", "nowhere"], "", 2)
            .contains("http://127.0.0.1:8080")
    );
    let url = format!("http://{}", stage.address);
    assert!(
        stage
            .fail(&["export", "--url", &url], "", 3)
            .contains("frontdesk serve")
    );
    fs::write(stage.path().join("frontdesk.toml"), "[llm]\nmodels = \"x\"\n").unwrap();
    let complaint = stage.fail(&["serve"], "", 2);
    assert!(complaint.contains("did you mean `llm.model`?"), "{complaint}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let stage = Stage::new();
    let _taken = TcpListener::bind(&stage.address).unwrap();
    let complaint = stage.fail(&["serve"], "", 1);
    assert!(
        complaint.contains(&stage.address) && complaint.contains("--listen"),
        "{complaint}"
    );
}

#[test]
fn doctor_says_what_will_be_made() {
    let stage = Stage::new();
    let printed = stage.succeed(&["doctor"], "");
    for part in ["no public URL", "yet: `frontdesk serve` makes one", "is free"] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    assert!(!stage.path().join("frontdesk-data").exists(), "looking makes nothing");
}

#[test]
fn a_disk_that_becomes_full_while_the_model_is_installed_is_told_and_leaves_nothing() {
    let stage = Stage::new();
    let (source, caches) = (stage.path().join("source"), stage.path().join("caches"));
    fs::create_dir(&source).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::write(source.join(name), "{}").unwrap();
    }
    // Files can be made and nothing can be written into them, as on a disk without a free block.
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$0\" model install --from \"$1\"";
    let ran = Command::new("sh")
        .args(["-c", full, env!("CARGO_BIN_EXE_frontdesk")])
        .arg(&source)
        .current_dir(stage.path())
        .env_clear()
        .env("PATH", env!("PATH"))
        .env("XDG_CACHE_HOME", &caches)
        .output()
        .unwrap();
    let complaint = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("config.json could not be fetched and written") && complaint.contains("File too large"),
        "{complaint}"
    );
    let models = caches.join("frontdesk/models");
    assert_eq!(fs::read_dir(models).unwrap().count(), 0, "nothing is left");
}

#[test]
fn the_default_configuration_is_printed() {
    assert!(Stage::new().succeed(&["config"], "").contains("[twilio]"));
}
