//! What becomes of holds.

use std::sync::Arc;

use frontdesk_domain::{
    ids::{CallId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry, PriceRow, Usage},
    money::PicoUsd,
};
use frontdesk_store::ports::{Bill, Hold, Reserved};
use futures_util::future::join_all;

use super::{
    Given,
    ledger::{
        NOVEMBER, all_entries, bill, bill_of, check_audit, entry, entry_of_company, hold, limited, month, now,
        of_platform, pico, price, set_limit, spend, spend_of, spent,
    },
};
use crate::support::{at, id};

pub(crate) async fn a_hold_is_charged_as_billed(given: &Given) {
    let store = limited(given, 100).await;
    let granted = store.reserve(hold(1, 60)).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(0, 60), pico(100)));
    assert_eq!(spend(store).await, spent(0, 60));
    let held = entry_of_company(store, 1).await;
    assert_eq!(
        (held.kind, held.amount, held.closed_at),
        (EntryKind::Held, pico(60), None)
    );
    let usage = Usage {
        prompt: 10,
        cached: 4,
        cache_write: 3,
        completion: 2,
    };
    let bill = bill_of(usage, 60);
    assert!(store.settle(id(1), bill.clone()).await.unwrap());
    // 3 fresh at 2, 4 cached at 1, 3 written at 3, 2 of the answer at 4.
    assert_eq!(spend(store).await, spent(27, 0));
    let settled = LedgerEntry {
        id: id(1),
        month: month(NOVEMBER),
        turn_id: Some(TurnId::new("CA1-1")),
        call_id: Some(CallId::new("CA1")),
        attempt: Some(1),
        kind: EntryKind::Settled,
        model: Some("small-1".into()),
        prompt_tokens: Some(10),
        cached_tokens: Some(4),
        cache_write_tokens: Some(3),
        completion_tokens: Some(2),
        price_row: Some((*price()).clone()),
        hold: Some(pico(60)),
        amount: pico(27),
        at: now(),
        closed_at: Some(bill.at),
    };
    assert_eq!(all_entries(&**store, Account::Company(id(1))).await, [settled]);
    check_audit(store, 1, 1).await;
}

pub(crate) async fn another_price_of_the_bill_is_kept(given: &Given) {
    let store = limited(given, 100).await;
    store.reserve(hold(1, 60)).await.unwrap();
    let dearer = PriceRow {
        id: "dearer".into(),
        input: 5,
        ..(*price()).clone()
    };
    let bill = Bill {
        price: Some(Arc::new(dearer.clone())),
        amount: pico(50),
        ..bill(10, 60)
    };
    store.settle(id(1), bill).await.unwrap();
    assert_eq!(entry_of_company(store, 1).await.price_row, Some(dearer));
    check_audit(store, 1, 1).await;
}

pub(crate) async fn what_is_closed_stays_as_it_is(given: &Given) {
    let store = limited(given, 100).await;
    for number in [1, 2] {
        store.reserve(hold(number, 20)).await.unwrap();
    }
    assert!(store.settle(id(1), bill(3, 20)).await.unwrap());
    assert!(store.void(id(2), now()).await.unwrap());
    assert_eq!(spend(store).await, spent(6, 0));
    let voided = entry_of_company(store, 2).await;
    assert_eq!((voided.kind, voided.amount), (EntryKind::Void, PicoUsd::ZERO));
    assert_eq!((voided.hold, voided.closed_at), (Some(pico(20)), Some(now())));
    for number in [1, 2, 3] {
        assert!(!store.settle(id(number), bill(9, 20)).await.unwrap(), "{number}");
        assert!(!store.void(id(number), now()).await.unwrap(), "{number}");
    }
    assert_eq!(spend(store).await, spent(6, 0));
    assert_eq!(entry_of_company(store, 1).await.amount, pico(6));
    assert_eq!(entry_of_company(store, 2).await, voided);
    check_audit(store, 2, 1).await;
}

pub(crate) async fn a_hold_of_october_is_settled_in_october(given: &Given) {
    let store = limited(given, 100).await;
    let october = Hold {
        month: month("2026-10"),
        ..hold(1, 90)
    };
    store.reserve(october).await.unwrap();
    let november = store.reserve(hold(2, 90)).await.unwrap();
    assert_eq!(
        november,
        Reserved::Granted(spent(0, 90), pico(100)),
        "a month of its own"
    );
    store.settle(id(1), bill(10, 90)).await.unwrap();
    let company = Account::Company(id(1));
    assert_eq!(spend_of(store, company, "2026-10").await, spent(20, 0));
    assert_eq!(spend(store).await, spent(0, 90));
    check_audit(store, 2, 2).await;
}

