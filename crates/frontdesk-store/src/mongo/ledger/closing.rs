//! From an account's document to the entries that are closed. Every step may be done twice, by any process.

use frontdesk_domain::{
    ids::LedgerEntryId,
    ledger::{Account, EntryKind},
    money::PicoUsd,
    time::{MonthKey, Timestamp},
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use tracing::warn;

use super::{
    super::{
        MongoStore,
        failure::{Trouble, is_taken, store_error},
        schema::{ACCOUNTS, ENTRIES},
        values::{Fields as _, date, object_id},
    },
    amount, entries,
    steps::make_account,
};

const WHAT: &str = "a ledger entry";

/// Fields of an open entry that a closed one has no use for.
const OF_OPEN_ONES: [&str; 3] = ["leaseUntil", "op", "overrun"];

/// What is billed beyond a hold. The platform pays it.
pub(super) struct Overrun {
    pub(super) amount: PicoUsd,
    pub(super) at: Timestamp,
    pub(super) month: MonthKey,
}

impl Overrun {
    pub(super) fn write(&self) -> Document {
        doc! {
            "amount": amount(self.amount),
            "at": date(self.at),
            "month": self.month.to_string(),
        }
    }

    fn read(document: &Document) -> Result<Self, Trouble> {
        Ok(Self {
            amount: PicoUsd::from_pico(document.number("amount", WHAT)?),
            at: document.time("at", WHAT)?,
            month: document.id("month", WHAT)?,
        })
    }
}

/// An open entry by its id, and its account.
fn one(account: Account, id: impl Into<Bson>) -> Document {
    doc! { "_id": object_id(account), "open": { "$elemMatch": { "_id": id.into() } } }
}

/// Lets an open entry go as if it had never been, with what it held.
pub(super) async fn let_go(
    store: &MongoStore,
    account: Account,
    id: LedgerEntryId,
    month: MonthKey,
    held: PicoUsd,
) -> Result<(), Trouble> {
    drop_open(store, account, &object_id(id), &format!("months.{month}.held"), held).await
}

async fn drop_open(store: &MongoStore, account: Account, id: &Bson, sum: &str, taken: PicoUsd) -> Result<(), Trouble> {
    let update = doc! {
        "$pull": { "open": { "_id": id } },
        "$inc": { sum: taken.pico().saturating_neg() },
    };
    let places = store.turnstiles.of(account);
    let _place = places.acquire().await;
    store.collection(ACCOUNTS).update_one(one(account, id), update).await?;
    Ok(())
}

/// Moves an entry that was just closed. What fails here is done by the next reaping: the money is charged already.
pub(super) async fn finish_soon(store: &MongoStore, account: Account, id: LedgerEntryId) {
    let finished = async {
        let found = store.collection(ACCOUNTS).find_one(one(account, object_id(id))).await?;
        let is_it = |entry: &&Document| entry.get("_id") == Some(&object_id(id));
        match found.as_ref().and_then(|found| entries::open_in(found).find(is_it)) {
            Some(entry) => finish(store, account, entry).await,
            None => Ok(()),
        }
    };
    tell_failure(finished.await);
}

/// As [`finish_soon`], for many entries without an overrun.
pub(super) async fn finish_all_soon(store: &MongoStore, account: Account, entries: &[Document]) {
    if entries.is_empty() {
        return;
    }
    let finished = async {
        let closed = entries.iter().map(|entry| as_closed(account, entry));
        // If one of them is there already, all are looked at one by one by the next reaping.
        store.collection(ENTRIES).insert_many(closed).ordered(false).await?;
        let ids: Vec<Bson> = entries.iter().filter_map(|entry| entry.get("_id").cloned()).collect();
        let moved = doc! { "$pull": { "open": { "_id": { "$in": ids } } } };
        store
            .collection(ACCOUNTS)
            .update_one(doc! { "_id": object_id(account) }, moved)
            .await?;
        Ok(())
    };
    tell_failure(finished.await);
}

fn tell_failure(finished: Result<(), Trouble>) {
    if let Err(trouble) = finished {
        let error = store_error("move closed entries of the ledger", trouble);
        warn!(
            error = &error as &dyn std::error::Error,
            "closed entries of the ledger are moved later"
        );
    }
}

/// Moves all entries that were closed by processes that did not come to move them.
pub(super) async fn finish_what_was_left(store: &MongoStore) -> Result<(), Trouble> {
    let closed = EntryKind::ALL.into_iter().filter(|kind| *kind != EntryKind::Held);
    let closed: Vec<&str> = closed.map(EntryKind::as_str).collect();
    let left = store
        .collection(ACCOUNTS)
        .find(doc! { "open.kind": { "$in": closed } })
        .await?;
    let left: Vec<Document> = left.try_collect().await?;
    for account in &left {
        let of = account.id("_id", "a ledger's account")?;
        for entry in entries::open_in(account) {
            if entries::kind_of(entry)? != EntryKind::Held {
                finish(store, of, entry).await?;
            }
        }
    }
    Ok(())
}

async fn finish(store: &MongoStore, account: Account, entry: &Document) -> Result<(), Trouble> {
    if let Ok(overrun) = entry.get_document("overrun") {
        book_overrun(store, entry, &Overrun::read(overrun)?).await?;
    }
    move_closed(store, account, entry).await
}

/// A closed entry as it rests among the others.
fn as_closed(account: Account, entry: &Document) -> Document {
    let fields = entry.iter().filter(|(name, _)| !OF_OPEN_ONES.contains(&name.as_str()));
    let mut closed: Document = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    closed.insert("account", object_id(account));
    closed
}

/// Copies a closed entry and takes it out of the open ones.
async fn move_closed(store: &MongoStore, account: Account, entry: &Document) -> Result<(), Trouble> {
    let id = entry.get("_id").cloned().unwrap_or_default();
    match store.collection(ENTRIES).insert_one(as_closed(account, entry)).await {
        Err(error) if is_taken(&error) => {
            let known = entries::closed(store, entry.text("once", WHAT)?).await?;
            let is_copied = known.is_none_or(|known| known.get("_id") == Some(&id));
            if !is_copied {
                // Another entry of the same name was there first: this one takes nothing.
                let taken = PicoUsd::from_pico(entry.number("amount", WHAT)?);
                let sum = format!("months.{}.spent", entry.text("month", WHAT)?);
                return drop_open(store, account, &id, &sum, taken).await;
            }
        }
        done => _ = done?,
    }
    let moved = doc! { "$pull": { "open": { "_id": id.clone() } } };
    store.collection(ACCOUNTS).update_one(one(account, id), moved).await?;
    Ok(())
}

/// Notes what is billed beyond a hold, once for each attempt of a turn.
pub(super) async fn book_overrun(store: &MongoStore, of: &Document, overrun: &Overrun) -> Result<(), Trouble> {
    let (Some(turn), Some(attempt)) = (of.text_or_none("turnId"), of.number_or_none("attempt")) else {
        return Ok(());
    };
    let once = entries::once_of_overrun(turn, attempt);
    if entries::closed(store, &once).await?.is_some() {
        return Ok(());
    }
    let mut entry = doc! {
        // Of this try: where another process noted it meanwhile, the two are told apart, and this one is taken back.
        "_id": object_id(store.ids.make()),
        "once": &once,
        "month": overrun.month.to_string(),
        "kind": EntryKind::Overrun.as_str(),
        "turnId": turn,
        "attempt": attempt,
        "amount": amount(overrun.amount),
        "at": date(overrun.at),
        "closedAt": date(overrun.at),
    };
    for field in ["callId", "model", "priceRow"] {
        if let Some(value) = of.get(field) {
            entry.insert(field, value.clone());
        }
    }
    make_account(store, Account::Platform).await?;
    let spent = format!("months.{}.spent", overrun.month);
    let sum = doc! { "$add": [{ "$ifNull": [format!("${spent}"), 0_i64] }, amount(overrun.amount)] };
    // An absurd bill must not keep itself from being noted: the sum ends at the largest number.
    let update = doc! { "$set": {
        spent: { "$min": [i64::MAX, sum] },
        "open": { "$concatArrays": ["$open", [{ "$literal": entry.clone() }]] },
    } };
    let not_yet = doc! { "_id": object_id(Account::Platform), "open.once": { "$ne": &once } };
    store.collection(ACCOUNTS).update_one(not_yet, vec![update]).await?;
    // What another process has noted at the same time, this one moves as well.
    let platform = store
        .collection(ACCOUNTS)
        .find_one(doc! { "_id": object_id(Account::Platform) })
        .await?;
    let is_it = |entry: &&Document| entry.text_or_none("once") == Some(&once);
    match platform
        .as_ref()
        .and_then(|platform| entries::open_in(platform).find(is_it))
    {
        Some(entry) => move_closed(store, Account::Platform, entry).await,
        None => Ok(()),
    }
}
