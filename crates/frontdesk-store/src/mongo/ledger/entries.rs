//! Entries as documents hold them, open or closed.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::{
    ids::{CallId, LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry},
    money::PicoUsd,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    super::{
        MongoStore,
        failure::Trouble,
        revisions::limit,
        schema::{ACCOUNTS, ENTRIES},
        values::{self, Fields as _, date, int, object_id, word},
    },
    amount,
};
use crate::ports::{LedgerFilter, Page};

const WHAT: &str = "a ledger entry";

/// More attempts than a turn makes.
const MOST_ATTEMPTS: u32 = 4;

/// So many closed entries are looked for at once.
const NAMES: usize = 4_000;

/// The name of an attempt of a turn: it holds once.
pub(super) fn once_of_attempt(account: Account, turn: &TurnId, attempt: u32) -> String {
    format!("attempt {account} {attempt} {}", turn.as_str())
}

/// The name of what an attempt is billed beyond its hold: it is noted once.
pub(super) fn once_of_overrun(turn: &str, attempt: i64) -> String {
    format!("overrun {attempt} {turn}")
}

/// An entry as it rests.
pub(super) fn write(entry: &LedgerEntry, once: &str) -> Result<Document, Trouble> {
    let LedgerEntry {
        id,
        month,
        turn_id,
        call_id,
        attempt,
        kind,
        model,
        prompt_tokens,
        cached_tokens,
        cache_write_tokens,
        completion_tokens,
        price_row,
        hold,
        amount: taken,
        at,
        closed_at,
    } = entry;
    let price = price_row.as_ref().map(|price| values::to_document(price, "a price"));
    let mut document = doc! { "_id": object_id(id), "once": once, "month": month.to_string(), "kind": kind.as_str() };
    let optional = [
        ("turnId", turn_id.as_ref().map(|turn| turn.as_str().into())),
        ("callId", call_id.as_ref().map(|call| call.as_str().into())),
        ("attempt", attempt.map(|attempt| Bson::Int64(attempt.into()))),
        ("model", model.as_deref().map(Into::into)),
        ("promptTokens", prompt_tokens.map(int)),
        ("cachedTokens", cached_tokens.map(int)),
        ("cacheWriteTokens", cache_write_tokens.map(int)),
        ("completionTokens", completion_tokens.map(int)),
        ("priceRow", price.transpose()?.map(Bson::Document)),
        ("hold", hold.map(amount)),
        ("amount", Some(amount(*taken))),
        ("at", Some(date(*at))),
        ("closedAt", closed_at.map(date)),
    ];
    let there = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    document.extend(there);
    Ok(document)
}

pub(super) fn kind_of(entry: &Document) -> Result<EntryKind, Trouble> {
    word(entry.text("kind", WHAT)?, "a ledger entry's kind")
}

pub(super) fn read(entry: &Document) -> Result<LedgerEntry, Trouble> {
    let tokens = |name| entry.number_or_none(name).and_then(|tokens| u64::try_from(tokens).ok());
    let price = entry.get_document("priceRow").ok().cloned();
    Ok(LedgerEntry {
        id: entry.id("_id", WHAT)?,
        month: entry.id("month", "a ledger entry's month")?,
        turn_id: entry.text_or_none("turnId").map(TurnId::new),
        call_id: entry.text_or_none("callId").map(CallId::new),
        attempt: tokens("attempt").and_then(|attempt| u32::try_from(attempt).ok()),
        kind: kind_of(entry)?,
        model: entry.text_or_none("model").map(Into::into),
        prompt_tokens: tokens("promptTokens"),
        cached_tokens: tokens("cachedTokens"),
        cache_write_tokens: tokens("cacheWriteTokens"),
        completion_tokens: tokens("completionTokens"),
        price_row: price
            .map(|price| values::from_document(price, "the price of a ledger entry"))
            .transpose()?,
        hold: entry.number_or_none("hold").map(PicoUsd::from_pico),
        amount: PicoUsd::from_pico(entry.number("amount", WHAT)?),
        at: entry.time("at", WHAT)?,
        closed_at: entry.time_or_none("closedAt")?,
    })
}

/// The entries of an account's document that are not closed, or not copied yet.
pub(super) fn open_in(account: &Document) -> impl Iterator<Item = &Document> {
    let open = account.get_array("open").map(Vec::as_slice).unwrap_or_default();
    open.iter().filter_map(Bson::as_document)
}

