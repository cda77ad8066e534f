//! Roll-ups, and the turns that no scripted match answered.
//!
//! A turn is stored alone and says that it is not counted yet ([`UNCOUNTED`]). Later a transaction counts it and takes
//! that word away: both or neither, so each turn is counted once, whoever breaks off where. Storing waits for no
//! transaction: one process counts now and then for all, and whoever reads counts first what is left.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use frontdesk_domain::{
    analytics::{AnswerKey, AnswerKind, Answers, Counter, Miss, Rollup, Slot, TurnFacts},
    decision::Source,
    ids::CompanyId,
    money::PicoUsd,
    time::Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};

use super::{
    MongoStore, calls,
    failure::{Trouble, damaged, readable, within},
    revisions::limit,
    schema::{MISSES, ROLLUPS, TURNS},
    transaction::{Transaction, transaction},
    values::{self, Fields as _, date, object_id},
};
use crate::{
    common::analytics::Additions,
    ports::{AnalyticsStore, Erased, RollupScope, SlotRollup, StoreError},
};

const WHAT: &str = "a roll-up";

/// The field of a turn that is in no roll-up yet.
pub(super) const UNCOUNTED: &str = "uncounted";

/// The field of a turn that cannot be read and is in no roll-up.
const UNCOUNTABLE: &str = "uncountable";

/// So many turns are counted at once.
const LEFT_OVER: i64 = 200;

fn scope_of(scope: RollupScope) -> Bson {
    match scope {
        RollupScope::Platform => Bson::Null,
        RollupScope::Company(company) => object_id(company),
    }
}

pub(super) fn id_text(scope: RollupScope, slot: i64) -> String {
    match scope {
        RollupScope::Platform => format!("platform/{slot}"),
        RollupScope::Company(company) => format!("{company}/{slot}"),
    }
}

pub(super) fn id_of(scope: RollupScope, slot: Slot) -> Document {
    doc! { "_id": id_text(scope, slot.number()) }
}

fn count_name(code: u16) -> String {
    format!("c{code}")
}

fn answer_name(key: &AnswerKey) -> String {
    let kind = match key.kind {
        AnswerKind::Scenario => 's',
        AnswerKind::Qna => 'q',
    };
    values::escaped(&format!("{kind}{}", key.id))
}

/// What adds these counts to a roll-up.
fn increments(rollup: &Rollup) -> Document {
    let mut all = Document::new();
    for (code, count) in rollup.codes() {
        all.insert(format!("counts.{}", count_name(*code)), *count);
    }
    for (key, answers) in rollup.answers() {
        let name = answer_name(key);
        all.insert(format!("answers.{name}.turns"), answers.turns);
        all.insert(format!("answers.{name}.byLlm"), answers.by_llm);
        all.insert(format!("answers.{name}.cost"), answers.cost.pico());
    }
    all
}

/// A roll-up as a whole.
fn fields(rollup: &Rollup) -> (Document, Document) {
    let counts = rollup.codes().iter();
    let counts = counts.map(|(code, count)| (count_name(*code), Bson::Int64(*count)));
    let answers = rollup.answers().iter().map(|(key, answers)| {
        let numbers = doc! { "turns": answers.turns, "byLlm": answers.by_llm, "cost": answers.cost.pico() };
        (answer_name(key), Bson::Document(numbers))
    });
    (counts.collect(), answers.collect())
}

fn read_answer(name: &str, numbers: &Bson) -> Result<(AnswerKey, Answers), Trouble> {
    let unread = || damaged(WHAT, "an answer in it is none");
    let name = values::unescaped(name).ok_or_else(unread)?;
    let mut letters = name.chars();
    let kind = match letters.next() {
        Some('s') => AnswerKind::Scenario,
        Some('q') => AnswerKind::Qna,
        _ => return Err(unread()),
    };
    let id = letters.as_str().into();
    let numbers = numbers.as_document().ok_or_else(unread)?;
    let answers = Answers {
        turns: numbers.number("turns", WHAT)?,
        by_llm: numbers.number("byLlm", WHAT)?,
        cost: PicoUsd::from_pico(numbers.number("cost", WHAT)?),
    };
    Ok((AnswerKey { kind, id }, answers))
}

fn read_rollup(document: &Document) -> Result<SlotRollup, Trouble> {
    let slot = document.number("slot", WHAT)?;
    let mut counts = Vec::new();
    for (name, count) in document.get_document("counts").into_iter().flatten() {
        let code = name.strip_prefix('c').and_then(|code| code.parse().ok());
        let (Some(code), Some(count)) = (code, count.as_i64()) else {
            return Err(damaged(WHAT, "a count in it is none"));
        };
        counts.push((code, count));
    }
    let answers = document.get_document("answers").into_iter().flatten();
    let answers = answers.map(|(name, numbers)| read_answer(name, numbers));
    Ok(SlotRollup {
        slot: Slot::from_number(slot),
        thinned: document.get_bool("thinned").unwrap_or(false),
        rollup: Rollup::from_parts(counts, answers.collect::<Result<BTreeMap<_, _>, _>>()?),
    })
}

