//! Adding it all up again, in one state of the store.

use std::collections::{BTreeMap, BTreeSet};

use frontdesk_domain::{
    ledger::{Spend, Usage},
    money::PicoUsd,
};
use futures_util::TryStreamExt as _;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReadConcern,
};

use super::{
    super::{
        MongoStore,
        failure::{Trouble, damaged},
        schema::{ACCOUNTS, ENTRIES},
        values::{self, Fields as _},
    },
    entries,
};
use crate::{
    common::audit::{Adding, Entry, Key},
    ports::Audit,
};

const WHAT: &str = "a ledger entry";

pub(super) async fn audit(store: &MongoStore) -> Result<Audit, Trouble> {
    let mut session = store.client.start_session().await?;
    session
        .start_transaction()
        .read_concern(ReadConcern::snapshot())
        .await?;
    let mut accounts = store.collection(ACCOUNTS).find(doc! {}).session(&mut session).await?;
    let accounts: Vec<Document> = accounts.stream(&mut session).try_collect().await?;
    let mut adding = Adding::default();
    let mut closed = BTreeSet::new();
    let mut entries = store.collection(ENTRIES).find(doc! {}).session(&mut session).await?;
    let mut stream = entries.stream(&mut session);
    while let Some(entry) = stream.try_next().await? {
        let account = text_of(entry.get("account"));
        let entry = read(account, &entry)?;
        closed.insert(entry.id.clone());
        adding.add(entry);
    }
    drop(stream);
    // Nothing was written, so that there is nothing to commit.
    session.abort_transaction().await?;
    let mut sums = BTreeMap::new();
    for account in &accounts {
        let id = text_of(account.get("_id"));
        for entry in entries::open_in(account) {
            let entry = read(id.clone(), entry)?;
            // Copied, and not yet taken out of the open ones.
            if !closed.contains(&entry.id) {
                adding.add(entry);
            }
        }
        sums.extend(sums_of(&id, account));
    }
    Ok(adding.end(sums))
}

fn text_of(id: Option<&Bson>) -> String {
    match id {
        Some(Bson::ObjectId(id)) => id.to_hex(),
        Some(Bson::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn sums_of(id: &str, account: &Document) -> Vec<(Key, Spend)> {
    let months = account.get_document("months").into_iter().flatten();
    let sums = months.filter_map(|(month, sums)| {
        let sums = sums.as_document()?;
        let sum = |name| PicoUsd::from_pico(sums.number_or_none(name).unwrap_or_default());
        let spend = Spend {
            spent: sum("spent"),
            held: sum("held"),
        };
        // A hold that was let go may leave a month of nothing.
        (spend != Spend::default()).then(|| ((id.to_owned(), month.clone()), spend))
    });
    sums.collect()
}

fn read(account: String, entry: &Document) -> Result<Entry, Trouble> {
    let tokens = |name| entry.number_or_none(name).and_then(|tokens| u64::try_from(tokens).ok());
    let usage = tokens("promptTokens").zip(tokens("completionTokens"));
    let price = entry.get_document("priceRow").ok().map(|price| {
        let price = values::from_bson(Bson::Document(price.clone()), "a price")?;
        serde_json::to_string(&price).map_err(|error| damaged("a price", error))
    });
    Ok(Entry {
        key: (account, entry.text("month", WHAT)?.to_owned()),
        id: text_of(entry.get("_id")),
        kind: entries::kind_of(entry)?,
        usage: usage.map(|(prompt, completion)| Usage {
            prompt,
            cached: tokens("cachedTokens").unwrap_or_default(),
            cache_write: tokens("cacheWriteTokens").unwrap_or_default(),
            completion,
        }),
        price: price.transpose()?,
        hold: entry.number_or_none("hold").map(PicoUsd::from_pico),
        amount: PicoUsd::from_pico(entry.number("amount", WHAT)?),
    })
}
