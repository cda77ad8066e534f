//! Moves all that one store holds into another, and compares what arrived.
//!
//! Every step may be done again, so a move that broke off is begun anew and finds most of it done. What the ledger holds
//! moves only when nothing is held: what is still open belongs to a call that goes on.

use frontdesk_domain::{
    address::Reach,
    analytics::Slot,
    documents::{Mode, company::Company, contact::Contact},
    ids::CompanyId,
    record::{AudioState, MessageState},
    time::Timestamp,
};
use serde_json::Value;

use crate::ports::{
    Audit, ContactWrite, Holdings, LedgerFilter, MessageFilter, Movable, NotificationFilter, OldDocument, Page,
    QnaOwner, RecordKeeper, RollupScope, Singleton, StoreError, StoredCompany, WriteError,
};

/// So many documents, notifications or entries are moved at once.
const PAGE: usize = 100;

/// So many calls with their turns.
const CALLS: usize = 50;

/// So many turns that nothing matched are moved of a company, the newest ones.
const MISSES: usize = 100_000;

/// Where webhooks may lead was decided when their contacts were written.
const EVERYWHERE: Reach = Reach {
    private: true,
    plain_http: true,
};

/// Parts of a store, in the order in which they are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Templates, companies, Q&As, overlays, safety rules and prompts.
    Documents,
    /// Calls with their turns.
    Calls,
    /// Roll-ups, and what nothing matched.
    Counts,
    /// Messages with their audio.
    Messages,
    /// Notifications.
    Notifications,
    /// Who is told of them.
    Contacts,
    /// Rotations of fallbacks, and how long records of deleted companies are kept.
    Rotations,
    /// The ledger.
    Ledger,
}

impl Part {
    /// As it is called in a sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Calls => "calls",
            Self::Counts => "roll-ups",
            Self::Messages => "messages",
            Self::Notifications => "notifications",
            Self::Contacts => "contacts",
            Self::Rotations => "rotations",
            Self::Ledger => "ledger entries",
        }
    }
}

/// Why nothing more was moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The store that is moved still holds money for calls.
    #[error(
        "the ledger still holds {0} pico-USD for calls that are under way: stop every process that uses the store, wait a minute and run this again"
    )]
    Held(i64),
    /// What the ledger says is not what its entries add up to.
    #[error("the ledger is not right before the move: `frontdesk budget verify` says where")]
    Drift,
    /// More or less arrived than there was.
    #[error("what arrived is not what was there: {0}")]
    Differs(String),
    /// A stored document cannot be read.
    #[error("{0} cannot be read from the store: `frontdesk doctor` says why")]
    Unreadable(String),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves all of it; `told` hears of each part how many were moved since it last heard. Gives what both hold then.
