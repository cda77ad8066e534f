use std::sync::Arc;

use frontdesk_domain::{
    ids::{CallId, TurnId},
    record::{TurnOutcome, TurnRecord},
};
use frontdesk_store::ports::{CallCursor, CallEnd, CallFilter, GivenAnswer, Page, Recalled, StoredCall};

use super::Given;
use crate::support::{at, id, turn};

async fn append(given: &Given, turns: Vec<TurnRecord>) {
    given.store.append_turns(turns.into()).await.unwrap();
}

async fn list(given: &Given, filter: CallFilter, after: Option<CallCursor>, limit: usize) -> Vec<StoredCall> {
    given.store.calls(id(1), &filter, Page { after, limit }).await.unwrap()
}

fn names(calls: &[StoredCall]) -> Vec<&str> {
    calls.iter().map(|call| call.call_id.as_str()).collect()
}

pub(crate) async fn a_turn_is_kept_once(given: &Given) {
    let first = turn(1, "CA1", 1, "first");
    append(given, vec![first.clone(), turn(1, "CA1", 2, "second")]).await;
    let again = TurnRecord {
        outcome: TurnOutcome::Hangup,
        ..turn(1, "CA1", 1, "something else")
    };
    append(given, vec![again, first.clone()]).await;
    let call = given.store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
    assert_eq!(call.turns.len(), 2);
    assert_eq!(
        call.turns[0],
        serde_json::to_value(&first).unwrap(),
        "the first one stays as it was"
    );
    assert_eq!(call.started_at, first.at);
    assert_eq!(call.from.as_deref(), Some("+15550109999"));
    append(given, Vec::new()).await;
}

fn began(call: &str, time: &str) -> TurnRecord {
    TurnRecord {
        at: at(time),
        ..turn(1, call, 1, "hello")
    }
}

pub(crate) async fn calls_are_listed_newest_first_in_pages(given: &Given) {
    let noon = "2026-11-15T12:00:00Z";
    append(given, vec![began("CA2", noon), began("CA1", noon), began("CA3", noon)]).await;
    append(
        given,
        vec![
            began("CA0", "2026-11-15T13:00:00Z"),
            began("CA9", "2026-11-14T12:00:00Z"),
        ],
    )
    .await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = list(given, CallFilter::default(), after, 2).await;
        let Some(last) = page.last() else { break };
        after = Some(CallCursor {
            started_at: last.started_at,
            call_id: last.call_id.clone(),
        });
        seen.extend(page.iter().map(|call| call.call_id.as_str().to_owned()));
    }
    assert_eq!(seen, ["CA0", "CA3", "CA2", "CA1", "CA9"]);
}

pub(crate) async fn calls_are_filtered(given: &Given) {
    let early = began("CA1", "2026-11-14T12:00:00Z");
    let mut other_caller = began("CA2", "2026-11-15T12:00:00Z");
    other_caller.from = Some("+15550107777".into());
    other_caller.outcome = TurnOutcome::Transfer;
    let mut other_words = began("CA3", "2026-11-16T12:00:00Z");
    other_words.decision.utterance = "Können Sie 50% RABATT geben?".into();
    append(given, vec![early, other_caller, other_words]).await;
    let check = async |filter: CallFilter, want: &[&str]| {
        assert_eq!(names(&list(given, filter.clone(), None, 50).await), want, "{filter:?}");
    };
    let all = CallFilter::default;
    check(all(), &["CA3", "CA2", "CA1"]).await;
    check(
        CallFilter {
            from: Some(at("2026-11-15T12:00:00Z")),
            ..all()
        },
        &["CA3", "CA2"],
    )
    .await;
    check(
        CallFilter {
            to: Some(at("2026-11-15T12:00:00Z")),
            ..all()
        },
        &["CA1"],
    )
    .await;
    check(
        CallFilter {
            caller: Some("+15550107777".into()),
            ..all()
        },
        &["CA2"],
    )
    .await;
    check(
        CallFilter {
            outcome: Some("transfer".into()),
            ..all()
        },
        &["CA2"],
    )
    .await;
    check(
        CallFilter {
            words: Some("können".into()),
            ..all()
        },
        &["CA3"],
    )
    .await;
    check(
        CallFilter {
            words: Some("50% rabatt".into()),
            ..all()
        },
        &["CA3"],
    )
    .await;
    check(
        CallFilter {
            words: Some("' OR 1=1 --".into()),
            ..all()
        },
        &[],
    )
    .await;
    check(
        CallFilter {
            words: Some("from EIGHT".into()),
            ..all()
        },
        &["CA3", "CA2", "CA1"],
    )
    .await;
    check(
        CallFilter {
            caller: Some("+15550109999".into()),
            words: Some("hello".into()),
            ..all()
        },
        &["CA1"],
    )
    .await;
}

pub(crate) async fn the_ending_is_that_of_the_last_turn_whatever_comes_first(given: &Given) {
    let last = TurnRecord {
        outcome: TurnOutcome::Hangup,
        ..turn(1, "CA1", 3, "bye")
    };
    append(given, vec![last]).await;
    append(given, vec![turn(1, "CA1", 2, "and"), turn(1, "CA1", 1, "hello")]).await;
    let call = given.store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
    assert_eq!(call.ending, "hangup");
    assert_eq!(call.started_at, turn(1, "CA1", 1, "").at);
    let turns: Vec<_> = call.turns.iter().map(|turn| turn["turn"].as_u64().unwrap()).collect();
    assert_eq!(turns, [1, 2, 3]);
}

