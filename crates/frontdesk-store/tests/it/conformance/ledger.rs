use std::sync::Arc;

use frontdesk_domain::{
    ids::{CallId, TurnId},
    ledger::{Account, EntryKind, PriceRow, Spend, Usage},
    money::PicoUsd,
    time::Timestamp,
};
use frontdesk_store::ports::{Backend, Bill, Hold, LedgerFilter, Page, Reserved};
use serde_json::json;

use super::Given;
use crate::support::{at, company_document, id, write_of};

const NOON: &str = "2026-11-15T12:00:00Z";

pub(crate) fn usd(text: &str) -> PicoUsd {
    text.parse().unwrap()
}

pub(crate) fn price() -> PriceRow {
    PriceRow {
        id: "test".into(),
        provider: "test".into(),
        model: "test".into(),
        above_prompt_tokens: 0,
        effective_from: "2026-01-01".parse().unwrap(),
        input: 100_000,
        cached: 10_000,
        cache_write: 125_000,
        output: 500_000,
    }
}

/// A hold of company 1 in November, by a turn of this number.
pub(crate) fn hold(number: u32, amount: PicoUsd) -> Hold {
    Hold {
        id: id(number),
        account: Account::Company(id(1)),
        month: "2026-11".parse().unwrap(),
        turn: TurnId::new(&format!("turn-{number}")),
        call: CallId::new("CA1"),
        attempt: 1,
        amount,
        cap: PicoUsd::ZERO,
        model: "test".into(),
        price: Arc::new(price()),
        at: at(NOON),
        lease_until: at("2026-11-15T12:01:00Z"),
    }
}

pub(crate) fn bill(amount: PicoUsd) -> Bill {
    Bill {
        usage: None,
        price: None,
        amount,
        overrun: PicoUsd::ZERO,
        at: at(NOON),
    }
}

/// A company with this budget.
pub(crate) async fn with_budget(store: &dyn Backend, company: u32, budget: Option<&str>) {
    let mut document = company_document(company, &[]);
    document["aiAgentLogic"] = json!({ "templateGatekeeper": { "monthlyBudget": budget } });
    let write = write_of(&document);
    match store.company(id(company)).await.unwrap() {
        None => drop(store.insert_company(write).await.unwrap()),
        Some(known) => drop(store.replace_company(write, known.document.rev).await.unwrap()),
    }
}

async fn spend(store: &dyn Backend) -> (String, String) {
    let Spend { spent, held } = store
        .spend(Account::Company(id(1)), "2026-11".parse().unwrap())
        .await
        .unwrap();
    (spent.to_string(), held.to_string())
}

#[track_caller]
fn is(spend: (String, String), spent: &str, held: &str) {
    assert_eq!((spend.0.as_str(), spend.1.as_str()), (spent, held), "spent and held");
}

fn is_granted(reserved: Reserved) -> bool {
    matches!(reserved, Reserved::Granted(..))
}

async fn audited(store: &dyn Backend) {
    assert_eq!(store.audit().await.unwrap().drifts, [], "the entries add up");
}

async fn kinds(store: &dyn Backend, account: Account) -> Vec<(EntryKind, String)> {
    let page = Page { after: None, limit: 99 };
    let entries = store.entries(account, LedgerFilter::default(), page).await.unwrap();
    entries
        .into_iter()
        .map(|entry| (entry.kind, entry.amount.to_string()))
        .collect()
}

pub(crate) async fn a_hold_is_granted_if_it_fits_and_never_beyond(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    let granted = store.reserve(hold(1, usd("0.6"))).await.unwrap();
    let month = Spend {
        spent: PicoUsd::ZERO,
        held: usd("0.6"),
    };
    assert_eq!(granted, Reserved::Granted(month, usd("1")));
    assert_eq!(
        store.reserve(hold(2, usd("0.400000000001"))).await.unwrap(),
        Reserved::Refused(month, usd("1"))
    );
    assert!(
        is_granted(store.reserve(hold(3, usd("0.4"))).await.unwrap()),
        "what fits is granted"
    );
    assert!(!is_granted(
        store.reserve(hold(4, usd("0.000000000001"))).await.unwrap()
    ));
    is(spend(store).await, "0", "1");
    audited(store).await;
}

pub(crate) async fn the_limit_in_force_is_that_of_the_document(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    assert!(is_granted(store.reserve(hold(1, usd("0.6"))).await.unwrap()));
    with_budget(store, 1, Some("0.5")).await;
    assert!(
        !is_granted(store.reserve(hold(2, usd("0.000001"))).await.unwrap()),
        "a lowered limit grants nothing"
    );
    with_budget(store, 1, Some("0.8")).await;
    assert!(
        is_granted(store.reserve(hold(3, usd("0.2"))).await.unwrap()),
        "a raised one grants at once"
    );
    is(spend(store).await, "0", "0.8");
}