/// A miss as it rests, under the id of its turn.
fn miss_document(company: CompanyId, miss: &Miss) -> Result<(String, Document), Trouble> {
    let id = calls::id_of_turn(company, &miss.call_id, &miss.turn_id);
    let fields = doc! {
        "companyId": object_id(company), "callId": miss.call_id.as_str(), "at": date(miss.at),
        "miss": values::to_document(miss, "a turn that nothing matched")?,
    };
    Ok((id, fields))
}

async fn put_miss(transaction: &mut Transaction<'_>, company: CompanyId, miss: &Miss) -> Result<(), Trouble> {
    let (id, fields) = miss_document(company, miss)?;
    let new = doc! { "$setOnInsert": fields };
    transaction.upsert(MISSES, doc! { "_id": id }, new).await
}

fn facts_of(turn: &mut Document) -> Result<TurnFacts<'static>, Trouble> {
    let record = turn.remove("record").unwrap_or_default();
    let record = values::from_bson(record, "a turn record")?;
    serde_json::from_value(record).map_err(|error| damaged("a turn record", error))
}

/// Counts at most [`LEFT_OVER`] turns that the filter lets through and that are not counted yet; how many there were.
async fn count_in(transaction: &mut Transaction<'_>, filter: Document) -> Result<u64, Trouble> {
    let mut wanted = doc! { UNCOUNTED: true };
    wanted.extend(filter);
    let turns = transaction.collection(TURNS);
    let found = turns.find(wanted).projection(doc! { "record": 1 }).limit(LEFT_OVER);
    let mut found = found.session(&mut transaction.session).await?;
    let found: Vec<Document> = found.stream(&mut transaction.session).try_collect().await?;
    let mut additions = Additions::default();
    let mut ids = Vec::with_capacity(found.len());
    let mut damaged = Vec::new();
    for mut turn in found {
        let id = turn.remove("_id");
        let Some(facts) = readable("a turn", id.as_ref(), facts_of(&mut turn))? else {
            damaged.extend(id);
            continue;
        };
        additions.count(&facts);
        if let Some(miss) = Miss::of(&facts) {
            put_miss(transaction, facts.company_id, &miss).await?;
        }
        ids.extend(id);
    }
    let counted = (ids.len() + damaged.len()) as u64;
    if !damaged.is_empty() {
        let update = doc! { "$unset": { UNCOUNTED: "" }, "$set": { UNCOUNTABLE: true } };
        let update = turns.update_many(doc! { "_id": { "$in": damaged } }, update);
        update.session(&mut transaction.session).await?;
    }
    if ids.is_empty() {
        return Ok(counted);
    }
    let wanted = doc! { "_id": { "$in": ids } };
    let update = turns.update_many(wanted, doc! { "$unset": { UNCOUNTED: "" } });
    update.session(&mut transaction.session).await?;
    for ((scope, slot), added) in additions.finish() {
        let add = doc! {
            "$inc": increments(&added),
            "$setOnInsert": { "scope": scope_of(scope), "slot": slot.number() },
        };
        transaction.upsert(ROLLUPS, id_of(scope, slot), add).await?;
    }
    Ok(counted)
}

/// A roll-up as it rests.
pub(super) fn rollup_document(scope: RollupScope, slot: Slot, rollup: &Rollup) -> Document {
    let (counts, answers) = fields(rollup);
    doc! { "scope": scope_of(scope), "slot": slot.number(), "counts": counts, "answers": answers }
}

/// What is read of a roll-up for the fallback rate.
fn rate_alone() -> Document {
    let counters = [
        Counter::Turns,
        Counter::Source(Source::Conversation),
        Counter::Source(Source::Fallback),
    ];
    let names = counters.map(|counter| (format!("counts.{}", count_name(counter.code())), 1_i32.into()));
    let mut fields = doc! { "scope": 1, "slot": 1 };
    fields.extend(names);
    fields
}

impl MongoStore {
    /// Shows of each company's roll-ups of the quarters from `from` on how many turns were asked and how many fell back.
    pub(super) async fn each_company(
        &self,
        from: Slot,
        mut show: impl FnMut(CompanyId, &Rollup),
    ) -> Result<(), Trouble> {
        let wanted = doc! { "slot": { "$gte": from.number() }, "scope": { "$ne": Bson::Null } };
        let mut found = self.collection(ROLLUPS).find(wanted).projection(rate_alone()).await?;
        while let Some(rollup) = found.try_next().await? {
            show(rollup.id("scope", WHAT)?, &read_rollup(&rollup)?.rollup);
        }
        Ok(())
    }

