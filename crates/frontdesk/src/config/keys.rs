//! Which keys there are.

use frontdesk_domain::documents::nearest;

/// Before every environment variable that is a setting.
pub(super) const PREFIX: &str = "FRONTDESK_";

/// The keys of this version, as `section.key`.
pub(super) const KEYS: [&str; 16] = [
    "admin.token",
    "cache.url",
    "http.listen",
    "http.metrics_listen",
    "http.public_url",
    "limits.calls_per_caller_per_hour",
    "limits.concurrent_calls_per_company",
    "limits.seconds_per_call",
    "limits.turns_per_call",
    "log.format",
    "model.path",
    "secrets.key",
    "secrets.previous_key",
    "store.url",
    "twilio.auth_token",
    "twilio.verify",
];

/// Sections whose keys come with later versions. A setting that does nothing would be worse than a refused one.
const LATER: [&str; 1] = ["llm"];

/// Keys of later versions in sections of this one.
const LATER_KEYS: [&str; 1] = ["limits.llm_calls_per_call"];

/// Why a key is refused; `None` for a key of this version. `name` is the key as it was written.
pub(super) fn refusal(key: &str, spell: impl Fn(&str) -> String) -> Option<String> {
    if KEYS.contains(&key) {
        return None;
    }
    let section = key.split('.').next().unwrap_or_default();
    if LATER.contains(&section) || LATER_KEYS.contains(&key) {
        return Some("is not in this version and would do nothing; remove it".to_owned());
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
    use super::*;

    #[test]
    fn keys_and_variables_name_each_other() {
        for key in KEYS {
            assert_eq!(of_variable(&variable(key)).as_deref(), Some(key));
        }
        assert_eq!(variable("http.public_url"), "FRONTDESK_HTTP__PUBLIC_URL");
        assert_eq!(of_variable("PATH"), None);
    }

    #[test]
    fn a_slip_of_the_pen_is_answered_with_the_nearest_key() {
        let refused = |name: &str| refusal(&of_variable(name).unwrap(), variable).unwrap();
        assert!(refused("FRONTDESK_HTTP__LISTN").contains("FRONTDESK_HTTP__LISTEN?"));
        assert!(refused("FRONTDESK_ADMIN_TOKEN").contains("FRONTDESK_ADMIN__TOKEN?"));
        assert!(refused("FRONTDESK_COFFEE__MACHINE").contains("the settings are"));
    }

    #[test]
    fn keys_of_later_versions_are_refused_as_such() {
        for name in ["FRONTDESK_LIMITS__LLM_CALLS_PER_CALL", "FRONTDESK_LLM__API_KEY"] {
            assert!(
                refusal(&of_variable(name).unwrap(), variable)
                    .unwrap()
                    .contains("not in this version")
            );
        }
    }
}
