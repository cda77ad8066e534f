use std::sync::Arc;

use frontdesk_domain::documents::{overlay::Overlay, qna::Qna, template::Template};
use serde_json::{Value, json};

use super::{
    Meaning,
    ask::Meanings,
    bytes::NotAHead,
    embedding::Embedding,
    ground::Ground,
    train::{Embeddings, MOST_BACKGROUND, NotTrained, OwnHead, SharedHead},
    wordings::{OwnWordings, SharedWordings},
};
use crate::{
    knowledge::{CompiledOverlay, CompiledQna, CompiledTemplate, Knowledge, Parts, Source},
    language::Language,
    normal::normalize,
};

/// Stands for an encoder: a direction for each word, and words that mean the same have the same.
fn embed(text: &str) -> Option<Arc<Embedding>> {
    let mut sum = vec![0.0_f32; 64];
    for word in normalize(text).split(' ') {
        let word = match word {
            "sauna" | "hot" | "warm" => "cooling",
            "arrange" | "schedule" => "book",
            other => other,
        };
        let mut state = frontdesk_domain::fnv::fnv1a(word.bytes());
        for cell in &mut sum {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *cell += f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0;
        }
    }
    Embedding::new(sum).map(Arc::new)
}

const SEMANTIC: Option<Embeddings<'static>> = Some(&embed);

fn template(scenarios: &Value) -> Arc<CompiledTemplate> {
    let template: Template = serde_json::from_value(json!({
        "_id": "66f0a1c0de0000000000a001", "name": "test", "trade": "test",
        "categories": [{ "id": "all", "name": "all", "scenarios": scenarios }] }))
    .unwrap();
    Arc::new(CompiledTemplate::new(&template, Language::english()))
}

fn qna(list: &Value) -> Arc<CompiledQna> {
    let list: Vec<Qna> = serde_json::from_value(list.clone()).unwrap();
    Arc::new(CompiledQna::new(&list, Language::english()))
}

fn parts() -> Parts {
    Parts {
        company_qna: Some(qna(&json!([
            { "id": "dogs", "question": "Do you bring dogs?", "variants": ["are there pets in the van"], "answer": "No." },
            { "id": "fee", "question": "What does a visit cost?", "answer": "Much." }]))),
        templates: vec![template(&json!([
            { "id": "book", "name": "Book a visit", "triggers": ["book a visit", "schedule an appointment", "send somebody"], "negativeTriggers": ["for the wedding"] },
            { "id": "cool", "name": "Not cooling", "triggers": ["it is not cooling", "the house is warm", "hot air comes out"] },
            { "id": "bill", "name": "Bill", "triggers": ["a question about my bill", "i was charged twice"] }]))],
        ..Parts::default()
    }
}

struct Company {
    knowledge: Knowledge,
    meaning: Meaning,
}

impl Company {
    fn new(parts: &Parts, embeddings: Option<Embeddings<'_>>) -> Self {
        Self {
            knowledge: Knowledge::new(parts, Language::english()),
            meaning: Meaning::learn(parts, embeddings, &|| false).unwrap(),
        }
    }

    fn ask(&self, utterance: &str) -> Meanings {
        self.meaning
            .ask(&self.knowledge, &normalize(utterance), embed(utterance).as_deref())
    }

    /// The best candidate of all sources with its confidence.
    #[track_caller]
    fn best(&self, utterance: &str) -> (String, f64) {
        let meanings = self.ask(utterance);
        let best = meanings.all().iter().max_by(|left, right| {
            left.candidate
                .confidence
                .get()
                .total_cmp(&right.candidate.confidence.get())
        });
        let Some(best) = best else { return (String::new(), 0.0) };
        let id = self.knowledge.target(&best.candidate).unwrap().id().to_owned();
        (id, best.candidate.confidence.get())
    }
}

