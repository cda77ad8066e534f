//! The call log: a document a call, and one a turn.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CallId, CompanyId, TurnId},
    record::{TurnOutcome, TurnRecord},
    time::Timestamp,
};
use futures_util::{TryStreamExt as _, stream::TryChunksError};
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use super::{
    MongoStore,
    analytics::UNCOUNTED,
    failure::{Trouble, damaged, is_taken, within},
    revisions::limit,
    rotations,
    schema::{CALLS, TURNS},
    updates::Upsert,
    values::{self, Fields as _, date, object_id, word_of},
};
use crate::ports::{
    CallCursor, CallEnd, CallFilter, CallLog, CallPlace, GivenAnswer, Page, Recalled, StoreError, StoredCall, TurnLog,
    TurnsOfCall,
};

const WHAT: &str = "a call";

/// So many turns are stored by one command: what others ask of the server waits for no more than that.
const STORED_AT_ONCE: usize = 64;

/// Calls are searched for words in steps of so many.
const SEARCHED_AT_ONCE: usize = 200;

/// A text: not every server finds a document by an `_id` of several fields without looking at all of them.
pub(super) fn id_of_call(company: CompanyId, call: &CallId) -> String {
    format!("{company}/{call}")
}

pub(super) fn id_of_turn(company: CompanyId, call: &CallId, turn: &TurnId) -> String {
    format!("{company}/{call}/{turn}")
}

/// The turns of each call; never none.
fn turns_of_calls(turns: &[TurnRecord]) -> BTreeMap<(CompanyId, &CallId), Vec<&TurnRecord>> {
    let mut calls: BTreeMap<_, Vec<&TurnRecord>> = BTreeMap::new();
    for turn in turns {
        let call = (turn.decision.company_id, &turn.call_id);
        calls.entry(call).or_default().push(turn);
    }
    calls
}

fn literal(value: impl Into<Bson>) -> Bson {
    Bson::Document(doc! { "$literal": value.into() })
}

/// What a call's turns say of it, whatever came before or comes later.
fn note_call(company: CompanyId, call: &CallId, turns: &[&TurnRecord]) -> Result<Option<Document>, Trouble> {
    let (Some(last), Some(started_at)) = (
        turns.iter().max_by_key(|turn| turn.turn),
        turns.iter().map(|turn| turn.at).min(),
    ) else {
        return Ok(None);
    };
    let caller = turns.iter().find_map(|turn| turn.from.as_deref());
    let number = i64::from(last.turn);
    Ok(Some(doc! {
        "companyId": object_id(company),
        "callId": literal(call.as_str()),
        "startedAt": { "$min": ["$startedAt", date(started_at)] },
        "caller": { "$ifNull": ["$caller", literal(caller)] },
        "ending": { "$cond": [
            { "$gte": [number, { "$ifNull": ["$lastTurn", -1_i64] }] }, literal(word_of(last.outcome)?), "$ending",
        ] },
        "lastTurn": { "$max": ["$lastTurn", number] },
    }))
}

/// That a call has ended. The first report stays.
fn note_end(end: &CallEnd) -> Result<Document, Trouble> {
    Ok(doc! {
        "companyId": object_id(end.company),
        "callId": literal(end.call.as_str()),
        "startedAt": { "$ifNull": ["$startedAt", date(end.at)] },
        "caller": { "$ifNull": ["$caller", literal(end.from.as_deref())] },
        "ending": { "$ifNull": ["$ending", literal(word_of(TurnOutcome::Hangup)?)] },
        "lastTurn": { "$ifNull": ["$lastTurn", 0_i64] },
        "endedAs": { "$ifNull": ["$endedAs", literal(end.status)] },
        "endedAt": { "$ifNull": ["$endedAt", date(end.at)] },
    })
}

fn noting(company: CompanyId, call: &CallId, note: Document) -> Upsert {
    Upsert {
        query: doc! { "_id": id_of_call(company, call) },
        update: Bson::Array(vec![Bson::Document(doc! { "$set": note })]),
    }
}

