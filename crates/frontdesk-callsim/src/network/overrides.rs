//! Twilio's connection overrides: what stands in the fragment of a webhook's URL.

use std::time::Duration;

/// How patiently, and how often, Twilio asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrides {
    /// For the connection (`ct`).
    pub connect: Duration,
    /// For the first byte, and between bytes (`rt`).
    pub read: Duration,
    /// For everything, retries included (`tt`).
    pub total: Duration,
    /// How often it is tried again (`rc`).
    pub retries: u32,
    /// After which failures (`rp`).
    pub policy: Policy,
}

/// After which failures Twilio tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the words of Twilio's own setting")]
pub struct Policy {
    /// No connection.
    pub connect: bool,
    /// No answer in time, or one that was cut.
    pub read: bool,
    /// A status of 400 to 499.
    pub client_error: bool,
    /// A status of 500 to 599.
    pub server_error: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            policy: Policy {
                connect: true,
                ..Policy::default()
            },
        }
    }
}

impl Overrides {
    /// The URL without its fragment, and what the fragment says. What Twilio does not know there it passes over.
    #[must_use]
    pub fn of_url(url: &str) -> (&str, Self) {
        let mut overrides = Self::default();
        let Some((url, fragment)) = url.split_once('#') else {
            return (url, overrides);
        };
        for setting in fragment.split('&') {
            let Some((key, value)) = setting.split_once('=') else {
                continue;
            };
            let number = value.parse::<u64>().ok();
            let within = |least: u64| {
                number
                    .filter(|number| (least..=15_000).contains(number))
                    .map(Duration::from_millis)
            };
            match key {
                "ct" => {
                    overrides.connect = within(100)
                        .filter(|time| time.as_millis() <= 10_000)
                        .unwrap_or(overrides.connect);
                }
                "rt" => overrides.read = within(100).unwrap_or(overrides.read),
                "tt" => overrides.total = within(100).unwrap_or(overrides.total),
                "rc" => {
                    let count = number
                        .filter(|count| *count <= 5)
                        .and_then(|count| count.try_into().ok());
                    overrides.retries = count.unwrap_or(overrides.retries);
                }
                "rp" => overrides.policy = Policy::of_words(value),
                _ => {}
            }
        }
        (url, overrides)
    }
}

impl Policy {
    fn of_words(words: &str) -> Self {
        let mut policy = Self::default();
        for word in words.split(',') {
            match word {
                "ct" => policy.connect = true,
                "rt" => policy.read = true,
                "4xx" => policy.client_error = true,
                "5xx" => policy.server_error = true,
                "all" => {
                    return Self {
                        connect: true,
                        read: true,
                        client_error: true,
                        server_error: true,
                    };
                }
                _ => {}
            }
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_fragment_only_a_failed_connection_is_tried_again_once() {
        let (url, overrides) = Overrides::of_url("https://a.example/v?x=1");
        assert_eq!(url, "https://a.example/v?x=1");
        assert_eq!(overrides, Overrides::default());
        assert_eq!(
            (
                overrides.retries,
                overrides.policy.connect,
                overrides.policy.server_error
            ),
            (1, true, false)
        );
    }

    #[test]
    fn the_fragment_overrides_and_is_no_part_of_the_url() {
        let (url, overrides) =
            Overrides::of_url("https://a.example/v#ct=2000&rt=5000&rc=3&rp=ct,5xx&tt=12000&e=dublin");
        assert_eq!(url, "https://a.example/v");
        let milliseconds = |time: Duration| time.as_millis();
        assert_eq!(
            (
                milliseconds(overrides.connect),
                milliseconds(overrides.read),
                milliseconds(overrides.total),
                overrides.retries
            ),
            (2_000, 5_000, 12_000, 3)
        );
        let Policy {
            connect,
            read,
            client_error,
            server_error,
        } = overrides.policy;
        assert_eq!((connect, read, client_error, server_error), (true, false, false, true));
    }

    #[test]
    fn what_is_out_of_range_is_passed_over() {
        let (_, overrides) = Overrides::of_url("https://a.example/v#ct=20000&rt=1&rc=9&tt=60000");
        assert_eq!(overrides, Overrides::default());
    }
}
