//! Which elements a voice document may hold, where, and with which attributes.
//!
//! From the attribute lists of Twilio's own libraries. Twilio validates against a schema that it does not publish.

use crate::code::Code;

/// One element.
#[derive(Debug)]
pub(super) struct Element {
    /// Its name; names are case-sensitive.
    pub(super) name: &'static str,
    /// Its attributes and what they take.
    pub(super) attributes: &'static [(&'static str, Kind)],
    /// Which elements may stand in it.
    pub(super) children: &'static [&'static str],
    /// Whether text may.
    pub(super) text: bool,
}

/// What an attribute takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// A URL, relative ones too.
    Url,
    /// A whole number in this range.
    Number(u32, u32),
    /// `true` or `false`.
    Switch,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Some of these, blanks between them.
    SomeOf(&'static [&'static str]),
    /// At most one key.
    Key,
    /// Any keys.
    Keys,
    /// A positive number of seconds or `auto`.
    SpeechTimeout,
    /// A positive number of seconds.
    MaxSpeechTime,
    /// Comma-separated, at most 500 of at most 100 characters.
    Hints,
    /// A recogniser.
    SpeechModel,
    /// A language's tag.
    Language,
}

const METHOD: Kind = Kind::OneOf(&["GET", "POST"]);
const EVENTS: Kind = Kind::SomeOf(&["initiated", "ringing", "answered", "completed"]);
const RECORDING_EVENTS: Kind = Kind::SomeOf(&["in-progress", "completed", "absent"]);
const TRIM: Kind = Kind::OneOf(&["trim-silence", "do-not-trim"]);

/// Verbs that may stand in a `<Response>` and that the simulator plays.
pub(super) const PLAYED: &[&str] = &[
    "Say", "Play", "Pause", "Gather", "Record", "Dial", "Redirect", "Hangup", "Reject",
];

/// Verbs that Twilio knows and the simulator does not play.
pub(super) const NOT_PLAYED: &[&str] = &[
    "Connect",
    "Echo",
    "Enqueue",
    "Leave",
    "Pay",
    "Prompt",
    "Queue",
    "Refer",
    "Siprec",
    "Sms",
    "Start",
    "Stop",
    "Conference",
];

const SSML: &[&str] = &[
    "break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w",
];

