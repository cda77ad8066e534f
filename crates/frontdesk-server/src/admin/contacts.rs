//! Contacts: who is told of notifications.

use axum::{Json, extract::State, response::Response};
use frontdesk_domain::{
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
        place_id,
    },
    ids::ContactId,
};
use frontdesk_store::ports::{ContactWrite, Stored, StoredContact};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Document, List, given_or_new, key_of, one_more, strict};
use crate::{
    auth::Operator,
    extract::{Attempts, Conditions, InPath, JsonBody, Query},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Lists the contacts.
#[utoipa::path(get, path = "/api/v1/contacts", tag = "notifications",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = schema::ContactList)))]
pub(crate) async fn list_contacts(State(app): State<App>, _: Operator, query: Query) -> Answer<Json<List<Value>>> {
    query.only(&["limit", "cursor"])?;
    let page = query.page::<ContactId>("")?;
    let found = app.store.contacts(one_more(&page)).await?;
    let keyed = found.into_iter().map(|contact| {
        let id = key_of::<ContactId>(&contact.document.json, "id")?;
        Ok((id, shown(contact.document, &contact.secrets).into_json()))
    });
    Ok(List::of(keyed.collect::<Answer<_>>()?, page.limit, ""))
}

/// Makes a contact.
#[utoipa::path(post, path = "/api/v1/contacts", tag = "notifications", request_body = schema::Contact,
    responses((status = 201, body = schema::Contact), (status = 409, body = schema::Problem)))]
pub(crate) async fn create_contact(
    State(app): State<App>,
    _: Operator,
    JsonBody(mut document): JsonBody,
) -> Answer<Response> {
    given_or_new(&app, &mut document, "id");
    let write = read(&app, &document, Mode::new_document(), &ContactSecrets::default()).await?;
    let (id, secrets) = (write.contact.id, write.secrets.clone());
    let written = app.store.insert_contact(write).await;
    let written = written.map_err(|refused| Problem::refused(refused, Code::ContactNotFound))?;
    Ok(shown(written, &secrets).created_at(&format!("/api/v1/contacts/{id}")))
}

/// Replaces a contact. A `secret` that is left out stays.
#[utoipa::path(put, path = "/api/v1/contacts/{contactId}", tag = "notifications", request_body = schema::Contact,
    responses((status = 200, body = schema::Contact), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_contact(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<ContactId>,
    conditions: Conditions,
    JsonBody(mut document): JsonBody,
) -> Answer<Document> {
    let mut attempts = Attempts::of(&conditions);
    loop {
        let StoredContact { document: old, secrets } = load(&app, id).await?;
        conditions.check(old.rev)?;
        place_id(&mut document, "id", &id.to_string())?;
        let write = read(&app, &document, strict(&Value::Object(old.json)), &secrets).await?;
        let secrets = write.secrets.clone();
        match app.store.replace_contact(write, old.rev).await {
            Ok(written) => return Ok(shown(written, &secrets)),
            Err(refused) => attempts.again(refused, Code::ContactNotFound)?,
        }
    }
}

/// Deletes a contact. What is on its way to it is given up.
#[utoipa::path(delete, path = "/api/v1/contacts/{contactId}", tag = "notifications",
    responses((status = 204), (status = 412, body = schema::Problem)))]
pub(crate) async fn delete_contact(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<ContactId>,
    conditions: Conditions,
) -> Answer<StatusCode> {
    let mut attempts = Attempts::of(&conditions);
    loop {
        let rev = load(&app, id).await?.document.rev;
        conditions.check(rev)?;
        match app.store.delete_contact(id, rev).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(refused) => attempts.again(refused, Code::ContactNotFound)?,
        }
    }
}

/// Sends a test message by every channel of a contact now, and says how that went.
#[utoipa::path(post, path = "/api/v1/contacts/{contactId}/test", tag = "notifications",
    responses((status = 200, body = schema::ContactTrial)))]
pub(crate) async fn test_contact(
    State(app): State<App>,
    _: Operator,
    InPath(id): InPath<ContactId>,
) -> Answer<Json<Value>> {
    let StoredContact { document, secrets } = load(&app, id).await?;
    let parsed = Contact::parse(&Value::Object(document.json), Mode::Stored, app.notices.reach)?;
    let trials = app.notices.tester.test(&parsed.value.contact, &secrets).await;
    Ok(Json(json!({ "channels": trials })))
}

async fn load(app: &App, id: ContactId) -> Answer<StoredContact> {
    let found = app.store.contact(id).await?;
    found.ok_or_else(|| Problem::not_found(Code::ContactNotFound, "contact", id))
}

async fn read(app: &App, document: &Value, mode: Mode<'_>, old: &ContactSecrets) -> Answer<ContactWrite> {
    let parsed = Contact::parse(document, mode, app.notices.reach)?;
    let (contact, secrets) = parsed.value.apply(old)?;
    let mut unknown = Vec::new();
    for (index, company) in contact.companies.iter().flatten().enumerate() {
        if app.store.company(*company).await?.is_none() {
            unknown.push(frontdesk_domain::documents::Fault {
                pointer: format!("/companies/{index}"),
                detail: format!("there is no company {company}"),
            });
        }
    }
    if !unknown.is_empty() {
        return Err(Problem::unknown_references(unknown));
    }
    Ok(ContactWrite {
        contact,
        json: parsed.json,
        secrets,
    })
}

/// The contact as it is shown: whether a secret is set, not which.
fn shown(mut stored: Stored, secrets: &ContactSecrets) -> Document {
    secrets.mark(&mut stored.json);
    Document::stored(stored)
}
