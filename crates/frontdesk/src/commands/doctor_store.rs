//! `frontdesk doctor`: the store's file and what lies beside it.

use std::path::Path;

use serde_json::Value;

use crate::{
    admin::text,
    config::Config,
    http_client::BaseUrl,
    readiness::{Finding, Severity},
};

/// The server that was asked.
pub(super) struct Server {
    /// Where it would be.
    pub(super) url: BaseUrl,
    /// Whether it was named on the command line, so that it may be another machine's.
    pub(super) is_named: bool,
    /// What it says of itself, if it answers.
    pub(super) readiness: Option<Value>,
}

impl Server {
    /// What it says of its store, if that is not well.
    fn trouble_with_store(&self) -> Option<&str> {
        let checks = self.readiness.as_ref()?.get("checks")?.as_array()?;
        let store = checks.iter().find(|check| text(check, "name") == "store")?;
        matches!(text(store, "status"), "degraded" | "down").then(|| text(store, "detail"))
    }
}

/// The folder, the store's file and the key.
pub(super) fn files(config: &Config, store: &Path, server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    let (folder, key) = (config.folder(), config.key_file());
    if !store.exists() {
        found.push(no_store(store, &key, server));
    }
    if folder.exists()
        && folder
            .metadata()
            .is_ok_and(|metadata| metadata.permissions().readonly())
    {
        found.push(Finding::failure(
            format!("{} cannot be written", folder.display()),
            "make its owner the server's user",
        ));
    }
    if config.secrets.key.is_some() {
        found.push(Finding::fine("the sealing key is set in the configuration"));
    } else if key.exists() {
        found.push(Finding::fine(format!(
            "the sealing key is in {}; keep a copy of it elsewhere",
            key.display()
        )));
    } else if store.exists() {
        found.push(Finding::failure(
            format!(
                "there is a store, and no sealing key in {}: auth tokens in it cannot be opened",
                key.display()
            ),
            "put the key back, or set FRONTDESK_SECRETS__KEY",
        ));
    } else {
        found.push(Finding::fine(format!(
            "a sealing key will be made in {}",
            key.display()
        )));
    }
    found
}

/// What it means that the store's file is not there.
fn no_store(store: &Path, key: &Path, server: &Server) -> Finding {
    let (place, url) = (store.display(), &server.url);
    if server.readiness.is_none() {
        // The key is made together with the first store.
        return if key.exists() {
            Finding::warning(
                format!(
                    "there is no store {place}, though there is the key of one, {}: its file was taken away, or it never was here",
                    key.display()
                ),
                "put the file back before the next start, which makes an empty store; or set FRONTDESK_STORE__URL to where it is",
            )
        } else {
            Finding::fine(format!("there is no store {place} yet: `frontdesk serve` makes one"))
        };
    }
    if let Some(detail) = server.trouble_with_store() {
        return Finding::failure(
            format!("there is no store {place}, and the Frontdesk at {url} has lost its own: {detail}"),
            "stop it, put the file back and start it again",
        );
    }
    let severity = if server.is_named {
        Severity::Warning
    } else {
        Severity::Failure
    };
    Finding {
        severity,
        text: format!(
            "there is no store {place}, though the Frontdesk at {url} has one: it keeps another one than this \
             configuration names, or its file was taken away a moment ago"
        ),
        remedy: "run this with the configuration of that server (FRONTDESK_STORE__URL, --store), or put the file back"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is said of a store that is not there, with a key beside it or without.
    fn said(with_key: bool, readiness: Option<&Value>, is_named: bool) -> Finding {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("secrets.key");
        if with_key {
            std::fs::write(&key, "k").unwrap();
        }
        let server = Server {
            url: "http://127.0.0.1:8080".parse().unwrap(),
            is_named,
            readiness: readiness.cloned(),
        };
        no_store(&folder.path().join("frontdesk.db"), &key, &server)
    }

    #[track_caller]
    fn check(found: &Finding, severity: Severity, words: &str) {
        assert_eq!(found.severity, severity, "{found:?}");
        assert!(found.text.contains(words), "{found:?}");
        assert_eq!(found.remedy.is_empty(), severity == Severity::Fine, "{found:?}");
    }

    #[test]
    fn what_a_store_that_is_not_there_means_depends_on_who_had_one() {
        let readiness = |status: &str, detail: &str| {
            json!({ "status": "ready", "checks": [
                { "name": "cache", "status": "ok", "detail": "" }, { "name": "store", "status": status, "detail": detail }
            ] })
        };
        check(&said(false, None, false), Severity::Fine, "`frontdesk serve` makes one");
        check(&said(true, None, false), Severity::Warning, "the key of one");
        let (well, lost) = (
            readiness("ok", "answers in 0 ms"),
            readiness("down", "the file was removed"),
        );
        check(&said(true, Some(&well), false), Severity::Failure, "has one");
        check(&said(false, Some(&well), true), Severity::Warning, "keeps another one");
        for is_named in [false, true] {
            check(
                &said(true, Some(&lost), is_named),
                Severity::Failure,
                "lost its own: the file was removed",
            );
        }
    }
}