fn heads(parts: &Parts, embeddings: Option<Embeddings<'_>>) -> Result<(SharedHead, OwnHead), NotTrained> {
    let meaning = Meaning::learn(parts, embeddings, &|| false)?;
    Ok((SharedHead::clone(meaning.shared()), OwnHead::clone(meaning.own())))
}

#[test]
fn what_is_said_in_other_words_is_understood() {
    let company = Company::new(&parts(), SEMANTIC);
    assert_eq!(company.best("it is a sauna").0, "cool");
    assert_eq!(company.best("arrange a visit").0, "book");
    assert_eq!(company.best("are there dogs in the van").0, "dogs");
    assert!(company.best("it is a sauna").1 > company.best("do you sell boats").1);
}

#[test]
fn words_alone_decide_without_an_encoder() {
    let company = Company::new(&parts(), None);
    assert!(company.meaning.is_lexical());
    assert_eq!(company.best("i got charged twice on this bill").0, "bill");
    assert_eq!(company.best("any pets in the van").0, "dogs");
    let nearest = company.ask("any pets in the van").of(Source::CompanyQna)[0];
    assert_eq!(company.meaning.nearest_wording(&company.knowledge, &nearest), None);
}

#[test]
fn the_nearest_wording_is_told() {
    let mut parts = parts();
    let overlay: Overlay =
        serde_json::from_value(json!({ "triggers": { "bill": ["", "the invoice is wrong", "the statement is odd"] } }))
            .unwrap();
    parts.overlay = Some(Arc::new(CompiledOverlay::new(&overlay)));
    let company = Company::new(&parts, SEMANTIC);
    for (said, source, nearest) in [
        ("arrange an appointment", Source::Template, "schedule an appointment"),
        ("the odd statement", Source::Template, "the statement is odd"),
        (
            "are there any pets in the van",
            Source::CompanyQna,
            "are there pets in the van",
        ),
    ] {
        let meanings = company.ask(said);
        let best = &meanings.of(source)[0];
        assert_eq!(
            company.meaning.nearest_wording(&company.knowledge, best),
            Some(nearest),
            "{said}"
        );
    }
}

#[test]
fn what_is_denied_or_ruled_out_is_no_candidate_and_makes_nothing_else_surer() {
    let company = Company::new(&parts(), SEMANTIC);
    let (asked, sure) = company.best("schedule an appointment");
    assert_eq!(asked, "book");
    for denied in [
        "do not schedule an appointment",
        "schedule an appointment for the wedding",
    ] {
        let meanings = company.ask(denied);
        let ids = meanings
            .all()
            .iter()
            .map(|meant| company.knowledge.target(&meant.candidate).unwrap().id());
        assert!(ids.clone().all(|id| id != "book"), "{denied}");
        assert!(ids.count() > 0, "the others are still told");
        assert!(
            company.best(denied).1 < 0.5 * sure,
            "{denied}: {:?}",
            company.best(denied)
        );
    }
}

#[test]
fn a_disabled_scenario_does_not_answer_and_does_not_compete() {
    let mut parts = parts();
    let overlay: Overlay = serde_json::from_value(json!({ "disabledScenarios": ["book"] })).unwrap();
    parts.overlay = Some(Arc::new(CompiledOverlay::new(&overlay)));
    let company = Company::new(&parts, SEMANTIC);
    assert_ne!(company.best("schedule an appointment").0, "book");
    let before = Company::new(&self::parts(), SEMANTIC);
    let share = |company: &Company| company.ask("what does an appointment cost").of(Source::CompanyQna)[0].features[1];
    assert!(share(&company) >= share(&before));
}

