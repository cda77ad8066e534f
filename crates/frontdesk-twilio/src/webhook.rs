//! The parameters of a voice webhook by name. Reading them never fails: what is odd is absent.

use crate::form::Form;

/// What the call path reads of a webhook. Everything is optional, because anything may be missing.
///
/// Where a parameter is repeated, the first value counts. Unknown parameters are passed over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnParameters<'f> {
    /// `CallSid`, not blank.
    pub call_sid: Option<&'f str>,
    /// `AccountSid`, not blank.
    pub account_sid: Option<&'f str>,
    /// `From` as sent; [`Caller::of`] says what kind of caller it names.
    pub from: Option<&'f str>,
    /// `To`, not blank.
    pub to: Option<&'f str>,
    /// `CallerName`, not blank: what the caller's carrier says.
    pub caller_name: Option<&'f str>,
    /// `StirVerstat`, not blank: how far the caller's number is attested.
    pub stir_verstat: Option<&'f str>,
    /// `SpeechResult`, as sent, also if blank; [`TurnParameters::said`] leaves out blank ones.
    pub speech_result: Option<&'f str>,
    /// `Digits`, as sent, also if blank; [`TurnParameters::pressed`] leaves out blank ones.
    pub digits: Option<&'f str>,
    /// `Confidence` of the speech recognition, from 0 to 1.
    pub confidence: Option<f64>,
    /// `Language` in which the speech was recognised, not blank.
    pub language: Option<&'f str>,
    /// `CallStatus`, if it is a known one.
    pub call_status: Option<CallStatus>,
    /// `CallDuration` in seconds.
    pub call_duration: Option<u32>,
    /// `SequenceNumber` of a status callback.
    pub sequence_number: Option<u32>,
    /// `RecordingUrl`, not blank. It may be of any host.
    pub recording_url: Option<&'f str>,
    /// `RecordingSid`, not blank.
    pub recording_sid: Option<&'f str>,
    /// `RecordingDuration` in seconds.
    pub recording_duration: Option<u32>,
    /// `RecordingStatus`, not blank. Its presence makes the post a status callback.
    pub recording_status: Option<&'f str>,
    /// `TranscriptionText`, not blank.
    pub transcription_text: Option<&'f str>,
    /// `TranscriptionStatus`, not blank.
    pub transcription_status: Option<&'f str>,
    /// `DialCallStatus`, if it is a known one.
    pub dial_call_status: Option<DialCallStatus>,
    /// `DialCallDuration` in seconds.
    pub dial_call_duration: Option<u32>,
    /// `DialBridged`: whether caller and dialled person were connected.
    pub dial_bridged: Option<bool>,
    /// `ErrorCode` of a request for the fallback URL.
    pub error_code: Option<u32>,
    /// `ErrorUrl` of a request for the fallback URL, not blank.
    pub error_url: Option<&'f str>,
}

impl<'f> TurnParameters<'f> {
    /// Reads the parameters of a form in one pass.
    pub fn of(form: &'f Form) -> Self {
        let mut read = Self::default();
        for (name, value) in form.pairs() {
            read.take(name, value);
        }
        read
    }

    fn take(&mut self, name: &str, value: &'f str) {
        let text = (!value.trim().is_empty()).then_some(value);
        match name {
            "CallSid" => first(&mut self.call_sid, text),
            "AccountSid" => first(&mut self.account_sid, text),
            "From" => first(&mut self.from, text),
            "To" => first(&mut self.to, text),
            "CallerName" => first(&mut self.caller_name, text),
            "StirVerstat" => first(&mut self.stir_verstat, text),
            "SpeechResult" => first(&mut self.speech_result, Some(value)),
            "Digits" => first(&mut self.digits, Some(value)),
            "Confidence" => first(&mut self.confidence, confidence(value)),
            "Language" => first(&mut self.language, text),
            "CallStatus" => first(&mut self.call_status, CallStatus::parse(value)),
            "CallDuration" => first(&mut self.call_duration, value.parse().ok()),
            "SequenceNumber" => first(&mut self.sequence_number, value.parse().ok()),
            "RecordingUrl" => first(&mut self.recording_url, text),
            "RecordingSid" => first(&mut self.recording_sid, text),
            "RecordingDuration" => first(&mut self.recording_duration, value.parse().ok()),
            "RecordingStatus" => first(&mut self.recording_status, text),
            "TranscriptionText" => first(&mut self.transcription_text, text),
            "TranscriptionStatus" => first(&mut self.transcription_status, text),
            "DialCallStatus" => first(&mut self.dial_call_status, DialCallStatus::parse(value)),
            "DialCallDuration" => first(&mut self.dial_call_duration, value.parse().ok()),
            "DialBridged" => first(&mut self.dial_bridged, value.parse().ok()),
            "ErrorCode" => first(&mut self.error_code, value.parse().ok()),
            "ErrorUrl" => first(&mut self.error_url, text),
            _ => {}
        }
    }

