//! Verbs to XML, within the size that Twilio reads.

use std::borrow::Cow;
use std::fmt::Write as _;

use quick_xml::Writer;
use quick_xml::escape::{escape, partial_escape};
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::speech::{beginning, is_blank, legal, pieces};
use super::{
    Dial, Gather, Input, MAX_DOCUMENT, Method, Number, Pause, Play, Prompt, Record, RejectReason, Say, Trim, Verb,
};

/// What ends the call at once: written when nothing else fits.
const EMPTY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";
/// Room for a usual document, so that writing one allocates once.
const EXPECTED_DOCUMENT: usize = 2_048;
/// Room for a usual start tag, whose `action` carries the sealed call state.
const EXPECTED_TAG: usize = 1_536;
/// The most numbers that one `<Dial>` takes.
const MAX_NUMBERS: usize = 10;
/// Bytes of a speech below which hints and verbs are given up rather than more words.
const LEAST_SPEECH: usize = 1_000;

/// The verbs as a document of at most [`MAX_DOCUMENT`] bytes.
pub(super) fn document(verbs: &[Verb<'_>]) -> String {
    let whole = write(
        verbs,
        Limits {
            speech: None,
            hints: true,
        },
    );
    if whole.len() <= MAX_DOCUMENT {
        whole
    } else {
        shortened(verbs)
    }
}

/// The longest document that fits: cuts every speech by the same measure, then leaves out hints, then verbs.
fn shortened(verbs: &[Verb<'_>]) -> String {
    let fits = |verbs: &[Verb<'_>], speech: usize, hints: bool| {
        let xml = write(
            verbs,
            Limits {
                speech: Some(speech),
                hints,
            },
        );
        (xml.len() <= MAX_DOCUMENT).then_some(xml)
    };
    let whole = [true, false].into_iter().map(|hints| (verbs, hints));
    let fewer = (0..verbs.len())
        .rev()
        .filter_map(|count| verbs.get(..count))
        .map(|verbs| (verbs, false));
    for (verbs, hints) in whole.chain(fewer) {
        let Some(mut best) = fits(verbs, LEAST_SPEECH, hints) else {
            continue;
        };
        let (mut low, mut high) = (LEAST_SPEECH, MAX_DOCUMENT);
        while high - low > 1 {
            let middle = low.midpoint(high);
            match fits(verbs, middle, hints) {
                Some(xml) => (best, low) = (xml, middle),
                None => high = middle,
            }
        }
        return best;
    }
    EMPTY.to_owned()
}

/// What may be left out of a document.
#[derive(Clone, Copy)]
struct Limits {
    /// The longest speech, in bytes of XML.
    speech: Option<usize>,
    hints: bool,
}

fn write(verbs: &[Verb<'_>], limits: Limits) -> String {
    let mut out = Out {
        writer: Writer::new(Vec::with_capacity(EXPECTED_DOCUMENT)),
        tag: String::with_capacity(EXPECTED_TAG),
        name: "",
        limits,
    };
    out.put(Event::Decl(BytesDecl::from_start(BytesStart::from_content(
        "xml version=\"1.0\" encoding=\"UTF-8\"",
        3,
    ))));
    out.begin("Response");
    if verbs.is_empty() {
        out.empty();
    } else {
        out.open();
        for verb in verbs {
            out.verb(verb);
        }
        out.close("Response");
    }
    String::from_utf8(out.writer.into_inner()).unwrap_or_else(|_| EMPTY.to_owned())
}

/// A document being written; `tag` is the start tag being put together, reused for all.
struct Out {
    writer: Writer<Vec<u8>>,
    tag: String,
    name: &'static str,
    limits: Limits,
}

impl Out {
    fn verb(&mut self, verb: &Verb<'_>) {
        match verb {
            Verb::Say(say) => self.say(say),
            Verb::Play(play) => self.play(play),
            Verb::Pause(pause) => self.pause(*pause),
            Verb::Gather(gather) => self.gather(gather),
            Verb::Dial(dial) => self.dial(dial),
            Verb::Record(record) => self.record(record),
            Verb::Redirect(redirect) => {
                self.begin("Redirect");
                self.attribute("method", redirect.method.name());
                self.element(&redirect.url);
            }
            Verb::Hangup => {
                self.begin("Hangup");
                self.empty();
            }
            Verb::Reject(reason) => {
                self.begin("Reject");
                self.attribute("reason", reason.name());
                self.empty();
            }
        }
    }

    fn say(&mut self, say: &Say<'_>) {
        let text = legal(&say.text);
        let text = self.limits.speech.map_or(&*text, |limit| beginning(&text, limit));
        for piece in pieces(text, say.voice.as_deref()) {
            self.begin("Say");
            self.optional("voice", say.voice.as_ref());
            self.optional("language", say.language.as_ref());
            self.element(piece);
        }
    }

    fn play(&mut self, play: &Play<'_>) {
        if !is_blank(&play.url) {
            self.begin("Play");
            self.element(&play.url);
        }
    }

    fn pause(&mut self, pause: Pause) {
        self.begin("Pause");
        self.number("length", Some(pause.seconds));
        self.empty();
    }

    fn gather(&mut self, gather: &Gather<'_>) {
        self.begin("Gather");
        self.attribute("input", gather.input.name());
        self.attribute("action", &gather.action);
        self.attribute("method", gather.method.name());
        self.number("timeout", gather.timeout);
        self.number("speechTimeout", gather.speech_timeout);
        self.optional("language", gather.language.as_ref());
        if self.limits.hints && !gather.hints.is_empty() {
            self.attribute("hints", gather.hints.as_str());
        }
        if gather.action_on_empty_result {
            self.attribute("actionOnEmptyResult", "true");
        }
        self.optional("finishOnKey", gather.finish_on_key.as_ref());
        self.number("numDigits", gather.num_digits);
        self.flag("bargeIn", gather.barge_in);
        if gather.prompts.is_empty() {
            return self.empty();
        }
        self.open();
        for prompt in &gather.prompts {
            match prompt {
                Prompt::Say(say) => self.say(say),
                Prompt::Play(play) => self.play(play),
                Prompt::Pause(pause) => self.pause(*pause),
            }
        }
        self.close("Gather");
    }

    fn dial(&mut self, dial: &Dial<'_>) {
        if dial.numbers.is_empty() {
            return;
        }
        self.begin("Dial");
        if let Some(action) = &dial.action {
            self.attribute("action", action);
            self.attribute("method", dial.method.name());
        }
        self.optional("callerId", dial.caller_id.as_ref());
        self.number("timeout", dial.timeout);
        self.number("timeLimit", dial.time_limit);
        if dial.answer_on_bridge {
            self.attribute("answerOnBridge", "true");
        }
        self.open();
        for Number { number, url, method } in dial.numbers.iter().take(MAX_NUMBERS) {
            self.begin("Number");
            if let Some(url) = url {
                self.attribute("url", url);
                self.attribute("method", method.name());
            }
            self.element(number);
        }
        self.close("Dial");
    }

    fn record(&mut self, record: &Record<'_>) {
        self.begin("Record");
        self.attribute("action", &record.action);
        self.attribute("method", record.method.name());
        self.number("maxLength", record.max_length);
        self.number("timeout", record.timeout);
        self.flag("playBeep", record.play_beep);
        self.optional("finishOnKey", record.finish_on_key.as_ref());
        self.optional("recordingStatusCallback", record.recording_status_callback.as_ref());
        self.optional("trim", record.trim.map(Trim::name).map(Cow::Borrowed).as_ref());
        if let Some(callback) = &record.transcribe_callback {
            self.attribute("transcribe", "true");
            self.attribute("transcribeCallback", callback);
        }
        self.empty();
    }

    fn begin(&mut self, name: &'static str) {
        self.name = name;
        self.tag.clear();
        self.tag.push_str(name);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.tag.push(' ');
        self.tag.push_str(name);
        self.tag.push_str("=\"");
        // One look at what most values are made of; the rest is looked at closely.
        if is_plain(value) {
            self.tag.push_str(value);
        } else {
            let escaped = escape(legal(value));
            // A reader takes a tab or a line's end in an attribute for a blank, unless it is escaped.
            self.tag.push_str(&escaped.replace('\t', "&#9;").replace('\n', "&#10;"));
        }
        self.tag.push('"');
    }

    fn optional(&mut self, name: &str, value: Option<&Cow<'_, str>>) {
        if let Some(value) = value {
            self.attribute(name, value);
        }
    }

    fn number(&mut self, name: &str, value: Option<u32>) {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(self.tag, " {name}=\"{value}\"");
        }
    }

    fn flag(&mut self, name: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.attribute(name, if value { "true" } else { "false" });
        }
    }

    fn open(&mut self) {
        let start = BytesStart::from_content(self.tag.as_str(), self.name.len());
        put(&mut self.writer, Event::Start(start));
    }

    fn empty(&mut self) {
        let start = BytesStart::from_content(self.tag.as_str(), self.name.len());
        put(&mut self.writer, Event::Empty(start));
    }

    fn close(&mut self, name: &'static str) {
        self.put(Event::End(BytesEnd::new(name)));
    }

    /// Writes the element whose start tag was put together, with nothing but text in it.
    fn element(&mut self, text: &str) {
        self.open();
        self.put(Event::Text(BytesText::from_escaped(partial_escape(legal(text)))));
        self.close(self.name);
    }

    fn put(&mut self, event: Event<'_>) {
        put(&mut self.writer, event);
    }
}

/// Whether a text stands for itself in a quoted attribute. Looked at in pieces that the processor compares at once.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'&' | b'\'' | b'<' | b'>');
    let mut pieces = text.as_bytes().chunks(64);
    pieces.all(|piece| piece.iter().fold(true, |so_far, byte| so_far & is_plain(byte)))
}

fn put(writer: &mut Writer<Vec<u8>>, event: Event<'_>) {
    let written = writer.write_event(event);
    debug_assert!(written.is_ok(), "memory takes every byte");
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
        }
    }
}

impl Input {
    const fn name(self) -> &'static str {
        match self {
            Self::Dtmf => "dtmf",
            Self::Speech => "speech",
            Self::DtmfSpeech => "dtmf speech",
        }
    }
}

impl Trim {
    const fn name(self) -> &'static str {
        match self {
            Self::TrimSilence => "trim-silence",
            Self::DoNotTrim => "do-not-trim",
        }
    }
}

impl RejectReason {
    const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Busy => "busy",
        }
    }
}
