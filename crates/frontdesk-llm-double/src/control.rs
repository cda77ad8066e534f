//! The script as JSON, as `/control` takes and gives it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::script::{Mode, Prices, Script, UsageScript};

/// Error codes that can be asked for by name; a typo is refused.
const CODES: [&str; 12] = [
    "billing_hard_limit_reached",
    "context_length_exceeded",
    "credit_balance_exhausted",
    "insufficient_permissions",
    "insufficient_quota",
    "invalid_api_key",
    "model_not_found",
    "rate_limit_exceeded",
    "server_error",
    "server_is_overloaded",
    "slow_down",
    "unsupported_country_region_territory",
];

/// What is to change in a script; what is not named stays as it is.
///
/// `{"mode": "status", "status": 429, "retryAfter": 7}`, `{"mode": "drip", "perByteMs": 50, "latencyMs": 300}`,
/// `{"usage": "allOfMaxTokens"}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Control {
    /// A [`Mode`]'s name, its first letter small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// For `stall` and `cut`: bytes of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<usize>,
    /// For `drip`: milliseconds a byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_byte_ms: Option<u64>,
    /// For `status`: from 400 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `status`: the error's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For `status`: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Milliseconds for which responses are held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Prices, pico-USD a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<PricesControl>,
    /// `counted`, `tokens` (with the two below), `allOfMaxTokens` or `dearest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// For usage `tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// For usage `tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// From 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_share: Option<f64>,
    /// From 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_share: Option<f64>,
    /// Whether a request costs its usage even if its answer never arrives whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill_unanswered: Option<bool>,
    /// One in so many chat completions is answered 503 and bills nothing; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse_every: Option<u64>,
}

/// Prices in pico-USD a token; what is not named stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PricesControl {
    /// See [`Prices::input`].
    pub input: Option<i64>,
    /// See [`Prices::cached`].
    pub cached: Option<i64>,
    /// See [`Prices::cache_write`].
    pub cache_write: Option<i64>,
    /// See [`Prices::output`].
    pub output: Option<i64>,
}

/// Why a control was not carried out; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// No mode has this name.
    #[error("there is no mode `{0}`")]
    Mode(String),
    /// The mode or the usage needs another field.
    #[error("`{0}` needs `{1}`")]
    Missing(&'static str, &'static str),
    /// A field belongs to another mode or usage than the one named with it.
    #[error("`{0}` says nothing here: name what it belongs to with it")]
    Stray(&'static str),
    /// A number is out of its bounds.
    #[error("`{0}` must be {1}")]
    Bounds(&'static str, &'static str),
    /// No error code has this name.
    #[error("there is no error code `{0}`; known are {known}", known = CODES.join(", "))]
    Code(String),
    /// No usage has this name.
    #[error("there is no usage `{0}`: counted, tokens, allOfMaxTokens or dearest")]
    Usage(String),
}

impl Control {
    /// The script with these changes.
    ///
    /// # Errors
    /// What cannot be carried out, in words.
    pub fn apply(&self, script: &Script) -> Result<Script, Refused> {
        let mut changed = script.clone();
        changed.mode = self.mode_or(script.mode)?;
        changed.usage = self.usage_or(script.usage)?;
        changed.prices = self.prices_or(script.prices)?;
        if let Some(latency) = self.latency_ms {
            changed.latency = Duration::from_millis(latency);
        }
        for (name, share, place) in [
            ("cachedShare", self.cached_share, &mut changed.cached_share),
            (
                "cacheWriteShare",
                self.cache_write_share,
                &mut changed.cache_write_share,
            ),
        ] {
            let Some(share) = share else { continue };
            if !(0.0..=1.0).contains(&share) {
                return Err(Refused::Bounds(name, "from 0 to 1"));
            }
            *place = share;
        }
        changed.bill_unanswered = self.bill_unanswered.unwrap_or(script.bill_unanswered);
        changed.refuse_every = self.refuse_every.unwrap_or(script.refuse_every);
        Ok(changed)
    }

    fn mode_or(&self, present: Mode) -> Result<Mode, Refused> {
        let named = self.mode.as_deref();
        self.no_stray_detail(named)?;
        let Some(name) = named else { return Ok(present) };
        Ok(match name {
            "stall" => Mode::Stall {
                after_bytes: self.after_bytes.ok_or(Refused::Missing("stall", "afterBytes"))?,
            },
            "cut" => Mode::Cut {
                after_bytes: self.after_bytes.ok_or(Refused::Missing("cut", "afterBytes"))?,
            },
            "drip" => {
                let per_byte = self.per_byte_ms.ok_or(Refused::Missing("drip", "perByteMs"))?;
                Mode::Drip {
                    per_byte: Duration::from_millis(per_byte),
                }
            }
            "status" => self.status()?,
            name => {
                let plain = PLAIN_MODES.iter().find(|(known, _)| *known == name);
                plain.ok_or_else(|| Refused::Mode(name.to_owned()))?.1
            }
        })
    }