/// A turn as it rests.
fn turn_document(turn: &TurnRecord) -> Result<Document, Trouble> {
    let mut document = document_of_turn(
        (turn.decision.company_id, &turn.call_id, &turn.turn_id),
        (turn.turn.into(), turn.at),
        [&turn.decision.utterance, &turn.decision.response],
        values::to_document(turn, "a turn record")?,
        turn.document.as_deref(),
    );
    document.insert(UNCOUNTED, true);
    Ok(document)
}

/// A turn as it rests: whose it is, which number it has and when it came, what was said by both, its record, and the
/// document that answered it.
pub(super) fn document_of_turn(
    (company, call, id): (CompanyId, &CallId, &TurnId),
    (number, at): (i64, Timestamp),
    said: [&str; 2],
    record: Document,
    document: Option<&str>,
) -> Document {
    doc! {
        "_id": id_of_turn(company, call, id),
        "companyId": object_id(company),
        "callId": call.as_str(),
        "turnId": id.as_str(),
        "turn": number,
        "at": date(at),
        // As searches compare it.
        "words": said.join("\n").to_lowercase(),
        "record": record,
        "document": document,
    }
}

/// A text as a regular expression that finds it.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

impl MongoStore {
    async fn append(&self, turns: &[TurnRecord]) -> Result<(), Trouble> {
        // One after the other: of two records of one turn the first stays.
        for some in turns.chunks(STORED_AT_ONCE) {
            self.append_some(some).await?;
        }
        rotations::note_spoken(self, turns).await
    }

