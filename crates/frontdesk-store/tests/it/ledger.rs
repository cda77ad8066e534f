//! The ledger against a model of it: whatever is done in whatever order, both say the same and the sums add up.
//!
//! `FRONTDESK_LEDGER_OPERATIONS` sets how many operations are tried; `cargo xtask verify` tries a million.

use std::{collections::BTreeMap, sync::Arc};

use frontdesk_domain::{
    ids::LedgerEntryId,
    ledger::{Account, EntryKind, Spend, Usage},
    money::PicoUsd,
    time::MonthKey,
};
use frontdesk_store::{
    ports::{Bill, Hold, LedgerFilter, LedgerStore as _, Page, Reserved},
    sqlite::SqliteStore,
};

use crate::{
    conformance::ledger::{after, hold, price, with_budget},
    support::{Place, id},
};

const COMPANIES: u32 = 3;
const MONTHS: [&str; 2] = ["2026-11", "2026-12"];
/// So many operations are handed over at once: the store does them in this order, and pays for one sync.
const AT_ONCE: usize = 200;

/// A generator without luck: the same seed, the same run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(Hold),
    Settle(u32, Bill),
    Void(u32),
}

#[derive(Debug, Clone, PartialEq)]
enum Came {
    Reserved(Reserved),
    Closed(bool),
}

type Month = (Account, MonthKey);

/// What the ledger should be.
#[derive(Default)]
struct Model {
    limits: BTreeMap<Account, PicoUsd>,
    months: BTreeMap<(Account, String), Spend>,
    entries: BTreeMap<u32, (Month, u32, EntryKind, PicoUsd, i64)>,
}

impl Model {
    fn month(&mut self, (account, month): Month) -> &mut Spend {
        self.months.entry((account, month.to_string())).or_default()
    }

    fn step(&mut self, step: &Step) -> Came {
        match step {
            Step::Reserve(hold) => Came::Reserved(self.reserve(hold)),
            Step::Settle(number, bill) => Came::Closed(self.close(*number, EntryKind::Settled, Some(bill.amount))),
            Step::Void(number) => Came::Closed(self.close(*number, EntryKind::Void, Some(PicoUsd::ZERO))),
        }
    }

    fn reserve(&mut self, hold: &Hold) -> Reserved {
        let turn = number_of(hold);
        if let Some((_, _, kind, ..)) = self.entries.get(&turn) {
            return Reserved::Known(*kind);
        }
        let limit = self.limits.get(&hold.account).copied().unwrap_or_default();
        let month = (hold.account, hold.month);
        let spend = self.month(month);
        let taken = spend.spent.pico() + spend.held.pico() + hold.amount.pico();
        if limit <= PicoUsd::ZERO || taken > limit.pico() {
            return Reserved::Refused(*spend, limit);
        }
        spend.held = spend.held + hold.amount;
        let granted = *spend;
        let lease = hold.lease_until.as_second();
        self.entries
            .insert(turn, (month, turn, EntryKind::Held, hold.amount, lease));
        Reserved::Granted(granted, limit)
    }

    /// Ends a hold with this amount, or with all of it.
    fn close(&mut self, number: u32, kind: EntryKind, amount: Option<PicoUsd>) -> bool {
        let Some((month, _, held @ EntryKind::Held, hold, _)) = self.entries.get_mut(&number) else {
            return false;
        };
        let (month, amount, whole) = (*month, amount.unwrap_or(*hold), *hold);
        (*held, *hold) = (kind, amount);
        let spend = self.month(month);
        spend.held = PicoUsd::from_pico(spend.held.pico() - whole.pico());
        spend.spent = spend.spent + amount;
        true
    }

    fn reap(&mut self, now: i64) -> Vec<u32> {
        let due: Vec<u32> = self
            .entries
            .iter()
            .filter(|(_, (_, _, kind, _, lease))| *kind == EntryKind::Held && *lease < now)
            .map(|(number, _)| *number)
            .collect();
        for number in &due {
            self.close(*number, EntryKind::Orphan, None);
        }
        due
    }
}

fn number_of(hold: &Hold) -> u32 {
    hold.turn.as_str().strip_prefix("turn-").unwrap().parse().unwrap()
}

fn company(number: u64) -> Account {
    Account::Company(id(u32::try_from(number).unwrap() + 1))
}

/// A bill within its hold, with the usage that makes it.
fn bill_of(hold: PicoUsd, draws: &mut Draws) -> Bill {
    if draws.below(4) == 0 {
        return crate::conformance::ledger::bill(hold);
    }
    let usage = Usage {
        prompt: draws.below(30),
        completion: draws.below(5),
        ..Usage::default()
    };
    Bill {
        usage: Some(usage),
        ..crate::conformance::ledger::bill(price().cost(&usage).min(hold))
    }
}

fn next_step(draws: &mut Draws, next: &mut u32, holds: &mut BTreeMap<u32, PicoUsd>, now: i64) -> Step {
    let known = |draws: &mut Draws, next: u32| u32::try_from(draws.below(u64::from(next.max(1)))).unwrap() + 1;
    match draws.below(10) {
        0..5 => {
            // Now and then a turn comes again.
            let number = if *next > 0 && draws.below(8) == 0 {
                known(draws, *next)
            } else {
                *next += 1;
                *next
            };
            let amount = PicoUsd::from_pico(i64::try_from(draws.below(5_000_000)).unwrap());
            let amount = *holds.entry(number).or_insert(amount);
            // Whoever pays for a turn stays the same, whatever else is drawn.
            let payer = u64::from(number) % u64::from(COMPANIES);
            Step::Reserve(Hold {
                account: company(payer),
                month: MONTHS[usize::try_from(draws.below(2)).unwrap()].parse().unwrap(),
                lease_until: after(now + 60),
                ..hold(number, amount)
            })
        }
        5..8 => {
            let number = known(draws, *next);
            let hold = holds.get(&number).copied().unwrap_or_default();
            Step::Settle(number, bill_of(hold, draws))
        }
        _ => Step::Void(known(draws, *next)),
    }
}

