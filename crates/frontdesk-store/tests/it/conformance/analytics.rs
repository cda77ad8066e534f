//! Roll-ups are what the turns add up to, whatever happens to the turns.

use std::{collections::BTreeMap, time::Duration};

use frontdesk_domain::{
    alert::AlertCode,
    analytics::{Counter, Rollup, Slot, TurnFacts},
    confidence::Confidence,
    decision::{CandidateKind, FallbackKind, SkipReason, Source, Step, StepOutcome, Tier, TraceCandidate, TraceEntry},
    ids::{CompanyId, QnaId, ScenarioId},
    money::PicoUsd,
    record::{AudioState, Message, MessageKind, MessageState, TurnOutcome, TurnRecord},
};
use frontdesk_store::{
    ports::{Audio, CallFilter, Erased, MessageFilter, NotificationFilter, Page, RollupScope, SlotRollup},
    recount::{Range, Recount, recount},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngSeed, TestRunner},
};

use super::Given;
use crate::support::{at, id, raised, turn};

const ALL: Range = Range {
    from: Slot::from_number(i64::MIN),
    to: Slot::from_number(i64::MAX),
};

/// What a turn was, drawn at random.
#[derive(Debug, Clone)]
struct Drawn {
    company: u32,
    call: u32,
    turn: u32,
    minute: u32,
    source: u8,
    llm: u8,
    cost: i64,
    micros: u64,
    twice: bool,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (
        1..4_u32,
        0..12_u32,
        1..5_u32,
        0..240_u32,
        0..7_u8,
        0..5_u8,
        0..i64::MAX / 1_000,
        0..9_000_000_u64,
        any::<bool>(),
    );
    let one = one.prop_map(
        |(company, call, turn, minute, source, llm, cost, micros, twice)| Drawn {
            company,
            call,
            turn,
            minute,
            source,
            llm,
            cost,
            micros,
            twice,
        },
    );
    prop::collection::vec(one, 1..60)
}

pub(crate) fn below(step: Step, id: &str, confidence: f64, threshold: f64) -> TraceEntry {
    TraceEntry {
        step,
        tier: None,
        outcome: StepOutcome::BelowThreshold,
        confidence: Confidence::new(confidence),
        threshold: Confidence::new(threshold),
        candidates: vec![TraceCandidate {
            id: id.into(),
            kind: CandidateKind::Scenario,
            confidence: Confidence::clamped(confidence),
        }],
        matched_words: Vec::new(),
        nearest_trigger: None,
        reason: None,
        micros: 5,
        cost_usd: PicoUsd::ZERO,
    }
}

fn llm_step(outcome: StepOutcome, reason: Option<SkipReason>) -> TraceEntry {
    TraceEntry {
        outcome,
        reason,
        candidates: Vec::new(),
        ..below(Step::Llm, "", 0.0, 0.6)
    }
}

fn record(drawn: &Drawn) -> TurnRecord {
    let mut record = turn(
        drawn.company,
        &format!("CA{}", drawn.call),
        drawn.turn,
        "how much is it",
    );
    record.at = at("2026-11-20T00:00:00Z") + Duration::from_secs(u64::from(drawn.minute) * 60);
    let decision = &mut record.decision;
    decision.latency_micros = drawn.micros;
    match drawn.source {
        0 => decision.source = Source::Conversation,
        1 => {
            decision.source = Source::CompanyQna;
            decision.tier = Some(Tier::Semantic);
            decision.qna_id = Some(QnaId::new("a.b$c %"));
        }
        2 => {
            decision.source = Source::Safety;
            decision.emergency = true;
            record.outcome = TurnOutcome::Transfer;
        }
        3 => {
            decision.source = Source::Llm;
            decision.tier = Some(Tier::Llm);
            decision.scenario_id = Some(ScenarioId::new("prices"));
            decision.cost_usd = PicoUsd::from_pico(drawn.cost);
            record.tokens = Some(900);
            decision.trace = vec![
                below(Step::Tier1, "prices", 0.5, 0.7),
                llm_step(StepOutcome::Matched, None),
            ];
        }
        4 | 5 => {
            decision.source = Source::Fallback;
            decision.fallback_type = Some(FallbackKind::NoMatchFound);
            decision.escalation.required = drawn.llm == 0;
            record.outcome = TurnOutcome::Fallback;
            record.variation = Some(u32::from(drawn.llm));
            let (outcome, reason) = match drawn.llm {
                0 => (StepOutcome::BelowThreshold, None),
                1 => (StepOutcome::Error, None),
                2 => (StepOutcome::Skipped, Some(SkipReason::Budget)),
                _ => (StepOutcome::Skipped, Some(SkipReason::Busy)),
            };
            decision.trace = vec![llm_step(outcome, reason)];
        }
        _ => decision.tier = Some(Tier::Rules),
    }
    record
}