pub(crate) async fn a_bill_takes_no_more_than_its_hold(given: &Given) {
    let store = limited(given, 100).await;
    for number in 1..=4 {
        store.reserve(hold(number, 20)).await.unwrap();
    }
    let beyond = Bill {
        amount: pico(21),
        ..bill(1_000, 20)
    };
    let no_usage = Bill {
        usage: None,
        ..bill(1, 20)
    };
    let negative = Bill {
        amount: pico(-1),
        ..bill(0, 20)
    };
    let absurd = Usage {
        prompt: u64::MAX,
        cached: u64::MAX,
        cache_write: u64::MAX,
        completion: u64::MAX,
    };
    let absurd = Bill {
        overrun: PicoUsd::ZERO,
        ..bill_of(absurd, 20)
    };
    let bills = [beyond, no_usage, negative, absurd];
    for ((number, bill), charged) in (1..).zip(bills).zip([20, 20, 0, 20]) {
        let bill = Bill {
            overrun: PicoUsd::ZERO,
            ..bill
        };
        assert!(store.settle(id(number), bill).await.unwrap());
        assert_eq!(entry_of_company(store, number).await.amount, pico(charged), "{number}");
    }
    assert_eq!(entry_of_company(store, 2).await.prompt_tokens, None);
    assert_eq!(spend(store).await, spent(60, 0));
    check_audit(store, 4, 1).await;
}

pub(crate) async fn an_overrun_is_the_platforms_and_noted_once(given: &Given) {
    let store = limited(given, 100).await;
    let late = Bill {
        // Already December in UTC; in the company's zone it is still November.
        at: at("2026-12-01T00:00:30Z"),
        ..bill(13, 20)
    };
    store.reserve(hold(1, 20)).await.unwrap();
    assert!(store.settle(id(1), late.clone()).await.unwrap());
    assert!(!store.settle(id(1), late.clone()).await.unwrap());
    assert_eq!(spend(store).await, spent(20, 0));
    assert_eq!(spend_of(store, Account::Platform, "2026-12").await, spent(6, 0));
    let overruns = all_entries(&**store, Account::Platform).await;
    let [overrun] = &overruns[..] else {
        panic!("{overruns:?}")
    };
    assert_eq!((overrun.kind, overrun.amount), (EntryKind::Overrun, pico(6)));
    assert_eq!((overrun.month, overrun.at), (month("2026-12"), late.at));
    let settled = entry_of_company(store, 1).await;
    assert_eq!(
        (
            &overrun.turn_id,
            &overrun.call_id,
            overrun.attempt,
            &overrun.model,
            &overrun.price_row
        ),
        (
            &settled.turn_id,
            &settled.call_id,
            settled.attempt,
            &settled.model,
            &settled.price_row
        )
    );
    check_audit(store, 2, 2).await;
}

pub(crate) async fn a_bill_that_comes_too_late_still_notes_its_overrun(given: &Given) {
    let store = limited(given, 100).await;
    for number in [1, 2] {
        store.reserve(hold(number, 20)).await.unwrap();
    }
    assert_eq!(store.reap(at("2026-11-15T12:02:00Z")).await.unwrap().len(), 2);
    for _ in 0..2 {
        assert!(!store.settle(id(1), bill(11, 20)).await.unwrap());
        assert!(!store.settle(id(2), bill(12, 20)).await.unwrap());
    }
    assert_eq!(spend(store).await, spent(40, 0));
    assert_eq!(spend_of(store, Account::Platform, NOVEMBER).await, spent(6, 0));
    // The platform's own attempt of the same turn is none that is known.
    let own = Hold {
        turn: hold(1, 1).turn,
        ..of_platform(3, 1, 10)
    };
    let granted = store.reserve(own).await.unwrap();
    assert_eq!(granted, Reserved::Granted(spent(6, 1), pico(10)), "an overrun counts");
    check_audit(store, 5, 2).await;
}

