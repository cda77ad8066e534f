//! Taking over the collections of an existing deployment.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use frontdesk_domain::clock::Clock as _;
use frontdesk_store::system::SystemClock;
use frontdesk_testkit::{
    mongo_server::MongoServer,
    server::Server,
    twilio::{Call, Caller, Twilio},
};
use http::Method;
use mongodb::{
    Client,
    bson::{Bson, DateTime, Document, doc},
};
use serde_json::Value;
use tempfile::TempDir;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../frontdesk-testkit/data/existing");

const PENGUIN: &str = "68813026dd95f599c74e49c7";
const SEED: &str = "507f1f77bcf86cd799439011";

const SECRETS: [&str; 7] = [
    "penguin-auth-token-0001",
    "tesla-auth-token-0002",
    "copy-auth-token-0006",
    "penguin-api-secret",
    "eleven-labs-secret-key",
    "ya29.should-not-be-kept",
    "legacy-token",
];

/// A server on an empty store, and the sample beside it as if it were of this month.
struct Office {
    folder: TempDir,
    server: Server,
}

impl Office {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path()).unwrap();
        server.start().await.unwrap();
        let office = Self { folder, server };
        let exported = office.exported();
        fs::create_dir(&exported).unwrap();
        let month: String = SystemClock.now().to_string().chars().take(7).collect();
        for file in fs::read_dir(SAMPLE).unwrap() {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path())
                .unwrap()
                .replace("2026-11-01T", &format!("{month}-02T"));
            fs::write(exported.join(file.file_name()), text).unwrap();
        }
        office
    }

    fn exported(&self) -> PathBuf {
        self.folder.path().join("exported")
    }

    fn import(&self, from: &str, more: &[&str]) -> Output {
        let arguments = [&["import", "--from-existing", from], more].concat();
        self.server.command(&arguments).unwrap()
    }

    async fn count(&self, path: &str) -> usize {
        self.server.operator().all(path).await.unwrap().len()
    }
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} is printed: {said}");
    }
    said
}

#[tokio::test]
async fn an_export_is_taken_over_as_a_whole_or_not_at_all() {
    let office = Office::open().await;
    let exported = office.exported().display().to_string();
    let refused = office.import(&exported, &[]);
    let words = said(&refused);
    assert!(!refused.status.success());
    assert!(words.contains("2 documents cannot be taken over"), "{words}");
    assert!(
        words.contains("companies 68813026dd95f599c74e49ca: /companyPhone"),
        "{words}"
    );
    assert!(words.contains("v2aiagentcalllogs: 3 documents, not read"), "{words}");
    assert_eq!(office.count("/api/v1/companies").await, 0, "nothing was imported");

    let tried = office.import(&exported, &["--skip-refused", "--dry-run"]);
    assert!(tried.status.success(), "{}", said(&tried));
    assert_eq!(office.count("/api/v1/companies").await, 0, "nothing was imported");

    let report = office.folder.path().join("remarks.jsonl").display().to_string();
    let imported = office.import(&exported, &["--skip-refused", "--report", &report]);
    let words = said(&imported);
    assert!(imported.status.success(), "{words}");
    check(&office).await;
    let report = fs::read_to_string(report).unwrap();
    for line in report.lines() {
        let remark: Value = serde_json::from_str(line).unwrap();
        assert!(
            ["collection", "id", "pointer", "outcome", "why", "do"]
                .iter()
                .all(|name| remark[*name].is_string())
        );
    }
    assert!(report.contains("/aiAgentLogic/voiceSettings/apiKey"), "{report}");
    assert!(SECRETS.iter().all(|secret| !report.contains(secret)));
    // Once more changes nothing, the spend included.
    let again = office.import(&exported, &["--skip-refused"]);
    assert!(again.status.success(), "{}", said(&again));
    check(&office).await;
}

