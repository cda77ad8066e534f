//! What is held, and what is not.

use std::sync::Arc;

use frontdesk_domain::{
    ids::CompanyId,
    ledger::{Account, EntryKind, Spend},
    money::PicoUsd,
};
use frontdesk_store::ports::{Backend, Hold, LedgerFilter, Page, Reserved};
use futures_util::future::join_all;

use super::{
    Given,
    ledger::{
        NOVEMBER, bill, check_audit, entry, hold, imported, limited, month, now, of_platform, pico, set_limit, spend,
        spent, with_limit,
    },
};
use crate::support::{at, company_document, id, write_of};

pub(crate) async fn what_does_not_fit_is_refused_and_what_fits_is_not(given: &Given) {
    let store = limited(given, 100).await;
    store.reserve(hold(1, 30)).await.unwrap();
    store.settle(id(1), bill(10, 30)).await.unwrap();
    store.reserve(hold(2, 30)).await.unwrap();
    let refused = store.reserve(hold(3, 51)).await.unwrap();
    assert_eq!(refused, Reserved::Refused(spent(20, 30), pico(100)));
    assert_eq!(spend(store).await, spent(20, 30));
    let beyond = store.reserve(hold(3, i64::MAX)).await.unwrap();
    assert_eq!(beyond, Reserved::Refused(spent(20, 30), pico(100)));
    let negative = store.reserve(hold(3, -1)).await.unwrap();
    assert_eq!(negative, Reserved::Refused(spent(20, 30), pico(100)));
    let granted = store.reserve(hold(3, 50)).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(20, 80), pico(100)));
    let free = store.reserve(hold(4, 0)).await.unwrap();
    assert_eq!(free, Reserved::Granted(spent(20, 80), pico(100)), "it costs nothing");
    check_audit(store, 4, 1).await;
}

pub(crate) async fn a_limit_of_nothing_holds_nothing(given: &Given) {
    let store = &given.store;
    let refused = Reserved::Refused(Spend::default(), PicoUsd::ZERO);
    assert_eq!(store.reserve(hold(1, 0)).await.unwrap(), refused, "there is no company");
    store.insert_company(write_of(&company_document(1, &[]))).await.unwrap();
    assert_eq!(store.reserve(hold(1, 0)).await.unwrap(), refused, "it sets no limit");
    for limit in [None, Some(0)] {
        set_limit(&**store, 1, limit).await;
        assert_eq!(store.reserve(hold(1, 0)).await.unwrap(), refused, "{limit:?}");
    }
    let mut negative = write_of(&with_limit(1, Some(1)));
    negative.json["aiAgentLogic"]["templateGatekeeper"]["monthlyBudget"] = "-5".into();
    let stored = store.company(id(1)).await.unwrap().unwrap();
    store.replace_company(negative, stored.document.rev).await.unwrap();
    let refused = Reserved::Refused(Spend::default(), "-5".parse().unwrap());
    assert_eq!(store.reserve(hold(1, 0)).await.unwrap(), refused);
    check_audit(store, 0, 0).await;
}

pub(crate) async fn the_limit_is_the_stored_companys_at_that_instant(given: &Given) {
    let store = limited(given, 100).await;
    store.reserve(hold(1, 60)).await.unwrap();
    set_limit(&**store, 1, Some(50)).await;
    let with_cap = Hold {
        cap: pico(1_000),
        ..hold(2, 1)
    };
    let refused = store.reserve(with_cap).await.unwrap();
    assert_eq!(refused, Reserved::Refused(spent(0, 60), pico(50)));
    let free = store.reserve(hold(2, 0)).await.unwrap();
    assert_eq!(free, Reserved::Refused(spent(0, 60), pico(50)));
    store.settle(id(1), bill(10, 60)).await.unwrap();
    let granted = store.reserve(hold(2, 30)).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(20, 30), pico(50)), "enough came back");
    set_limit(&**store, 1, Some(200)).await;
    let granted = store.reserve(hold(3, 150)).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(20, 180), pico(200)));
}

