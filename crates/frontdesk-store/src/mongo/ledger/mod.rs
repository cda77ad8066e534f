//! The ledger: a document an account, in which every step is one update, and behind it the entries that are closed.
//!
//! `ledger_accounts` holds of each account its limit, what each month has spent and holds, and under `open` the entries
//! that are held. What holds money, or takes it, changes entry and sums in one update of that document, whose filter
//! says that it may. What is closed is then copied to `ledger_entries` and taken out of `open`; a process that dies in
//! between leaves that to the next [`reap`](LedgerStore::reap). Whoever reads takes both together.
//!
//! `once` names what an entry is of: an attempt of a turn, its overrun, or a month's import. No two closed entries have
//! the same; an open one that finds its name taken is let go.

use async_trait::async_trait;
use frontdesk_domain::{
    documents::company::{Company, Opening},
    ids::{CompanyId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    IMPORT, MongoStore,
    failure::{Trouble, within},
    revisions::limit,
    schema::{ACCOUNTS, ENTRIES},
    transaction::Transaction,
    values::{Fields as _, object_id},
};
use crate::ports::{Audit, Bill, Hold, LedgerFilter, LedgerStore, Page, Reserved, StoreError};

mod audit;
mod closing;
mod entries;
mod steps;
mod turnstiles;

pub(super) use turnstiles::Turnstiles;

/// Sets what an account may spend a month, in the transaction that writes its company.
pub(super) async fn set_limit(
    transaction: &mut Transaction<'_>,
    account: Account,
    limit: PicoUsd,
) -> Result<(), Trouble> {
    let id = doc! { "_id": object_id(account) };
    let found = transaction.find(ACCOUNTS, id.clone()).await?;
    if found.is_some_and(|found| found.number_or_none("limit") == Some(limit.pico())) {
        // Nothing is written, so that no hold waits for this transaction.
        return Ok(());
    }
    let update = doc! {
        "$set": { "limit": limit.pico() },
        "$setOnInsert": { "months": {}, "open": [] },
    };
    transaction.upsert(ACCOUNTS, id, update).await
}

/// Opens a company's current month with what an import says was spent, if that is of this month.
///
/// A month is opened once: while it has an `imported` entry, a later import changes nothing.
pub(super) async fn open(
    transaction: &mut Transaction<'_>,
    id: LedgerEntryId,
    company: &Company,
    opening: &Opening,
    now: Timestamp,
) -> Result<(), Trouble> {
    let (Some(spend), Some(last_reset)) = (opening.current_spend, opening.last_reset) else {
        return Ok(());
    };
    let month = MonthKey::of(now, &company.time_zone);
    if spend <= PicoUsd::ZERO || MonthKey::of_reset(last_reset, &company.time_zone) != month {
        return Ok(());
    }
    let account = Account::Company(company.id);
    let once = once_of_import(account, month);
    if transaction.find(ENTRIES, doc! { "once": &once }).await?.is_some() {
        return Ok(());
    }
    let entry = LedgerEntry {
        id,
        month,
        turn_id: None,
        call_id: None,
        attempt: None,
        kind: EntryKind::Imported,
        model: None,
        prompt_tokens: None,
        cached_tokens: None,
        cache_write_tokens: None,
        completion_tokens: None,
        price_row: None,
        hold: None,
        amount: spend,
        at: now,
        closed_at: None,
    };
    let mut document = entries::write(&entry, &once)?;
    document.insert("account", object_id(account));
    let entries = transaction.collection(ENTRIES);
    entries.insert_one(document).session(&mut transaction.session).await?;
    let spent = doc! { "$inc": { format!("months.{month}.spent"): spend.pico() } };
    transaction
        .update(ACCOUNTS, doc! { "_id": object_id(account) }, spent)
        .await
}

/// How many entries an account's document has open.
pub(super) fn open_entries(account: &mongodb::bson::Document) -> usize {
    entries::open_in(account).count()
}

/// Makes an account in a transaction, if there is none.
pub(super) async fn ensure_account(transaction: &mut Transaction<'_>, account: Account) -> Result<(), Trouble> {
    let new = doc! { "$setOnInsert": { "months": {}, "open": [] } };
    transaction
        .upsert(ACCOUNTS, doc! { "_id": object_id(account) }, new)
        .await
}

/// A closed entry as it rests.
pub(super) fn closed_entry(account: Account, entry: &LedgerEntry) -> Result<mongodb::bson::Document, Trouble> {
    let attempt = entry.attempt.unwrap_or_default();
    let once = match (&entry.turn_id, entry.kind) {
        (Some(turn), EntryKind::Overrun) => entries::once_of_overrun(turn.as_str(), attempt.into()),
        (Some(turn), _) => entries::once_of_attempt(account, turn, attempt),
        (None, EntryKind::Imported) => once_of_import(account, entry.month),
        (None, _) => format!("entry {}", entry.id),
    };
    let mut document = entries::write(entry, &once)?;
    document.insert("account", object_id(account));
    Ok(document)
}

/// The name of what a month was opened with.
fn once_of_import(account: Account, month: MonthKey) -> String {
    format!("imported {account} {month}")
}

/// What an account's document says of a month.
fn spend_of(account: &mongodb::bson::Document, month: &str) -> Spend {
    let months = account.get_document("months").ok();
    let sums = months.and_then(|months| months.get_document(month).ok());
    let sum = |name| sums.and_then(|sums| sums.number_or_none(name)).unwrap_or_default();
    Spend {
        spent: PicoUsd::from_pico(sum("spent")),
        held: PicoUsd::from_pico(sum("held")),
    }
}

/// A hold of which nobody heard is charged when its lease ends, and one whose bill was not written is charged in full.
#[async_trait]
impl LedgerStore for MongoStore {
    async fn reserve(&self, hold: Hold) -> Result<Reserved, StoreError> {
        within(
            "hold an amount",
            self.options.turn_deadline,
            steps::reserve(self, &hold),
        )
        .await
    }

    async fn settle(&self, id: LedgerEntryId, bill: Bill) -> Result<bool, StoreError> {
        within(
            "settle a bill",
            self.options.operator_deadline,
            steps::settle(self, id, &bill),
        )
        .await
    }

    async fn void(&self, id: LedgerEntryId, at: Timestamp) -> Result<bool, StoreError> {
        within(
            "let a hold go",
            self.options.operator_deadline,
            steps::void(self, id, at),
        )
        .await
    }

    async fn reap(&self, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, StoreError> {
        within(
            "charge holds whose lease has ended",
            self.options.operator_deadline,
            async {
                closing::finish_what_was_left(self).await?;
                steps::reap(self, now).await
            },
        )
        .await
    }

    async fn spend(&self, account: Account, month: MonthKey) -> Result<Spend, StoreError> {
        within("read what a month has taken", self.options.operator_deadline, async {
            let collection = self.collection(ACCOUNTS);
            let found = collection.find_one(doc! { "_id": object_id(account) });
            let found = found.projection(doc! { "months": 1 }).await?;
            Ok(found
                .map(|found| spend_of(&found, &month.to_string()))
                .unwrap_or_default())
        })
        .await
    }

    async fn spends(&self, month: MonthKey, page: Page<CompanyId>) -> Result<Vec<(CompanyId, Spend)>, StoreError> {
        let action = "read what a month has taken of each company";
        within(action, self.options.operator_deadline, async {
            let month = month.to_string();
            let mut ids = doc! { "$type": "objectId" };
            if let Some(after) = page.after {
                ids.insert("$gt", object_id(after));
            }
            let mut wanted = doc! { "_id": ids };
            wanted.insert(format!("months.{month}.spent"), doc! { "$gt": 0_i64 });
            let accounts = self.collection(ACCOUNTS);
            let accounts = accounts.find(wanted).projection(doc! { "months": 1 });
            let accounts = accounts.sort(doc! { "_id": 1 }).limit(limit(page.limit)).await?;
            let accounts: Vec<Document> = accounts.try_collect().await?;
            let spends = accounts.iter().map(|account| {
                let company: CompanyId = account.id("_id", "a ledger's account")?;
                Ok((company, spend_of(account, &month)))
            });
            spends.collect()
        })
        .await
    }

    async fn charged(&self, account: Account, turns: Vec<TurnId>) -> Result<Vec<(TurnId, PicoUsd)>, StoreError> {
        within(
            "read what turns were charged",
            self.options.operator_deadline,
            entries::charged(self, account, turns),
        )
        .await
    }

    async fn entries(
        &self,
        account: Account,
        filter: LedgerFilter,
        page: Page<LedgerEntryId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        within(
            "list the ledger",
            self.options.operator_deadline,
            entries::list(self, account, filter, page),
        )
        .await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        within("add up the ledger", IMPORT, audit::audit(self)).await
    }
}

/// An amount as it rests.
fn amount(amount: PicoUsd) -> Bson {
    Bson::Int64(amount.pico())
}