/// What is there after the sample was taken over.
async fn check(office: &Office) {
    let mut operator = office.server.operator();
    assert_eq!(office.count("/api/v1/companies").await, 4);
    assert_eq!(office.count("/api/v1/templates").await, 2);
    assert_eq!(office.count(&format!("/api/v1/companies/{PENGUIN}/qna")).await, 5);
    assert_eq!(office.count("/api/v1/trades/HVAC/qna").await, 2);
    let overlay = operator
        .get(&format!("/api/v1/companies/{PENGUIN}/overlay"))
        .await
        .unwrap();
    assert_eq!(overlay["disabledScenarios"][0], "scn-no-cool");
    let company = operator.get(&format!("/api/v1/companies/{PENGUIN}")).await.unwrap();
    assert_eq!(company["twilio"]["authTokenSet"], true);
    assert_eq!(company["notes"][0]["title"], "VIP", "unknown fields are kept");
    for (id, spent) in [(PENGUIN, "145.500000000001"), (SEED, "145.5")] {
        let ledger = operator.get(&format!("/api/v1/companies/{id}/ledger")).await.unwrap();
        let items = ledger["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{ledger}");
        assert_eq!(
            (&items[0]["kind"], &items[0]["amount"]),
            (&"imported".into(), &spent.into())
        );
    }
    // Its webhooks are verified by the token that came along.
    let twilio = Twilio {
        account_sid: "AC0123456789abcdef0123456789abcdef".into(),
        auth_token: "penguin-auth-token-0001".into(),
    };
    let mut caller = Caller::new(office.server.connection());
    let sid = format!("CA{:032x}", rand::random::<u128>());
    caller.take(Call::new(&twilio, PENGUIN, &sid));
    let speech = caller.say("What does a visit cost?").await.unwrap().speech();
    assert!(speech.contains("A visit of Penguin Air is $89."), "{speech}");
    for file in ["frontdesk.db", "frontdesk.db-wal", "frontdesk.log"] {
        let bytes = fs::read(office.folder.path().join(file)).unwrap_or_default();
        for secret in SECRETS {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}

/// What `mongoimport` would make of Extended JSON.
fn bson(value: &Value) -> Bson {
    let number = |value: &Value| value.as_f64().map_or(Bson::Null, Bson::Double);
    match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::Number(whole) if whole.is_i64() => Bson::Int64(whole.as_i64().unwrap()),
        Value::Number(_) => number(value),
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson).collect()),
        Value::Object(fields) => {
            let (name, inner) = fields
                .iter()
                .next()
                .map_or(("", &Value::Null), |(name, inner)| (name.as_str(), inner));
            let text = inner.as_str().unwrap_or_default();
            match name {
                "$oid" => Bson::ObjectId(text.parse().unwrap()),
                "$date" if inner.is_string() => {
                    let at: frontdesk_domain::time::Timestamp = text.parse().unwrap();
                    Bson::DateTime(DateTime::from_millis(at.as_millisecond()))
                }
                "$date" => Bson::DateTime(DateTime::from_millis(
                    inner["$numberLong"].as_str().unwrap().parse().unwrap(),
                )),
                "$numberInt" => Bson::Int32(text.parse().unwrap()),
                "$numberLong" => Bson::Int64(text.parse().unwrap()),
                "$numberDouble" => Bson::Double(text.parse().unwrap()),
                "$numberDecimal" => Bson::Decimal128(text.parse().unwrap()),
                _ => Bson::Document(fields.iter().map(|(name, value)| (name.clone(), bson(value))).collect()),
            }
        }
    }
}

#[tokio::test]
async fn a_database_is_taken_over_while_it_stands() {
    let Some(source) = MongoServer::start_or_skip().unwrap() else {
        return;
    };
    let office = Office::open().await;
    let url = source.url("clientsvia");
    let database = Client::with_uri_str(&url).await.unwrap().database("clientsvia");
    for file in fs::read_dir(office.exported()).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let values = serde_json::Deserializer::from_str(&text)
            .into_iter::<Value>()
            .map(Result::unwrap);
        let values = values.flat_map(|value| match value {
            Value::Array(items) => items,
            one => vec![one],
        });
        let documents: Vec<Document> = values
            .map(|value| match bson(&value) {
                Bson::Document(document) => document,
                other => panic!("{other}"),
            })
            .collect();
        let name = path.file_stem().unwrap().to_str().unwrap();
        database
            .collection::<Document>(name)
            .insert_many(documents)
            .await
            .unwrap();
    }
    let imported = office.import(&url, &["--skip-refused"]);
    let words = said(&imported);
    assert!(imported.status.success(), "{words}");
    assert!(words.contains("users: 1 documents, not read"), "{words}");
    check(&office).await;
    let kept = database
        .collection::<Document>("companies")
        .count_documents(doc! {})
        .await
        .unwrap();
    assert_eq!(kept, 6, "the source is as it was");
    // A store of ours is moved, not imported.
    let schemas = database.collection::<Document>("schema");
    schemas
        .insert_one(doc! { "_id": "schema", "version": 3_i64 })
        .await
        .unwrap();
    let ours = said(&office.import(&url, &["--dry-run"]));
    assert!(ours.contains("frontdesk migrate"), "{ours}");
}

#[tokio::test]
async fn what_is_no_export_is_told_in_words() {
    let office = Office::open().await;
    let dumped = office.folder.path().join("dump");
    fs::create_dir(&dumped).unwrap();
    fs::write(dumped.join("companies.bson"), b"").unwrap();
    fs::write(dumped.join("companies.metadata.json"), b"{}").unwrap();
    let words = said(&office.import(&dumped.display().to_string(), &["--dry-run"]));
    assert!(words.contains("mongoexport"), "{words}");
    let words = said(&office.import("mongodb://127.0.0.1:1/nobody", &["--dry-run"]));
    assert!(words.contains("cannot read mongodb://127.0.0.1:1/nobody"), "{words}");
    let broken = office.folder.path().join("companies.json");
    fs::write(&broken, "{\"_id\": ").unwrap();
    let words = said(&office.import(&broken.display().to_string(), &["--dry-run"]));
    assert!(words.contains("is no JSON"), "{words}");
    let mut operator = office.server.operator();
    operator.must(Method::GET, "/api/v1/companies", None).await.unwrap();
}