pub(crate) async fn the_platform_has_a_cap_of_its_own(given: &Given) {
    let store = limited(given, 100).await;
    let granted = store.reserve(of_platform(1, 7, 10)).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(0, 7), pico(10)));
    let refused = store.reserve(of_platform(2, 7, 10)).await.unwrap();
    assert_eq!(refused, Reserved::Refused(spent(0, 7), pico(10)));
    let refused = store.reserve(of_platform(2, 0, 0)).await.unwrap();
    assert_eq!(refused, Reserved::Refused(spent(0, 7), pico(0)));
    assert_eq!(spend(store).await, Spend::default(), "companies have no part in it");
    assert_eq!(entry(store, Account::Platform, 1).await.kind, EntryKind::Held);
}

pub(crate) async fn an_attempt_of_a_turn_holds_once(given: &Given) {
    let store = limited(given, 100).await;
    set_limit(&**store, 2, Some(100)).await;
    let again = |number, attempt| Hold {
        id: id(number),
        attempt,
        ..hold(1, 10)
    };
    store.reserve(again(1, 1)).await.unwrap();
    assert_eq!(
        store.reserve(again(2, 1)).await.unwrap(),
        Reserved::Known(EntryKind::Held)
    );
    store.void(id(1), now()).await.unwrap();
    assert_eq!(
        store.reserve(again(2, 1)).await.unwrap(),
        Reserved::Known(EntryKind::Void)
    );
    let second = store.reserve(again(2, 2)).await.unwrap();
    assert_eq!(second, Reserved::Granted(spent(0, 10), pico(100)));
    store.settle(id(2), bill(5, 10)).await.unwrap();
    assert_eq!(
        store.reserve(again(3, 2)).await.unwrap(),
        Reserved::Known(EntryKind::Settled)
    );
    let of_another = Hold {
        account: Account::Company(id(2)),
        ..again(3, 1)
    };
    let granted = store.reserve(of_another).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(0, 10), pico(100)));
    let in_december = Hold {
        month: month("2026-12"),
        ..again(4, 2)
    };
    assert_eq!(
        store.reserve(in_december).await.unwrap(),
        Reserved::Known(EntryKind::Settled),
        "whatever the month"
    );
    assert_eq!(spend(store).await, spent(10, 0));
    check_audit(store, 3, 2).await;
}

