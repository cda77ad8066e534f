//! `<Record>`: a message after the beep.

use std::time::Duration;

use super::{Act, Call, Caller, Event, State, When, gather::spoken_within};
use crate::document::{Link, Method, Record};

const BEEP: Duration = Duration::from_millis(500);

/// How a recording ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    BySilence,
    ByHangUp,
}

impl Call {
    pub(super) fn begin_recording(&mut self, record: Record) {
        self.unheard_documents = 0;
        if record.beep {
            self.note(Event::Beep);
            if self.pass(BEEP) == Caller::Gone {
                return self.leave();
            }
        }
        self.state = State::Records(record);
    }

    pub(super) fn record(&mut self, record: &Record, act: Act) {
        match act {
            Act::Speak {
                words,
                when: When::After(after) | When::Into(after),
                hangs_up,
                ..
            } => {
                // A timeout of 0 waits for ever; so long silence ends a recording otherwise.
                let is_too_late = !record.timeout.is_zero() && after > record.timeout;
                if is_too_late || after >= record.max_length {
                    self.note(Event::Unheard(words));
                    return self.record_nothing(record);
                }
                let room = record.max_length.saturating_sub(after);
                let (words, length) = spoken_within(&words, Some(room));
                self.note(Event::Said(words.clone()));
                let is_gone = self.pass(after + length) == Caller::Gone || hangs_up;
                let recorded = after + length;
                if is_gone {
                    return self.recorded(record, &words, recorded, Ended::ByHangUp);
                }
                let silence = record.timeout.min(record.max_length.saturating_sub(recorded));
                match self.pass(silence) {
                    Caller::Gone => self.recorded(record, &words, recorded, Ended::ByHangUp),
                    Caller::There => self.recorded(record, &words, recorded, Ended::BySilence),
                }
            }
            Act::Press { keys, .. } if keys.chars().any(|key| record.finish_on_key.contains(key)) => {
                self.note(Event::Pressed(keys));
                self.go_on();
            }
            Act::Press { keys, .. } => {
                self.note(Event::Unheard(format!("keys {keys}")));
                self.record_nothing(record);
            }
            Act::Wait => {
                self.note(Event::Silence);
                self.record_nothing(record);
            }
            Act::HangUp {
                when: When::After(rest) | When::Into(rest),
            } => {
                self.hang_up_after(rest);
                self.record_nothing(record);
            }
        }
    }

    /// An empty recording has no action: the document goes on.
    fn record_nothing(&mut self, record: &Record) {
        let caller = self.pass(record.timeout.min(record.max_length));
        if record.status_events.iter().any(|event| event == "absent")
            && let Some(link) = &record.status_callback
        {
            let mut form = self.line.form("in-progress");
            form.push("RecordingStatus", "absent");
            self.notify(link, form);
        }
        match caller {
            Caller::Gone => self.leave(),
            Caller::There => self.go_on(),
        }
    }

    fn recorded(&mut self, record: &Record, words: &str, length: Duration, ended: Ended) {
        let sid = self.line.sid("RE", self.recordings);
        self.recordings += 1;
        self.has_message = true;
        let seconds = length.as_secs().max(1);
        self.note(Event::Recorded(seconds));
        let account = &self.line.account_sid;
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{sid}");
        let seconds = seconds.to_string();
        let status = match ended {
            Ended::BySilence => "in-progress",
            Ended::ByHangUp => "completed",
        };
        if let Some(link) = &record.status_callback
            && record.status_events.iter().any(|event| event == "completed")
        {
            let mut form = self.line.form(status);
            for (name, value) in [
                ("RecordingChannels", "1"),
                ("RecordingDuration", &seconds),
                ("RecordingSid", &sid),
                ("RecordingSource", "RecordVerb"),
                ("RecordingStatus", "completed"),
                ("RecordingUrl", &url),
                ("ErrorCode", "0"),
            ] {
                form.push(name, value);
            }
            self.notify(link, form);
        }
        if let Some(callback) = &record.transcript {
            let mut form = self.line.form(status);
            for (name, value) in [
                ("RecordingSid", sid.as_str()),
                ("RecordingUrl", &url),
                ("TranscriptionSid", &self.line.sid("TR", self.recordings)),
                ("TranscriptionStatus", "completed"),
                ("TranscriptionText", words),
            ] {
                form.push(name, value);
            }
            let link = Link {
                url: callback.clone(),
                method: Method::Post,
            };
            self.notify(&link, form);
        }
        let digits = match ended {
            Ended::BySilence => "",
            Ended::ByHangUp => "hangup",
        };
        let result = [
            ("Digits", digits),
            ("RecordingDuration", &seconds),
            ("RecordingSid", &sid),
            ("RecordingUrl", &url),
        ];
        match ended {
            Ended::BySilence => self.ask(record.action.as_deref(), record.method, &result),
            Ended::ByHangUp => self.bid_farewell(record.action.as_deref(), record.method, &result),
        }
    }
}
