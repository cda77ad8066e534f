//! Which keys there are.

use frontdesk_domain::documents::nearest;

/// Before every environment variable that is a setting.
pub(super) const PREFIX: &str = "FRONTDESK_";

/// The keys of this version, as `section.key`.
pub(super) const KEYS: [&str; 31] = [
    "admin.token",
    "cache.url",
    "delivery.allow_plain_http",
    "delivery.allow_private",
    "http.listen",
    "http.metrics_listen",
    "http.public_url",
    "limits.calls_per_caller_per_hour",
    "limits.concurrent_calls_per_company",
    "limits.llm_calls_per_call",
    "limits.seconds_per_call",
    "limits.turns_per_call",
    "llm.allow_plain_http",
    "llm.api_key",
    "llm.base_url",
    "llm.lease_seconds",
    "llm.model",
    "llm.platform_budget",
    "llm.prices",
    "llm.reasoning_effort",
    "log.format",
    "model.path",
    "notifications.retention_days",
    "secrets.key",
    "secrets.previous_key",
    "smtp.from",
    "smtp.url",
    "store.url",
    "support.contact",
    "twilio.auth_token",
    "twilio.verify",
];

/// Why a key is refused; `None` for a key of this version. `name` is the key as it was written.
pub(super) fn refusal(key: &str, spell: impl Fn(&str) -> String) -> Option<String> {
    if KEYS.contains(&key) {
        return None;
    }
    let hint = nearest(key, KEYS).map_or_else(
        || format!("the settings are {}", KEYS.map(&spell).join(", ")),
        |known| format!("did you mean {}?", spell(known)),
    );
    Some(format!("is no setting; {hint}"))
}

/// The key that an environment variable sets.
///
/// The sections' names hold no underscore, so a single one after the section is the usual slip: it still names the
/// key that was meant, which is then refused with the right spelling.
pub(super) fn of_variable(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    Some(rest.replacen("__", ".", 1).to_lowercase())
}

/// The environment variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replacen('.', "__", 1).to_uppercase())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    #[test]
    fn keys_and_variables_name_each_other() {
        for key in KEYS {
            assert_eq!(of_variable(&variable(key)).as_deref(), Some(key));
        }
        assert_eq!(variable("http.public_url"), "FRONTDESK_HTTP__PUBLIC_URL");
        assert_eq!(of_variable("PATH"), None);
    }

    /// Every variable of ours that is named in a file below this folder or in it, with the file.
    fn named_in(path: &Path, found: &mut Vec<(String, PathBuf)>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                named_in(&entry.unwrap().path(), found);
            }
            return;
        }
        let text = fs::read_to_string(path).unwrap();
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let ours = words.filter(|word| word.starts_with(PREFIX));
        found.extend(ours.map(|name| (name.to_owned(), path.to_owned())));
    }

    #[test]
    fn what_is_deployed_sets_nothing_that_is_no_setting() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = Vec::new();
        named_in(&project.join("deploy"), &mut found);
        named_in(&project.join("docs/operations.md"), &mut found);
        for (name, file) in &found {
            let refused = refusal(&of_variable(name).unwrap(), variable);
            assert_eq!(refused, None, "{name} in {}", file.display());
        }
        for kind in ["frontdesk.service", "Dockerfile", "operations.md"] {
            assert!(
                found.iter().any(|(_, file)| file.ends_with(kind)),
                "{kind} sets something"
            );
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_answered_with_the_nearest_key() {
        let refused = |name: &str| refusal(&of_variable(name).unwrap(), variable).unwrap();
        assert!(refused("FRONTDESK_HTTP__LISTN").contains("FRONTDESK_HTTP__LISTEN?"));
        assert!(refused("FRONTDESK_ADMIN_TOKEN").contains("FRONTDESK_ADMIN__TOKEN?"));
        assert!(refused("FRONTDESK_COFFEE__MACHINE").contains("the settings are"));
    }
}
