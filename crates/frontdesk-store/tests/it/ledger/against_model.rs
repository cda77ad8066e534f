//! Random operations, after each of which the store says what the model says.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{
    ids::TurnId,
    ledger::{Account, LedgerEntry, Usage},
    time::{MonthKey, Timestamp},
};
use frontdesk_store::ports::{Backend, Bill, Hold, LedgerFilter, Page};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use super::model::{COMPANIES, Model, accounts};
use crate::{
    conformance::ledger::{all_entries, bill_of, hold, imported, month, pico, set_limit, with_limit},
    support::{Place, at, id},
};

const MONTHS: [&str; 2] = ["2026-10", "2026-11"];

/// So many operations are done on one store; then everything is compared and added up.
const OPERATIONS_A_STORE: usize = 400;

#[derive(Debug, Clone)]
enum Operation {
    Reserve {
        account: usize,
        month: usize,
        turn: u8,
        attempt: u32,
        amount: i64,
        lease: u64,
    },
    Settle {
        which: Index,
        usage: Option<Usage>,
        /// What is billed beyond the hold without tokens.
        overrun: i64,
    },
    Void(Index),
    /// So many seconds pass, and then the reaper comes.
    Reap(u64),
    Limit(u32, Option<i64>),
    Import {
        company: u32,
        month: usize,
        amount: i64,
    },
}

fn usage() -> impl Strategy<Value = Usage> {
    let tokens = (0..6_u64, 0..6_u64, 0..6_u64, 0..4_u64);
    tokens.prop_map(|(fresh, cached, cache_write, completion)| Usage {
        prompt: fresh + cached + cache_write,
        cached,
        cache_write,
        completion,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let reserve = (0..4_usize, 0..2_usize, 0..100_u8, 1..3_u32, 0..60_i64, 1..60_u64);
    let reserve = reserve.prop_map(|(account, month, turn, attempt, amount, lease)| Operation::Reserve {
        account,
        month,
        turn,
        attempt,
        amount,
        lease,
    });
    let settle = (any::<Index>(), proptest::option::weighted(0.9, usage()), -20..10_i64);
    let settle = settle.prop_map(|(which, usage, overrun)| Operation::Settle {
        which,
        usage,
        overrun: overrun.max(0),
    });
    let limit = (1..=COMPANIES, proptest::option::weighted(0.9, 0..1_500_i64));
    let import = (1..=COMPANIES, 0..2_usize, 1..100_i64);
    prop_oneof![
        10 => reserve,
        6 => settle,
        2 => any::<Index>().prop_map(Operation::Void),
        1 => (0..20_u64).prop_map(Operation::Reap),
        1 => limit.prop_map(|(company, limit)| Operation::Limit(company, limit)),
        1 => import.prop_map(|(company, month, amount)| Operation::Import { company, month, amount }),
    ]
}

struct Run {
    store: Arc<dyn Backend>,
    model: Model,
    now: Timestamp,
    /// Every hold that was asked for, granted or not; the number of each is its place, from 1.
    asked: Vec<Hold>,
}

impl Run {
    async fn new(store: Arc<dyn Backend>) -> Self {
        let mut model = Model::default();
        for company in 1..=COMPANIES {
            set_limit(&*store, company, Some(500)).await;
        }
        model.limits.fill(Some(500));
        Self {
            store,
            model,
            now: at("2026-10-31T23:55:00Z"),
            asked: Vec::new(),
        }
    }

    async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Reserve {
                account,
                month: at_month,
                turn,
                attempt,
                amount,
                lease,
            } => {
                let number = u32::try_from(self.asked.len()).unwrap() + 1;
                let hold = Hold {
                    account: accounts().nth(account).unwrap(),
                    month: month(MONTHS[at_month]),
                    // Turns of different accounts are different turns: a call has one company.
                    turn: TurnId::new(&format!("CA{account}-{turn}")),
                    attempt,
                    cap: pico(400),
                    at: self.now,
                    lease_until: self.now + Duration::from_secs(lease),
                    ..hold(number, amount)
                };
                self.reserve(hold).await;
            }
            Operation::Settle { which, usage, overrun } => self.settle(which, usage, overrun).await,
            Operation::Void(which) => {
                let Some(hold) = self.pick(which) else { return };
                let voided = self.store.void(hold.id, self.now).await.unwrap();
                assert_eq!(voided, self.model.void(hold.id));
                self.check_entry(&hold).await;
            }
            Operation::Reap(seconds) => self.reap(seconds).await,
            Operation::Limit(company, limit) => {
                self.model.limits[company as usize - 1] = limit;
                set_limit(&*self.store, company, limit).await;
            }
            Operation::Import {
                company,
                month: at_month,
                amount,
            } => {
                let account = Account::Company(id(company));
                let now = at(&format!("{}-20T12:00:00Z", MONTHS[at_month]));
                let document = with_limit(company, self.model.limit(account));
                let items = vec![imported(&document, amount, now)];
                self.store.import(items, now).await.unwrap();
                self.model.import(account, month(MONTHS[at_month]), pico(amount));
                self.check_spend(account, month(MONTHS[at_month])).await;
            }
        }
    }

    fn pick(&self, which: Index) -> Option<Hold> {
        let is_any = !self.asked.is_empty();
        is_any.then(|| which.get(&self.asked).clone())
    }

    async fn reserve(&mut self, hold: Hold) {
        let reserved = self.store.reserve(hold.clone()).await.unwrap();
        assert_eq!(reserved, self.model.reserve(&hold));
        self.check_entry(&hold).await;
        self.asked.push(hold);
    }

    async fn settle(&mut self, which: Index, usage: Option<Usage>, overrun: i64) {
        let Some(hold) = self.pick(which) else { return };
        let bill = match usage {
            Some(usage) => bill_of(usage, hold.amount.pico()),
            None => Bill {
                usage: None,
                amount: hold.amount,
                overrun: pico(overrun),
                ..bill_of(Usage::default(), 0)
            },
        };
        let bill = Bill { at: self.now, ..bill };
        let settled = self.store.settle(hold.id, bill.clone()).await.unwrap();
        assert_eq!(settled, self.model.settle(hold.id, &bill));
        self.check_entry(&hold).await;
        for month_of in MONTHS {
            self.check_spend(Account::Platform, month(month_of)).await;
        }
    }

    async fn reap(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        let reaped = self.store.reap(self.now).await.unwrap();
        let mut reaped: Vec<_> = reaped.iter().map(|(account, entry)| (*account, entry.id)).collect();
        reaped.sort_by_key(|(_, id)| *id);
        assert_eq!(reaped, self.model.reap(self.now));
        self.check_all_spend().await;
    }

    /// Compares the entry of a hold, and its month.
    async fn check_entry(&self, hold: &Hold) {
        self.check_spend(hold.account, hold.month).await;
        // Ids grow with the number of the hold, so this page begins with it.
        let place = self.asked.iter().position(|asked| asked.id == hold.id);
        let number = place.unwrap_or(self.asked.len()) + 1;
        let page = Page {
            after: Some(id(u32::try_from(number).unwrap() + 1)),
            limit: 1,
        };
        let filter = LedgerFilter::default();
        let listed = self.store.entries(hold.account, filter, page).await.unwrap();
        let stored = listed.iter().find(|entry| entry.id == hold.id);
        let stored = stored.map(|entry| (entry.month, entry.kind, entry.amount));
        let mut entries = self.model.entries.iter();
        let entry = entries.find(|entry| entry.id == Some(hold.id));
        assert_eq!(stored, entry.map(|entry| (entry.month, entry.kind, entry.amount)));
    }

    async fn check_spend(&self, account: Account, month: MonthKey) {
        let spend = self.store.spend(account, month).await.unwrap();
        assert_eq!(spend, self.model.spend(account, month), "{account} {month}");
    }

    async fn check_all_spend(&self) {
        for account in accounts() {
            for month_of in MONTHS {
                self.check_spend(account, month(month_of)).await;
            }
        }
    }

    async fn check_all(&self) {
        self.check_all_spend().await;
        for account in accounts() {
            let of_model = self.model.entries.iter().filter(|entry| entry.account == account);
            let mut of_model: Vec<_> = of_model
                .map(|entry| (entry.id, entry.month, entry.kind.as_str(), entry.amount))
                .collect();
            let stored = all_entries(&*self.store, account).await;
            assert!(stored.is_sorted_by(|newer, older| newer.id > older.id));
            let given_id = |entry: &LedgerEntry| entry.hold.map(|_| entry.id);
            let mut stored: Vec<_> = stored
                .iter()
                .map(|entry| (given_id(entry), entry.month, entry.kind.as_str(), entry.amount))
                .collect();
            of_model.sort();
            stored.sort();
            assert_eq!(stored, of_model, "{account}");
        }
        let audit = self.store.audit().await.unwrap();
        assert_eq!(audit.drifts, []);
        assert_eq!(audit.entries, self.model.entries.len() as u64);
    }
}

