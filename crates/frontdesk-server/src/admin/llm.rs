//! The LLM: how it is, and a test of the connection.

use axum::{Json, extract::State};
use frontdesk_callflow::llm::{HealthReport, Trial};

use super::Answer;
use crate::{
    auth::Operator,
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// Shows how the LLM is.
#[utoipa::path(get, path = "/api/v1/llm/health", tag = "llm", responses((status = 200, body = schema::LlmHealth)))]
pub(crate) async fn show_llm_health(State(app): State<App>, _: Operator) -> Answer<Json<HealthReport>> {
    app.flow.llm().health().map(Json).ok_or_else(unconfigured)
}

/// Asks the model for one token, which the platform pays, and says what to fix. A model that was switched off or given up
/// is asked again if it answers.
#[utoipa::path(post, path = "/api/v1/llm/test-connection", tag = "llm",
    responses((status = 200, body = schema::LlmTrial)))]
pub(crate) async fn test_connection(State(app): State<App>, _: Operator) -> Answer<Json<Trial>> {
    let tested = app.flow.llm().test_connection().await;
    tested.map(Json).ok_or_else(unconfigured)
}

fn unconfigured() -> Problem {
    Problem::new(
        Code::LlmNotConfigured,
        "no LLM is configured on this server: tier 3 is skipped",
    )
}
