use std::fs;

use super::*;
use crate::documents::company::Company;
use crate::documents::{Mode, template::Template};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../frontdesk-testkit/data/existing/");

fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

fn collection(name: &str) -> (Source, Collection) {
    let text = fs::read_to_string(format!("{FOLDER}{name}.json")).unwrap();
    let values = serde_json::Deserializer::from_str(&text)
        .into_iter::<Value>()
        .map(Result::unwrap);
    let documents = values
        .flat_map(|value| match value {
            Value::Array(items) => items,
            one => vec![one],
        })
        .collect();
    let name: Arc<str> = name.into();
    (Source::of_name(&name).unwrap(), Collection { name, documents })
}

fn sample() -> Translated {
    let names = [
        "companies",
        "globalinstantresponsetemplates",
        "companyqnas",
        "tradecategories",
    ];
    translate(names.map(collection).into(), now())
}

fn document(translated: &Translated, kind: Kind, id: &str) -> Value {
    let found = translated.documents.iter().find(|document| {
        let own = document.json.get("_id").or_else(|| document.json.get("id"));
        document.kind == kind && own.and_then(Value::as_str) == Some(id)
    });
    found
        .unwrap_or_else(|| panic!("{kind:?} {id}: {:#?}", translated.remarks))
        .json
        .clone()
}

#[track_caller]
fn remarked(translated: &Translated, outcome: Outcome, id: &str, pointer: &str) -> Remark {
    let found = translated
        .remarks
        .iter()
        .find(|remark| remark.outcome == outcome && &*remark.id == id && remark.pointer == pointer);
    found
        .unwrap_or_else(|| panic!("{outcome:?} {id} {pointer}: {:#?}", translated.remarks))
        .clone()
}

const PENGUIN: &str = "68813026dd95f599c74e49c7";
const RECEPTIONIST: &str = "68e3f77a9d623b8058c700c4";

#[test]
fn a_company_of_the_old_shape_becomes_one_of_ours() {
    let translated = sample();
    let json = document(&translated, Kind::Company, PENGUIN);
    let parsed = Company::parse(&json, Mode::Import).unwrap();
    let company = &parsed.value.company;
    assert_eq!(&*company.name, "Penguin Air");
    assert_eq!(company.phone.to_string(), "+12395550100");
    let phones: Vec<_> = company.phones.iter().map(ToString::to_string).collect();
    assert_eq!(phones, ["+12395550101", "+12395550102"], "the inactive one is left out");
    let trades: Vec<_> = company.trades.iter().map(|trade| trade.as_str().to_owned()).collect();
    assert_eq!(trades, ["HVAC Residential", "Plumbing Residential"]);
    assert_eq!(
        company.account_sid.as_deref(),
        Some("AC0123456789abcdef0123456789abcdef")
    );
    assert_eq!(
        json["hours"],
        "mon 08:00-17:30, tue 08:00-17:30, wed 08:00-17:30, thu 08:00-17:30, fri 08:00-17:30"
    );
    assert_eq!(
        json["greeting"],
        "Thank you for calling {companyName}. How can we help?"
    );
    assert_eq!(company.transfer.destinations[0].number.to_string(), "+12395550177");
    assert_eq!(company.gatekeeper.monthly_budget.unwrap().to_string(), "200");
    assert_eq!(
        parsed.value.opening.current_spend.unwrap().to_string(),
        "145.500000000001"
    );
    assert_eq!(parsed.value.opening.last_used.no_match, Some(1));
    assert_eq!(company.variables.get("serviceCallFee"), Some("$89"));
    assert_eq!(company.variables.get("emergency.fee"), Some("$149"));
    let enabled: Vec<_> = company.enabled_templates().map(|id| id.to_string()).collect();
    assert_eq!(enabled, [RECEPTIONIST], "one is disabled, one is gone");
    assert_eq!(
        json["aiAgentLogic"]["fallbackResponses"]["noMatchFound"][0],
        "Let me connect you with someone at {companyName}."
    );
    assert_eq!(json["notes"][0]["title"], "VIP", "unknown fields are kept");
}

