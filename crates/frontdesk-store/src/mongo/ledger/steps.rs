//! What changes the ledger. Each step is one update of an account's document.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::{
    ids::{LedgerEntryId, ObjectId},
    ledger::{Account, EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
    time::{MonthKey, TimeZone, Timestamp},
};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReturnDocument,
};

use super::{
    super::{
        MongoStore,
        failure::{Trouble, is_taken},
        schema::{ACCOUNTS, ENTRIES},
        values::{self, Fields as _, date, int, object_id},
    },
    amount,
    closing::{self, Overrun},
    entries, spend_of,
};
use crate::{
    common::bills::chargeable,
    ports::{Bill, Hold, Reserved},
};

const WHAT: &str = "a ledger entry";

/// So many holds are charged in full at once at most.
const REAPED_AT_ONCE: usize = 500;

pub(super) async fn reserve(store: &MongoStore, hold: &Hold) -> Result<Reserved, Trouble> {
    let once = entries::once_of_attempt(hold.account, &hold.turn, hold.attempt);
    let attempt = store.ids.make();
    let id = object_id(hold.account);
    let mut place = None;
    loop {
        // Read first, and again when it is this hold's turn: what is full is refused without a write, however many ask.
        let accounts = store.collection(ACCOUNTS);
        let found = accounts.find_one(doc! { "_id": id.clone() }).await?;
        let mut open = found.iter().flat_map(entries::open_in);
        if let Some(known) = open.find(|entry| entry.text_or_none("once") == Some(&once)) {
            let is_own = known.get("op") == Some(&object_id(attempt));
            return match (is_own, &found) {
                // The answer got lost.
                (true, Some(account)) => Ok(granted(account, hold)),
                _ => Ok(Reserved::Known(entries::kind_of(known)?)),
            };
        }
        let limit = limit_of(found.as_ref(), hold);
        let month = hold.month.to_string();
        let spend = found
            .as_ref()
            .map(|account| spend_of(account, &month))
            .unwrap_or_default();
        if !fits(spend, hold.amount, limit) {
            return match entries::closed(store, &once).await? {
                Some(closed) => Ok(Reserved::Known(entries::kind_of(&closed)?)),
                None => Ok(Reserved::Refused(spend, limit)),
            };
        }
        if found.is_none() {
            make_account(store, hold.account).await?;
        }
        if place.is_none() {
            // Never closed: whoever cannot have it goes on without.
            place = store.turnstiles.of(hold.account).acquire_owned().await.ok();
            if place.is_some() {
                continue;
            }
        }
        if let Some(account) = try_to_hold(store, hold, &once, attempt).await? {
            drop(place);
            // It may have been closed and moved before.
            if let Some(closed) = entries::closed(store, &once).await? {
                closing::let_go(store, hold.account, hold.id, hold.month, hold.amount).await?;
                return Ok(Reserved::Known(entries::kind_of(&closed)?));
            }
            return Ok(granted(&account, hold));
        }
        // It fitted a moment ago: others were in between.
    }
}

fn granted(account: &Document, hold: &Hold) -> Reserved {
    Reserved::Granted(
        spend_of(account, &hold.month.to_string()),
        limit_of(Some(account), hold),
    )
}

/// A company's limit is written with its settings, in one transaction. Nothing if it sets none, or is no more.
fn limit_of(account: Option<&Document>, hold: &Hold) -> PicoUsd {
    match hold.account {
        Account::Platform => hold.cap,
        Account::Company(_) => {
            let limit = account.and_then(|account| account.number_or_none("limit"));
            PicoUsd::from_pico(limit.unwrap_or_default())
        }
    }
}

/// Whether an amount may be held besides what the month has taken. A limit of nothing holds nothing, not even a hold
/// of nothing. The filter of [`try_to_hold`] says the same.
fn fits(spend: Spend, amount: PicoUsd, limit: PicoUsd) -> bool {
    let taken = i128::from(spend.spent.pico()) + i128::from(spend.held.pico());
    let fits = taken + i128::from(amount.pico()) <= i128::from(limit.pico());
    fits && amount >= PicoUsd::ZERO && limit > PicoUsd::ZERO
}