pub(crate) async fn without_a_budget_nothing_is_held(given: &Given) {
    let store = &*given.store;
    let nothing = Spend::default();
    assert_eq!(
        store.reserve(hold(1, usd("0.1"))).await.unwrap(),
        Reserved::Refused(nothing, PicoUsd::ZERO),
        "there is no such company"
    );
    for budget in [None, Some("0")] {
        with_budget(store, 1, budget).await;
        for amount in ["0.1", "0"] {
            let refused = Reserved::Refused(nothing, PicoUsd::ZERO);
            assert_eq!(
                store.reserve(hold(1, usd(amount))).await.unwrap(),
                refused,
                "{budget:?} {amount}"
            );
        }
    }
    with_budget(store, 1, Some("0.000001")).await;
    assert!(
        is_granted(store.reserve(hold(1, PicoUsd::ZERO)).await.unwrap()),
        "a model of one's own may be free"
    );
    assert!(!is_granted(store.reserve(hold(2, usd("-1"))).await.unwrap()));
    let platform = |number, cap| Hold {
        account: Account::Platform,
        cap: usd(cap),
        ..hold(number, usd("0.1"))
    };
    assert!(!is_granted(store.reserve(platform(3, "0.09")).await.unwrap()));
    assert!(is_granted(store.reserve(platform(4, "0.1")).await.unwrap()));
}

pub(crate) async fn a_turn_holds_once_an_attempt(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    assert!(is_granted(store.reserve(hold(1, usd("0.1"))).await.unwrap()));
    let again = |number| Hold {
        id: id(number),
        ..hold(1, usd("0.1"))
    };
    assert_eq!(store.reserve(again(2)).await.unwrap(), Reserved::Known(EntryKind::Held));
    store.settle(id(1), bill(usd("0.1"))).await.unwrap();
    assert_eq!(
        store.reserve(again(3)).await.unwrap(),
        Reserved::Known(EntryKind::Settled)
    );
    let second = Hold { attempt: 2, ..again(4) };
    assert!(is_granted(store.reserve(second).await.unwrap()));
    is(spend(store).await, "0.1", "0.1");
}

pub(crate) async fn a_bill_frees_what_it_does_not_need(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    store.reserve(hold(1, usd("1"))).await.unwrap();
    let usage = Usage {
        prompt: 1_500,
        cached: 1_200,
        cache_write: 0,
        completion: 60,
    };
    let told = Bill {
        usage: Some(usage),
        ..bill(usd("0.000072"))
    };
    assert!(store.settle(id(1), told.clone()).await.unwrap());
    assert!(!store.settle(id(1), told).await.unwrap(), "once");
    is(spend(store).await, "0.000072", "0");
    let page = Page { after: None, limit: 9 };
    let entries = store
        .entries(Account::Company(id(1)), LedgerFilter::default(), page)
        .await
        .unwrap();
    let entry = &entries[0];
    assert_eq!(
        (entry.prompt_tokens, entry.cached_tokens, entry.completion_tokens),
        (Some(1_500), Some(1_200), Some(60))
    );
    assert_eq!((entry.hold, entry.price_row.as_ref()), (Some(usd("1")), Some(&price())));
    assert_eq!(
        (entry.kind, entry.closed_at, entry.attempt),
        (EntryKind::Settled, Some(at(NOON)), Some(1))
    );
    audited(store).await;
}

pub(crate) async fn a_bill_without_usage_is_the_hold(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    store.reserve(hold(1, usd("0.3"))).await.unwrap();
    assert!(store.settle(id(1), bill(usd("0.3"))).await.unwrap());
    is(spend(store).await, "0.3", "0");
    audited(store).await;
}

pub(crate) async fn a_void_costs_nothing(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    store.reserve(hold(1, usd("1"))).await.unwrap();
    assert!(store.void(id(1), at(NOON)).await.unwrap());
    assert!(!store.void(id(1), at(NOON)).await.unwrap(), "once");
    assert!(!store.settle(id(1), bill(usd("1"))).await.unwrap());
    is(spend(store).await, "0", "0");
    assert!(is_granted(store.reserve(hold(2, usd("1"))).await.unwrap()));
    audited(store).await;
}