#[test]
fn what_has_no_place_is_remarked_on_where_it_stood() {
    let translated = sample();
    let remark = |outcome, pointer| remarked(&translated, outcome, PENGUIN, pointer);
    remark(Outcome::LeftOut, "/twilioConfig/apiSecret");
    remark(Outcome::LeftOut, "/twilioConfig/phoneNumbers/2");
    remark(Outcome::LeftOut, "/twilioConfig/recordingEnabled");
    remark(Outcome::LeftOut, "/aiAgentLogic/voiceSettings/apiKey");
    remark(Outcome::LeftOut, "/integrations/googleOAuth/accessToken");
    remark(Outcome::LeftOut, "/aiAgentLogic/placeholders/2");
    remark(Outcome::LeftOut, "/aiAgentSettings/templateReferences/2");
    let silent = remark(Outcome::LeftOut, "/aiAgentLogic/fallbackResponses/technicalIssue/1");
    assert!(silent.why.contains("spoken"), "{silent:?}");
    remark(Outcome::Changed, "/connectionMessages/voice/realtime/text");
    remark(Outcome::Changed, "/aiAgentLogic/fallbackResponses/noMatchFound/0");
    remark(Outcome::Kept, "/aiAgentLogic/voiceSettings/voiceId");
    remark(Outcome::Kept, "/companyEmail");
    let tesla = "68813026dd95f599c74e49c8";
    remarked(
        &translated,
        Outcome::LeftOut,
        tesla,
        "/aiAgentLogic/templateGatekeeper/currentSpend",
    );
    remarked(&translated, Outcome::LeftOut, tesla, "/configuration/apiToken");
    remarked(&translated, Outcome::Changed, tesla, "/configuration/clonedFrom");
    remarked(&translated, Outcome::Changed, "507f1f77bcf86cd799439011", "/timezone");
    let elm = "68813026dd95f599c74e49c9";
    remarked(&translated, Outcome::Changed, elm, "/accountStatus/status");
    let json = document(&translated, Kind::Company, elm);
    assert_eq!(
        (&json["status"], &json["forwardNumber"]),
        (&json!("forward"), &json!("+442071838751"))
    );
    assert_eq!(json["industryType"], "Dental");
}

#[test]
fn what_cannot_be_a_company_is_refused_with_its_field() {
    let translated = sample();
    assert_eq!(translated.refused(), 2);
    remarked(
        &translated,
        Outcome::Refused,
        "68813026dd95f599c74e49ca",
        "/companyPhone",
    );
    remarked(&translated, Outcome::Refused, "68813026dd95f599c74e49ca", "/status");
    let copy = remarked(
        &translated,
        Outcome::Refused,
        "68813026dd95f599c74e49cb",
        "/companyPhone",
    );
    assert!(copy.why.contains(PENGUIN), "{copy:?}");
    let companies = translated
        .documents
        .iter()
        .filter(|document| document.kind == Kind::Company);
    assert_eq!(companies.count(), 4);
}

#[test]
fn no_secret_is_in_a_remark_or_in_a_field_that_is_kept() {
    let translated = sample();
    let remarks = serde_json::to_string(&translated.remarks).unwrap();
    for secret in [
        "penguin-auth-token-0001",
        "penguin-api-secret",
        "eleven-labs-secret-key",
        "ya29.should-not-be-kept",
        "legacy-token",
        "tesla-auth-token-0002",
        "copy-auth-token-0006",
    ] {
        assert!(!remarks.contains(secret), "{secret}");
        for document in &translated.documents {
            let mut json = document.json.clone();
            if let Some(fields) = json.as_object_mut() {
                fields.shift_remove("twilio");
            }
            assert!(
                !json.to_string().contains(secret),
                "{secret} in {} {}",
                document.collection,
                document.id
            );
        }
    }
    let penguin = document(&translated, Kind::Company, PENGUIN);
    assert_eq!(penguin["twilio"]["authToken"], "penguin-auth-token-0001");
}