#[test]
fn a_trigger_of_its_own_answers_at_this_company_only() {
    let mut with = parts();
    let overlay: Overlay = serde_json::from_value(json!({ "triggers": { "bill": ["the invoice is wrong"] } })).unwrap();
    with.overlay = Some(Arc::new(CompiledOverlay::new(&overlay)));
    let (with, without) = (Company::new(&with, SEMANTIC), Company::new(&parts(), SEMANTIC));
    assert_eq!(with.best("this invoice is wrong").0, "bill");
    let share = |company: &Company| {
        let meanings = company.ask("this invoice is wrong");
        let of = meanings
            .of(Source::Template)
            .iter()
            .find(|meant| company.knowledge.target(&meant.candidate).unwrap().id() == "bill");
        of.unwrap().features[1]
    };
    assert!(share(&with) > share(&without) + 0.5);
}

#[test]
fn the_same_trigger_in_two_scenarios_shares_the_confidence() {
    let parts = Parts {
        templates: vec![template(&json!([
            { "id": "one", "name": "", "triggers": ["the light is red"] },
            { "id": "two", "name": "", "triggers": ["the light is red"] },
            { "id": "three", "name": "", "triggers": ["something else"] }]))],
        ..Parts::default()
    };
    let company = Company::new(&parts, SEMANTIC);
    let meanings = company.ask("the light is red");
    let [one, two, ..] = meanings.of(Source::Template) else {
        panic!("{meanings:?}")
    };
    assert!((one.features[1] - two.features[1]).abs() < 0.05, "{meanings:?}");
    assert!(one.features[1] < -0.6, "neither can be likelier than a half");
}

#[test]
fn little_and_empty_knowledge_is_no_fault() {
    for embeddings in [SEMANTIC, None] {
        let nothing = Company::new(&Parts::default(), embeddings);
        assert_eq!(nothing.ask("hello"), Meanings::default());
        let one = Parts {
            templates: vec![template(
                &json!([{ "id": "one", "name": "", "triggers": ["the light is red"] }]),
            )],
            ..Parts::default()
        };
        assert_eq!(Company::new(&one, embeddings).ask("is the light red").all().len(), 1);
        let empty = Parts {
            company_qna: Some(qna(&json!([{ "id": "blank", "question": "?!", "answer": "No." }]))),
            templates: vec![template(&json!([
                { "id": "none", "name": "...", "triggers": ["", "--"] },
                { "id": "some", "name": "some", "triggers": [] }]))],
            ..Parts::default()
        };
        let empty = Company::new(&empty, embeddings);
        let found = empty.ask("some of them");
        assert_eq!(found.all().len(), 1, "what has no wording is no candidate");
        let own = Parts {
            templates: Vec::new(),
            ..parts()
        };
        assert_eq!(
            Company::new(&own, embeddings).best("are there dogs in the van").0,
            "dogs"
        );
    }
}

#[test]
fn heads_of_other_knowledge_or_embeddings_of_another_encoder_say_nothing() {
    let company = Company::new(&parts(), SEMANTIC);
    let other = Knowledge::new(&Parts::default(), Language::english());
    assert_eq!(
        company
            .meaning
            .ask(&other, "book a visit", embed("book a visit").as_deref()),
        Meanings::default()
    );
    let short = Embedding::new(vec![1.0; 3]);
    assert_eq!(
        company.meaning.ask(&company.knowledge, "book a visit", short.as_ref()),
        Meanings::default()
    );
    assert_eq!(
        company.meaning.ask(&company.knowledge, "book a visit", None),
        Meanings::default()
    );
}

#[test]
fn learning_the_same_gives_the_same_bits_and_can_be_stopped() {
    for embeddings in [SEMANTIC, None] {
        assert_eq!(
            heads(&parts(), embeddings).unwrap(),
            heads(&parts(), embeddings).unwrap()
        );
        let wordings = SharedWordings::of(&parts());
        assert_eq!(
            SharedHead::train(&wordings, embeddings, &|| true),
            Err(NotTrained::Stopped)
        );
        let (shared, _) = heads(&parts(), embeddings).unwrap();
        let background = shared.background(&wordings, embeddings).unwrap();
        let own = OwnWordings::of(&parts());
        assert_eq!(
            OwnHead::train(&own, &shared, &background, embeddings, &|| true),
            Err(NotTrained::Stopped)
        );
    }
}