/// Holds if it fits and the attempt has no open entry; gives the account as it is then.
async fn try_to_hold(
    store: &MongoStore,
    hold: &Hold,
    once: &str,
    attempt: ObjectId,
) -> Result<Option<Document>, Trouble> {
    let month = format!("months.{}", hold.month);
    let limit = match hold.account {
        Account::Platform => amount(hold.cap),
        Account::Company(_) => Bson::from("$limit"),
    };
    let sum = |name: &str| doc! { "$ifNull": [format!("${month}.{name}"), 0_i64] };
    let fits = doc! { "$and": [
        { "$gt": [limit.clone(), 0_i64] },
        { "$lte": [{ "$add": [sum("spent"), sum("held"), amount(hold.amount)] }, limit] },
        { "$gte": [amount(hold.amount), 0_i64] },
    ] };
    let may = doc! { "_id": object_id(hold.account), "open.once": { "$ne": once }, "$expr": fits };
    let mut entry = entries::write(&entry_of(hold), once)?;
    entry.insert("leaseUntil", date(hold.lease_until));
    entry.insert("op", object_id(attempt));
    let update = doc! {
        "$inc": { format!("{month}.held"): amount(hold.amount) },
        "$push": { "open": entry },
    };
    let collection = store.collection(ACCOUNTS);
    let held = collection.find_one_and_update(may, update);
    Ok(held.return_document(ReturnDocument::After).await?)
}

fn entry_of(hold: &Hold) -> LedgerEntry {
    LedgerEntry {
        id: hold.id,
        month: hold.month,
        turn_id: Some(hold.turn.clone()),
        call_id: Some(hold.call.clone()),
        attempt: Some(hold.attempt),
        kind: EntryKind::Held,
        model: Some(hold.model.clone()),
        prompt_tokens: None,
        cached_tokens: None,
        cache_write_tokens: None,
        completion_tokens: None,
        price_row: Some((*hold.price).clone()),
        hold: Some(hold.amount),
        amount: hold.amount,
        at: hold.at,
        closed_at: None,
    }
}