/// The closed entry of this name.
pub(super) async fn closed(store: &MongoStore, once: &str) -> Result<Option<Document>, Trouble> {
    Ok(store.collection(ENTRIES).find_one(doc! { "once": once }).await?)
}

/// Those of these names that closed entries have.
pub(super) async fn names_taken(store: &MongoStore, names: &[&str]) -> Result<BTreeSet<String>, Trouble> {
    let found = store
        .collection(ENTRIES)
        .find(doc! { "once": { "$in": names } })
        .await?;
    let found: Vec<Document> = found.try_collect().await?;
    let names = found.iter().filter_map(|entry| entry.text_or_none("once"));
    Ok(names.map(str::to_owned).collect())
}

fn lets_through(filter: LedgerFilter, entry: &LedgerEntry) -> bool {
    let LedgerFilter { month, kind } = filter;
    month.is_none_or(|month| month == entry.month) && kind.is_none_or(|kind| kind == entry.kind)
}

/// An account's entries, newest first.
pub(super) async fn list(
    store: &MongoStore,
    account: Account,
    filter: LedgerFilter,
    page: Page<LedgerEntryId>,
) -> Result<Vec<LedgerEntry>, Trouble> {
    // Open ones first: what is closed and moved meanwhile is then seen twice rather than not at all.
    let open = store
        .collection(ACCOUNTS)
        .find_one(doc! { "_id": object_id(account) })
        .await?;
    let mut wanted = doc! { "account": object_id(account) };
    if let Some(month) = filter.month {
        wanted.insert("month", month.to_string());
    }
    if let Some(kind) = filter.kind {
        wanted.insert("kind", kind.as_str());
    }
    if let Some(after) = page.after {
        wanted.insert("_id", doc! { "$lt": object_id(after) });
    }
    let collection = store.collection(ENTRIES);
    let closed = collection
        .find(wanted)
        .sort(doc! { "_id": -1 })
        .limit(limit(page.limit));
    let closed: Vec<Document> = closed.await?.try_collect().await?;
    let mut listed = BTreeMap::new();
    let is_on_page = |entry: &LedgerEntry| page.after.is_none_or(|after| entry.id < after);
    for entry in open.iter().flat_map(open_in) {
        let entry = read(entry)?;
        if is_on_page(&entry) && lets_through(filter, &entry) {
            listed.insert(entry.id, entry);
        }
    }
    for entry in &closed {
        let entry = read(entry)?;
        listed.insert(entry.id, entry);
    }
    Ok(listed.into_values().rev().take(page.limit).collect())
}

/// What each of these turns was charged, of those that have entries of which none is held.
pub(super) async fn charged(
    store: &MongoStore,
    account: Account,
    turns: Vec<TurnId>,
) -> Result<Vec<(TurnId, PicoUsd)>, Trouble> {
    // Open ones first, as in a list.
    let open = store
        .collection(ACCOUNTS)
        .find_one(doc! { "_id": object_id(account) })
        .await?;
    let mut found = BTreeMap::new();
    for entry in open.iter().flat_map(open_in) {
        let entry = read(entry)?;
        found.insert(entry.id, entry);
    }
    let names = turns
        .iter()
        .flat_map(|turn| (1..=MOST_ATTEMPTS).map(move |attempt| once_of_attempt(account, turn, attempt)));
    let names: Vec<String> = names.collect();
    for names in names.chunks(NAMES) {
        let entries = store.collection(ENTRIES);
        let closed = entries.find(doc! { "once": { "$in": names } });
        let closed: Vec<Document> = closed.await?.try_collect().await?;
        for entry in &closed {
            let entry = read(entry)?;
            found.insert(entry.id, entry);
        }
    }
    let mut sums: BTreeMap<&str, Option<PicoUsd>> = BTreeMap::new();
    for entry in found.values() {
        if let Some(turn) = &entry.turn_id {
            let sum = sums.entry(turn.as_str()).or_insert(Some(PicoUsd::ZERO));
            *sum = sum
                .filter(|_| entry.kind != EntryKind::Held)
                .map(|sum| sum + entry.amount);
        }
    }
    let charged = turns.into_iter().filter_map(|turn| {
        let sum = sums.get(turn.as_str()).copied().flatten()?;
        Some((turn, sum))
    });
    Ok(charged.collect())
}