#[test]
fn a_missing_embedding_is_named() {
    let wordings = SharedWordings::of(&parts());
    let but_one = |text: &str| embed(text).filter(|_| text != "send somebody");
    assert_eq!(
        SharedHead::train(&wordings, Some(&but_one), &|| false),
        Err(NotTrained::NoEmbedding("send somebody".to_owned()))
    );
}

#[test]
fn heads_come_back_from_bytes_and_nothing_else_does() {
    let (shared, own) = heads(&parts(), SEMANTIC).unwrap();
    let (shared_bytes, own_bytes) = (shared.to_bytes(), own.to_bytes());
    assert_eq!(SharedHead::from_bytes(&shared_bytes), Ok(shared));
    assert_eq!(OwnHead::from_bytes(&own_bytes), Ok(own));
    assert_eq!(OwnHead::from_bytes(&shared_bytes), Err(NotAHead::Foreign));
    for end in 0..own_bytes.len() {
        assert!(OwnHead::from_bytes(&own_bytes[..end]).is_err());
    }
    for at in (0..own_bytes.len()).step_by(97) {
        let mut damaged = own_bytes.clone();
        damaged[at] ^= 0x10;
        assert!(OwnHead::from_bytes(&damaged).is_err(), "{at}");
    }
    let mut later = own_bytes;
    later[4] += 1;
    assert_eq!(OwnHead::from_bytes(&later), Err(NotAHead::OtherRevision));
}

#[test]
fn keys_tell_apart_what_gives_another_head() {
    let shared = SharedWordings::of(&parts());
    let mut edited = shared.clone();
    edited.units[0].texts.pop();
    assert_eq!(shared.key("model"), SharedWordings::of(&parts()).key("model"));
    assert_ne!(shared.key("model"), edited.key("model"));
    assert_ne!(shared.key("model"), shared.key(""));
    let own = OwnWordings::of(&parts());
    assert_ne!(own.key(&shared.key("model")), own.key(&edited.key("model")));
    let mut disabling = own.clone();
    disabling.disabled.push(0);
    assert_ne!(own.key(&shared.key("model")), disabling.key(&shared.key("model")));
}

#[test]
fn five_thousand_scenarios_take_bounded_time_and_memory_and_are_still_told_apart() {
    let scenarios: Vec<Value> = (0..5_000)
        .map(|at| {
            let triggers = [format!("thing{at} is broken"), format!("repair my thing{at}")];
            json!({ "id": format!("s{at}"), "name": "", "triggers": triggers })
        })
        .collect();
    let parts = Parts {
        company_qna: parts().company_qna,
        templates: vec![template(&json!(scenarios))],
        ..Parts::default()
    };
    let wordings = SharedWordings::of(&parts);
    for embeddings in [None, SEMANTIC] {
        assert_eq!(
            SharedHead::train(&wordings, embeddings, &|| true),
            Err(NotTrained::Stopped)
        );
        let shared = Arc::new(SharedHead::train(&wordings, embeddings, &|| false).unwrap());
        let background = shared.background(&wordings, embeddings).unwrap();
        assert!(
            background.logits.len() <= MOST_BACKGROUND,
            "{}",
            background.logits.len()
        );
        assert!(background.units.contains(&4_900), "they are chosen from all");
        let ground = Ground::of(shared, &wordings, embeddings).unwrap();
        let meaning = ground.meaning(&OwnWordings::of(&parts), embeddings, &|| false).unwrap();
        // Of 10,000 wordings, with 5,000 rows of 64 numbers.
        assert!(meaning.size() < 16 << 20, "{} bytes", meaning.size());
        let company = Company {
            knowledge: Knowledge::new(&parts, Language::english()),
            meaning,
        };
        assert_eq!(company.best("please repair thing77").0, "s77");
        assert_eq!(company.best("are there any pets in the van").0, "dogs");
    }
}