    /// The words of the caller, if there were any: a blank result is silence.
    pub fn said(&self) -> Option<&'f str> {
        self.speech_result.filter(|speech| !speech.trim().is_empty())
    }

    /// The keys that the caller pressed, if any.
    pub fn pressed(&self) -> Option<&'f str> {
        self.digits.filter(|digits| !digits.trim().is_empty())
    }

    /// Who calls.
    pub fn caller(&self) -> Caller<'f> {
        self.from.map_or(Caller::Anonymous, Caller::of)
    }
}

/// The first value that can be read stays.
fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn confidence(value: &str) -> Option<f64> {
    value.parse().ok().filter(|confidence| (0.0..=1.0).contains(confidence))
}

/// Who calls, as `From` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller<'f> {
    /// A telephone number: `+` and digits.
    Number(&'f str),
    /// A caller who withholds the number, or has none.
    Anonymous,
    /// A Twilio client (`client:name`): the name.
    Client(&'f str),
    /// A SIP address (`sip:` or `sips:`), with its scheme.
    Sip(&'f str),
    /// Anything else, such as a short code.
    Other(&'f str),
}

/// Numbers that carriers put in place of a withheld one: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE
/// on a telephone's keys.
const WITHHELD_NUMBERS: [&str; 5] = ["266696687", "7378742833", "2562533", "8656696", "86282452253"];
const WITHHELD_WORDS: [&str; 5] = ["anonymous", "restricted", "blocked", "unknown", "unavailable"];

impl<'f> Caller<'f> {
    /// Tells the kinds of `From` apart.
    pub fn of(from: &'f str) -> Self {
        let from = from.trim();
        let digits = from.strip_prefix('+').unwrap_or(from);
        let is_withheld = from.is_empty()
            || WITHHELD_NUMBERS.contains(&digits)
            || WITHHELD_WORDS.iter().any(|word| word.eq_ignore_ascii_case(digits));
        if is_withheld {
            Self::Anonymous
        } else if from.len() > digits.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Number(from)
        } else if let Some(name) = from.strip_prefix("client:") {
            Self::Client(name)
        } else if from.starts_with("sip:") || from.starts_with("sips:") {
            Self::Sip(from)
        } else {
            Self::Other(from)
        }
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// Waits to be placed.
    Queued,
    /// Rings.
    Ringing,
    /// Was answered and goes on.
    InProgress,
    /// Was answered and has ended.
    Completed,
    /// Met a busy line.
    Busy,
    /// Could not be placed.
    Failed,
    /// Was not answered.
    NoAnswer,
    /// Was given up before it was answered.
    Canceled,
}

impl CallStatus {
    fn parse(value: &str) -> Option<Self> {
        Some(match value {
            "queued" => Self::Queued,
            "ringing" => Self::Ringing,
            "in-progress" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "failed" => Self::Failed,
            "no-answer" => Self::NoAnswer,
            "canceled" => Self::Canceled,
            _ => return None,
        })
    }

    /// Twilio's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is over.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled => true,
        }
    }
}

/// How a `<Dial>` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialCallStatus {
    /// The dialled person answered, and the talk has ended.
    Completed,
    /// The dialled person answered, and a conference or queue took over.
    Answered,
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The number could not be reached.
    Failed,
    /// The caller gave up.
    Canceled,
}

impl DialCallStatus {
    fn parse(value: &str) -> Option<Self> {
        Some(match value {
            "completed" => Self::Completed,
            "answered" => Self::Answered,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
