//! Reads a document and holds it to what Twilio takes, knowing nothing of how it was written.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// Twilio reads so many bytes (11750), a voice takes so many encoded ones (13521), a `<Dial>` so many numbers.
const MAX_BYTES: usize = 65_536;
const MAX_ENCODED_SAY: usize = 4_500;
const MAX_NUMBERS: usize = 10;
/// So many hints of so many characters are taken (13330).
const MAX_HINTS: usize = 500;
const MAX_HINT: usize = 100;

/// An element, with the text that stands directly in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The names of its elements, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.children.iter().map(|child| child.name.as_str()).collect()
    }

    fn of(start: &BytesStart<'_>) -> Self {
        let mut attributes: Vec<(String, String)> = Vec::new();
        for attribute in start.attributes() {
            let Ok(attribute) = attribute else {
                panic!("attributes are well-formed and stand once: {start:?}")
            };
            let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else {
                panic!("entities are declared: {attribute:?}")
            };
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Self {
            name: start.name().as_ref().to_owned(),
            attributes,
            ..Self::default()
        }
    }
}

/// The `<Response>` of a document that Twilio takes.
///
/// Panics if it takes it not.
pub(crate) fn taken(xml: &str) -> Element {
    assert!(xml.len() <= MAX_BYTES, "a document of {} bytes", xml.len());
    let carried =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(carried), "a character that XML does not have");
    let root = read(xml);
    assert_eq!(root.name, "Response");
    assert_eq!(root.text.trim(), "", "text beside verbs");
    for verb in &root.children {
        check(
            verb,
            &[
                "Say", "Play", "Pause", "Gather", "Dial", "Record", "Redirect", "Hangup", "Reject",
            ],
        );
    }
    root
}

fn read(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(fault) => panic!("no XML: {fault}"),
        };
        match event {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => {
                let element = Element::of(&start);
                innermost(&mut open).children.push(element);
            }
            Event::End(_) => {
                let Some(element) = open.pop() else {
                    panic!("an end without a beginning")
                };
                innermost(&mut open).children.push(element);
            }
            Event::Text(text) => innermost(&mut open).text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match (reference.resolve_char_ref(), &*reference.xml10_content()) {
                    (Ok(Some(character)), _) => character,
                    (_, "amp") => '&',
                    (_, "lt") => '<',
                    (_, "gt") => '>',
                    (_, "quot") => '"',
                    (_, "apos") => '\'',
                    (_, name) => panic!("the entity {name} is not declared"),
                };
                innermost(&mut open).text.push(character);
            }
            Event::Decl(_) => assert_eq!(open.len(), 1, "a declaration inside"),
            Event::Eof => break,
            Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                panic!("nothing writes {event:?}")
            }
        }
    }
    assert_eq!(open.len(), 1, "everything is closed");
    let Some(top) = open.pop() else {
        panic!("there is a document")
    };
    let [root] = <[Element; 1]>::try_from(top.children).unwrap_or_else(|found| panic!("{} roots", found.len()));
    root
}

fn innermost(open: &mut [Element]) -> &mut Element {
    let Some(element) = open.last_mut() else {
        panic!("an end without a beginning")
    };
    element
}

fn check(element: &Element, allowed: &[&str]) {
    let name = element.name.as_str();
    assert!(allowed.contains(&name), "<{name}> stands where only {allowed:?} may");
    let (attributes, children): (&[&str], &[&str]) = match name {
        "Say" => (&["voice", "language"], &[]),
        "Pause" => (&["length"], &[]),
        "Gather" => (
            &[
                "input",
                "action",
                "method",
                "timeout",
                "speechTimeout",
                "language",
                "hints",
                "actionOnEmptyResult",
                "finishOnKey",
                "numDigits",
                "bargeIn",
            ],
            &["Say", "Play", "Pause"],
        ),
        "Dial" => (
            &["action", "method", "callerId", "timeout", "timeLimit", "answerOnBridge"],
            &["Number"],
        ),
        "Number" => (&["url", "method"], &[]),
        "Record" => (
            &[
                "action",
                "method",
                "maxLength",
                "timeout",
                "playBeep",
                "finishOnKey",
                "recordingStatusCallback",
                "trim",
                "transcribe",
                "transcribeCallback",
            ],
            &[],
        ),
        "Redirect" => (&["method"], &[]),
        "Reject" => (&["reason"], &[]),
        _ => (&[], &[]),
    };
    for (attribute, value) in &element.attributes {
        assert!(
            attributes.contains(&attribute.as_str()),
            "<{name}> has no `{attribute}`"
        );
        let is_switch = matches!(
            attribute.as_str(),
            "actionOnEmptyResult" | "bargeIn" | "playBeep" | "answerOnBridge" | "transcribe"
        );
        assert!(
            !is_switch || matches!(value.as_str(), "true" | "false"),
            "`{attribute}` is {value}"
        );
        assert!(
            attribute != "method" || matches!(value.as_str(), "POST" | "GET"),
            "`method` is {value}"
        );
    }
    match name {
        "Say" => check_speech(element),
        "Gather" => check_hints(element.attribute("hints").unwrap_or_default()),
        "Dial" => assert!(
            (1..=MAX_NUMBERS).contains(&element.children.len()),
            "{} numbers",
            element.children.len()
        ),
        _ => {}
    }
    let speaks = matches!(name, "Say" | "Play" | "Number" | "Redirect");
    assert!(speaks || element.text.is_empty(), "text in <{name}>");
    for child in &element.children {
        check(child, children);
    }
}

fn check_speech(say: &Element) {
    let text = say.text.as_str();
    assert!(text.chars().any(|c| !c.is_whitespace()), "a <Say> of nothing");
    let limit = match say.attribute("voice") {
        None | Some("man" | "woman" | "alice") => 4_096,
        Some(voice) if voice.starts_with("Google.") => 5_000,
        Some(_) => 3_000,
    };
    let characters = text.chars().count();
    assert!(characters <= limit, "a <Say> of {characters} characters");
    let encoded: usize = text
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 })
        .sum();
    assert!(encoded <= MAX_ENCODED_SAY, "a <Say> of {encoded} encoded bytes");
}

fn check_hints(hints: &str) {
    let all: Vec<&str> = hints.split(',').collect();
    assert!(all.len() <= MAX_HINTS, "{} hints", all.len());
    let is_short = |hint: &&str| hint.chars().count() <= MAX_HINT;
    assert!(all.iter().all(is_short), "a hint of more than {MAX_HINT} characters");
}