/// All roll-ups there are.
async fn rollups(given: &Given) -> BTreeMap<(RollupScope, Slot), SlotRollup> {
    let companies = given.store.counted_companies().await.unwrap();
    let scopes = companies.into_iter().map(RollupScope::Company);
    let mut all = BTreeMap::new();
    for scope in scopes.chain([RollupScope::Platform]) {
        let found = given.store.rollups(scope, ALL.from, ALL.to).await.unwrap();
        all.extend(found.into_iter().map(|rollup| ((scope, rollup.slot), rollup)));
    }
    all
}

/// Waits until the turns that were stored are counted, which on some stores is a moment later.
async fn counted(given: &Given, turns: i64) -> BTreeMap<(RollupScope, Slot), SlotRollup> {
    for _ in 0..300 {
        let all = rollups(given).await;
        let of_platform = all.iter().filter(|((scope, _), _)| *scope == RollupScope::Platform);
        let sum: i64 = of_platform.map(|(_, found)| found.rollup.get(Counter::Turns)).sum();
        if sum >= turns {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        given.store.append_turns(Vec::new().into()).await.unwrap();
    }
    panic!("the turns are not counted");
}

/// What these turns add up to, each once.
fn sums<'t>(turns: impl IntoIterator<Item = &'t TurnRecord>) -> BTreeMap<(RollupScope, Slot), Rollup> {
    let mut sums: BTreeMap<(RollupScope, Slot), Rollup> = BTreeMap::new();
    for turn in turns {
        let facts = TurnFacts::from(turn);
        let slot = Slot::of(turn.at);
        let company = RollupScope::Company(turn.decision.company_id);
        sums.entry((company, slot)).or_default().count(&facts);
        let mut alone = Rollup::default();
        alone.count(&facts);
        let platform = sums.entry((RollupScope::Platform, slot)).or_default();
        platform.add(&alone.without_answers());
    }
    sums
}

fn plain(found: BTreeMap<(RollupScope, Slot), SlotRollup>) -> BTreeMap<(RollupScope, Slot), Rollup> {
    found.into_iter().map(|(key, found)| (key, found.rollup)).collect()
}

