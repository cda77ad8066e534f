//! Budgets, ledgers and the LLM's health.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_callflow::llm::{Llm, LlmParts};
use frontdesk_domain::{
    clock::Clock,
    ids::{CallId, ObjectId, TurnId},
    ledger::{Account, PriceRow},
};
use frontdesk_llm::{
    completion::{Completion, Finish},
    prices::PriceTable,
    provider::{Asked, Outcome, Probed, Progress, Provider},
    question::{LimitField, Style},
};
use frontdesk_store::{
    cache::CachedStore,
    ports::{Hold, LedgerStore as _, Reserved},
    queue::AlertQueue,
    tasks::TaskSet,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{TestApp, TestClock};

/// A provider that always answers, and says nothing of what it used.
struct Ready;

#[async_trait]
impl Provider for Ready {
    async fn ask(&self, _body: frontdesk_llm::provider::Bytes, _deadline: Instant, progress: &Progress) -> Asked {
        progress.begin();
        let completion = Completion {
            content: Some("ok".to_owned()),
            refusal: None,
            finish: Finish::Stop,
            usage: None,
            model: None,
        };
        Asked {
            outcome: Outcome::Answered(completion),
            took: Duration::ZERO,
            first_byte: Some(Duration::ZERO),
        }
    }

    async fn probe(&self, _deadline: Instant) -> Probed {
        Probed::Free { took: Duration::ZERO }
    }

    fn endpoint(&self) -> &'static str {
        "https://llm.example/v1"
    }
}

pub(crate) fn llm(store: &Arc<CachedStore>, clock: &Arc<TestClock>, alerts: &AlertQueue, tasks: &TaskSet) -> Llm {
    Llm::start(LlmParts {
        provider: Arc::new(Ready),
        style: Style {
            model: "gpt-6-luna".to_owned(),
            reasoning_effort: None,
            limit: LimitField::Both,
        },
        prices: PriceTable::embedded(),
        store: Arc::clone(store),
        notifier: Arc::new(alerts.clone()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        tasks: tasks.clone(),
        lease: Duration::from_mins(1),
        calls_per_call: 6,
        platform_cap: "1".parse().unwrap(),
        questions: 1_000,
    })
}

/// Holds 0.25 USD of a company that may spend 1.
pub(crate) async fn hold(app: &TestApp, company: &str) {
    let budget = json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": 1 } } });
    app.patch(company, budget).await.ok(200);
    let id = company.rsplit('/').next().unwrap();
    let at = app.clock.now();
    let hold = Hold {
        id: ObjectId::from_parts(7, [7; 8]).into(),
        account: Account::Company(id.parse().unwrap()),
        month: "2026-11".parse().unwrap(),
        turn: TurnId::new("turn"),
        call: CallId::new("=CALL(\"x\")"),
        attempt: 1,
        amount: "0.25".parse().unwrap(),
        cap: "0".parse().unwrap(),
        model: "gpt-6-luna".into(),
        price: Arc::new(PriceRow {
            id: "test".into(),
            provider: "test".into(),
            model: "gpt-6-luna".into(),
            above_prompt_tokens: 0,
            effective_from: "2026-01-01".parse().unwrap(),
            input: 1,
            cached: 1,
            cache_write: 1,
            output: 1,
        }),
        at,
        lease_until: at,
    };
    let reserved = app.store.reserve(hold).await.unwrap();
    assert!(matches!(reserved, Reserved::Granted(..)));
}

#[tokio::test]
async fn a_budget_says_what_is_held_and_what_is_left() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    let budget = app.get(&format!("{company}/budget")).await.ok(200);
    let unset =
        json!({ "month": "2026-11", "limit": "0", "spent": "0", "held": "0", "available": "0", "forecast": null });
    assert_eq!(budget, unset);
    hold(&app, &company).await;
    let budget = app.get(&format!("{company}/budget")).await.ok(200);
    let held = json!({ "month": "2026-11", "limit": "1", "spent": "0", "held": "0.25", "available": "0.75", "forecast": null });
    assert_eq!(budget, held);
    app.patch(
        &company,
        json!({ "aiAgentLogic": { "templateGatekeeper": { "monthlyBudget": "0.1" } } }),
    )
    .await
    .ok(200);
    let lowered = app.get(&format!("{company}/budget")).await.ok(200);
    assert_eq!(
        (&lowered["limit"], &lowered["available"]),
        (&json!("0.1"), &json!("-0.15"))
    );
}

#[tokio::test]
async fn a_ledger_is_filtered_and_written_as_a_table() {
    let app = TestApp::start().await;
    let company = app.company("+15551234567").await;
    hold(&app, &company).await;
    let items = async |query: &str| {
        let list = app.get(&format!("{company}/ledger{query}")).await.ok(200);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(items("").await, 1);
    assert_eq!(items("?kind=held&month=2026-11").await, 1);
    assert_eq!(items("?kind=settled").await, 0);
    assert_eq!(items("?month=2026-10").await, 0);
    for refused in ["?kind=free", "?month=november", "?format=xml", "?who=me"] {
        assert_eq!(
            app.get(&format!("{company}/ledger{refused}")).await.status,
            422,
            "{refused}"
        );
    }
    let table = app.get(&format!("{company}/ledger?format=csv")).await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = table.text();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("id,month,at,"));
    assert!(
        lines[1].contains(",held,\"'=CALL(\"\"x\"\")\",turn,1,gpt-6-luna,"),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with(",0.25,0.25"), "{}", lines[1]);
}

#[tokio::test]
async fn the_llm_says_how_it_is_and_is_tested() {
    let app = TestApp::start().await;
    let health = app.get("/api/v1/llm/health").await.ok(200);
    assert_eq!(
        (&health["status"], &health["breaker"]),
        (&json!("ok"), &json!("closed"))
    );
    let tested = app.post("/api/v1/llm/test-connection", json!({})).await.ok(200);
    assert_eq!((&tested["ok"], &tested["detail"]), (&json!(true), &Value::Null));
    assert_ne!(tested["costUsd"], "0", "without usage the hold is charged");
}
