//! Tells whoever writes a document which of its wordings another scenario or Q&A has as well.

use std::collections::BTreeMap;

use frontdesk_domain::{
    documents::{Fault, Mode, company::Company, overlay::Overlay, qna::Qna, template::Template},
    ids::{QnaId, TemplateId},
};
use frontdesk_matching::{
    alike::{self, Alike, Standing},
    language::Language,
};
use frontdesk_store::ports::{Page, QnaOwner, StoreError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Answer, key_of, off_thread};
use crate::state::App;

/// So many are named of one document; whoever has more begins with these.
const NAMED: usize = 100;
/// So many Q&As are read at once.
const PAGE: usize = 200;

/// Of a template: what its live scenarios share.
pub(super) async fn in_template(template: Map<String, Value>) -> Answer<Vec<Fault>> {
    let found = off_thread(move || {
        let template: Template = typed(template)?;
        Ok::<_, StoreError>(alike::in_template(&template, Language::english()))
    });
    Ok(noted(found.await??))
}

/// Of a Q&A: what it shares with the others of its owner.
pub(super) async fn in_qna(
    app: &App,
    owner: &QnaOwner,
    id: &QnaId,
    document: Map<String, Value>,
) -> Result<Vec<Fault>, StoreError> {
    let mut all = stored_qna(app, owner).await?;
    all.retain(|stored| stored.id != *id);
    all.push(typed(document)?);
    let found = alike::in_qna(&all, Language::english());
    Ok(noted(found.into_iter().filter(|one| one.id == id.as_str())))
}

/// Of the Q&As of an owner that are imported: what they share with each other and with those that stay.
pub(super) async fn in_imported_qna(
    app: &App,
    owner: &QnaOwner,
    imported: BTreeMap<&QnaId, Map<String, Value>>,
) -> Answer<Vec<(QnaId, Fault)>> {
    let mut all = stored_qna(app, owner).await?;
    all.retain(|stored| !imported.contains_key(&stored.id));
    let stay = all.len();
    for json in imported.into_values() {
        all.push(typed(json)?);
    }
    let found = off_thread(move || {
        let mut by_qna: BTreeMap<String, Vec<Alike>> = BTreeMap::new();
        for one in alike::in_qna(&all, Language::english()) {
            by_qna.entry(one.id.clone()).or_default().push(one);
        }
        let imported = all
            .iter()
            .skip(stay)
            .filter_map(|qna| Some((qna.id.clone(), by_qna.remove(qna.id.as_str())?)));
        let notes = imported.flat_map(|(id, found)| noted(found).into_iter().map(move |note| (id.clone(), note)));
        notes.collect::<Vec<_>>()
    });
    found.await
}

/// The Q&As of an owner, in the order in which they were made.
async fn stored_qna(app: &App, owner: &QnaOwner) -> Result<Vec<Qna>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit: PAGE };
        let found = app.store.qnas(owner, page).await?;
        let is_last = found.len() < PAGE;
        after = found.last().map(|last| key_of(&last.json, "id")).transpose()?;
        for stored in found {
            all.push(typed(stored.json)?);
        }
        if is_last {
            return Ok(all);
        }
    }
}

/// Of a company's overlay: what its triggers share with each other and with those of the company's templates.
pub(super) async fn in_overlay(
    app: &App,
    company: &Map<String, Value>,
    overlay: Map<String, Value>,
) -> Answer<Vec<Fault>> {
    let mut templates = Vec::new();
    for id in asked_templates(company) {
        templates.extend(app.store.template(id).await?.map(|template| template.json));
    }
    in_overlay_of(templates, overlay).await
}

/// The enabled templates of a stored company, in the order in which they are asked.
pub(super) fn asked_templates(company: &Map<String, Value>) -> Vec<TemplateId> {
    let company = Company::parse(&Value::Object(company.clone()), Mode::Stored);
    company.map_or_else(
        |_| Vec::new(),
        |parsed| parsed.value.company.enabled_templates().collect(),
    )
}

/// The same, the company's templates given.
pub(super) async fn in_overlay_of(
    templates: Vec<Map<String, Value>>,
    overlay: Map<String, Value>,
) -> Answer<Vec<Fault>> {
    let found = off_thread(move || {
        let overlay: Overlay = typed(overlay)?;
        let templates = templates.into_iter().map(typed::<Template>);
        let templates = templates.collect::<Result<Vec<_>, _>>()?;
        let templates: Vec<&Template> = templates.iter().collect();
        Ok::<_, StoreError>(alike::in_templates(&templates, Some(&overlay), Language::english()))
    });
    let found = found.await??;
    Ok(noted(found.into_iter().filter(|one| one.standing == Standing::Overlay)))
}

fn noted(found: impl IntoIterator<Item = Alike>) -> Vec<Fault> {
    let mut found = found.into_iter();
    let named = found.by_ref().take(NAMED);
    let mut notes: Vec<Fault> = named
        .map(|one| Fault {
            detail: one.to_string(),
            pointer: one.pointer,
        })
        .collect();
    let more = found.count();
    if more > 0 {
        notes.push(Fault {
            pointer: String::new(),
            detail: format!("has {more} more wordings that another one has as well"),
        });
    }
    notes
}

/// What was read from its canonical JSON before.
fn typed<T: DeserializeOwned>(json: Map<String, Value>) -> Result<T, StoreError> {
    serde_json::from_value(Value::Object(json)).map_err(|error| StoreError::Unreadable {
        what: "a document".to_owned(),
        detail: error.to_string(),
    })
}