/// Random days: turns in batches, some handed over twice, in one batch or in two.
pub(crate) async fn rollups_are_what_the_turns_add_up_to(given: &Given) {
    let config = ProptestConfig {
        rng_seed: RngSeed::Fixed(8),
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let mut kept: BTreeMap<(CompanyId, String), TurnRecord> = BTreeMap::new();
    for _ in 0..6 {
        let day = drawn().new_tree(&mut runner).unwrap().current();
        let mut batch = Vec::new();
        for drawn in &day {
            let record = record(drawn);
            let key = (record.decision.company_id, record.turn_id.as_str().to_owned());
            kept.entry(key).or_insert_with(|| record.clone());
            batch.push(record.clone());
            batch.extend(drawn.twice.then_some(record));
        }
        given.store.append_turns(batch.clone().into()).await.unwrap();
        if day.first().is_some_and(|drawn| drawn.twice) {
            given.store.append_turns(batch.into()).await.unwrap();
        }
    }
    let turns = i64::try_from(kept.len()).unwrap();
    assert_eq!(plain(counted(given, turns).await), sums(kept.values()));
    let companies = given.store.counted_companies().await.unwrap();
    let found = recount(&*given.store, &companies, ALL).await.unwrap();
    assert_eq!(found.differences, [], "counting again finds nothing");
    assert_eq!((found.counted, found.turns), (found.rollups, kept.len() as u64));
    assert_eq!((found.thinned, found.busy, found.restored), (0, 0, 0));
}

pub(crate) async fn a_wrong_rollup_is_corrected_by_counting_again(given: &Given) {
    let turns: Vec<_> = (1..=3).map(|number| turn(1, "CA1", number, "hello")).collect();
    given.store.append_turns(turns.clone().into()).await.unwrap();
    let right = plain(counted(given, 3).await);
    let scope = RollupScope::Company(id(1));
    let slot = Slot::of(turns[0].at);
    let mut wrong = right[&(scope, slot)].clone();
    wrong.add(&right[&(scope, slot)]);
    let elsewhere = Slot::from_number(slot.number() + 1);
    let seen = Some(&right[&(scope, slot)]);
    assert!(
        given
            .store
            .replace_rollup(scope, slot, seen, wrong.clone())
            .await
            .unwrap()
    );
    assert!(
        !given
            .store
            .replace_rollup(scope, slot, seen, wrong.clone())
            .await
            .unwrap(),
        "it is another one now"
    );
    assert!(given.store.replace_rollup(scope, elsewhere, None, wrong).await.unwrap());
    let found = recount(&*given.store, &[id(1)], ALL).await.unwrap();
    let differing: Vec<_> = found
        .differences
        .iter()
        .map(|found| (found.scope, found.slot, found.corrected))
        .collect();
    assert_eq!(differing, [(scope, slot, true), (scope, elsewhere, true)]);
    let mut now = plain(rollups(given).await);
    now.retain(|_, rollup| !rollup.is_empty());
    assert_eq!(now, right);
    let again = recount(&*given.store, &[id(1)], ALL).await.unwrap();
    assert_eq!(again.differences, []);
}

async fn misses(given: &Given) -> Vec<String> {
    let found = given
        .store
        .misses(id(1), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 50)
        .await
        .unwrap();
    found.iter().map(|miss| miss.utterance.to_string()).collect()
}

fn missed(call: &str, number: u32, words: &str) -> TurnRecord {
    let mut record = turn(1, call, number, words);
    record.decision.source = Source::Fallback;
    record.decision.fallback_type = Some(FallbackKind::NoMatchFound);
    record.decision.trace = vec![below(Step::Tier1, "prices", 0.66, 0.7)];
    record
}

pub(crate) async fn what_nothing_matched_is_kept_as_long_as_its_turn(given: &Given) {
    let old = missed("CA1", 1, "the old one");
    let mut new = missed("CA2", 1, "the new one");
    new.at = at("2026-11-16T12:00:00Z");
    given
        .store
        .append_turns(vec![old.clone(), turn(1, "CA1", 2, "hello")].into())
        .await
        .unwrap();
    given
        .store
        .append_turns(vec![new.clone(), new, old].into())
        .await
        .unwrap();
    let before = plain(counted(given, 3).await);
    assert_eq!(misses(given).await, ["the new one", "the old one"]);
    let found = given
        .store
        .misses(id(1), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 1)
        .await
        .unwrap();
    assert_eq!(found[0].near[0].confidence, Confidence::new(0.66).unwrap());
    assert_eq!(found.len(), 1);
    assert!(
        given
            .store
            .misses(id(2), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let purged = given.store.purge(id(1), at("2026-11-16T00:00:00Z")).await.unwrap();
    assert_eq!((purged.calls, purged.turns), (1, 2));
    assert_eq!(misses(given).await, ["the new one"], "its words go with the turn");
    assert_eq!(plain(rollups(given).await), before, "what was counted stays");
    let found = recount(&*given.store, &[id(1)], ALL).await.unwrap();
    assert_eq!(found.differences, [], "and is not taken for wrong");
    assert_eq!((found.thinned, found.turns), (1, 1));
}

pub(crate) async fn what_nothing_matched_is_found_again_from_the_turns(given: &Given) {
    let turns = vec![missed("CA1", 1, "one"), missed("CA1", 2, "two")];
    given.store.append_turns(turns.into()).await.unwrap();
    counted(given, 2).await;
    let found = given
        .store
        .misses(id(1), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 9)
        .await
        .unwrap();
    assert_eq!(given.store.restore_misses(id(1), found.clone()).await.unwrap(), 0);
    assert_eq!(
        given.store.restore_misses(id(2), found).await.unwrap(),
        0,
        "there is no such turn of theirs"
    );
    assert_eq!(misses(given).await.len(), 2);
}

fn message(number: u32, call: &str, from: &str, back: Option<&str>) -> Message {
    Message {
        id: id(number),
        company_id: id(1),
        call_id: frontdesk_domain::ids::CallId::new(call),
        kind: MessageKind::Message,
        from: Some(from.into()),
        callback_number: back.map(Into::into),
        callback_time: None,
        recording_sid: Some(format!("RE{number}").into()),
        recording_url: Some("https://api.twilio.com/RE1".into()),
        recording_seconds: Some(4),
        audio: AudioState::None,
        transcript: Some("call me".into()),
        state: MessageState::New,
        at: at("2026-11-15T12:00:30Z"),
    }
}

async fn erase(given: &Given, caller: &str) -> Erased {
    let mut all = Erased::default();
    loop {
        let batch = given.store.erase(id(1), caller).await.unwrap();
        if batch == Erased::default() {
            return all;
        }
        all = all.and(batch);
    }
}

pub(crate) async fn an_erased_caller_is_gone_and_nobody_else(given: &Given) {
    let caller = "+15550109999";
    let mut other = missed("CA3", 1, "somebody else");
    other.from = Some("+15550107777".into());
    let theirs = TurnRecord {
        decision: frontdesk_domain::decision::Decision {
            company_id: id(2),
            ..missed("CA1", 1, "").decision
        },
        ..missed("CA1", 1, "another company's")
    };
    let turns = vec![
        missed("CA1", 1, "mine"),
        missed("CA1", 2, "mine"),
        missed("CA2", 1, "mine"),
        other,
        theirs,
    ];
    given.store.append_turns(turns.into()).await.unwrap();
    let before = plain(counted(given, 5).await);
    for (number, call, from, back) in [
        (1, "CA1", caller, None),
        (2, "CA9", "+15550107777", Some(caller)),
        (3, "CA3", "+15550107777", None),
    ] {
        given
            .store
            .put_message(message(number, call, from, back))
            .await
            .unwrap();
        let audio = Audio {
            content_type: "audio/mpeg".into(),
            bytes: vec![7; 300_000],
        };
        assert!(given.store.put_audio(id(number), audio).await.unwrap());
    }
    let mut alert = raised(1, AlertCode::RoutingError, Some(1), 1);
    alert.alert.message = "the turn of call CA1 failed".to_owned();
    alert.alert.details = serde_json::json!({ "callId": "CA1", "stage": "TIER_1" });
    given.store.raise(vec![alert]).await.unwrap();
    let erased = erase(given, caller).await;
    let want = Erased {
        calls: 2,
        turns: 3,
        messages: 2,
        recordings: 2,
        notifications: 1,
    };
    assert_eq!(erased, want);
    assert_eq!(erase(given, caller).await, Erased::default(), "again there is nothing");
    let page = Page { after: None, limit: 50 };
    let calls = given.store.calls(id(1), &CallFilter::default(), page).await.unwrap();
    assert_eq!(
        calls.iter().map(|call| call.call_id.as_str()).collect::<Vec<_>>(),
        ["CA3"]
    );
    let page = Page { after: None, limit: 50 };
    let theirs = given.store.calls(id(2), &CallFilter::default(), page).await.unwrap();
    assert_eq!(
        theirs.len(),
        1,
        "what another company knows of the caller is not this one's to erase"
    );
    let page = Page { after: None, limit: 50 };
    let messages = given
        .store
        .messages(id(1), &MessageFilter::default(), page)
        .await
        .unwrap();
    assert_eq!(messages.len(), 1);
    assert!(given.store.audio(id(1), id(1)).await.unwrap().is_none());
    assert!(
        !given.store.purge_leftovers().await.unwrap(),
        "no part of a recording is left over"
    );
    assert_eq!(misses(given).await, ["somebody else"]);
    let every = NotificationFilter::default();
    let page = Page { after: None, limit: 50 };
    let told = given.store.notifications(&every, page).await.unwrap();
    assert_eq!(told[0].message, "the turn of call erased failed");
    assert_eq!(
        told[0].details,
        serde_json::json!({ "callId": "erased", "stage": "TIER_1" })
    );
    assert_eq!(plain(rollups(given).await), before, "what was counted stays");
    let found = recount(&*given.store, &[id(1), id(2)], ALL).await.unwrap();
    assert_eq!(found.differences, []);
    let never = Range {
        from: ALL.from,
        to: ALL.from,
    };
    let nothing = recount(&*given.store, &[], never).await.unwrap();
    assert_eq!(nothing, Recount::default());
}
