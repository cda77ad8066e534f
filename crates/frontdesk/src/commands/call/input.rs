//! What somebody types during a call.

/// What a line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// An empty line.
    Nothing,
    /// The caller says it.
    Words(String),
    /// The caller presses keys.
    Keys(String),
    /// The caller says nothing.
    Silence,
    /// The caller hangs up.
    Hangup,
    /// Shows the whole trace of the last answer.
    Why,
    /// Lists what can be typed.
    Help,
    /// A command that there is not, or that lacks something: what to say about it.
    Unknown(String),
}

impl Input {
    /// Reads a line.
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim();
        let Some(command) = line.strip_prefix('/') else {
            return if line.is_empty() {
                Self::Nothing
            } else {
                Self::Words(line.to_owned())
            };
        };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        match (name, rest.trim()) {
            ("why", "") => Self::Why,
            ("silence", "") => Self::Silence,
            ("hangup", "") => Self::Hangup,
            ("help", "") => Self::Help,
            ("press", keys) if is_keys(keys) => Self::Keys(keys.to_owned()),
            ("press", _) => Self::Unknown("/press takes keys: digits, * and #, such as /press 1".to_owned()),
            _ => Self::Unknown(format!("there is no /{name}; /help lists what there is")),
        }
    }
}

fn is_keys(keys: &str) -> bool {
    !keys.is_empty() && keys.chars().all(|key| key.is_ascii_digit() || matches!(key, '*' | '#'))
}

/// What can be typed.
pub(super) const HELP: [&str; 6] = [
    "what you type is what the caller says; after a beep it is the message",
    "/why       how the last answer was found, step by step",
    "/press 1   presses keys",
    "/silence   says nothing",
    "/hangup    hangs up",
    "/help      this list",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, want: &Input) {
        assert_eq!(&Input::parse(line), want, "{line}");
    }

    #[test]
    fn a_line_is_words_or_a_command() {
        check(" how much is it ", &Input::Words("how much is it".into()));
        check("  ", &Input::Nothing);
        check("/why", &Input::Why);
        check("/press 1#", &Input::Keys("1#".into()));
        check("/silence", &Input::Silence);
        check("/hangup ", &Input::Hangup);
        for line in ["/press", "/press one", "/sing", "/why not"] {
            assert!(matches!(Input::parse(line), Input::Unknown(_)), "{line}");
        }
    }
}