/// So many, unless a variable says how many.
fn operations(variable: &str, usual: usize) -> usize {
    let wanted = std::env::var_os(variable);
    wanted.map_or(usual, |wanted| wanted.to_str().unwrap().parse().unwrap())
}

/// What failed is made smaller in so many steps, each of which does everything again.
fn runner(operations: usize, max_shrink_iters: u32) -> TestRunner {
    let stores = u32::try_from(operations.div_ceil(OPERATIONS_A_STORE)).unwrap();
    TestRunner::new(Config {
        failure_persistence: None,
        max_shrink_iters,
        ..Config::with_cases(stores)
    })
}

#[test]
fn store_and_model_agree_after_every_operation() {
    let runtime = Runtime::new().unwrap();
    let operations = vec(operation(), OPERATIONS_A_STORE);
    let done = runner(self::operations("FRONTDESK_LEDGER_OPERATIONS", 20_000), 2_000).run(&operations, |operations| {
        let place = Place::without_disk();
        runtime.block_on(async {
            let mut run = Run::new(place.open()).await;
            for operation in operations {
                run.apply(operation).await;
            }
            run.check_all().await;
        });
        Ok(())
    });
    if let Err(failure) = done {
        panic!("{failure}");
    }
}

/// Each operation asks the server several times, so that these are fewer.
#[cfg(feature = "mongo")]
#[test]
fn mongodb_and_model_agree_after_every_operation() {
    use crate::mongo::server::Place;

    if Place::new().is_none() {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let wanted = operations("FRONTDESK_LEDGER_OPERATIONS_MONGODB", OPERATIONS_A_STORE);
    let operations = vec(operation(), OPERATIONS_A_STORE.min(wanted));
    let done = runner(wanted, 8).run(&operations, |operations| {
        let place = Place::new().unwrap();
        runtime.block_on(async {
            let mut run = Run::new(place.open().await).await;
            for operation in operations {
                run.apply(operation).await;
            }
            run.check_all().await;
            place.remove().await;
        });
        Ok(())
    });
    if let Err(failure) = done {
        panic!("{failure}");
    }
}
