//! Moving house: documents out, and those of another store in.

use async_trait::async_trait;
use frontdesk_domain::{
    decision::FallbackKind,
    ids::{CallId, TurnId},
    ledger::{Account, EntryKind, LedgerEntry},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use super::{
    IMPORT, MongoStore, analytics, calls, companies,
    failure::{Failure, Trouble, damaged, is_taken, within},
    ledger, qnas,
    revisions::{After, limit},
    rotations,
    schema::{
        ACCOUNTS, CALLS, COMPANIES, CONTACTS, DELETED_COMPANIES, ENTRIES, MESSAGES, NOTIFICATIONS, OVERLAYS, PLATFORM,
        QNAS, ROLLUPS, ROTATIONS, TEMPLATES, TURNS,
    },
    singletons, templates,
    transaction::{Transaction, transaction},
    updates::Upsert,
    values::{self, Fields as _, date, int, object_id, word_of},
};
use crate::{
    common::notices::is_still_to_be_told,
    ports::{
        CallPlace, Holdings, OldCall, OldDocument, OldRotation, OldTurn, RecordKeeper, RollupScope, SlotRollup,
        StoreError, StoredCompany, TransferStore,
    },
};

const WHAT: &str = "a call";

async fn put_document(transaction: &mut Transaction<'_>, document: &OldDocument) -> Result<(), Trouble> {
    match document {
        OldDocument::Template(id, stored) => {
            templates::put(transaction, *id, &stored.json, After::kept(stored)).await?;
        }
        OldDocument::Company(company, stored) => {
            let StoredCompany { document, secrets } = stored;
            companies::put(transaction, company, &document.json, secrets, After::kept(document)).await?;
        }
        OldDocument::Qna(owner, id, stored) => {
            // One that is there already stays where it is.
            let position = qnas::before(transaction, owner, id)
                .await?
                .map(|(_, position)| position);
            qnas::put(transaction, owner, id, &stored.json, position, After::kept(stored)).await?;
        }
        OldDocument::Singleton(which, stored) => {
            singletons::put(transaction, which, &stored.json, After::kept(stored)).await?;
        }
    }
    Ok(())
}

async fn put_documents(
    transaction: &mut Transaction<'_>,
    documents: &[OldDocument],
) -> Result<(), Failure<StoreError>> {
    for document in documents {
        put_document(transaction, document).await?;
    }
    Ok(())
}

/// A call as it rests.
fn call_document(old: &OldCall) -> Document {
    let numbers = old.turns.iter().filter_map(|turn| turn.record.get("turn")?.as_i64());
    let mut document = doc! {
        "companyId": object_id(old.company),
        "callId": old.call.as_str(),
        "startedAt": date(old.started_at),
        "caller": old.from.as_deref(),
        "ending": &old.ending,
        "lastTurn": numbers.max().unwrap_or_default(),
    };
    if let Some(at) = old.ended_at {
        document.insert("endedAt", date(at));
        document.insert("endedAs", old.ended_as.as_deref());
    }
    document
}

fn turn_document(call: &OldCall, turn: &OldTurn) -> Result<Document, Trouble> {
    let text = |name: &str| turn.record.get(name).and_then(Value::as_str).unwrap_or_default();
    let at: Timestamp = text("at")
        .parse()
        .map_err(|error| damaged(format!("the time of a turn of call {}", call.call), error))?;
    let number = turn.record.get("turn").and_then(Value::as_i64).unwrap_or_default();
    let document = turn.document.as_deref();
    Ok(calls::document_of_turn(
        (call.company, &call.call, &turn.turn_id),
        (number, at),
        [text("utterance"), text("response")],
        values::to_document(&turn.record, "a turn record")?,
        document,
    ))
}

fn notification_document(notification: &Notification) -> Result<Document, Trouble> {
    let mut document = doc! {
        "code": notification.code.as_str(),
        "severity": word_of(notification.severity)?,
        "companyId": notification.company_id.map(object_id),
        "message": &notification.message,
        "details": values::to_bson(&notification.details),
        "count": int(notification.count),
        "firstAt": date(notification.first_at),
        "lastAt": date(notification.last_at),
        "state": word_of(notification.state)?,
        "changedAt": date(notification.last_at),
        "rev": 1_i64,
        "round": 0_i64,
        "roundAt": date(notification.first_at),
        "nextCount": int(notification.count.saturating_add(1)),
        "groups": [],
        "dueAt": is_still_to_be_told(notification).then(|| date(notification.last_at)),
    };
    if let Some(until) = notification.snoozed_until {
        document.insert("snoozedUntil", date(until));
    }
    if notification.state != NotificationState::Resolved {
        let company = notification.company_id.map(|company| company.to_string());
        let key = format!("{} {}", notification.code.as_str(), company.unwrap_or_default());
        document.insert("unresolved", key);
    }
    Ok(document)
}

fn put_rollup_in(scope: RollupScope, old: &SlotRollup) -> Upsert {
    let mut set = analytics::rollup_document(scope, old.slot, &old.rollup);
    set.insert("thinned", old.thinned);
    Upsert {
        query: analytics::id_of(scope, old.slot),
        update: doc! { "$set": set }.into(),
    }
}

fn read_rotation(rotation: &Document) -> Result<OldRotation, Trouble> {
    const WHAT: &str = "a rotation";
    let kind = rotation.text("kind", WHAT)?;
    let known = FallbackKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let last = rotation.number_or_none("lastSpoken");
    Ok(OldRotation {
        company: rotation.id("companyId", WHAT)?,
        kind: known.ok_or_else(|| damaged(WHAT, "it is of no kind that there is"))?,
        next: rotation.count("next", WHAT)?,
        last_spoken: last.and_then(|last| u32::try_from(last).ok()),
    })
}

/// The calls that come after a place, oldest first.
fn after(place: &CallPlace) -> Result<Document, Trouble> {
    let (at, id) = calls::parts_of(place)?;
    Ok(doc! { "$or": [
        { "startedAt": { "$gt": at.clone() } },
        { "startedAt": at, "_id": { "$gt": id } },
    ] })
}

impl MongoStore {
    async fn all(&self, collection: &str) -> Result<Vec<Document>, Trouble> {
        let collection = self.collection(collection);
        let found = collection.find(doc! {}).sort(doc! { "_id": 1 });
        Ok(found.await?.try_collect().await?)
    }

    async fn size_of(&self, collection: &str) -> Result<u64, Trouble> {
        Ok(self.collection(collection).count_documents(doc! {}).await?)
    }

    async fn held(&self) -> Result<Holdings, StoreError> {
        // Roll-ups are to say all of it.
        self.count(&doc! {}).await?;
        within("count what it holds", IMPORT, self.holdings_now()).await
    }

    async fn holdings_now(&self) -> Result<Holdings, Trouble> {
        let mut holdings = Holdings {
            companies: self.size_of(COMPANIES).await?,
            templates: self.size_of(TEMPLATES).await?,
            qnas: self.size_of(QNAS).await?,
            singletons: self.size_of(OVERLAYS).await? + self.size_of(PLATFORM).await?,
            calls: self.size_of(CALLS).await?,
            turns: self.size_of(TURNS).await?,
            messages: self.size_of(MESSAGES).await?,
            notifications: self.size_of(NOTIFICATIONS).await?,
            contacts: self.size_of(CONTACTS).await?,
            rollups: self.size_of(ROLLUPS).await?,
            entries: self.size_of(ENTRIES).await?,
            ..Holdings::default()
        };
        for account in self.all(ACCOUNTS).await? {
            let open = ledger::open_entries(&account);
            holdings.entries += u64::try_from(open).unwrap_or_default();
            let months = account.get_document("months").cloned().unwrap_or_default();
            for (_, month) in &months {
                let sum = |name| month.as_document().and_then(|month| month.number_or_none(name));
                holdings.spent = holdings.spent.saturating_add(sum("spent").unwrap_or_default());
                holdings.held = holdings.held.saturating_add(sum("held").unwrap_or_default());
            }
        }
        Ok(holdings)
    }

    async fn calls_after(&self, place: Option<CallPlace>, count: usize) -> Result<Vec<OldCall>, Trouble> {
        let wanted = place.as_ref().map(after).transpose()?.unwrap_or_default();
        let collection = self.collection(CALLS);
        let found = collection.find(wanted).sort(doc! { "startedAt": 1, "_id": 1 });
        let found: Vec<Document> = found.limit(limit(count)).await?.try_collect().await?;
        let mut calls = Vec::with_capacity(found.len());
        for call in found {
            let id = call.text("callId", WHAT)?;
            let turns = self
                .collection(TURNS)
                .find(doc! { "companyId": call.get("companyId"), "callId": id })
                .sort(doc! { "turn": 1, "at": 1 })
                .await?;
            let turns: Vec<Document> = turns.try_collect().await?;
            let turns = turns.into_iter().map(|mut turn| {
                let record = turn.remove("record").unwrap_or_default();
                Ok(OldTurn {
                    turn_id: TurnId::new(turn.text("turnId", "a turn")?),
                    record: values::from_bson(record, "a turn record")?,
                    document: turn.text_or_none("document").map(Into::into),
                })
            });
            calls.push(OldCall {
                place: calls::place_of(&call)?,
                company: call.id("companyId", WHAT)?,
                call: CallId::new(id),
                from: call.text_or_none("caller").map(str::to_owned),
                started_at: call.time("startedAt", WHAT)?,
                ending: call.text("ending", WHAT)?.to_owned(),
                ended_at: call.time_or_none("endedAt")?,
                ended_as: call.text_or_none("endedAs").map(str::to_owned),
                turns: turns.collect::<Result<_, Trouble>>()?,
            });
        }
        Ok(calls)
    }

    async fn put_calls(&self, old: &[OldCall]) -> Result<(), Trouble> {
        let new = old.iter().map(|call| Upsert {
            query: doc! { "_id": calls::id_of_call(call.company, &call.call) },
            update: doc! { "$setOnInsert": call_document(call) }.into(),
        });
        self.upsert_each(CALLS, new.collect()).await?;
        let mut turns = Vec::new();
        for call in old {
            for turn in &call.turns {
                turns.push(turn_document(call, turn)?);
            }
        }
        if turns.is_empty() {
            return Ok(());
        }
        match self.collection(TURNS).insert_many(turns).ordered(false).await {
            // What is there already stays as it is.
            Err(error) if is_taken(&error) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }
}

/// Writes those entries that are not there, and adds them to their months.
async fn put_entries(
    transaction: &mut Transaction<'_>,
    account: Account,
    entries: &[LedgerEntry],
) -> Result<(), Failure<StoreError>> {
    ledger::ensure_account(transaction, account).await?;
    for entry in entries {
        let id = doc! { "_id": object_id(entry.id) };
        if transaction.find(ENTRIES, id).await?.is_some() {
            continue;
        }
        let document = ledger::closed_entry(account, entry)?;
        let collection = transaction.collection(ENTRIES);
        collection
            .insert_one(document)
            .session(&mut transaction.session)
            .await?;
        let spent = doc! { "$inc": {
            format!("months.{}.spent", entry.month): entry.amount.pico(),
            format!("months.{}.held", entry.month): 0_i64,
        } };
        transaction
            .update(ACCOUNTS, doc! { "_id": object_id(account) }, spent)
            .await?;
    }
    Ok(())
}

#[async_trait]
impl TransferStore for MongoStore {
    async fn holdings(&self) -> Result<Holdings, StoreError> {
        self.held().await
    }

    async fn old_calls(&self, after: Option<CallPlace>, limit: usize) -> Result<Vec<OldCall>, StoreError> {
        within("read calls", IMPORT, self.calls_after(after, limit)).await
    }

    async fn old_rotations(&self) -> Result<Vec<OldRotation>, StoreError> {
        within("read rotations", IMPORT, async {
            let rotations = self.all(ROTATIONS).await?;
            rotations.iter().map(read_rotation).collect()
        })
        .await
    }

    async fn old_accounts(&self) -> Result<Vec<Account>, StoreError> {
        within("read the accounts of the ledger", IMPORT, async {
            let accounts = self.all(ACCOUNTS).await?;
            let accounts = accounts.iter().map(|account| account.id("_id", "a ledger's account"));
            accounts.collect()
        })
        .await
    }

    async fn restore_documents(&self, documents: Vec<OldDocument>) -> Result<(), StoreError> {
        transaction!(self, "take over documents", IMPORT, |transaction| put_documents(
            transaction,
            &documents
        ))
        .await
    }

    async fn restore_calls(&self, calls: Vec<OldCall>) -> Result<(), StoreError> {
        within("take over calls", IMPORT, self.put_calls(&calls)).await
    }

    async fn restore_notifications(&self, notifications: Vec<Notification>) -> Result<(), StoreError> {
        within("take over notifications", IMPORT, async {
            let collection = self.collection(NOTIFICATIONS);
            for notification in &notifications {
                let id = doc! { "_id": object_id(notification.id) };
                let document = notification_document(notification)?;
                collection.replace_one(id, document).upsert(true).await?;
            }
            Ok(())
        })
        .await
    }

    async fn restore_rollups(&self, scope: RollupScope, rollups: Vec<SlotRollup>) -> Result<(), StoreError> {
        within("take over roll-ups", IMPORT, async {
            let puts = rollups.iter().map(|old| put_rollup_in(scope, old));
            self.upsert_each(ROLLUPS, puts.collect()).await
        })
        .await
    }

    async fn restore_rotations(&self, rotations: Vec<OldRotation>) -> Result<(), StoreError> {
        within("take over rotations", IMPORT, async {
            let collection = self.collection(ROTATIONS);
            for rotation in &rotations {
                let mut document = rotations::owner(rotation.company, rotation.kind);
                document.insert("next", int(rotation.next));
                if let Some(last) = rotation.last_spoken {
                    document.insert("lastSpoken", Bson::Int64(last.into()));
                }
                let id = rotations::id_of(rotation.company, rotation.kind);
                collection.replace_one(id, document).upsert(true).await?;
            }
            Ok(())
        })
        .await
    }

    async fn restore_entries(&self, account: Account, entries: Vec<LedgerEntry>) -> Result<(), StoreError> {
        // Who is held for is asked by nobody any more: a store is moved when no process uses it.
        debug_assert!(entries.iter().all(|entry| entry.kind != EntryKind::Held));
        transaction!(self, "take over the ledger", IMPORT, |transaction| put_entries(
            transaction,
            account,
            &entries
        ))
        .await
    }

    async fn restore_retention(&self, keepers: Vec<RecordKeeper>) -> Result<(), StoreError> {
        within("take over how long records are kept", IMPORT, async {
            for keeper in &keepers {
                let id = doc! { "_id": object_id(keeper.company) };
                if self.collection(COMPANIES).find_one(id.clone()).await?.is_some() {
                    continue;
                }
                let kept = doc! { "$set": { "retentionDays": keeper.retention_days.map(i64::from) } };
                let collection = self.collection(DELETED_COMPANIES);
                collection.update_one(id, kept).upsert(true).await?;
            }
            Ok(())
        })
        .await
    }
}
