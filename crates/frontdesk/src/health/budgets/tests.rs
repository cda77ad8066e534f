//! Budgets on a real `SQLite` file, and what is told of them.

use frontdesk_domain::{
    alert::Notifier,
    clock::Clock,
    documents::{
        Mode, Parsed,
        company::{Company, CompanyDocument},
    },
    ids::{CallId, ObjectId, TurnId},
    ledger::PriceRow,
    record::NotificationState,
};
use frontdesk_store::{
    cache::CachedStore,
    leader,
    ports::{
        Bill, Hold, ImportItem, ImportStore as _, LedgerStore as _, NotificationFilter, NotificationStore as _,
        RaisedAlert, Reserved,
    },
    seal::Sealer,
    sqlite::{SqliteOptions, SqliteStore},
    tasks::TaskSet,
};

use super::*;

const NOW: &str = "2026-11-20T12:00:00Z";

/// What is open: of what, at which limit, how often told.
type Open = (AlertCode, String, u64);

const NOTHING: [Open; 0] = [];

fn usd(text: &str) -> PicoUsd {
    serde_json::from_value(json!(text)).unwrap()
}

fn id<Id: From<ObjectId>>(number: u32) -> Id {
    Id::from(ObjectId::from_parts(number, [0; 8]))
}

/// November, of which so much is spent.
fn november(limit: Option<&str>, spent: &str) -> Now {
    Now {
        month: MonthKey::of(NOW.parse().unwrap(), &TimeZone::UTC),
        limit: limit.map(usd),
        spend: Spend {
            spent: usd(spent),
            held: PicoUsd::ZERO,
        },
    }
}

/// Whether what was told of November at a limit of 10 is over, given the limit and the spend now.
fn check(code: AlertCode, told: &Value, limit: Option<&str>, spent: &str, want: bool) {
    let now = november(limit, spent);
    assert_eq!(is_over(code, told, &now), want, "{told} {limit:?} {spent}");
}

#[test]
fn what_was_told_of_a_budget_is_over_with_the_month_or_when_there_is_enough() {
    use AlertCode::{BudgetExceeded as Exceeded, BudgetWarning as Warning};
    let told = json!({ "month": "2026-11", "limit": "10" });
    let of_october = json!({ "month": "2026-10", "limit": "10" });
    check(Warning, &told, Some("10"), "8", false);
    check(Warning, &told, Some("20"), "8", true);
    check(Warning, &of_october, Some("10"), "9", true);
    check(Exceeded, &told, Some("10"), "9.99", false);
    check(Exceeded, &told, Some("11"), "9.99", true);
    check(Exceeded, &told, Some("11"), "11", false);
    check(Exceeded, &told, Some("20"), "10", true);
    check(Exceeded, &told, Some("5"), "10", false);
    check(Exceeded, &of_october, Some("10"), "10", true);
    check(Exceeded, &told, None, "10", true);
    let of_nothing = json!({ "month": "2026-11", "limit": "0" });
    check(Exceeded, &of_nothing, Some("0"), "0", false);
    check(Exceeded, &of_nothing, Some("1"), "0", true);
}

#[test]
fn a_budget_is_told_of_from_four_fifths_on() {
    let check = |limit: Option<&str>, spent: &str, want: Option<AlertCode>| {
        let told = due(&november(limit, spent)).map(|(code, _)| code);
        assert_eq!(told, want, "{limit:?} {spent}");
    };
    check(Some("10"), "7.99", None);
    check(Some("10"), "8", Some(AlertCode::BudgetWarning));
    check(Some("10"), "9.99", Some(AlertCode::BudgetWarning));
    check(Some("10"), "10", Some(AlertCode::BudgetExceeded));
    check(Some("0"), "10", None);
    check(None, "10", None);
}

#[test]
fn around_the_turn_of_a_month_companies_have_two() {
    let months = |at: &str| -> Vec<String> {
        let months = months_around(at.parse().unwrap());
        months.iter().map(ToString::to_string).collect()
    };
    assert_eq!(months(NOW), ["2026-11"]);
    assert_eq!(months("2026-11-30T12:00:00Z"), ["2026-11", "2026-12"]);
    assert_eq!(months("2026-12-01T06:00:00Z"), ["2026-11", "2026-12"]);
}

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }
}

#[derive(Default)]
struct Taken(Mutex<Vec<Alert>>);

impl Notifier for Taken {
    fn raise(&self, alert: Alert) {
        self.0.lock().unwrap().push(alert);
    }
}