    async fn append_some(&self, turns: &[TurnRecord]) -> Result<(), Trouble> {
        // First the calls: a turn is found through its call.
        let mut noted = Vec::new();
        for ((company, call), turns) in turns_of_calls(turns) {
            noted.extend(note_call(company, call, &turns)?.map(|note| noting(company, call, note)));
        }
        self.upsert_each(CALLS, noted).await?;
        let documents = turns.iter().map(turn_document).collect::<Result<Vec<_>, _>>()?;
        match self.collection(TURNS).insert_many(documents).ordered(false).await {
            // What is there already stays as it is.
            Err(error) if is_taken(&error) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    /// Those of a company's calls in which somebody said these words.
    async fn saying(&self, company: CompanyId, calls: Vec<Document>, words: &str) -> Result<Vec<Document>, Trouble> {
        let ids: Vec<&str> = calls.iter().filter_map(|call| call.text_or_none("callId")).collect();
        let found = self
            .collection(TURNS)
            .find(doc! {
                "companyId": object_id(company), "callId": { "$in": ids }, "words": { "$regex": escaped(words) },
            })
            .projection(doc! { "callId": 1 })
            .await?;
        let found: Vec<Document> = found.try_collect().await?;
        let says = |call: &Document| {
            let call = call.text_or_none("callId");
            found.iter().any(|turn| turn.text_or_none("callId") == call)
        };
        Ok(calls.into_iter().filter(says).collect())
    }

    /// Calls with their turns, in the order given.
    async fn with_turns(&self, company: CompanyId, calls: Vec<Document>) -> Result<Vec<StoredCall>, Trouble> {
        let ids: Vec<&str> = calls.iter().filter_map(|call| call.text_or_none("callId")).collect();
        let found = self
            .collection(TURNS)
            .find(doc! { "companyId": object_id(company), "callId": { "$in": ids } })
            .projection(doc! { "callId": 1, "record": 1 })
            .sort(doc! { "turn": 1, "at": 1 })
            .await?;
        let found: Vec<Document> = found.try_collect().await?;
        let mut turns: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for mut turn in found {
            let record = turn.remove("record").unwrap_or_default();
            let call = turn.text("callId", "a turn")?.to_owned();
            turns
                .entry(call)
                .or_default()
                .push(values::from_bson(record, "a turn record")?);
        }
        let calls = calls.iter().map(|call| {
            let id = call.text("callId", WHAT)?;
            Ok(StoredCall {
                call_id: CallId::new(id),
                from: call.text_or_none("caller").map(str::to_owned),
                started_at: call.time("startedAt", WHAT)?,
                ending: call.text("ending", WHAT)?.to_owned(),
                ended_at: call.time_or_none("endedAt")?,
                ended_as: call.text_or_none("endedAs").map(str::to_owned),
                turns: turns.remove(id).unwrap_or_default(),
            })
        });
        calls.collect()
    }

    async fn listed(
        &self,
        company: CompanyId,
        filter: &CallFilter,
        page: Page<CallCursor>,
    ) -> Result<Vec<Document>, Trouble> {
        let newest_first = doc! { "startedAt": -1, "callId": -1 };
        let collection = self.collection(CALLS);
        let found = collection
            .find(conditions(company, filter, page.after))
            .sort(newest_first);
        let words = filter.words.as_ref().filter(|words| !words.is_empty());
        let Some(words) = words.map(|words| words.to_lowercase()) else {
            return Ok(found.limit(limit(page.limit)).await?.try_collect().await?);
        };
        let mut found = found.await?.try_chunks(SEARCHED_AT_ONCE);
        let mut listed = Vec::new();
        while listed.len() < page.limit
            && let Some(calls) = found.try_next().await.map_err(|TryChunksError(_, error)| error)?
        {
            listed.extend(self.saying(company, calls, &words).await?);
        }
        listed.truncate(page.limit);
        Ok(listed)
    }
}

fn conditions(company: CompanyId, filter: &CallFilter, after: Option<CallCursor>) -> Document {
    let CallFilter {
        from,
        to,
        caller,
        outcome,
        words: _,
    } = filter;
    let mut all = vec![doc! { "companyId": object_id(company) }];
    all.extend(from.map(|from| doc! { "startedAt": { "$gte": date(from) } }));
    all.extend(to.map(|to| doc! { "startedAt": { "$lt": date(to) } }));
    all.extend(caller.as_ref().map(|caller| doc! { "caller": { "$eq": caller } }));
    all.extend(outcome.as_ref().map(|outcome| doc! { "ending": { "$eq": outcome } }));
    all.extend(after.map(|CallCursor { started_at, call_id }| {
        let at = date(started_at);
        doc! { "$or": [
            { "startedAt": { "$lt": at.clone() } },
            { "startedAt": at, "callId": { "$lt": call_id.as_str() } },
        ] }
    }));
    doc! { "$and": all }
}

/// Where a call stands among those of all companies: when it began, and which it is.
pub(super) fn place_of(call: &Document) -> Result<CallPlace, Trouble> {
    let at = call.time("startedAt", WHAT)?.as_millisecond();
    let company: CompanyId = call.id("companyId", WHAT)?;
    Ok(CallPlace::from(format!(
        "{at}/{company}/{}",
        call.text("callId", WHAT)?
    )))
}

/// When the call at a place began, and its id.
pub(super) fn parts_of(place: &CallPlace) -> Result<(Bson, Bson), Trouble> {
    let unread = || damaged("the place of a call", "it is none");
    let mut parts = place.splitn(3, '/');
    let (Some(at), Some(company), Some(call)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(unread());
    };
    let at = at.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let at = date(at.ok_or_else(unread)?);
    let company: CompanyId = company.parse().map_err(|_| unread())?;
    Ok((at, id_of_call(company, &CallId::new(call)).into()))
}

/// The calls that come after a place, newest first.
fn beyond(place: &CallPlace) -> Result<Document, Trouble> {
    let (at, id) = parts_of(place)?;
    Ok(doc! { "$or": [
        { "startedAt": { "$lt": at.clone() } },
        { "startedAt": at, "_id": { "$lt": id } },
    ] })
}

#[async_trait]
impl TurnLog for MongoStore {
    async fn append_turns(&self, turns: Arc<Vec<TurnRecord>>) -> Result<(), StoreError> {
        within("keep turn records", self.options.operator_deadline, self.append(&turns)).await
    }

    async fn end_calls(&self, ends: Arc<Vec<CallEnd>>) -> Result<(), StoreError> {
        within("note that calls have ended", self.options.operator_deadline, async {
            // Of two reports on one call the first counts, which side by side might come second.
            let mut seen = HashSet::new();
            let firsts = ends.iter().filter(|end| seen.insert((end.company, &end.call)));
            let noted = firsts.map(|end| Ok(noting(end.company, &end.call, note_end(end)?)));
            self.upsert_each(CALLS, noted.collect::<Result<_, Trouble>>()?).await
        })
        .await
    }
}

#[async_trait]
impl CallLog for MongoStore {
    async fn calls(
        &self,
        company: CompanyId,
        filter: &CallFilter,
        page: Page<CallCursor>,
    ) -> Result<Vec<StoredCall>, StoreError> {
        within("list calls", self.options.operator_deadline, async {
            let listed = self.listed(company, filter, page).await?;
            self.with_turns(company, listed).await
        })
        .await
    }

    async fn call(&self, company: CompanyId, call: &CallId) -> Result<Option<StoredCall>, StoreError> {
        within("read a call", self.options.operator_deadline, async {
            let found = self
                .collection(CALLS)
                .find_one(doc! { "_id": id_of_call(company, call) })
                .await?;
            Ok(self.with_turns(company, found.into_iter().collect()).await?.pop())
        })
        .await
    }

    async fn recall(
        &self,
        company: CompanyId,
        call: &CallId,
        turn: &TurnId,
        since: Timestamp,
    ) -> Result<Option<Recalled>, StoreError> {
        within("recall a call", self.options.turn_deadline, async {
            let found = self
                .collection(CALLS)
                .find_one(doc! { "_id": id_of_call(company, call) })
                .await?;
            let Some(found) = found else { return Ok(None) };
            let turns = self.collection(TURNS);
            let answer = turns
                .find_one(doc! { "_id": id_of_turn(company, call, turn), "at": { "$gte": date(since) } })
                .projection(doc! { "document": 1, "record.response": 1 })
                .into_future();
            let last = turns
                .find_one(doc! {
                    "companyId": object_id(company), "callId": call.as_str(), "document": { "$type": "string" },
                })
                .projection(doc! { "document": 1 })
                .sort(doc! { "turn": -1, "at": -1 })
                .into_future();
            // Side by side: a turn waits for both.
            let (answer, last) = futures_util::try_join!(answer, last)?;
            let answer = answer.map(|turn| {
                let response = turn.part("record", "a turn")?.text("response", "a turn record")?;
                Ok::<_, Trouble>(GivenAnswer {
                    document: turn.text_or_none("document").map(Into::into),
                    response: response.into(),
                })
            });
            Ok(Some(Recalled {
                answer: answer.transpose()?,
                last_document: last.and_then(|turn| turn.text_or_none("document").map(Into::into)),
                has_ended: found.time_or_none("endedAt")?.is_some(),
            }))
        })
        .await
    }

    async fn turns_since(
        &self,
        since: Timestamp,
        before: Option<CallPlace>,
        count: usize,
    ) -> Result<Vec<TurnsOfCall>, StoreError> {
        within("read the ids of turns", self.options.operator_deadline, async {
            let mut all = vec![doc! { "startedAt": { "$gte": date(since) } }];
            all.extend(before.as_ref().map(beyond).transpose()?);
            let calls = self
                .collection(CALLS)
                .find(doc! { "$and": all })
                .sort(doc! { "startedAt": -1, "_id": -1 })
                .limit(limit(count))
                .await?;
            let calls: Vec<Document> = calls.try_collect().await?;
            let ids: Vec<&str> = calls.iter().filter_map(|call| call.text_or_none("callId")).collect();
            let companies: Vec<Bson> = calls.iter().filter_map(|call| call.get("companyId").cloned()).collect();
            let found = self
                .collection(TURNS)
                .find(doc! { "companyId": { "$in": companies }, "callId": { "$in": ids } })
                .projection(doc! { "turnId": 1, "companyId": 1, "callId": 1 })
                .sort(doc! { "turn": 1 })
                .await?;
            let found: Vec<Document> = found.try_collect().await?;
            let mut turns: BTreeMap<(CompanyId, &str), Vec<TurnId>> = BTreeMap::new();
            for turn in &found {
                let call = (turn.id("companyId", "a turn")?, turn.text("callId", "a turn")?);
                let id = TurnId::new(turn.text("turnId", "a turn")?);
                turns.entry(call).or_default().push(id);
            }
            let calls = calls.iter().map(|call| {
                let (company, id) = (call.id("companyId", WHAT)?, call.text("callId", WHAT)?);
                Ok(TurnsOfCall {
                    place: place_of(call)?,
                    company,
                    call: CallId::new(id),
                    has_ended: call.time_or_none("endedAt")?.is_some(),
                    turns: turns.remove(&(company, id)).unwrap_or_default(),
                })
            });
            calls.collect()
        })
        .await
    }
}