    fn no_stray_detail(&self, mode: Option<&str>) -> Result<(), Refused> {
        let details = [
            ("afterBytes", self.after_bytes.is_some(), &["stall", "cut"][..]),
            ("perByteMs", self.per_byte_ms.is_some(), &["drip"]),
            ("status", self.status.is_some(), &["status"]),
            ("code", self.code.is_some(), &["status"]),
            ("retryAfter", self.retry_after.is_some(), &["status"]),
        ];
        let stray = details
            .iter()
            .find(|(_, given, modes)| *given && !mode.is_some_and(|mode| modes.contains(&mode)));
        stray.map_or(Ok(()), |(name, ..)| Err(Refused::Stray(name)))
    }

    fn status(&self) -> Result<Mode, Refused> {
        let status = self.status.ok_or(Refused::Missing("status", "status"))?;
        if !(400..=599).contains(&status) {
            return Err(Refused::Bounds("status", "from 400 to 599"));
        }
        let known = |code: &String| {
            let found = CODES.iter().find(|known| *known == code);
            found.copied().ok_or_else(|| Refused::Code(code.clone()))
        };
        Ok(Mode::Status {
            status,
            code: self.code.as_ref().map(known).transpose()?,
            retry_after: self.retry_after,
        })
    }

    fn usage_or(&self, present: Option<UsageScript>) -> Result<Option<UsageScript>, Refused> {
        let named = self.usage.as_deref();
        if named != Some("tokens") {
            for (name, given) in [
                ("promptTokens", self.prompt_tokens),
                ("completionTokens", self.completion_tokens),
            ] {
                given.map_or(Ok(()), |_| Err(Refused::Stray(name)))?;
            }
        }
        Ok(match named {
            None => present,
            Some("counted") => None,
            Some("tokens") => Some(UsageScript::Tokens {
                prompt: self.prompt_tokens.ok_or(Refused::Missing("tokens", "promptTokens"))?,
                completion: self
                    .completion_tokens
                    .ok_or(Refused::Missing("tokens", "completionTokens"))?,
            }),
            Some("allOfMaxTokens") => Some(UsageScript::AllOfMaxTokens),
            Some("dearest") => Some(UsageScript::Dearest),
            Some(other) => return Err(Refused::Usage(other.to_owned())),
        })
    }

    fn prices_or(&self, present: Prices) -> Result<Prices, Refused> {
        let Some(named) = self.prices else { return Ok(present) };
        let prices = Prices {
            input: named.input.unwrap_or(present.input),
            cached: named.cached.unwrap_or(present.cached),
            cache_write: named.cache_write.unwrap_or(present.cache_write),
            output: named.output.unwrap_or(present.output),
        };
        let all = [prices.input, prices.cached, prices.cache_write, prices.output];
        if all.iter().any(|price| *price < 0) {
            return Err(Refused::Bounds("prices", "0 or more"));
        }
        Ok(prices)
    }
}

/// The modes that need nothing else said.
const PLAIN_MODES: [(&str, Mode); 20] = [
    ("ok", Mode::Ok),
    ("hang", Mode::Hang),
    ("close", Mode::Close),
    ("halfJson", Mode::HalfJson),
    ("html", Mode::Html),
    ("wrongSchema", Mode::WrongSchema),
    ("unknownId", Mode::UnknownId),
    ("freeText", Mode::FreeText),
    ("fenced", Mode::Fenced),
    ("reasoning", Mode::Reasoning),
    ("truncated", Mode::Truncated),
    ("refusal", Mode::Refusal),
    ("emptyChoices", Mode::EmptyChoices),
    ("noChoice", Mode::NoChoice),
    ("outOfScope", Mode::OutOfScope),
    ("quota", Mode::Quota),
    ("usageMissing", Mode::UsageMissing),
    ("usageAbsurd", Mode::UsageAbsurd),
    ("usageAbove", Mode::UsageAbove),
    ("hugeBody", Mode::HugeBody),
];

impl From<&Script> for Control {
    /// All of a script: applied to any other, it gives this one (lengths to the millisecond).
    fn from(script: &Script) -> Self {
        let control = Self {
            latency_ms: Some(millis(script.latency)),
            prices: Some(PricesControl {
                input: Some(script.prices.input),
                cached: Some(script.prices.cached),
                cache_write: Some(script.prices.cache_write),
                output: Some(script.prices.output),
            }),
            cached_share: Some(script.cached_share),
            cache_write_share: Some(script.cache_write_share),
            bill_unanswered: Some(script.bill_unanswered),
            refuse_every: Some(script.refuse_every),
            ..Self::default()
        };
        control.with_usage(script.usage).with_mode(script.mode)
    }
}