///
/// # Errors
/// As in [`MoveError`]. What was moved stays, and running it again goes on.
pub async fn move_all(
    from: &dyn Movable,
    to: &dyn Movable,
    now: Timestamp,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<Holdings, MoveError> {
    // What dead processes left is charged first, as it would be in any case.
    from.reap(now).await?;
    let held = from.holdings().await?.held;
    if held != 0 {
        return Err(MoveError::Held(held));
    }
    let before = from.audit().await?;
    if !before.drifts.is_empty() {
        return Err(MoveError::Drift);
    }
    documents(from, to, told).await?;
    calls(from, to, told).await?;
    counts(from, to, told).await?;
    let keepers = from.record_keepers().await?;
    messages(from, to, &keepers, told).await?;
    notifications(from, to, told).await?;
    contacts(from, to, told).await?;
    let rotations = from.old_rotations().await?;
    told(Part::Rotations, rotations.len());
    to.restore_rotations(rotations).await?;
    to.restore_retention(keepers).await?;
    ledger(from, to, told).await?;
    compare(from, to, &before).await
}

async fn documents(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    let mut put = async |documents: Vec<OldDocument>| -> Result<(), StoreError> {
        let count = documents.len();
        if count > 0 {
            to.restore_documents(documents).await?;
            told(Part::Documents, count);
        }
        Ok(())
    };
    let mut after = None;
    loop {
        let page = from.templates(Page { after, limit: PAGE }).await?;
        let found: Vec<_> = page
            .into_iter()
            .filter_map(|stored| {
                let id = stored.json.get("_id")?.as_str()?.parse().ok()?;
                Some((id, stored))
            })
            .collect();
        let Some((last, _)) = found.last() else { break };
        after = Some(*last);
        put(found
            .into_iter()
            .map(|(id, stored)| OldDocument::Template(id, stored))
            .collect())
        .await?;
    }
    let mut companies = Vec::new();
    let mut after = None;
    loop {
        let page = from.companies(Page { after, limit: PAGE }).await?;
        if page.is_empty() {
            break;
        }
        let page: Vec<(CompanyId, OldDocument)> = page.into_iter().map(company).collect::<Result<_, _>>()?;
        after = page.last().map(|(id, _)| *id);
        companies.extend(page.iter().map(|(id, _)| *id));
        put(page.into_iter().map(|(_, document)| document).collect()).await?;
    }
    let trades = from.qna_trades().await?.into_iter().map(QnaOwner::Trade);
    let owners = companies.iter().copied().map(QnaOwner::Company).chain(trades);
    for owner in owners {
        put(qnas(from, &owner).await?).await?;
    }
    let languages = from.prompt_languages().await?.into_iter().map(Singleton::Prompts);
    let overlays = companies.into_iter().map(Singleton::Overlay);
    for which in overlays.chain(languages).chain([Singleton::Safety]) {
        let found = from.singleton(&which).await?;
        put(found
            .map(|stored| OldDocument::Singleton(which, stored))
            .into_iter()
            .collect())
        .await?;
    }
    Ok(())
}

fn company(stored: StoredCompany) -> Result<(CompanyId, OldDocument), MoveError> {
    let document = Value::Object(stored.document.json.clone());
    let unreadable = || {
        let id = stored.document.json.get("_id").and_then(Value::as_str);
        MoveError::Unreadable(format!("company {}", id.unwrap_or("without an id")))
    };
    let parsed = Company::parse(&document, Mode::Stored).map_err(|_| unreadable())?;
    let company = parsed.value.company;
    Ok((company.id, OldDocument::Company(company.into(), stored)))
}

async fn qnas(from: &dyn Movable, owner: &QnaOwner) -> Result<Vec<OldDocument>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = from.qnas(owner, Page { after, limit: PAGE }).await?;
        let found: Vec<_> = page
            .into_iter()
            .filter_map(|stored| {
                let id = frontdesk_domain::ids::QnaId::new(stored.json.get("id")?.as_str()?);
                Some((id, stored))
            })
            .collect();
        let Some((last, _)) = found.last() else { return Ok(all) };
        after = Some(last.clone());
        let documents = found.into_iter();
        all.extend(documents.map(|(id, stored)| OldDocument::Qna(owner.clone(), id, stored)));
    }
}

async fn calls(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    let mut after = None;
    loop {
        let page = from.old_calls(after, CALLS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.place.clone());
        told(Part::Calls, page.len());
        to.restore_calls(page).await?;
    }
}

async fn counts(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    from.count_turns().await?;
    let companies = from.counted_companies().await?;
    let scopes = companies.iter().copied().map(RollupScope::Company);
    for scope in scopes.chain([RollupScope::Platform]) {
        let all = from
            .rollups(scope, Slot::of(Timestamp::MIN), Slot::of(Timestamp::MAX))
            .await?;
        for rollups in all.chunks(PAGE) {
            told(Part::Counts, rollups.len());
            to.restore_rollups(scope, rollups.to_vec()).await?;
        }
    }
    for company in companies {
        let all = from
            .misses(company, Timestamp::UNIX_EPOCH, Timestamp::MAX, MISSES)
            .await?;
        for misses in all.chunks(PAGE) {
            to.restore_misses(company, misses.to_vec()).await?;
        }
    }
    Ok(())
}