/// A company, and the process that judges.
struct Scene {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    cached: Arc<CachedStore>,
    taken: Arc<Taken>,
    check: BudgetCheck,
    _tasks: TaskSet,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tasks, taken) = (TaskSet::new(), Arc::<Taken>::default());
        let store = Arc::new(Self::open(&folder));
        let cached = CachedStore::start(store.clone(), &tasks);
        let leadership = leader::start(store.clone(), "work", &tasks);
        while !leadership.is_held() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let check = BudgetCheck::new(Arc::new(Surroundings {
            store: store.clone(),
            cached: cached.clone(),
            notifier: taken.clone(),
            clock: Arc::new(StillClock),
            leadership,
        }));
        Self {
            folder,
            store,
            cached,
            taken,
            check,
            _tasks: tasks,
        }
    }

    fn open(folder: &tempfile::TempDir) -> SqliteStore {
        let file = folder.path().join("frontdesk.db");
        let key = Arc::new(Sealer::from_key([7; 32]));
        SqliteStore::open(&file, key, Arc::new(StillClock), SqliteOptions::default()).unwrap()
    }

    /// Imports the company with this limit, and with what it has spent elsewhere.
    async fn import(&self, limit: &str, spent: Option<&str>) {
        let mut gatekeeper = json!({ "enabled": true, "enableLLMFallback": true, "monthlyBudget": limit });
        if let Some(spent) = spent {
            gatekeeper["currentSpend"] = json!(spent);
            gatekeeper["lastResetDate"] = json!("2026-11-01T00:00:00Z");
        }
        let document = json!({
            "_id": id::<CompanyId>(1).to_string(), "name": "Acme", "phone": "+15550100001", "timezone": "America/New_York",
            "aiAgentLogic": { "templateGatekeeper": gatekeeper },
        });
        let Parsed { value, json, .. } = Company::parse(&document, Mode::Import).unwrap();
        let CompanyDocument {
            company,
            secrets,
            opening,
        } = value;
        let item = ImportItem::Company {
            company: Arc::new(company),
            json,
            secrets,
            opening,
        };
        self.cached.import(vec![item], StillClock.now()).await.unwrap();
    }

    /// Another process spends so much.
    async fn spend_elsewhere(&self, amount: &str) {
        let (other, at) = (Self::open(&self.folder), StillClock.now());
        let price = PriceRow {
            id: "small".into(),
            provider: "openai".into(),
            model: "small-*".into(),
            above_prompt_tokens: 0,
            effective_from: "2026-11-01".parse().unwrap(),
            input: 2,
            cached: 1,
            cache_write: 3,
            output: 4,
        };
        let hold = Hold {
            id: id(900),
            account: Account::Company(id(1)),
            month: "2026-11".parse().unwrap(),
            turn: TurnId::new("CA1-1"),
            call: CallId::new("CA1"),
            attempt: 1,
            amount: usd(amount),
            cap: PicoUsd::ZERO,
            model: "small-1".into(),
            price: Arc::new(price),
            at,
            lease_until: at + Duration::from_mins(1),
        };
        let reserved = other.reserve(hold).await.unwrap();
        assert!(matches!(reserved, Reserved::Granted(..)), "{reserved:?}");
        let bill = Bill {
            usage: None,
            price: None,
            amount: usd(amount),
            overrun: PicoUsd::ZERO,
            at,
        };
        assert!(other.settle(id(900), bill).await.unwrap());
    }

    /// Judges, stores the alerts as their queue does, and gives what is open then.
    async fn judge(&self) -> Vec<Open> {
        self.check.health().await;
        let taken = std::mem::take(&mut *self.taken.0.lock().unwrap());
        for alert in taken {
            let raised = RaisedAlert {
                id: ObjectId::from_parts(1, rand::random()).into(),
                alert,
                count: 1,
                first_at: StillClock.now(),
                last_at: StillClock.now(),
                told: Vec::new(),
            };
            self.store.raise(vec![raised]).await.unwrap();
        }
        let all = NotificationFilter::default();
        let page = Page { after: None, limit: 50 };
        let listed = self.store.notifications(&all, page).await.unwrap();
        let open = listed.iter().filter(|one| one.state != NotificationState::Resolved);
        let told = open.map(|one| (one.code, one.details["limit"].as_str().unwrap().to_owned(), one.count));
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    }
}

fn exceeded(limit: &str) -> Open {
    (AlertCode::BudgetExceeded, limit.to_owned(), 1)
}

fn warning(limit: &str) -> Open {
    (AlertCode::BudgetWarning, limit.to_owned(), 1)
}

#[tokio::test]
async fn what_changes_without_a_question_is_told_and_resolved() {
    let scene = Scene::new().await;
    scene.import("10", None).await;
    assert_eq!(scene.judge().await, NOTHING);
    scene.import("10", Some("8.5")).await;
    assert_eq!(
        scene.judge().await,
        [warning("10")],
        "what was spent elsewhere is spent"
    );
    assert_eq!(scene.judge().await, [warning("10")], "once");
    scene.import("8", None).await;
    assert_eq!(scene.judge().await, [exceeded("8"), warning("10")]);
    assert_eq!(scene.judge().await, [exceeded("8"), warning("10")], "once");
    scene.import("100", None).await;
    assert_eq!(scene.judge().await, NOTHING);
    scene.spend_elsewhere("72").await;
    assert_eq!(scene.judge().await, [warning("100")], "another instance has spent it");
    scene.import("80.5", None).await;
    let both = [exceeded("80.5"), warning("100")];
    assert_eq!(scene.judge().await, both, "spent to the last cent");
}

#[tokio::test]
async fn what_was_resolved_by_hand_is_told_again_of_another_limit_only() {
    let scene = Scene::new().await;
    scene.import("10", Some("9")).await;
    assert_eq!(scene.judge().await, [warning("10")]);
    let of = Some(id(1));
    let resolved = scene.store.resolve_open(AlertCode::BudgetWarning, of, StillClock.now());
    assert!(resolved.await.unwrap().is_some());
    assert_eq!(scene.judge().await, NOTHING);
    scene.import("9.5", None).await;
    assert_eq!(scene.judge().await, [warning("9.5")]);
}
