//! Export: everything that an import takes, as JSON lines. Secrets stay here.

use std::collections::VecDeque;

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use frontdesk_domain::{
    documents::{import::Kind, trade::TradeName},
    ids::{CompanyId, QnaId, TemplateId},
};
use frontdesk_store::ports::{Page, QnaOwner, Singleton, StoreError, StoredCompany};
use futures_util::stream::{self, StreamExt};
use http::header;
use serde_json::{Map, Value, json};

use super::{Answer, companies::add_server_owned, key_of};
use crate::{auth::Operator, problem::chain, state::App};

/// So many documents are read at once.
const AT_ONCE: usize = 50;

/// Exports all documents as JSON lines that an import takes: templates, companies with overlay and Q&A, trade Q&A, and
/// safety rules and prompts that were put. Without secrets.
#[utoipa::path(get, path = "/api/v1/export", tag = "import and export",
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub(crate) async fn export(State(app): State<App>, _: Operator) -> Answer<Response> {
    let mut export = Export::new(app);
    // The first part is read before the answer begins, so that a store that does not answer is a problem.
    let first = export.next_part().await?.unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"frontdesk.jsonl\""),
    ];
    let parts = stream::once(async { Ok(first) }).chain(stream::try_unfold(export, |mut export| async {
        let part = export.next_part().await.inspect_err(|error| {
            tracing::error!(error = chain(error), "an export ended before it was complete");
        })?;
        Ok::<_, StoreError>(part.map(|part| (part, export)))
    }));
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// What is still to be read.
enum Part {
    Platform,
    Templates(Option<TemplateId>),
    Companies(Option<CompanyId>),
    Trades,
    TradeQna(TradeName, Option<QnaId>),
}

struct Export {
    app: App,
    left: VecDeque<Part>,
}

impl Export {
    fn new(app: App) -> Self {
        let left = [
            Part::Platform,
            Part::Templates(None),
            Part::Companies(None),
            Part::Trades,
        ]
        .into();
        Self { app, left }
    }

    /// The lines of the next part; `None` after the last one.
    async fn next_part(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(part) = self.left.pop_front() else {
            return Ok(None);
        };
        let mut lines = Lines::default();
        match part {
            Part::Platform => self.platform(&mut lines).await?,
            Part::Templates(after) => self.templates(after, &mut lines).await?,
            Part::Companies(after) => self.companies(after, &mut lines).await?,
            Part::Trades => {
                let trades = self.app.store.qna_trades().await?;
                self.left
                    .extend(trades.into_iter().map(|trade| Part::TradeQna(trade, None)));
            }
            Part::TradeQna(trade, after) => {
                let owner = QnaOwner::Trade(trade.clone());
                let next = self.qna(&owner, Kind::TradeQna, after, &mut lines).await?;
                self.left.extend(next.map(|after| Part::TradeQna(trade, Some(after))));
            }
        }
        Ok(Some(lines.0.into()))
    }

    async fn platform(&self, lines: &mut Lines) -> Result<(), StoreError> {
        if let Some(safety) = self.app.store.singleton(&Singleton::Safety).await? {
            lines.push(Kind::Safety, &safety.json);
        }
        for language in self.app.store.prompt_languages().await? {
            if let Some(prompts) = self.app.store.singleton(&Singleton::Prompts(language)).await? {
                lines.push(Kind::Prompts, &prompts.json);
            }
        }
        Ok(())
    }

    async fn templates(&mut self, after: Option<TemplateId>, lines: &mut Lines) -> Result<(), StoreError> {
        let found = self.app.store.templates(Page { after, limit: AT_ONCE }).await?;
        if let Some(last) = found.last().filter(|_| found.len() == AT_ONCE) {
            self.left.push_front(Part::Templates(Some(key_of(&last.json, "_id")?)));
        }
        for template in found {
            lines.push(Kind::Template, &template.json);
        }
        Ok(())
    }

    async fn companies(&mut self, after: Option<CompanyId>, lines: &mut Lines) -> Result<(), StoreError> {
        let found = self.app.store.companies(Page { after, limit: AT_ONCE }).await?;
        if let Some(last) = found.last().filter(|_| found.len() == AT_ONCE) {
            self.left
                .push_front(Part::Companies(Some(key_of(&last.document.json, "_id")?)));
        }
        for StoredCompany { document, secrets: _ } in found {
            let id: CompanyId = key_of(&document.json, "_id")?;
            let mut company = document.json;
            add_server_owned(&self.app, &mut company).await?;
            lines.push(Kind::Company, &without_zero_spend(company));
            if let Some(overlay) = self.app.store.singleton(&Singleton::Overlay(id)).await? {
                lines.push(Kind::Overlay, &overlay.json);
            }
            let owner = QnaOwner::Company(id);
            let mut after = None;
            loop {
                after = self.qna(&owner, Kind::Qna, after, lines).await?;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The key after which more Q&As follow, if more may.
    async fn qna(
        &self,
        owner: &QnaOwner,
        kind: Kind,
        after: Option<QnaId>,
        lines: &mut Lines,
    ) -> Result<Option<QnaId>, StoreError> {
        let found = self.app.store.qnas(owner, Page { after, limit: AT_ONCE }).await?;
        let last = found.last().filter(|_| found.len() == AT_ONCE);
        let next = last.map(|last| key_of(&last.json, "id")).transpose()?;
        for qna in found {
            lines.push(kind, &qna.json);
        }
        Ok(next)
    }
}

/// A month in which nothing was spent needs no opening entry where the export is imported.
fn without_zero_spend(mut company: Map<String, Value>) -> Map<String, Value> {
    let gatekeeper = company
        .get_mut("aiAgentLogic")
        .and_then(|logic| logic.get_mut("templateGatekeeper"));
    if let Some(gatekeeper) = gatekeeper.and_then(Value::as_object_mut)
        && gatekeeper.get("currentSpend").is_some_and(|spend| spend == "0")
    {
        gatekeeper.shift_remove("currentSpend");
        gatekeeper.shift_remove("lastResetDate");
    }
    company
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, kind: Kind, document: &Map<String, Value>) {
        self.0
            .push_str(&json!({ "type": kind.as_str(), "document": document }).to_string());
        self.0.push('\n');
    }
}