#[test]
fn scenarios_become_ours() {
    let translated = sample();
    let json = document(&translated, Kind::Template, RECEPTIONIST);
    let template = Template::parse(&json, Mode::Import).unwrap().value;
    assert_eq!(&*template.trade, "HVAC");
    assert_eq!(template.filler_words, ["um", "uh", "please", "thingy"]);
    assert_eq!(template.synonym_map["air conditioner"], ["ac", "a/c", "cooler"]);
    assert_eq!(template.synonym_map["thermostat"], ["box on the wall"]);
    let scenarios = json["categories"][0]["scenarios"].as_array().unwrap();
    let cooling = &scenarios[0];
    assert_eq!(cooling["id"], "scn-no-cool");
    assert_eq!(cooling["triggers"], json!(["not cooling", "ac is broken"]));
    assert_eq!(
        cooling["regexTriggers"],
        json!(["\\b(no|not)\\s+cool"]),
        "what looks behind cannot be compiled"
    );
    assert_eq!(cooling["negativeTriggers"], json!(["heat", "it is cooling"]));
    assert_eq!(cooling["quickReplies"], json!(["We can help.", "Sure thing."]));
    assert_eq!(cooling["replyStrategy"], "quickThenFull");
    assert_eq!(cooling.get("embeddingVector"), None);
    assert_eq!(
        (&scenarios[1]["id"], &scenarios[1]["action"]),
        (&json!("scn-person"), &json!("transfer"))
    );
    assert_eq!(
        (&scenarios[2]["status"], &scenarios[2]["replyStrategy"]),
        (&json!("archived"), &json!("auto"))
    );
    assert_eq!(scenarios[2]["quickReplies"], json!(["Ten per cent off."]));
    assert_eq!(
        json["categories"][1]["scenarios"][0]["status"], "archived",
        "its category is off"
    );
    let at = "/categories/0/scenarios";
    let remark = |outcome, pointer: &str| remarked(&translated, outcome, RECEPTIONIST, &format!("{at}{pointer}"));
    let regex = remark(Outcome::LeftOut, "/0/regexTriggers/1");
    assert!(regex.why.contains("look-around"), "{regex:?}");
    remark(Outcome::Changed, "/0/quickReplies");
    remark(Outcome::Changed, "/1/scenarioId");
    remark(Outcome::Changed, "/2/replyStrategy");
    remark(Outcome::Kept, "/1/transferTarget");
    remark(Outcome::Kept, "/0/actionHooks");
}