async fn contacts(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    let mut after = None;
    loop {
        let page = from.contacts(Page { after, limit: PAGE }).await?;
        let mut last = None;
        told(Part::Contacts, page.len());
        for stored in page {
            let document = Value::Object(stored.document.json.clone());
            let parsed = Contact::parse(&document, Mode::Stored, EVERYWHERE)
                .map_err(|faults| MoveError::Unreadable(format!("a contact: {faults}")))?;
            let contact = parsed.value.contact;
            last = Some(contact.id);
            if to.contact(contact.id).await?.is_none() {
                let write = ContactWrite {
                    contact,
                    json: stored.document.json,
                    secrets: stored.secrets,
                };
                to.insert_contact(write).await.map_err(|refused| match refused {
                    WriteError::Store(failure) => MoveError::Store(failure),
                    refused => MoveError::Differs(format!("a contact was refused: {refused}")),
                })?;
            }
        }
        if last.is_none() {
            return Ok(());
        }
        after = last;
    }
}

async fn messages(
    from: &dyn Movable,
    to: &dyn Movable,
    keepers: &[RecordKeeper],
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    let all = MessageFilter::default();
    for RecordKeeper { company, .. } in keepers {
        let mut after = None;
        loop {
            let page = from.messages(*company, &all, Page { after, limit: PAGE }).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            told(Part::Messages, page.len());
            for message in page {
                let (id, state, audio) = (message.id, message.state, message.audio);
                to.put_message(message).await?;
                if state == MessageState::Done {
                    to.set_message_state(*company, id, state).await?;
                }
                match audio {
                    AudioState::Stored => {
                        let found = from.audio(*company, id).await?;
                        if let Some(audio) = found.and_then(|found| found.audio) {
                            to.put_audio(id, audio).await?;
                        }
                    }
                    AudioState::Failed => to.postpone_audio(id, None).await?,
                    AudioState::None | AudioState::Due => {}
                }
            }
        }
    }
    Ok(())
}

async fn notifications(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    let mut after = None;
    loop {
        let page = from
            .notifications(&NotificationFilter::default(), Page { after, limit: PAGE })
            .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        told(Part::Notifications, page.len());
        to.restore_notifications(page).await?;
    }
}

async fn ledger(
    from: &dyn Movable,
    to: &dyn Movable,
    told: &mut (dyn FnMut(Part, usize) + Send),
) -> Result<(), MoveError> {
    for account in from.old_accounts().await? {
        let mut after = None;
        loop {
            let page = Page { after, limit: PAGE };
            let entries = from.entries(account, LedgerFilter::default(), page).await?;
            let Some(last) = entries.last() else { break };
            after = Some(last.id);
            told(Part::Ledger, entries.len());
            to.restore_entries(account, entries).await?;
        }
    }
    Ok(())
}

/// Whether as much arrived as there was: counts, and sums to the pico-USD.
async fn compare(from: &dyn Movable, to: &dyn Movable, before: &Audit) -> Result<Holdings, MoveError> {
    let (there, here) = (from.holdings().await?, to.holdings().await?);
    if there != here {
        return Err(MoveError::Differs(format!("{there:?} became {here:?}")));
    }
    let after = to.audit().await?;
    if !after.drifts.is_empty() {
        return Err(MoveError::Differs(format!(
            "the ledger does not add up in {} places",
            after.drifts.len()
        )));
    }
    if (after.entries, after.months) != (before.entries, before.months) {
        return Err(MoveError::Differs(format!(
            "{} entries of {} months became {} of {}",
            before.entries, before.months, after.entries, after.months
        )));
    }
    Ok(here)
}