impl Control {
    fn with_usage(mut self, usage: Option<UsageScript>) -> Self {
        let name = match usage {
            None => "counted",
            Some(UsageScript::AllOfMaxTokens) => "allOfMaxTokens",
            Some(UsageScript::Dearest) => "dearest",
            Some(UsageScript::Tokens { prompt, completion }) => {
                self.prompt_tokens = Some(prompt);
                self.completion_tokens = Some(completion);
                "tokens"
            }
        };
        self.usage = Some(name.to_owned());
        self
    }

    fn with_mode(mut self, mode: Mode) -> Self {
        let name = match mode {
            Mode::Stall { after_bytes } => {
                self.after_bytes = Some(after_bytes);
                "stall"
            }
            Mode::Cut { after_bytes } => {
                self.after_bytes = Some(after_bytes);
                "cut"
            }
            Mode::Drip { per_byte } => {
                self.per_byte_ms = Some(millis(per_byte));
                "drip"
            }
            Mode::Status {
                status,
                code,
                retry_after,
            } => {
                self.status = Some(status);
                self.code = code.map(str::to_owned);
                self.retry_after = retry_after;
                "status"
            }
            plain => PLAIN_MODES
                .iter()
                .find(|(_, known)| *known == plain)
                .map_or("ok", |(name, _)| name),
        };
        self.mode = Some(name.to_owned());
        self
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(json: &str) -> Result<Script, Refused> {
        let control: Control = serde_json::from_str(json).unwrap();
        control.apply(&Script::default())
    }

    #[test]
    fn a_script_survives_its_json_in_every_mode() {
        let detailed = [
            Mode::Stall { after_bytes: 5 },
            Mode::Cut { after_bytes: 0 },
            Mode::Drip {
                per_byte: Duration::from_millis(9),
            },
            Mode::Status {
                status: 429,
                code: Some("slow_down"),
                retry_after: Some(7),
            },
        ];
        let usages = [
            Some(UsageScript::Dearest),
            Some(UsageScript::AllOfMaxTokens),
            Some(UsageScript::Tokens {
                prompt: 1,
                completion: 2,
            }),
            None,
        ];
        let modes = PLAIN_MODES.iter().map(|(_, mode)| *mode).chain(detailed);
        for (mode, usage) in modes.zip(usages.into_iter().cycle()) {
            let script = Script {
                mode,
                usage,
                latency: Duration::from_millis(300),
                cached_share: 0.25,
                bill_unanswered: false,
                refuse_every: 10,
                ..Script::default()
            };
            let json = serde_json::to_string(&Control::from(&script)).unwrap();
            let other = Script {
                usage: Some(UsageScript::Dearest),
                ..Script::from(Mode::Hang)
            };
            let control: Control = serde_json::from_str(&json).unwrap();
            assert_eq!(control.apply(&other), Ok(script), "{json}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let slow = Script {
            latency: Duration::from_secs(1),
            cached_share: 0.5,
            ..Script::from(Mode::Refusal)
        };
        let control: Control = serde_json::from_str(r#"{"prices":{"output":7}}"#).unwrap();
        let prices = Prices {
            output: 7,
            ..Prices::default()
        };
        assert_eq!(control.apply(&slow), Ok(Script { prices, ..slow }));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused_in_words() {
        let check = |json, expected: Refused| assert_eq!(apply(json), Err(expected), "{json}");
        check(r#"{"mode":"hagn"}"#, Refused::Mode("hagn".into()));
        check(r#"{"mode":"cut"}"#, Refused::Missing("cut", "afterBytes"));
        check(r#"{"mode":"status"}"#, Refused::Missing("status", "status"));
        check(
            r#"{"mode":"status","status":200}"#,
            Refused::Bounds("status", "from 400 to 599"),
        );
        check(
            r#"{"mode":"status","status":429,"code":"qouta"}"#,
            Refused::Code("qouta".into()),
        );
        check(r#"{"mode":"hang","retryAfter":7}"#, Refused::Stray("retryAfter"));
        check(r#"{"promptTokens":7}"#, Refused::Stray("promptTokens"));
        check(r#"{"usage":"all"}"#, Refused::Usage("all".into()));
        check(r#"{"cachedShare":1.5}"#, Refused::Bounds("cachedShare", "from 0 to 1"));
        check(r#"{"prices":{"input":-1}}"#, Refused::Bounds("prices", "0 or more"));
        assert!(serde_json::from_str::<Control>(r#"{"latency":1}"#).is_err());
    }
}