/// The elements by name.
pub(super) const ELEMENTS: &[Element] = &[
    Element {
        name: "Response",
        attributes: &[],
        children: PLAYED,
        text: false,
    },
    Element {
        name: "Say",
        attributes: &[
            ("voice", Kind::Text),
            ("language", Kind::Language),
            ("loop", Kind::Number(0, 1000)),
        ],
        children: SSML,
        text: true,
    },
    Element {
        name: "Play",
        attributes: &[("loop", Kind::Number(0, 1000)), ("digits", Kind::Keys)],
        children: &[],
        text: true,
    },
    Element {
        name: "Pause",
        attributes: &[("length", Kind::Number(0, 3600))],
        children: &[],
        text: false,
    },
    Element {
        name: "Gather",
        attributes: &[
            ("action", Kind::Url),
            ("actionOnEmptyResult", Kind::Switch),
            ("bargeIn", Kind::Switch),
            ("debug", Kind::Switch),
            ("enhanced", Kind::Switch),
            ("finishOnKey", Kind::Key),
            ("hints", Kind::Hints),
            ("input", Kind::SomeOf(&["dtmf", "speech"])),
            ("language", Kind::Language),
            ("maxSpeechTime", Kind::MaxSpeechTime),
            ("method", METHOD),
            ("numDigits", Kind::Number(1, 1000)),
            ("partialResultCallback", Kind::Url),
            ("partialResultCallbackMethod", METHOD),
            ("profanityFilter", Kind::Switch),
            ("speechModel", Kind::SpeechModel),
            ("speechTimeout", Kind::SpeechTimeout),
            ("timeout", Kind::Number(1, 600)),
        ],
        children: &["Say", "Play", "Pause"],
        text: false,
    },
    Element {
        name: "Record",
        attributes: &[
            ("action", Kind::Url),
            ("finishOnKey", Kind::Keys),
            ("maxLength", Kind::Number(1, 14_400)),
            ("method", METHOD),
            ("playBeep", Kind::Switch),
            ("recordingConfigurationId", Kind::Text),
            ("recordingStatusCallback", Kind::Url),
            ("recordingStatusCallbackEvent", RECORDING_EVENTS),
            ("recordingStatusCallbackMethod", METHOD),
            ("timeout", Kind::Number(0, 600)),
            ("transcribe", Kind::Switch),
            ("transcribeCallback", Kind::Url),
            ("trim", TRIM),
        ],
        children: &[],
        text: false,
    },
    Element {
        name: "Dial",
        attributes: &[
            ("action", Kind::Url),
            ("answerOnBridge", Kind::Switch),
            ("callerId", Kind::Text),
            ("events", Kind::Text),
            ("hangupOnStar", Kind::Switch),
            ("method", METHOD),
            ("passports", Kind::Text),
            (
                "record",
                Kind::OneOf(&[
                    "do-not-record",
                    "record-from-answer",
                    "record-from-ringing",
                    "record-from-answer-dual",
                    "record-from-ringing-dual",
                    "true",
                    "false",
                ]),
            ),
            ("recordingConfigurationId", Kind::Text),
            ("recordingStatusCallback", Kind::Url),
            ("recordingStatusCallbackEvent", RECORDING_EVENTS),
            ("recordingStatusCallbackMethod", METHOD),
            ("recordingTrack", Kind::OneOf(&["both", "inbound", "outbound"])),
            ("referMethod", METHOD),
            ("referUrl", Kind::Url),
            ("ringTone", Kind::Text),
            ("sequential", Kind::Switch),
            ("timeLimit", Kind::Number(1, 86_400)),
            ("timeout", Kind::Number(1, 600)),
            ("trim", TRIM),
        ],
        children: &["Number", "Client", "Sip"],
        text: true,
    },
    Element {
        name: "Number",
        attributes: &[
            ("amdStatusCallback", Kind::Url),
            ("amdStatusCallbackMethod", METHOD),
            ("byoc", Kind::Text),
            ("machineDetection", Kind::OneOf(&["Enable", "DetectMessageEnd"])),
            ("machineDetectionSilenceTimeout", Kind::Number(2000, 10_000)),
            ("machineDetectionSpeechEndThreshold", Kind::Number(500, 5000)),
            ("machineDetectionSpeechThreshold", Kind::Number(1000, 6000)),
            ("machineDetectionTimeout", Kind::Number(3, 59)),
            ("method", METHOD),
            ("sendDigits", Kind::Keys),
            ("statusCallback", Kind::Url),
            ("statusCallbackEvent", EVENTS),
            ("statusCallbackMethod", METHOD),
            ("url", Kind::Url),
        ],
        children: &[],
        text: true,
    },
    Element {
        name: "Client",
        attributes: &[
            ("method", METHOD),
            ("statusCallback", Kind::Url),
            ("statusCallbackEvent", EVENTS),
            ("statusCallbackMethod", METHOD),
            ("url", Kind::Url),
        ],
        children: &[],
        text: true,
    },
    Element {
        name: "Sip",
        attributes: &[
            ("amdStatusCallback", Kind::Url),
            ("amdStatusCallbackMethod", METHOD),
            ("machineDetection", Kind::OneOf(&["Enable", "DetectMessageEnd"])),
            ("machineDetectionSilenceTimeout", Kind::Number(2000, 10_000)),
            ("machineDetectionSpeechEndThreshold", Kind::Number(500, 5000)),
            ("machineDetectionSpeechThreshold", Kind::Number(1000, 6000)),
            ("machineDetectionTimeout", Kind::Number(3, 59)),
            ("method", METHOD),
            ("password", Kind::Text),
            ("statusCallback", Kind::Url),
            ("statusCallbackEvent", EVENTS),
            ("statusCallbackMethod", METHOD),
            ("url", Kind::Url),
            ("username", Kind::Text),
        ],
        children: &[],
        text: true,
    },
    Element {
        name: "Redirect",
        attributes: &[("method", METHOD)],
        children: &[],
        text: true,
    },
    Element {
        name: "Hangup",
        attributes: &[],
        children: &[],
        text: false,
    },
    Element {
        name: "Reject",
        attributes: &[("reason", Kind::OneOf(&["rejected", "busy"]))],
        children: &[],
        text: false,
    },
    Element {
        name: "break",
        attributes: &[
            (
                "strength",
                Kind::OneOf(&["none", "x-weak", "weak", "medium", "strong", "x-strong"]),
            ),
            ("time", Kind::Text),
        ],
        children: &[],
        text: false,
    },
    Element {
        name: "emphasis",
        attributes: &[("level", Kind::OneOf(&["strong", "moderate", "reduced"]))],
        children: SSML,
        text: true,
    },
    Element {
        name: "lang",
        attributes: &[("xml:lang", Kind::Language)],
        children: SSML,
        text: true,
    },
    Element {
        name: "p",
        attributes: &[],
        children: SSML,
        text: true,
    },
    Element {
        name: "phoneme",
        attributes: &[
            (
                "alphabet",
                Kind::OneOf(&[
                    "ipa",
                    "x-sampa",
                    "x-amazon-jyutping",
                    "x-amazon-pinyin",
                    "x-amazon-pron-kana",
                    "x-amazon-yomigana",
                ]),
            ),
            ("ph", Kind::Text),
        ],
        children: &[],
        text: true,
    },
    Element {
        name: "prosody",
        attributes: &[("volume", Kind::Text), ("rate", Kind::Text), ("pitch", Kind::Text)],
        children: SSML,
        text: true,
    },
    Element {
        name: "s",
        attributes: &[],
        children: SSML,
        text: true,
    },
    Element {
        name: "say-as",
        attributes: &[("interpret-as", Kind::Text), ("format", Kind::Text)],
        children: &[],
        text: true,
    },
    Element {
        name: "sub",
        attributes: &[("alias", Kind::Text)],
        children: &[],
        text: true,
    },
    Element {
        name: "w",
        attributes: &[("role", Kind::Text)],
        children: &[],
        text: true,
    },
];

