//! What checks found, the instances, and what the fallback rate counts.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{
    alert::AlertCode::{DatabaseError, LlmDown},
    analytics::Slot,
    clock::Clock as _,
    decision::Source,
    health::HealthState::{self, Degraded, Down, Ok as Well},
    ids::HealthEntryId,
    record::{TurnOutcome, TurnRecord},
    time::Timestamp,
};
use frontdesk_store::{
    ports::{FallbackCount, HealthEntry, HealthFilter, InstanceHealth, Page, PartHealth, Unresolved},
    system::SystemClock,
};

use serde_json::json;

use super::Given;
use crate::support::{at, id, raised, turn};

fn entry(number: u32, check: &str, state: HealthState) -> HealthEntry {
    HealthEntry {
        id: id(number),
        instance: "1-a".into(),
        check: check.into(),
        at: at("2026-11-15T12:00:00Z") + Duration::from_secs(u64::from(number)),
        state,
        detail: "the disk is full".into(),
        is_change: number % 2 == 1,
    }
}

async fn listed(given: &Given, filter: &HealthFilter, after: Option<u32>, limit: usize) -> Vec<HealthEntry> {
    let page = Page {
        after: after.map(id::<HealthEntryId>),
        limit,
    };
    given.store.health_history(filter, page).await.unwrap()
}

pub(crate) async fn what_checks_found_is_listed_newest_first_in_pages(given: &Given) {
    let all = [
        entry(1, "store", Well),
        entry(2, "disk", Degraded),
        entry(3, "store", Down),
        entry(4, "store", Well),
    ];
    given.store.keep_health(all[..3].to_vec()).await.unwrap();
    // Tried again after an answer was lost: what is there stays as it is.
    let changed = HealthEntry {
        detail: "something else".into(),
        ..all[2].clone()
    };
    given.store.keep_health(vec![changed, all[3].clone()]).await.unwrap();
    given.store.keep_health(Vec::new()).await.unwrap();
    let newest_first: Vec<HealthEntry> = all.iter().rev().cloned().collect();
    let any = HealthFilter::default();
    assert_eq!(listed(given, &any, None, 10).await, newest_first);
    assert_eq!(listed(given, &any, None, 2).await, newest_first[..2]);
    assert_eq!(listed(given, &any, Some(3), 10).await, newest_first[2..]);
    let of_store = HealthFilter {
        check: Some("store".into()),
        from: Some(all[2].at),
        to: Some(all[3].at),
    };
    assert_eq!(
        listed(given, &of_store, None, 10).await,
        [all[2].clone()],
        "the end is not in it"
    );
}