    /// Counts turns that the filter lets through and that are not counted yet, until there are none left.
    pub(super) async fn count(&self, filter: &Document) -> Result<(), StoreError> {
        loop {
            let counted: Result<u64, StoreError> = transaction!(
                self,
                "count turns",
                self.options.operator_deadline,
                |transaction| async { Ok(count_in(transaction, filter.clone()).await?) }
            )
            .await;
            if counted? < LEFT_OVER.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Notes that turns are about to be deleted that these roll-ups count: those of a company's calls. They are counted
    /// first, if they are not yet.
    pub(super) async fn thin(&self, company: CompanyId, calls: &[&str]) -> Result<(), Trouble> {
        let turns = doc! { "companyId": object_id(company), "callId": { "$in": calls } };
        let counted = self.count(&turns).await;
        counted.map_err(|error| damaged("the count of a turn", error))?;
        let found = self.collection(TURNS).find(turns).projection(doc! { "at": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        let slots = found
            .iter()
            .map(|turn| Ok(Slot::of(turn.time("at", "a turn")?).number()));
        let slots = slots.collect::<Result<BTreeSet<_>, Trouble>>()?;
        let ids: Vec<String> = slots
            .into_iter()
            .map(|slot| id_text(RollupScope::Company(company), slot))
            .collect();
        let thinned = doc! { "$set": { "thinned": true } };
        self.collection(ROLLUPS)
            .update_many(doc! { "_id": { "$in": ids } }, thinned)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl AnalyticsStore for MongoStore {
    async fn count_turns(&self) -> Result<(), StoreError> {
        self.count(&doc! {}).await
    }

    async fn rollups(&self, scope: RollupScope, from: Slot, to: Slot) -> Result<Vec<SlotRollup>, StoreError> {
        self.count_turns().await?;
        within("read roll-ups", self.options.operator_deadline, async {
            let found = self
                .collection(ROLLUPS)
                .find(doc! { "scope": scope_of(scope), "slot": { "$gte": from.number(), "$lt": to.number() } })
                .sort(doc! { "slot": 1 })
                .await?;
            let found: Vec<Document> = found.try_collect().await?;
            found.iter().map(read_rollup).collect()
        })
        .await
    }

    async fn counted_companies(&self) -> Result<Vec<CompanyId>, StoreError> {
        self.count_turns().await?;
        within(
            "list the companies that have roll-ups",
            self.options.operator_deadline,
            async {
                let found = self.collection(ROLLUPS).distinct("scope", doc! {}).await?;
                let ids = found.iter().filter_map(Bson::as_object_id);
                let companies = ids.map(|id| id.to_hex().parse());
                let companies = companies.collect::<Result<Vec<CompanyId>, _>>();
                let mut companies = companies.map_err(|error| damaged("the company of a roll-up", error))?;
                companies.sort_unstable();
                Ok(companies)
            },
        )
        .await
    }

    async fn misses(
        &self,
        company: CompanyId,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<Vec<Miss>, StoreError> {
        self.count_turns().await?;
        within("read what nothing matched", self.options.operator_deadline, async {
            let wanted = doc! { "companyId": object_id(company), "at": { "$gte": date(from), "$lt": date(to) } };
            let misses = self.collection(MISSES);
            let found = misses.find(wanted).projection(doc! { "miss": 1 });
            let found = found.sort(doc! { "at": -1 }).limit(limit(most)).await?;
            let found: Vec<Document> = found.try_collect().await?;
            let read = found.into_iter().map(|mut miss| match miss.remove("miss") {
                Some(Bson::Document(miss)) => values::from_document(miss, "a turn that nothing matched"),
                _ => Err(damaged("a turn that nothing matched", "it is none")),
            });
            read.collect()
        })
        .await
    }

    async fn replace_rollup(
        &self,
        scope: RollupScope,
        slot: Slot,
        seen: Option<&Rollup>,
        counted: Rollup,
    ) -> Result<bool, StoreError> {
        let deadline = self.options.operator_deadline;
        transaction!(self, "correct a roll-up", deadline, |transaction| async {
            let found = transaction.find(ROLLUPS, id_of(scope, slot)).await?;
            let found = found.as_ref().map(read_rollup).transpose()?;
            let is_thinned = found.as_ref().is_some_and(|found| found.thinned);
            if is_thinned || found.as_ref().map(|found| &found.rollup) != seen {
                return Ok(false);
            }
            let correct = doc! { "$set": rollup_document(scope, slot, &counted) };
            transaction.upsert(ROLLUPS, id_of(scope, slot), correct).await?;
            Ok(true)
        })
        .await
    }

    async fn restore_misses(&self, company: CompanyId, misses: Vec<Miss>) -> Result<u64, StoreError> {
        within("add what nothing matched", self.options.operator_deadline, async {
            let (mut restored, stored) = (0, self.collection(MISSES));
            for miss in &misses {
                let (id, fields) = miss_document(company, miss)?;
                if self.collection(TURNS).find_one(doc! { "_id": &id }).await?.is_none() {
                    continue;
                }
                let new = doc! { "$setOnInsert": fields };
                let put = stored.update_one(doc! { "_id": id }, new).upsert(true).await?;
                restored += u64::from(put.upserted_id.is_some());
            }
            Ok(restored)
        })
        .await
    }

    async fn erase(&self, company: CompanyId, caller: &str) -> Result<Erased, StoreError> {
        within("erase a caller", self.options.operator_deadline, async {
            self.erase_batch(company, caller).await
        })
        .await
    }
}