/// Makes an account that has no limit of its own.
pub(super) async fn make_account(store: &MongoStore, account: Account) -> Result<(), Trouble> {
    let new = doc! { "$setOnInsert": { "months": {}, "open": [] } };
    let collection = store.collection(ACCOUNTS);
    let made = collection
        .update_one(doc! { "_id": object_id(account) }, new)
        .upsert(true);
    match made.await {
        // Another process has made it at the same time.
        Err(error) if is_taken(&error) => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

/// An open entry, and the account that it is of.
struct Open {
    account: Account,
    entry: Document,
}

impl Open {
    fn month(&self) -> Result<MonthKey, Trouble> {
        self.entry.id("month", WHAT)
    }

    fn hold(&self) -> Result<PicoUsd, Trouble> {
        Ok(PicoUsd::from_pico(self.entry.number("hold", WHAT)?))
    }
}

async fn open(store: &MongoStore, id: LedgerEntryId) -> Result<Option<Open>, Trouble> {
    let found = store
        .collection(ACCOUNTS)
        .find_one(doc! { "open._id": object_id(id) })
        .await?;
    let Some(account) = found else { return Ok(None) };
    let is_it = |entry: &&Document| entry.get("_id") == Some(&object_id(id));
    let Some(entry) = entries::open_in(&account).find(is_it).cloned() else {
        return Ok(None);
    };
    Ok(Some(Open {
        account: account.id("_id", "a ledger's account")?,
        entry,
    }))
}

/// What closes a hold.
struct Closing {
    kind: EntryKind,
    /// What it takes from then on.
    amount: PicoUsd,
    at: Timestamp,
    /// What else is said of it.
    more: Document,
}

/// Closes a hold; whether this very attempt did. What it holds is released and what it takes is charged in one step.
async fn close(store: &MongoStore, open: &Open, closing: Closing) -> Result<bool, Trouble> {
    let attempt = object_id(store.ids.make());
    let id = open.entry.get("_id").cloned();
    let held = doc! {
        "_id": object_id(open.account),
        "open": { "$elemMatch": { "_id": id.clone(), "kind": EntryKind::Held.as_str() } },
    };
    let mut set = doc! {
        "open.$[entry].kind": closing.kind.as_str(),
        "open.$[entry].amount": amount(closing.amount),
        "open.$[entry].closedAt": date(closing.at),
        "open.$[entry].op": attempt.clone(),
    };
    let more = closing.more.into_iter();
    set.extend(more.map(|(name, value)| (format!("open.$[entry].{name}"), value)));
    let month = format!("months.{}", open.month()?);
    let update = doc! {
        "$set": set,
        "$inc": {
            format!("{month}.held"): open.hold()?.pico().saturating_neg(),
            format!("{month}.spent"): amount(closing.amount),
        },
    };
    let accounts = store.collection(ACCOUNTS);
    let places = store.turnstiles.of(open.account);
    let place = places.acquire().await;
    let closed = accounts
        .update_one(held, update)
        .array_filters(vec![doc! { "entry._id": id.clone() }])
        .await?;
    drop(place);
    if closed.matched_count > 0 {
        return Ok(true);
    }
    // It may have been run twice.
    let own = doc! { "_id": object_id(open.account), "open": { "$elemMatch": { "_id": id, "op": attempt } } };
    Ok(accounts.find_one(own).projection(doc! { "_id": 1 }).await?.is_some())
}

pub(super) async fn settle(store: &MongoStore, id: LedgerEntryId, bill: &Bill) -> Result<bool, Trouble> {
    let price = bill
        .price
        .as_ref()
        .map(|price| values::to_document(&**price, "a price"))
        .transpose()?;
    let overrun = Overrun {
        amount: bill.overrun,
        at: bill.at,
        month: MonthKey::of(bill.at, &TimeZone::UTC),
    };
    if let Some(open) = open(store, id).await?
        && entries::kind_of(&open.entry)? == EntryKind::Held
    {
        let mut more = Document::new();
        if let Some(usage) = &bill.usage {
            more.insert("promptTokens", int(usage.prompt));
            more.insert("cachedTokens", int(usage.cached));
            more.insert("cacheWriteTokens", int(usage.cache_write));
            more.insert("completionTokens", int(usage.completion));
        }
        if let Some(price) = &price {
            more.insert("priceRow", price.clone());
        }
        if bill.overrun > PicoUsd::ZERO {
            // So that it is noted even if this process dies before it has noted it.
            more.insert("overrun", overrun.write());
        }
        let closing = Closing {
            kind: EntryKind::Settled,
            amount: chargeable(id, bill, open.hold()?),
            at: bill.at,
            more,
        };
        if close(store, &open, closing).await? {
            closing::finish_soon(store, open.account, id).await;
            return Ok(true);
        }
    }
    if bill.overrun > PicoUsd::ZERO {
        let known = match open(store, id).await? {
            Some(open) => Some(open.entry),
            None => {
                store
                    .collection(ENTRIES)
                    .find_one(doc! { "_id": object_id(id) })
                    .await?
            }
        };
        if let Some(mut entry) = known {
            if let Some(price) = price {
                entry.insert("priceRow", price);
            }
            closing::book_overrun(store, &entry, &overrun).await?;
        }
    }
    Ok(false)
}

pub(super) async fn void(store: &MongoStore, id: LedgerEntryId, at: Timestamp) -> Result<bool, Trouble> {
    let Some(open) = open(store, id).await? else {
        return Ok(false);
    };
    let closing = Closing {
        kind: EntryKind::Void,
        amount: PicoUsd::ZERO,
        at,
        more: Document::new(),
    };
    let is_held = entries::kind_of(&open.entry)? == EntryKind::Held;
    let voided = is_held && close(store, &open, closing).await?;
    if voided {
        closing::finish_soon(store, open.account, id).await;
    }
    Ok(voided)
}

pub(super) async fn reap(store: &MongoStore, now: Timestamp) -> Result<Vec<(Account, LedgerEntry)>, Trouble> {
    let is_due = doc! { "kind": EntryKind::Held.as_str(), "leaseUntil": { "$lt": date(now) } };
    let accounts = store
        .collection(ACCOUNTS)
        .find(doc! { "open": { "$elemMatch": is_due } })
        .await?;
    let accounts: Vec<Document> = accounts.try_collect().await?;
    let mut due = Vec::new();
    for account in &accounts {
        let of: Account = account.id("_id", "a ledger's account")?;
        for entry in entries::open_in(account) {
            if entries::kind_of(entry)? == EntryKind::Held {
                let lease_until = entry.time("leaseUntil", WHAT)?;
                if lease_until < now {
                    due.push((lease_until, entries::read(entry)?, entry, of));
                }
            }
        }
    }
    due.sort_by_key(|(lease_until, entry, ..)| (*lease_until, entry.id));
    due.truncate(REAPED_AT_ONCE);
    let order: Vec<LedgerEntryId> = due.iter().map(|(_, entry, ..)| entry.id).collect();
    let mut of_accounts: BTreeMap<Account, Vec<Due<'_>>> = BTreeMap::new();
    for (lease_until, read, entry, account) in due {
        of_accounts.entry(account).or_default().push((lease_until, read, entry));
    }
    let mut reaped = Vec::new();
    for (account, due) in of_accounts {
        let charged = charge_in_full(store, account, due, now).await?;
        reaped.extend(charged.into_iter().map(|entry| (account, entry)));
    }
    reaped.sort_by_key(|(_, entry)| order.iter().position(|id| *id == entry.id));
    Ok(reaped)
}

/// A hold whose lease ended then, as it is read and as it rests.
type Due<'d> = (Timestamp, LedgerEntry, &'d Document);

/// Charges holds of one account in full, all in one step, but those that somebody else closes meanwhile.
/// They are given in the order of their leases and ids; says which were charged.
async fn charge_in_full(
    store: &MongoStore,
    account: Account,
    due: Vec<Due<'_>>,
    now: Timestamp,
) -> Result<Vec<LedgerEntry>, Trouble> {
    let names: Vec<&str> = due
        .iter()
        .filter_map(|(_, _, entry)| entry.text_or_none("once"))
        .collect();
    let taken = entries::names_taken(store, &names).await?;
    let mut charged = Vec::with_capacity(due.len());
    for (lease_until, read, entry) in due {
        if entry.text_or_none("once").is_some_and(|once| taken.contains(once)) {
            // Its process died before it saw that the attempt had been closed.
            closing::let_go(store, account, read.id, read.month, read.amount).await?;
        } else {
            charged.push((lease_until, read));
        }
    }
    let Some((last_lease, last)) = charged.last() else {
        return Ok(Vec::new());
    };
    let months: BTreeSet<MonthKey> = charged.iter().map(|(_, entry)| entry.month).collect();
    let attempt = object_id(store.ids.make());
    let charge = full_charge(*last_lease, last.id, &months, now, &attempt);
    let accounts = store.collection(ACCOUNTS);
    let after = accounts
        .find_one_and_update(doc! { "_id": object_id(account) }, vec![doc! { "$set": charge }])
        .return_document(ReturnDocument::After)
        .await?;
    let own: Vec<Document> = after
        .iter()
        .flat_map(entries::open_in)
        .filter(|entry| entry.get("op") == Some(&attempt))
        .cloned()
        .collect();
    closing::finish_all_soon(store, account, &own).await;
    own.iter().map(entries::read).collect()
}

/// Closes what is still held up to an entry, in the order of leases and ids, and moves what it holds from held to spent.
/// All of it is of these months: a hold is made before its lease ends.
fn full_charge(
    lease_until: Timestamp,
    last: LedgerEntryId,
    months: &BTreeSet<MonthKey>,
    now: Timestamp,
    attempt: &Bson,
) -> Document {
    let lease = date(lease_until);
    let is_charged = doc! { "$and": [
        { "$eq": ["$$entry.kind", EntryKind::Held.as_str()] },
        { "$in": ["$$entry.month", months.iter().map(ToString::to_string).collect::<Vec<_>>()] },
        { "$or": [
            { "$lt": ["$$entry.leaseUntil", lease.clone()] },
            { "$and": [
                { "$eq": ["$$entry.leaseUntil", lease] },
                { "$lte": ["$$entry._id", object_id(last)] },
            ] },
        ] },
    ] };
    let closed = doc! { "$mergeObjects": ["$$entry", {
        "kind": EntryKind::Orphan.as_str(), "closedAt": date(now), "op": attempt,
    }] };
    let mut set = doc! { "open": { "$map": {
        "input": "$open", "as": "entry", "in": { "$cond": [is_charged.clone(), closed, "$$entry"] },
    } } };
    for month in months {
        let of_month = doc! { "$and": [{ "$eq": ["$$entry.month", month.to_string()] }, is_charged.clone()] };
        let charged = doc! { "$filter": { "input": "$open", "as": "entry", "cond": of_month } };
        let sum = doc! { "$sum": { "$map": { "input": charged, "as": "entry", "in": "$$entry.amount" } } };
        let before = |name: &str| doc! { "$ifNull": [format!("$months.{month}.{name}"), 0_i64] };
        set.insert(
            format!("months.{month}.held"),
            doc! { "$subtract": [before("held"), sum.clone()] },
        );
        set.insert(format!("months.{month}.spent"), doc! { "$add": [before("spent"), sum] });
    }
    set
}