pub(crate) async fn what_checks_found_long_ago_is_deleted(given: &Given) {
    let all = [
        entry(1, "store", Well),
        entry(2, "disk", Degraded),
        entry(3, "store", Down),
    ];
    given.store.keep_health(all.to_vec()).await.unwrap();
    given.store.put_instance(instance("1-a", 1, all[0].at)).await.unwrap();
    given.store.put_instance(instance("2-b", 1, all[2].at)).await.unwrap();
    assert_eq!(
        given.store.purge_health(all[2].at).await.unwrap(),
        3,
        "two entries and an instance"
    );
    assert_eq!(given.store.purge_health(all[2].at).await.unwrap(), 0);
    assert_eq!(
        listed(given, &HealthFilter::default(), None, 10).await,
        [all[2].clone()]
    );
    let left = given.store.instances(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(left.len(), 1);
}

fn instance(name: &str, beat: u64, at: Timestamp) -> InstanceHealth {
    let part = |name: &str, state: Option<HealthState>| PartHealth {
        name: name.into(),
        state,
        since: state.map(|_| at),
        detail: "60 % of $dollars.and.dots".into(),
        code: state.map(|_| DatabaseError),
        fix: "make room".into(),
    };
    InstanceHealth {
        instance: name.into(),
        beat,
        at,
        parts: vec![part("disk", Some(Down)), part("llm", None)],
    }
}

pub(crate) async fn an_instance_is_as_it_wrote_last_until_it_leaves(given: &Given) {
    let other = (given.reopen)().await;
    let start = at("2026-11-15T12:00:00Z");
    let later = start + Duration::from_mins(2);
    given.store.put_instance(instance("2-b", 1, start)).await.unwrap();
    other.put_instance(instance("1-a", 7, later)).await.unwrap();
    let all = given.store.instances(start).await.unwrap();
    assert_eq!(all, [instance("1-a", 7, later), instance("2-b", 1, start)]);
    let recent = given.store.instances(start + Duration::from_secs(1)).await.unwrap();
    assert_eq!(recent, [instance("1-a", 7, later)]);
    given.store.put_instance(instance("2-b", 2, later)).await.unwrap();
    assert_eq!(other.instances(later).await.unwrap().len(), 2);
    given.store.remove_instance("2-b").await.unwrap();
    given.store.remove_instance("3-c").await.unwrap();
    assert_eq!(other.instances(start).await.unwrap(), [instance("1-a", 7, later)]);
}

fn answered(company: u32, call: &str, number: u32, source: Source, outcome: TurnOutcome) -> TurnRecord {
    let mut record = turn(company, call, number, "hello");
    record.decision.source = source;
    record.outcome = outcome;
    record
}

pub(crate) async fn fallbacks_are_counted_by_company_over_the_last_turns(given: &Given) {
    let greeting = |company| answered(company, "CA1", 1, Source::Conversation, TurnOutcome::Greeted);
    let answer = |company, number| answered(company, "CA1", number, Source::Template, TurnOutcome::Answered);
    let fallback = |company, number| answered(company, "CA1", number, Source::Fallback, TurnOutcome::Fallback);
    // One that transfers is a fallback all the same.
    let transferred = |company, number| answered(company, "CA2", number, Source::Fallback, TurnOutcome::Transfer);
    let turns = Arc::new(vec![
        greeting(1),
        answer(1, 2),
        fallback(1, 3),
        transferred(1, 4),
        greeting(2),
        answer(2, 2),
        answer(2, 3),
        fallback(3, 3),
    ]);
    given.store.append_turns(Arc::clone(&turns)).await.unwrap();
    // Written twice, counted once.
    given.store.append_turns(Arc::clone(&turns)).await.unwrap();
    let of = |company, turns, fallbacks| FallbackCount {
        company: id(company),
        turns,
        fallbacks,
    };
    let counts = async |from, least| given.store.fallback_counts(from, least).await.unwrap();
    let first = Slot::of(turns[0].at);
    assert_eq!(counts(first, 1).await, [of(1, 3, 2), of(2, 2, 0), of(3, 1, 1)]);
    assert_eq!(
        counts(first, 2).await,
        [of(1, 3, 2), of(2, 2, 0)],
        "too few turns say nothing"
    );
    let mut later = answer(1, 5);
    later.at += Duration::from_mins(15);
    given.store.append_turns(Arc::new(vec![later])).await.unwrap();
    assert_eq!(counts(first, 1).await, [of(1, 4, 2), of(2, 2, 0), of(3, 1, 1)]);
    let second = Slot::from_number(first.number() + 1);
    assert_eq!(counts(second, 1).await, [of(1, 1, 0)]);
    assert_eq!(counts(Slot::from_number(first.number() + 2), 1).await, []);
}

pub(crate) async fn what_is_not_resolved_is_listed_by_code(given: &Given) {
    let alerts = vec![
        raised(1, DatabaseError, Some(1), 1),
        raised(2, LlmDown, None, 1),
        raised(3, LlmDown, None, 1),
    ];
    let (database, newest) = (alerts[0].last_at, alerts[2].last_at);
    given.store.raise(alerts).await.unwrap();
    let llm_down = Unresolved {
        code: LlmDown,
        company: None,
        details: json!({ "number": 3 }),
        last_at: newest,
    };
    let database = Unresolved {
        code: DatabaseError,
        company: Some(id(1)),
        details: json!({ "number": 1 }),
        last_at: database,
    };
    let unresolved = async |codes: &[_]| given.store.unresolved(codes).await.unwrap();
    assert_eq!(unresolved(&[LlmDown]).await, std::slice::from_ref(&llm_down));
    let mut both = unresolved(&[DatabaseError, LlmDown]).await;
    both.sort_by_key(|one| one.code.as_str());
    assert_eq!(both, [database, llm_down]);
    assert_eq!(unresolved(&[]).await, []);
}

pub(crate) async fn a_store_with_a_clock_tells_the_time(given: &Given) {
    // A file has none. A server on this machine has this machine's.
    if let Some(time) = given.store.store_time().await.unwrap() {
        let apart = SystemClock.now().duration_since(time).as_secs().abs();
        assert!(apart < 10, "{apart} s");
    }
}