/// The element of this name.
pub(super) fn element(name: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.name == name)
}

const SPEECH_MODELS: &[&str] = &[
    "default",
    "numbers_and_commands",
    "phone_call",
    "experimental_conversations",
    "experimental_utterances",
    "googlev2_long",
    "googlev2_short",
    "googlev2_telephony",
    "googlev2_telephony_short",
    "deepgram_nova-2",
    "deepgram_nova-2-general",
    "deepgram_nova-2-phonecall",
    "deepgram_nova-3",
    "deepgram_nova-3-general",
];

impl Kind {
    /// Whether the attribute takes this value; else Twilio's code and what it would take.
    pub(super) fn check(self, value: &str) -> Result<(), (Code, &'static str)> {
        let positive = || value.parse::<u32>().is_ok_and(|number| number > 0);
        let (takes, code, expected) = match self {
            Self::Text => (true, Code::Schema, ""),
            Self::Url => (
                !value
                    .chars()
                    .any(|character| character.is_whitespace() || character.is_control()),
                Code::BadUrl,
                "a URL",
            ),
            Self::Number(least, most) => (
                value
                    .parse::<u32>()
                    .is_ok_and(|number| (least..=most).contains(&number)),
                Code::Schema,
                "a number within its range",
            ),
            Self::Switch => (matches!(value, "true" | "false"), Code::Schema, "true or false"),
            Self::OneOf(words) => (words.contains(&value), Code::Schema, "one of its words"),
            Self::SomeOf(words) => (
                !value.is_empty() && value.split(' ').all(|word| words.contains(&word)),
                Code::Schema,
                "some of its words, blanks between them",
            ),
            Self::Key => (
                value.chars().count() <= 1 && value.chars().all(is_key),
                Code::Schema,
                "one key or none",
            ),
            Self::Keys => (
                value
                    .chars()
                    .all(|character| is_key(character) || matches!(character, 'w' | 'W' | ',')),
                Code::Schema,
                "keys",
            ),
            Self::SpeechTimeout => (
                value == "auto" || positive(),
                Code::SpeechTimeout,
                "a positive number or auto",
            ),
            Self::MaxSpeechTime => (positive(), Code::MaxSpeechTime, "a positive number"),
            Self::Hints => (
                value.split(',').count() <= 500 && value.split(',').all(|hint| hint.trim().chars().count() <= 100),
                Code::Hints,
                "at most 500 entries of at most 100 characters",
            ),
            Self::SpeechModel => (SPEECH_MODELS.contains(&value), Code::SpeechModel, "a known model"),
            Self::Language => (
                (2..=20).contains(&value.len()) && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
                Code::Schema,
                "a language's tag",
            ),
        };
        if takes { Ok(()) } else { Err((code, expected)) }
    }
}

/// Whether a telephone has this key.
pub(super) const fn is_key(character: char) -> bool {
    matches!(character, '0'..='9' | '*' | '#')
}
