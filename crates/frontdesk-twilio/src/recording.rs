//! Addresses of recordings.

/// Whether a recording is at Twilio's API, over TLS and at its usual port; others are never fetched. The API is
/// `api.twilio.com` or one of its regions, such as `api.dublin.ie1.twilio.com`.
///
/// Stricter than an URL may be: the host holds no user, no port and no sign that readers of URLs understand in
/// different ways (a backslash, a tab).
#[must_use]
pub fn is_at_twilio(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    let is_plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    is_plain && host.starts_with("api.") && host.ends_with(".twilio.com")
}

/// The account that a recording belongs to, as its address says (`…/Accounts/AC…/Recordings/RE…`).
#[must_use]
pub fn account_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/Accounts/")?;
    let account = rest.split(['/', '?', '#']).next()?;
    let is_account =
        account.len() == 34 && account.starts_with("AC") && account.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_account.then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_twilios_api_are_at_twilio() {
        for url in [
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
            "https://API.Twilio.com/x",
            "https://api.dublin.ie1.twilio.com/x",
        ] {
            assert!(is_at_twilio(url), "{url}");
        }
        for url in [
            "http://api.twilio.com/x",
            "https://api.example.test/r/RE1",
            "https://api.twilio.com.evil.example/x",
            "https://api.twilio.com@evil.example/x",
            "https://api.me@other.twilio.com/x",
            "https://evil.example/#api.twilio.com",
            "https://api.evil.example\\.twilio.com/x",
            "https://api.evil.example\t.twilio.com/x",
            "https://api.evil.example%2f.twilio.com/x",
            "https://api.twilio.com:8443/x",
            "https://www.twilio.com/x",
            "https://twilio.com/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_at_twilio(url), "{url}");
        }
    }

    #[test]
    fn the_address_names_the_account() {
        let account = format!("AC{}", "0".repeat(32));
        for (url, want) in [
            (
                format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/RE1"),
                Some(account.as_str()),
            ),
            (
                format!("https://api.twilio.com/Accounts/{account}"),
                Some(account.as_str()),
            ),
            ("https://api.twilio.com/Accounts/AC1/Recordings/RE1".to_owned(), None),
            ("https://api.twilio.com/x".to_owned(), None),
        ] {
            assert_eq!(account_of(&url), want, "{url}");
        }
    }
}
