//! A client of the admin API.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::http_client::{BaseUrl, Reply, Unreachable};

/// So many items of a list are asked for at once; the server gives no more.
const PAGE: usize = 200;

const MERGE_PATCH: &str = "application/merge-patch+json";

/// A server's admin API, with the token for it.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Which server.
    pub server: BaseUrl,
    /// The token, if one is known.
    pub token: Option<SecretString>,
    /// Where the token would be, for whoever lacks it.
    pub token_hint: String,
}

/// Why the admin API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The server cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It wants a token, or another one.
    #[error("the server refused the admin token; {hint}")]
    Token {
        /// Where the token would be.
        hint: String,
    },
    /// It refused, and said why.
    #[error("{text}")]
    Problem {
        /// The status.
        status: u16,
        /// The problem's code.
        code: String,
        /// What is wrong, fault by fault.
        text: String,
    },
    /// It answered with something else than it should.
    #[error("the server answered {status} with something that is no JSON: is this a Frontdesk?")]
    NotJson {
        /// The status.
        status: u16,
    },
}

impl Admin {
    /// Reads a resource.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.ask("GET", path, "application/json", Vec::new()).await
    }

    /// Sends a JSON document.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn send(&self, method: &str, path: &str, document: &Value) -> Result<Value, AdminError> {
        let kind = if method == "PATCH" {
            MERGE_PATCH
        } else {
            "application/json"
        };
        self.ask(method, path, kind, document.to_string().into_bytes()).await
    }

    /// Changes a document by a merge patch, if it still has this revision.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses: somebody else changed the document, or a value is not allowed.
    pub async fn patch(&self, path: &str, rev: u64, patch: &Value) -> Result<Value, AdminError> {
        let revision = format!("\"{rev}\"");
        let body = patch.to_string().into_bytes();
        let reply = self.reply_if("PATCH", path, MERGE_PATCH, Some(&revision), body).await?;
        self.read(&reply)
    }

    /// Imports JSON lines.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses; then nothing was imported.
    pub async fn import(&self, lines: Vec<u8>) -> Result<Value, AdminError> {
        self.ask("POST", "/api/v1/import", "application/x-ndjson", lines).await
    }

    /// Everything, as JSON lines.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn export(&self) -> Result<Vec<u8>, AdminError> {
        let reply = self
            .reply("GET", "/api/v1/export", "application/json", Vec::new())
            .await?;
        if reply.is_success() {
            Ok(reply.body)
        } else {
            Err(self.refusal(&reply))
        }
    }

    /// Reads a text, such as `/metrics`.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn text(&self, path: &str) -> Result<String, AdminError> {
        let reply = self.reply("GET", path, "application/json", Vec::new()).await?;
        if reply.is_success() {
            Ok(String::from_utf8_lossy(&reply.body).into_owned())
        } else {
            Err(self.refusal(&reply))
        }
    }

    /// All items of a list.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, AdminError> {
        let mut items = Vec::new();
        let mut target = format!("{path}?limit={PAGE}");
        loop {
            let mut page = self.get(&target).await?;
            if let Some(found) = page.get_mut("items").and_then(Value::as_array_mut) {
                items.append(found);
            }
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(cursor) => target = format!("{path}?limit={PAGE}&cursor={cursor}"),
                None => return Ok(items),
            }
        }
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Result<Value, AdminError> {
        let reply = self.reply(method, path, kind, body).await?;
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<Value, AdminError> {
        if !reply.is_success() {
            return Err(self.refusal(reply));
        }
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body).map_err(|_| AdminError::NotJson { status: reply.status })
    }

    async fn reply(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Result<Reply, Unreachable> {
        self.reply_if(method, path, kind, None, body).await
    }

    async fn reply_if(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        revision: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Reply, Unreachable> {
        let bearer = self
            .token
            .as_ref()
            .map(|token| format!("Bearer {}", token.expose_secret()));
        let mut headers = vec![
            ("content-type", kind),
            ("accept", "application/json, application/problem+json"),
        ];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        headers.extend(revision.map(|revision| ("if-match", revision)));
        self.server.send(method, path, &headers, body).await
    }

    fn refusal(&self, reply: &Reply) -> AdminError {
        let status = reply.status;
        if status == 401 {
            return AdminError::Token {
                hint: self.token_hint.clone(),
            };
        }
        let Ok(problem) = serde_json::from_slice::<Value>(&reply.body) else {
            return AdminError::NotJson { status };
        };
        let code = text(&problem, "code").to_owned();
        AdminError::Problem {
            status,
            code,
            text: describe(&problem),
        }
    }
}

/// A problem as people read it: its detail, then each fault with its line and place. A detail that says no more than
/// the only fault is left out.
fn describe(problem: &Value) -> String {
    let faults = problem
        .get("errors")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let described: Vec<_> = faults.iter().map(describe_fault).collect();
    let detail = text(problem, "detail");
    match (faults, described.as_slice()) {
        ([fault], [described]) if detail.contains(text(fault, "detail")) => described.clone(),
        _ => std::iter::once(detail.to_owned())
            .chain(described)
            .collect::<Vec<_>>()
            .join("\n  "),
    }
}

fn describe_fault(fault: &Value) -> String {
    let mut described = String::new();
    if let Some(line) = fault.get("line").and_then(Value::as_u64) {
        _ = write!(described, "line {line}: ");
    }
    let pointer = text(fault, "pointer");
    if !pointer.is_empty() {
        _ = write!(described, "{pointer} ");
    }
    described.push_str(text(fault, "detail"));
    described
}

/// A field that holds text, else nothing.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_names_line_and_place_of_each_fault() {
        let problem = json!({
            "detail": "2 documents cannot be imported",
            "errors": [
                { "line": 3, "pointer": "/company/phone", "detail": "should be a number" },
                { "line": null, "pointer": null, "detail": "is odd" },
            ],
        });
        let want = "2 documents cannot be imported\n  line 3: /company/phone should be a number\n  is odd";
        assert_eq!(describe(&problem), want);
    }

    #[test]
    fn a_detail_that_repeats_the_only_fault_is_left_out() {
        let problem = json!({
            "detail": "line 2: `/name` should be text",
            "errors": [{ "line": 2, "pointer": "/name", "detail": "should be text" }],
        });
        assert_eq!(describe(&problem), "line 2: /name should be text");
    }
}
