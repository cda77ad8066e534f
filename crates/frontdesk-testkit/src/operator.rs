//! An operator: requests of the admin API.

use anyhow::{Context as _, Result, bail};
use http::Method;
use serde_json::Value;

use crate::connection::{Connection, Reply};

/// Speaks to the admin API with a token.
#[derive(Debug)]
pub struct Operator {
    connection: Connection,
    authorization: String,
}

impl Operator {
    /// An operator with this token.
    #[must_use]
    pub fn new(connection: Connection, token: &str) -> Self {
        Self {
            connection,
            authorization: format!("Bearer {token}"),
        }
    }

    /// Sends a request, whatever its answer; `body` is sent as JSON.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(&mut self, method: Method, target: &str, body: Option<&Value>) -> Result<Reply> {
        let content_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut headers = vec![("authorization", self.authorization.as_str())];
        if body.is_some() {
            headers.push(("content-type", content_type));
        }
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.connection.send(&method, target, &headers, body).await
    }

    /// Sends a request that must succeed, and gives the document in the answer.
    ///
    /// # Errors
    /// No answer came, or it was a refusal.
    pub async fn must(&mut self, method: Method, target: &str, body: Option<&Value>) -> Result<Value> {
        let reply = self.send(method.clone(), target, body).await?;
        if !reply.is_success() {
            bail!("{method} {target} was answered {}: {}", reply.status, reply.text());
        }
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body).with_context(|| format!("{method} {target} was answered without JSON"))
    }

    /// Reads a document.
    ///
    /// # Errors
    /// As [`Operator::must`].
    pub async fn get(&mut self, target: &str) -> Result<Value> {
        self.must(Method::GET, target, None).await
    }

    /// One page of a list; `cursor` is that of the page before. Gives the items and the cursor of the next page.
    ///
    /// # Errors
    /// As [`Operator::must`].
    pub async fn page(&mut self, target: &str, cursor: Option<&str>) -> Result<(Vec<Value>, Option<String>)> {
        let target = match cursor {
            Some(cursor) => format!("{target}?limit=200&cursor={cursor}"),
            None => format!("{target}?limit=200"),
        };
        let mut page = self.get(&target).await?;
        let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
            bail!("GET {target} was answered without `items`");
        };
        let next = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        Ok((items, next))
    }

    /// All items of a list, page by page.
    ///
    /// # Errors
    /// As [`Operator::must`].
    pub async fn all(&mut self, target: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let (items, next) = self.page(target, cursor.as_deref()).await?;
            all.extend(items);
            if next.is_none() {
                return Ok(all);
            }
            cursor = next;
        }
    }
}