pub(crate) async fn a_call_is_its_companys_alone(given: &Given) {
    append(
        given,
        vec![
            turn(1, "CA1", 1, "hello"),
            turn(2, "CA1", 1, "hello"),
            turn(2, "CA2", 1, "hello"),
        ],
    )
    .await;
    assert_eq!(names(&list(given, CallFilter::default(), None, 50).await), ["CA1"]);
    assert!(given.store.call(id(1), &CallId::new("CA2")).await.unwrap().is_none());
    assert_eq!(
        given
            .store
            .call(id(2), &CallId::new("CA1"))
            .await
            .unwrap()
            .unwrap()
            .turns
            .len(),
        1
    );
}

pub(crate) async fn an_answer_is_found_by_its_turn_for_a_while(given: &Given) {
    let told = turn(1, "CA1", 1, "first");
    append(given, vec![told.clone(), turn(1, "CA1", 2, "second")]).await;
    let recall = async |company, call: &str, turn: &str, since: &str| {
        let (call, turn) = (CallId::new(call), TurnId::new(turn));
        given.store.recall(id(company), &call, &turn, at(since)).await.unwrap()
    };
    let want = Recalled {
        answer: Some(GivenAnswer {
            document: told.document.clone(),
            response: told.decision.response.clone(),
        }),
        last_document: turn(1, "CA1", 2, "second").document,
        has_ended: false,
    };
    let without = Recalled {
        answer: None,
        ..want.clone()
    };
    assert_eq!(recall(1, "CA1", "CA1-1", "2026-11-15T12:00:00Z").await, Some(want));
    assert_eq!(
        recall(1, "CA1", "CA1-1", "2026-11-15T12:01:00Z").await,
        Some(without.clone()),
        "too old"
    );
    assert_eq!(recall(1, "CA1", "CA1-3", "2026-11-15T12:00:00Z").await, Some(without));
    assert_eq!(recall(1, "CA2", "CA1-1", "2026-11-15T12:00:00Z").await, None);
    assert_eq!(
        recall(2, "CA1", "CA1-1", "2026-11-15T12:00:00Z").await,
        None,
        "another company's"
    );
}

fn end(call: &str, time: &str, status: &'static str) -> CallEnd {
    CallEnd {
        company: id(1),
        call: CallId::new(call),
        from: Some("+15550101111".into()),
        at: at(time),
        status,
    }
}

pub(crate) async fn the_end_of_a_call_is_noted_once(given: &Given) {
    append(given, vec![turn(1, "CA1", 1, "first")]).await;
    let ends = [
        end("CA1", "2026-11-15T12:05:00Z", "completed"),
        end("CA1", "2026-11-15T12:06:00Z", "failed"),
        end("CA2", "2026-11-15T12:07:00Z", "no-answer"),
    ];
    given.store.end_calls(Arc::new(ends.to_vec())).await.unwrap();
    let call = given.store.call(id(1), &CallId::new("CA1")).await.unwrap().unwrap();
    assert_eq!(
        call.ended_at,
        Some(at("2026-11-15T12:05:00Z")),
        "the first report stays"
    );
    assert_eq!(call.ended_as.as_deref(), Some("completed"));
    assert_eq!(call.from.as_deref(), Some("+15550109999"), "as its turns say");
    let silent = given.store.call(id(1), &CallId::new("CA2")).await.unwrap().unwrap();
    assert_eq!((silent.turns.len(), silent.from.as_deref()), (0, Some("+15550101111")));
    let (call, turn_id) = (CallId::new("CA2"), TurnId::new("CA2-1"));
    let recalled = given
        .store
        .recall(id(1), &call, &turn_id, at("2026-11-15T12:00:00Z"))
        .await
        .unwrap();
    assert!(recalled.unwrap().has_ended);
    append(given, vec![turn(1, "CA2", 1, "late")]).await;
    let late = given.store.call(id(1), &CallId::new("CA2")).await.unwrap().unwrap();
    assert_eq!((late.turns.len(), late.ending.as_str()), (1, "answered"));
    assert!(late.ended_at.is_some());
}

pub(crate) async fn the_turns_of_recent_calls_are_listed_newest_first(given: &Given) {
    append(given, vec![began("CA0", "2026-11-14T12:00:00Z")]).await;
    append(
        given,
        vec![began("CA1", "2026-11-15T12:00:00Z"), turn(1, "CA1", 2, "more")],
    )
    .await;
    append(given, vec![began("CA2", "2026-11-15T12:00:01Z")]).await;
    let since = at("2026-11-15T00:00:00Z");
    let first = given.store.turns_since(since, None, 1).await.unwrap();
    assert_eq!((first.len(), first[0].call.as_str()), (1, "CA2"));
    let rest = given
        .store
        .turns_since(since, Some(first[0].place.clone()), 10)
        .await
        .unwrap();
    assert_eq!((rest.len(), rest[0].call.as_str(), rest[0].company), (1, "CA1", id(1)));
    assert_eq!(rest[0].turns, [TurnId::new("CA1-1"), TurnId::new("CA1-2")]);
    assert!(!rest[0].has_ended);
}
