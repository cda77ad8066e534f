//! The platform's prompts, by language.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use frontdesk_domain::documents::{
    place_id,
    prompts::{EMBEDDED, Prompts},
};
use frontdesk_store::ports::{Singleton, StoreError, Stored};
use serde_json::Value;

use super::{Answer, Document, strict};
use crate::{
    auth::Operator,
    extract::{Attempts, Conditions, InPath, JsonBody, Language},
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Shows the prompts of a language; the built-in ones, of revision 0, if none were put.
#[utoipa::path(get, path = "/api/v1/prompts/{language}", tag = "platform",
    responses((status = 200, body = schema::Prompts), (status = 304)))]
pub(crate) async fn show_prompts(
    State(app): State<App>,
    _: Operator,
    InPath(Language(language)): InPath<Language>,
    conditions: Conditions,
) -> Answer<Response> {
    let document = match app.store.singleton(&Singleton::Prompts(language.clone())).await? {
        Some(stored) => Document::stored(stored),
        None if language == Prompts::embedded().language => embedded("the built-in prompts", EMBEDDED)?,
        None => {
            return Err(Problem::new(
                Code::PromptsNotFound,
                no_prompts(&language, &languages(&app).await?),
            ));
        }
    };
    Ok(document.unless_known(&conditions))
}

/// Replaces the prompts of a language, for all companies that speak it and from the next turn on.
#[utoipa::path(put, path = "/api/v1/prompts/{language}", tag = "platform", request_body = schema::Prompts,
    responses((status = 200, body = schema::Prompts), (status = 412, body = schema::Problem)))]
pub(crate) async fn replace_prompts(
    State(app): State<App>,
    _: Operator,
    InPath(Language(language)): InPath<Language>,
    conditions: Conditions,
    JsonBody(mut document): JsonBody,
) -> Answer<Document> {
    let which = Singleton::Prompts(language.clone());
    let mut attempts = Attempts::of(&conditions);
    loop {
        let (before, rev) = match app.store.singleton(&which).await? {
            Some(Stored { json, rev, .. }) => (Value::Object(json), rev),
            None => (Value::Null, 0),
        };
        conditions.check(rev)?;
        place_id(&mut document, "language", &language)?;
        // `en-us` in the body means the `en-US` of the path.
        if let Some(fields) = document.as_object_mut() {
            fields.insert("language".into(), language.as_ref().into());
        }
        let json = Prompts::parse(&document, strict(&before))?.json;
        match app.store.put_singleton(&which, json.clone(), Some(rev)).await {
            Ok(written) => return Ok(Document::written(json, written)),
            Err(refused) => attempts.again(refused, Code::PromptsNotFound)?,
        }
    }
}

/// The document that comes with the program.
pub(crate) fn embedded(what: &str, text: &str) -> Result<Document, StoreError> {
    let unreadable = |error: serde_json::Error| StoreError::Unreadable {
        what: what.to_owned(),
        detail: error.to_string(),
    };
    serde_json::from_str(text).map(Document::embedded).map_err(unreadable)
}

/// The languages that have prompts, built-in or put.
pub(crate) async fn languages(app: &App) -> Result<BTreeSet<String>, StoreError> {
    let put = app.store.prompt_languages().await?;
    let built_in = Prompts::embedded().language.to_string();
    Ok(put.iter().map(ToString::to_string).chain([built_in]).collect())
}

/// Says that a language has no prompts, and which have.
pub(crate) fn no_prompts(language: &str, languages: &BTreeSet<String>) -> String {
    let known: Vec<&str> = languages.iter().map(String::as_str).collect();
    format!(
        "there are no prompts of \"{language}\"; use {}, or PUT /api/v1/prompts/{language} first",
        known.join(" or ")
    )
}