pub(crate) async fn entries_are_listed_newest_first_in_pages(given: &Given) {
    let store = limited(given, 1_000).await;
    set_limit(&**store, 2, Some(1_000)).await;
    for number in 1..=6 {
        let hold = hold(number, 10);
        let hold = match number {
            2 => Hold {
                month: month("2026-10"),
                ..hold
            },
            4 => Hold {
                account: Account::Company(id(2)),
                ..hold
            },
            _ => hold,
        };
        store.reserve(hold).await.unwrap();
    }
    store.void(id(3), now()).await.unwrap();
    store.void(id(5), now()).await.unwrap();
    let list = async |filter, after, limit| {
        let page = Page { after, limit };
        let entries = store.entries(Account::Company(id(1)), filter, page).await.unwrap();
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    let all = LedgerFilter::default();
    assert_eq!(list(all, None, 2).await, [id(6), id(5)]);
    assert_eq!(list(all, Some(id(5)), 2).await, [id(3), id(2)]);
    assert_eq!(list(all, Some(id(2)), 2).await, [id(1)]);
    assert_eq!(list(all, Some(id(1)), 2).await, []);
    let october = LedgerFilter {
        month: Some(month("2026-10")),
        kind: None,
    };
    assert_eq!(list(october, None, 9).await, [id(2)]);
    let voided = LedgerFilter {
        month: Some(month(NOVEMBER)),
        kind: Some(EntryKind::Void),
    };
    assert_eq!(list(voided, None, 1).await, [id(5)]);
    assert_eq!(list(voided, Some(id(5)), 9).await, [id(3)]);
}

pub(crate) async fn imported_spend_counts(given: &Given) {
    let store = &given.store;
    let document = with_limit(1, Some(100));
    for amount in [70, 90] {
        let items = vec![imported(&document, amount, at("2026-11-01T05:00:00Z"))];
        store.import(items, now()).await.unwrap();
        assert_eq!(spend(store).await, spent(70, 0), "a month is opened once");
    }
    assert_eq!(
        store.reserve(hold(1, 31)).await.unwrap(),
        Reserved::Refused(spent(70, 0), pico(100))
    );
    assert_eq!(
        store.reserve(hold(1, 30)).await.unwrap(),
        Reserved::Granted(spent(70, 30), pico(100))
    );
    check_audit(store, 2, 1).await;
}

pub(crate) async fn a_refused_import_spends_nothing(given: &Given) {
    let store = &given.store;
    let mut refused = company_document(2, &[10]);
    refused["name"] = "Refers to nothing".into();
    let items = vec![
        imported(&with_limit(1, Some(100)), 70, at("2026-11-01T05:00:00Z")),
        imported(&refused, 70, at("2026-11-01T05:00:00Z")),
    ];
    store.import(items, now()).await.unwrap_err();
    assert_eq!(spend(store).await, Spend::default());
    check_audit(store, 0, 0).await;
}

pub(crate) async fn the_ledger_is_there_after_reopening(given: &Given) {
    let store = limited(given, 100).await;
    store.reserve(hold(1, 20)).await.unwrap();
    let other = (given.reopen)().await;
    assert_eq!(spend(&other).await, spent(0, 20));
    assert_eq!(
        other.reserve(hold(1, 20)).await.unwrap(),
        Reserved::Known(EntryKind::Held)
    );
    assert!(other.settle(id(1), bill(5, 20)).await.unwrap());
    assert_eq!(spend(store).await, spent(10, 0));
}

/// 200 turns ask at once, on these stores in turns, for what fits ten times.
async fn check_race(stores: &[&Arc<dyn Backend>]) {
    let turns = (1_u32..).zip(stores.iter().cycle()).take(200);
    let reserved = join_all(turns.map(|(number, store)| store.reserve(hold(number, 10)))).await;
    let is_granted = |reserved: &Result<Reserved, _>| matches!(reserved, Ok(Reserved::Granted(..)));
    assert_eq!(reserved.iter().filter(|one| is_granted(one)).count(), 10);
    for refused in reserved.iter().filter(|one| !is_granted(one)) {
        let full = Reserved::Refused(spent(0, 100), pico(109));
        assert_eq!(refused.as_ref().unwrap(), &full, "none is refused that fits");
    }
    for store in stores {
        assert_eq!(spend(store).await, spent(0, 100));
        check_audit(store, 10, 1).await;
    }
}

pub(crate) async fn of_many_at_once_as_many_hold_as_fit(given: &Given) {
    check_race(&[limited(given, 109).await]).await;
}

pub(crate) async fn of_many_at_once_through_two_stores_as_many_hold_as_fit(given: &Given) {
    let other = (given.reopen)().await;
    check_race(&[limited(given, 109).await, &other]).await;
}

pub(crate) async fn what_companies_have_spent_of_a_month_is_listed_by_company(given: &Given) {
    let store = &given.store;
    let of_company = |company: u32, number: u32, amount: i64| Hold {
        account: Account::Company(id(company)),
        ..hold(number, amount)
    };
    let of_october = Hold {
        month: month("2026-10"),
        ..of_company(4, 5, 30)
    };
    let holds = [
        of_company(1, 1, 30),
        of_company(1, 2, 7),
        of_company(2, 3, 30),
        of_company(3, 4, 30),
        of_october,
        of_platform(6, 30, 100),
    ];
    for company in 1..=4 {
        set_limit(&**store, company, Some(100)).await;
    }
    for hold in holds {
        store.reserve(hold).await.unwrap();
    }
    for (number, prompt) in [(1, 10), (3, 5), (5, 5), (6, 5)] {
        assert!(store.settle(id(number), bill(prompt, 30)).await.unwrap(), "{number}");
    }
    let list = async |after: Option<u32>, limit: usize| {
        let after = after.map(id::<CompanyId>);
        store.spends(month(NOVEMBER), Page { after, limit }).await.unwrap()
    };
    let (first, second) = ((id::<CompanyId>(1), spent(20, 7)), (id::<CompanyId>(2), spent(10, 0)));
    assert_eq!(list(None, 10).await, [first, second], "what is only held is not spent");
    assert_eq!(list(None, 1).await, [first]);
    assert_eq!(list(Some(1), 10).await, [second]);
    assert!(list(Some(2), 10).await.is_empty());
}