pub(crate) async fn a_hold_whose_lease_ended_is_charged_in_full_once(given: &Given) {
    let store = limited(given, 100).await;
    let until = |number, time: &str| Hold {
        lease_until: at(time),
        ..hold(number, 10)
    };
    store.reserve(until(1, "2026-11-15T12:01:00Z")).await.unwrap();
    store.reserve(until(2, "2026-11-15T12:02:00Z")).await.unwrap();
    store.reserve(until(3, "2026-11-15T12:00:30Z")).await.unwrap();
    store.settle(id(3), bill(1, 10)).await.unwrap();
    let platforms = Hold {
        lease_until: at("2026-11-15T12:00:59Z"),
        ..of_platform(4, 5, 5)
    };
    store.reserve(platforms).await.unwrap();
    assert_eq!(store.reap(at("2026-11-15T12:00:40Z")).await.unwrap(), []);
    // Of two that end at this instant neither has ended before it.
    let end = at("2026-11-15T12:02:00Z");
    let reaped = store.reap(end).await.unwrap();
    let orphans = [
        (Account::Platform, entry(store, Account::Platform, 4).await),
        (Account::Company(id(1)), entry_of_company(store, 1).await),
    ];
    assert_eq!(reaped, orphans);
    for (_, orphan) in &orphans {
        assert_eq!((orphan.kind, Some(orphan.amount)), (EntryKind::Orphan, orphan.hold));
        assert_eq!(orphan.closed_at, Some(end));
    }
    assert_eq!(store.reap(end).await.unwrap(), []);
    assert_eq!(spend(store).await, spent(12, 10));
    assert_eq!(spend_of(store, Account::Platform, NOVEMBER).await, spent(5, 0));
    assert!(!store.void(id(1), end).await.unwrap());
    assert_eq!(
        store.reserve(hold(1, 10)).await.unwrap(),
        Reserved::Known(EntryKind::Orphan)
    );
    check_audit(store, 4, 2).await;
}

pub(crate) async fn many_holds_are_reaped_in_turns(given: &Given) {
    const COMPANIES: u32 = 26;
    let store = &given.store;
    let account = |company: u32| Account::Company(id(company));
    for company in 1..=COMPANIES {
        set_limit(&**store, company, Some(10_000)).await;
    }
    for numbers in (1..=501).collect::<Vec<u32>>().chunks(16) {
        let holds = numbers.iter().map(|number| Hold {
            account: account(number % COMPANIES + 1),
            ..hold(*number, 10)
        });
        for reserved in join_all(holds.map(|hold| store.reserve(hold))).await {
            assert!(matches!(reserved.unwrap(), Reserved::Granted(..)));
        }
    }
    let all = async || {
        let spends = (1..=COMPANIES).map(|company| store.spend(account(company), month(NOVEMBER)));
        let spends = join_all(spends).await.into_iter().map(Result::unwrap);
        spends.fold((0, 0), |(spent, held), spend| {
            (spent + spend.spent.pico(), held + spend.held.pico())
        })
    };
    let end = at("2026-11-15T12:02:00Z");
    assert_eq!(store.reap(end).await.unwrap().len(), 500);
    assert_eq!(all().await, (5_000, 10));
    assert_eq!(store.reap(end).await.unwrap().len(), 1);
    assert_eq!(all().await, (5_010, 0));
    check_audit(store, 501, u64::from(COMPANIES)).await;
}

pub(crate) async fn a_deleted_companys_ledger_stays(given: &Given) {
    let store = limited(given, 100).await;
    for number in [1, 2] {
        store.reserve(hold(number, 20)).await.unwrap();
    }
    store.delete_company(id(1), None).await.unwrap();
    assert!(store.settle(id(1), bill(5, 20)).await.unwrap());
    assert_eq!(spend(store).await, spent(10, 20));
    assert_eq!(
        store.reserve(hold(3, 1)).await.unwrap(),
        Reserved::Refused(spent(10, 20), PicoUsd::ZERO)
    );
    check_audit(store, 2, 1).await;
}

pub(crate) async fn what_turns_were_charged_is_told_once_it_is_known(given: &Given) {
    let store = limited(given, 1_000).await;
    let again = Hold {
        turn: TurnId::new("CA1-1"),
        attempt: 2,
        ..hold(2, 60)
    };
    for hold in [hold(1, 60), again, hold(3, 60), hold(4, 60), hold(5, 60)] {
        store.reserve(hold).await.unwrap();
    }
    let turns = || {
        [1, 3, 4, 5, 6]
            .map(|number| TurnId::new(&format!("CA{number}-1")))
            .to_vec()
    };
    let charged = async |company: u32| {
        let account = Account::Company(id(company));
        store.charged(account, turns()).await.unwrap()
    };
    assert!(charged(1).await.is_empty(), "all of it is held");
    store.void(id(1), now()).await.unwrap();
    store.settle(id(2), bill(10, 60)).await.unwrap();
    store.settle(id(3), bill(90, 60)).await.unwrap();
    store.void(id(5), now()).await.unwrap();
    let told = [("CA1-1", 20), ("CA3-1", 60), ("CA5-1", 0)].map(|(turn, amount)| (TurnId::new(turn), pico(amount)));
    assert_eq!(
        charged(1).await,
        told,
        "both attempts, no overrun, and nothing of what is held"
    );
    assert!(charged(2).await.is_empty(), "another company's are another's");
}