pub(crate) async fn what_is_beyond_a_hold_is_posted_to_the_platform_once(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    store.reserve(hold(1, usd("0.3"))).await.unwrap();
    let beyond = Bill {
        usage: Some(Usage {
            prompt: 10_000_000,
            ..Usage::default()
        }),
        overrun: usd("0.7"),
        ..bill(usd("0.3"))
    };
    assert!(store.settle(id(1), beyond.clone()).await.unwrap());
    assert!(!store.settle(id(1), beyond).await.unwrap());
    is(spend(store).await, "0.3", "0");
    assert_eq!(
        kinds(store, Account::Platform).await,
        [(EntryKind::Overrun, "0.7".to_owned())]
    );
    let platform = store
        .spend(Account::Platform, "2026-11".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(platform.spent, usd("0.7"));
    audited(store).await;
}

pub(crate) async fn nobody_settles_and_the_hold_is_charged_in_full(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    store.reserve(hold(1, usd("0.3"))).await.unwrap();
    assert_eq!(
        store.reap(at("2026-11-15T12:01:00Z")).await.unwrap(),
        [],
        "the lease has not ended"
    );
    let reaped = store.reap(at("2026-11-15T12:01:01Z")).await.unwrap();
    assert_eq!(
        (reaped.len(), reaped[0].0, reaped[0].1.kind),
        (1, Account::Company(id(1)), EntryKind::Orphan)
    );
    assert_eq!(store.reap(at("2026-11-15T12:09:00Z")).await.unwrap(), [], "once");
    is(spend(store).await, "0.3", "0");
    let late = Bill {
        overrun: usd("0.1"),
        ..bill(usd("0.3"))
    };
    assert!(
        !store.settle(id(1), late).await.unwrap(),
        "a bill that comes late changes nothing"
    );
    is(spend(store).await, "0.3", "0");
    assert_eq!(
        kinds(store, Account::Platform).await.len(),
        1,
        "but what is beyond the hold is noted"
    );
    audited(store).await;
}

pub(crate) async fn a_month_is_paid_by_the_month_that_held(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    let october = Hold {
        month: "2026-10".parse().unwrap(),
        ..hold(1, usd("1"))
    };
    store.reserve(october).await.unwrap();
    assert!(
        is_granted(store.reserve(hold(2, usd("1"))).await.unwrap()),
        "November has a budget of its own"
    );
    store.settle(id(1), bill(usd("1"))).await.unwrap();
    is(spend(store).await, "0", "1");
    let october = store
        .spend(Account::Company(id(1)), "2026-10".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(october.spent, usd("1"));
    audited(store).await;
}

pub(crate) async fn an_import_counts_as_spent(given: &Given) {
    let store = &*given.store;
    let mut document = company_document(1, &[]);
    document["aiAgentLogic"] = json!({ "templateGatekeeper": { "monthlyBudget": "1" } });
    let write = write_of(&document);
    let item = frontdesk_store::ports::ImportItem::Company {
        company: write.company,
        json: write.json,
        secrets: frontdesk_domain::documents::company::SecretChanges::default(),
        opening: frontdesk_domain::documents::company::Opening {
            current_spend: Some(usd("0.9")),
            last_reset: Some(at("2026-11-02T12:00:00Z")),
            ..Default::default()
        },
    };
    store.import(vec![item], at(NOON)).await.unwrap();
    is(spend(store).await, "0.9", "0");
    assert!(!is_granted(store.reserve(hold(1, usd("0.2"))).await.unwrap()));
    assert!(is_granted(store.reserve(hold(1, usd("0.1"))).await.unwrap()));
    audited(store).await;
}

pub(crate) async fn entries_are_listed_newest_first_in_pages(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("9")).await;
    for number in 1..=5 {
        store.reserve(hold(number, usd("1"))).await.unwrap();
    }
    store.void(id(2), at(NOON)).await.unwrap();
    let list = async |filter, after| {
        let page = Page { after, limit: 2 };
        let entries = store.entries(Account::Company(id(1)), filter, page).await.unwrap();
        entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(list(LedgerFilter::default(), None).await, [id(5), id(4)]);
    assert_eq!(list(LedgerFilter::default(), Some(id(4))).await, [id(3), id(2)]);
    let held = LedgerFilter {
        kind: Some(EntryKind::Held),
        ..LedgerFilter::default()
    };
    assert_eq!(list(held, Some(id(4))).await, [id(3), id(1)]);
    let october = LedgerFilter {
        month: Some("2026-10".parse().unwrap()),
        kind: None,
    };
    assert_eq!(list(october, None).await, []);
}

pub(crate) async fn companies_do_not_see_each_others_entries(given: &Given) {
    let store = &*given.store;
    with_budget(store, 1, Some("1")).await;
    with_budget(store, 2, Some("1")).await;
    let other = |number| Hold {
        account: Account::Company(id(2)),
        ..hold(number, usd("1"))
    };
    assert!(is_granted(store.reserve(hold(1, usd("1"))).await.unwrap()));
    let same_turn = Hold { id: id(2), ..other(1) };
    assert!(
        is_granted(store.reserve(same_turn).await.unwrap()),
        "each has a budget and turns of its own"
    );
    assert_eq!(kinds(store, Account::Company(id(1))).await.len(), 1);
    assert_eq!(kinds(store, Account::Platform).await, []);
}

pub(crate) async fn of_many_at_once_as_many_are_granted_as_fit(given: &Given) {
    with_budget(&*given.store, 1, Some("1")).await;
    let other = (given.reopen)();
    let asking: Vec<_> = (1..=200_u32)
        .map(|number| {
            let store = if number % 2 == 0 {
                Arc::clone(&given.store)
            } else {
                Arc::clone(&other)
            };
            tokio::spawn(async move { store.reserve(hold(number, usd("0.1"))).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for asked in asking {
        granted += u32::from(is_granted(asked.await.unwrap()));
    }
    assert_eq!(granted, 10);
    is(spend(&*given.store).await, "0", "1");
    audited(&*given.store).await;
}

/// A time so many seconds after noon.
pub(crate) fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(at(NOON).as_second() + seconds).unwrap()
}
