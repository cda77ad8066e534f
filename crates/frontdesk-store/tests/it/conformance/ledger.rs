//! What the cases of the ledger are made of.

use std::sync::Arc;

use frontdesk_domain::{
    documents::company::{LastUsedIndex, Opening, SecretChanges},
    ids::{CallId, LedgerEntryId, TurnId},
    ledger::{Account, LedgerEntry, PriceRow, Spend, Usage},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};
use frontdesk_store::ports::{Backend, Bill, CompanyWrite, Hold, ImportItem, LedgerFilter, Page};
use serde_json::{Value, json};

use super::Given;
use crate::support::{at, company_document, id, write_of};

pub(crate) const NOVEMBER: &str = "2026-11";

/// Amounts of these tests are a few pico-USD.
pub(crate) fn pico(pico: i64) -> PicoUsd {
    PicoUsd::from_pico(pico)
}

pub(crate) fn month(text: &str) -> MonthKey {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at("2026-11-15T12:00:00Z")
}

pub(crate) fn price() -> Arc<PriceRow> {
    Arc::new(PriceRow {
        id: "small".into(),
        provider: "openai".into(),
        model: "small-*".into(),
        above_prompt_tokens: 0,
        effective_from: "2026-11-01".parse().unwrap(),
        input: 2,
        cached: 1,
        cache_write: 3,
        output: 4,
    })
}

/// Holds for company 1 in November, for the first attempt of a turn with the entry's number.
pub(crate) fn hold(number: u32, amount: i64) -> Hold {
    Hold {
        id: id(number),
        account: Account::Company(id(1)),
        month: month(NOVEMBER),
        turn: TurnId::new(&format!("CA{number}-1")),
        call: CallId::new(&format!("CA{number}")),
        attempt: 1,
        amount: pico(amount),
        cap: PicoUsd::ZERO,
        model: "small-1".into(),
        price: price(),
        at: now(),
        lease_until: at("2026-11-15T12:01:00Z"),
    }
}

pub(crate) fn of_platform(number: u32, amount: i64, cap: i64) -> Hold {
    Hold {
        account: Account::Platform,
        cap: pico(cap),
        ..hold(number, amount)
    }
}

/// The bill for so many fresh tokens of a prompt, at 2 pico-USD each, of which `hold` is charged.
pub(crate) fn bill(prompt: u64, hold: i64) -> Bill {
    let usage = Usage {
        prompt,
        ..Usage::default()
    };
    bill_of(usage, hold)
}

pub(crate) fn bill_of(usage: Usage, hold: i64) -> Bill {
    let cost = price().cost(&usage);
    let amount = cost.min(pico(hold));
    Bill {
        usage: Some(usage),
        price: None,
        amount,
        overrun: pico(cost.pico() - amount.pico()),
        at: at("2026-11-15T12:00:05Z"),
    }
}

pub(crate) fn spent(spent: i64, held: i64) -> Spend {
    Spend {
        spent: pico(spent),
        held: pico(held),
    }
}

pub(crate) fn with_limit(company: u32, limit: Option<i64>) -> Value {
    let mut document = company_document(company, &[]);
    let limit = limit.map(|limit| pico(limit).to_string());
    document["aiAgentLogic"] = json!({ "templateGatekeeper": { "monthlyBudget": limit } });
    document
}

pub(crate) async fn set_limit(store: &dyn Backend, company: u32, limit: Option<i64>) {
    let write = write_of(&with_limit(company, limit));
    match store.company(id(company)).await.unwrap() {
        Some(stored) => store.replace_company(write, stored.document.rev).await.unwrap(),
        None => store.insert_company(write).await.unwrap(),
    };
}

/// An import of a company that says what was spent in the month of `last_reset`.
pub(crate) fn imported(document: &Value, amount: i64, last_reset: Timestamp) -> ImportItem {
    let CompanyWrite { company, json, .. } = write_of(document);
    ImportItem::Company {
        company,
        json,
        secrets: SecretChanges::default(),
        opening: Opening {
            current_spend: Some(pico(amount)),
            last_reset: Some(last_reset),
            last_used: LastUsedIndex::default(),
        },
    }
}

pub(crate) async fn limited(given: &Given, limit: i64) -> &Arc<dyn Backend> {
    set_limit(&*given.store, 1, Some(limit)).await;
    &given.store
}

pub(crate) async fn spend_of(store: &Arc<dyn Backend>, account: Account, of: &str) -> Spend {
    store.spend(account, month(of)).await.unwrap()
}

/// What company 1 has taken of November.
pub(crate) async fn spend(store: &Arc<dyn Backend>) -> Spend {
    spend_of(store, Account::Company(id(1)), NOVEMBER).await
}

pub(crate) async fn all_entries(store: &dyn Backend, account: Account) -> Vec<LedgerEntry> {
    let page = Page {
        after: None,
        limit: 10_000,
    };
    store.entries(account, LedgerFilter::default(), page).await.unwrap()
}

pub(crate) async fn entry(store: &Arc<dyn Backend>, account: Account, number: u32) -> LedgerEntry {
    let wanted: LedgerEntryId = id(number);
    let entries = all_entries(&**store, account).await;
    entries.into_iter().find(|entry| entry.id == wanted).unwrap()
}

pub(crate) async fn entry_of_company(store: &Arc<dyn Backend>, number: u32) -> LedgerEntry {
    entry(store, Account::Company(id(1)), number).await
}

pub(crate) async fn check_audit(store: &Arc<dyn Backend>, entries: u64, months: u64) {
    let audit = store.audit().await.unwrap();
    assert_eq!(audit.drifts, []);
    assert_eq!((audit.entries, audit.months), (entries, months));
}