async fn take(store: Arc<SqliteStore>, step: Step, now: i64) -> Came {
    match step {
        Step::Reserve(hold) => Came::Reserved(store.reserve(hold).await.unwrap()),
        Step::Settle(number, bill) => Came::Closed(store.settle(id(number), bill).await.unwrap()),
        Step::Void(number) => Came::Closed(store.void(id(number), after(now)).await.unwrap()),
    }
}

#[tokio::test]
async fn whatever_is_done_the_ledger_is_what_its_model_is() {
    let operations = std::env::var("FRONTDESK_LEDGER_OPERATIONS").ok();
    let operations: usize = operations.map_or(20_000, |text| text.parse().unwrap());
    let place = Place::new();
    let store = place.open();
    let (mut model, mut draws) = (Model::default(), Draws(7));
    let (mut next, mut holds, mut now) = (0, BTreeMap::new(), 0);
    let mut granted = 0;
    for _ in 0..operations.div_ceil(AT_ONCE) {
        // Between the batches: a limit changes, time goes by, holds that nobody settled are charged.
        let payer = draws.below(u64::from(COMPANIES));
        let limit = PicoUsd::from_pico(i64::try_from(draws.below(2_000_000_000)).unwrap());
        let number = u32::try_from(payer).unwrap() + 1;
        with_budget(&*store, number, Some(&limit.to_string())).await;
        model.limits.insert(company(payer), limit);
        now += i64::try_from(draws.below(40)).unwrap();
        let reaped = store.reap(after(now)).await.unwrap();
        let mut reaped: Vec<LedgerEntryId> = reaped.into_iter().map(|(_, entry)| entry.id).collect();
        reaped.sort_unstable();
        let due = model.reap(after(now).as_second());
        let mut due: Vec<LedgerEntryId> = due.into_iter().map(id).collect();
        due.sort_unstable();
        assert_eq!(reaped, due);

        let steps: Vec<_> = (0..AT_ONCE)
            .map(|_| next_step(&mut draws, &mut next, &mut holds, now))
            .collect();
        let expected: Vec<_> = steps.iter().map(|step| model.step(step)).collect();
        // On one thread, tasks begin in the order in which they were started.
        let begun: Vec<_> = steps
            .iter()
            .map(|step| tokio::spawn(take(Arc::clone(&store), step.clone(), now)))
            .collect();
        let mut done = Vec::new();
        for step in begun {
            done.push(step.await.unwrap());
        }
        for ((step, done), expected) in steps.iter().zip(&done).zip(&expected) {
            assert_eq!(done, expected, "{step:?}");
            granted += u32::from(matches!(done, Came::Reserved(Reserved::Granted(..))));
        }
        for payer in 0..u64::from(COMPANIES) {
            for month in MONTHS {
                let kept = store.spend(company(payer), month.parse().unwrap()).await.unwrap();
                let expected = model.months.get(&(company(payer), month.to_owned()));
                assert_eq!(kept, expected.copied().unwrap_or_default());
            }
        }
    }
    assert!(granted > operations as u32 / 20, "only {granted} holds were granted");
    let mut kept = BTreeMap::new();
    for payer in 0..u64::from(COMPANIES) {
        let page = Page {
            after: None,
            limit: usize::MAX,
        };
        let entries = store
            .entries(company(payer), LedgerFilter::default(), page)
            .await
            .unwrap();
        kept.extend(entries.into_iter().map(|entry| (entry.id, (entry.kind, entry.amount))));
    }
    let expected: BTreeMap<LedgerEntryId, _> = model
        .entries
        .iter()
        .map(|(number, (_, _, kind, amount, _))| (id(*number), (*kind, *amount)))
        .collect();
    assert_eq!(kept, expected);
    assert_eq!(store.audit().await.unwrap().drifts, []);
}

#[tokio::test]
async fn a_figure_that_was_changed_by_hand_is_found() {
    let place = Place::new();
    let store = place.open();
    with_budget(&*store, 1, Some("1")).await;
    store.reserve(hold(1, "0.25".parse().unwrap())).await.unwrap();
    store
        .settle(id(1), crate::conformance::ledger::bill("0.25".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(store.audit().await.unwrap().drifts, []);
    for (sql, says) in [
        (
            "UPDATE ledger_months SET spent = spent + 1",
            "kept as 0.250000000001 USD",
        ),
        ("UPDATE ledger SET amount = amount - 1, hold = hold", "make 0.25 USD"),
        ("DELETE FROM ledger", "add up to 0 USD"),
    ] {
        let place = Place::new();
        std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
        std::fs::copy(store.path(), place.path()).unwrap();
        let wal = |path: &std::path::Path| path.with_extension("db-wal");
        _ = std::fs::copy(wal(store.path()), wal(&place.path()));
        let connection = rusqlite::Connection::open(place.path()).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let drifts = place.open().audit().await.unwrap().drifts;
        assert!(
            drifts.iter().any(|drift| drift.detail.contains(says)),
            "{sql}: {drifts:?}"
        );
    }
}