#[test]
fn questions_come_from_everywhere() {
    let translated = sample();
    let ids = |kind| -> Vec<String> {
        let documents = translated.documents.iter().filter(|document| document.kind == kind);
        documents
            .map(|document| document.json["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(
        translated
            .remarks
            .iter()
            .all(|remark| &*remark.collection != "companyqnas" || remark.outcome != Outcome::Refused),
        "{:#?}",
        translated.remarks
    );
    assert_eq!(ids(Kind::TradeQna), ["hvac-1", "68b000000000000000000001-2"]);
    let own = ids(Kind::Qna);
    assert_eq!(
        own.len(),
        5,
        "{own:?}: three in the company, two in the collection, one of nobody"
    );
    let under_review = document(&translated, Kind::Qna, "68a000000000000000000002");
    assert_eq!(under_review["active"], false);
    let splits = document(&translated, Kind::Qna, "q-1");
    assert_eq!(splits["answer"], "Yes, {companyName} services all mini splits.");
    remarked(&translated, Outcome::LeftOut, "68a000000000000000000003", "/companyId");
    let trade = document(&translated, Kind::Qna, "t1");
    assert_eq!(trade["companyId"], PENGUIN, "one company's must not answer for others");
    let overlay = translated
        .documents
        .iter()
        .find(|document| document.kind == Kind::Overlay)
        .unwrap();
    assert_eq!(overlay.json["fillerWords"], json!(["penguin", "y'all"]));
    assert_eq!(overlay.json["disabledScenarios"], json!(["scn-no-cool"]));
}

#[test]
fn of_a_list_each_faulty_item_is_named_by_the_number_that_it_had() {
    let document = json!({ "_id": RECEPTIONIST, "name": "T", "categories": [{ "id": "c", "scenarios": [{
        "id": "s", "regexTriggers": ["(?<=a)b", "ok", "(", "fine", "(?!x)"], "fullReplies": ["?", "yes", "!"],
    }] }] });
    let collection = Collection {
        name: "templates".into(),
        documents: vec![document],
    };
    let translated = translate(vec![(Source::Templates, collection)], now());
    let at = "/categories/0/scenarios/0";
    for place in [
        "/regexTriggers/0",
        "/regexTriggers/2",
        "/regexTriggers/4",
        "/fullReplies/0",
        "/fullReplies/2",
    ] {
        remarked(&translated, Outcome::LeftOut, RECEPTIONIST, &format!("{at}{place}"));
    }
    let scenario = &translated.documents[0].json["categories"][0]["scenarios"][0];
    assert_eq!(scenario["regexTriggers"], json!(["ok", "fine"]));
    assert_eq!(scenario["fullReplies"], json!(["yes"]));
}

#[test]
fn a_status_that_nobody_knows_is_not_taken_for_active() {
    for (document, pointer) in [
        (
            json!({ "_id": PENGUIN, "companyName": "A", "companyPhone": "+12395550100", "status": "onboarding" }),
            "/status",
        ),
        (json!({ "companyName": "A", "companyPhone": "+12395550100" }), "/_id"),
    ] {
        let collection = Collection {
            name: "companies".into(),
            documents: vec![document],
        };
        let translated = translate(vec![(Source::Companies, collection)], now());
        assert!(translated.documents.is_empty());
        let refused = translated
            .remarks
            .iter()
            .find(|remark| remark.outcome == Outcome::Refused)
            .unwrap();
        assert_eq!(refused.pointer, pointer);
    }
}

#[test]
fn of_a_large_deployment_nothing_is_lost() {
    let (_, sample) = collection("companies");
    let mut companies = Vec::new();
    for number in 0..400_u32 {
        let mut company = sample.documents[0].clone();
        company["_id"] = json!({ "$oid": format!("{number:024x}") });
        company["companyPhone"] = format!("+1239{:07}", 5_550_100 + number).into();
        let config = &mut company["twilioConfig"];
        config["phoneNumber"] = format!("+1415{:07}", 5_550_100 + number).into();
        config["phoneNumbers"] = json!([]);
        companies.push(company);
    }
    let (name, source) = ("companies".into(), Source::Companies);
    let (kind, templates) = collection("globalinstantresponsetemplates");
    let companies = Collection {
        name,
        documents: companies,
    };
    let translated = translate(vec![(source, companies), (kind, templates)], now());
    assert_eq!(translated.refused(), 0);
    let count = |kind| {
        translated
            .documents
            .iter()
            .filter(|document| document.kind == kind)
            .count()
    };
    assert_eq!(
        [
            count(Kind::Company),
            count(Kind::Qna),
            count(Kind::Overlay),
            count(Kind::Template)
        ],
        [400, 1200, 400, 2]
    );
}

#[test]
fn collections_are_known_by_name_and_by_what_is_in_them() {
    for (name, want) in [
        ("companies", Some(Source::Companies)),
        ("db.v2Companies", Some(Source::Companies)),
        ("globalinstantresponsetemplates", Some(Source::Templates)),
        ("localcompanyqnas", Some(Source::Qna)),
        ("tradeqnas", Some(Source::TradeQna)),
        ("v2aiagentcalllogs", None),
        ("users", None),
    ] {
        assert_eq!(Source::of_name(name), want, "{name}");
    }
    for (document, want) in [
        (
            json!({ "companyName": "A", "twilioConfig": {} }),
            Some(Source::Companies),
        ),
        (json!({ "companyName": "A", "invoice": 3 }), None),
        (
            json!({ "question": "q", "answer": "a", "companyId": "c" }),
            Some(Source::Qna),
        ),
        (json!({ "question": "q", "answer": "a" }), Some(Source::TradeQna)),
        (json!({ "categories": [], "synonymMap": {} }), Some(Source::Templates)),
        (json!({ "callId": "CA1" }), None),
    ] {
        assert_eq!(Source::of_document(&document), want, "{document}");
    }
}
