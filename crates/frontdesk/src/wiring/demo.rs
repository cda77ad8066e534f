//! Brings the demo in, once.

use anyhow::{Context as _, Result, bail};
use axum::{Router, body::Body};
use frontdesk_domain::ids::{CompanyId, TemplateId};
use frontdesk_store::{
    cache::CachedStore,
    ports::{CompanyStore as _, TemplateStore as _},
};
use http::{Request, header};
use http_body_util::BodyExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use tower::ServiceExt as _;
use tracing::info;

use crate::demo;

/// Imports the demo, by the door through which every import goes, unless a part of it is there: what was edited or
/// deleted since stays as it is.
pub(super) async fn import_once(store: &CachedStore, routes: &Router, token: &SecretString) -> Result<()> {
    if is_there(store).await? {
        return Ok(());
    }
    let request = Request::post("/api/v1/import")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(Body::from(demo::import_lines()))?;
    let response = routes.clone().oneshot(request).await?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .context("cannot import the demo")?
        .to_bytes();
    if !status.is_success() {
        bail!(
            "the demo cannot be imported into this store ({status}): {}",
            String::from_utf8_lossy(&body)
        );
    }
    info!(
        companies = demo::company_ids().len(),
        "the demo businesses were imported"
    );
    Ok(())
}

async fn is_there(store: &CachedStore) -> Result<bool> {
    for id in demo::company_ids() {
        if store.company(id.parse::<CompanyId>()?).await?.is_some() {
            return Ok(true);
        }
    }
    for id in demo::template_ids() {
        if store.template(id.parse::<TemplateId>()?).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
