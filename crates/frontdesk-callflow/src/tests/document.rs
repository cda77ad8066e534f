//! Reads documents as strictly as Twilio does, and as a caller lives through them.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// An element with what stands in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    /// The verbs of a document.
    pub(super) fn verbs(document: &str) -> Vec<Self> {
        let mut reader = Reader::from_str(document);
        reader.config_mut().check_end_names = true;
        let mut open = vec![Self::default()];
        loop {
            match reader
                .read_event()
                .unwrap_or_else(|error| panic!("{error}: {document}"))
            {
                Event::Start(start) => open.push(Self::begun(&start)),
                Event::Empty(start) => {
                    let element = Self::begun(&start);
                    open.last_mut().unwrap().children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(element);
                }
                Event::Text(part) => open.last_mut().unwrap().text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().unwrap();
                    let character = character.unwrap_or_else(|| match &*reference.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        other => panic!("&{other}; is not declared: {document}"),
                    });
                    open.last_mut().unwrap().text.push(character);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut roots = open.pop().unwrap().children;
        assert!(open.is_empty() && roots.len() == 1, "{document}");
        let root = roots.remove(0);
        assert_eq!(root.name, "Response", "{document}");
        root.children
    }

    fn begun(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap();
            (attribute.key.as_ref().to_owned(), value.into_owned())
        });
        Self {
            name: start.name().as_ref().to_owned(),
            attributes: attributes.collect(),
            ..Self::default()
        }
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// It and all that stands in it.
    fn all(&self) -> Vec<&Self> {
        std::iter::once(self)
            .chain(self.children.iter().flat_map(Self::all))
            .collect()
    }
}

/// The first element of that name.
pub(super) fn find(document: &str, name: &str) -> Option<Element> {
    fn first(elements: Vec<Element>, name: &str) -> Option<Element> {
        elements.into_iter().find_map(|element| {
            if element.name == name {
                Some(element)
            } else {
                first(element.children, name)
            }
        })
    }
    first(Element::verbs(document), name)
}

/// An attribute of the first element of that name.
pub(super) fn attribute(document: &str, element: &str, name: &str) -> Option<String> {
    find(document, element)?.attribute(name).map(str::to_owned)
}

/// The names of the verbs, in order.
pub(super) fn outline(document: &str) -> String {
    let names: Vec<_> = Element::verbs(document).into_iter().map(|verb| verb.name).collect();
    names.join(" ")
}

/// What is said in a document.
pub(super) fn said(document: &str) -> String {
    let verbs = Element::verbs(document);
    let spoken = verbs
        .iter()
        .flat_map(Element::all)
        .filter(|element| element.name == "Say");
    spoken.map(|say| say.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Who is dialled.
pub(super) fn dialled(document: &str) -> Option<String> {
    find(document, "Number").map(|number| number.text)
}

/// Whether the call ends with this document, and by its will.
pub(super) fn hangs_up(document: &str) -> bool {
    outline(document).ends_with("Hangup") && !document.contains("<Gather") && !document.contains("<Record")
}

/// What holds for each document that answers a webhook of a call (DESIGN 1 and 8.3; Twilio's limits).
#[track_caller]
pub(super) fn check(document: &str) {
    assert!(document.len() <= 65_536, "{} bytes", document.len());
    let verbs = Element::verbs(document);
    let is_plain_forward = outline(document).starts_with("Dial");
    assert!(
        is_plain_forward || !said(document).trim().is_empty(),
        "silence: {document}"
    );
    for element in verbs.iter().flat_map(Element::all) {
        let number = |name: &str| element.attribute(name).map(|value| value.parse::<u32>().unwrap());
        match element.name.as_str() {
            "Say" => {
                let length = element.text.chars().count();
                assert!(!element.text.trim().is_empty() && length <= 3_000, "{document}");
            }
            "Gather" => {
                let hints = element.attribute("hints").unwrap_or_default();
                assert!(hints.split(',').count() <= 500, "{document}");
                assert!(hints.split(',').all(|hint| hint.chars().count() <= 100), "{document}");
                assert_ne!(element.attribute("speechTimeout"), Some("auto"), "{document}");
                assert!(element.attribute("speechModel").is_none(), "{document}");
                number("speechTimeout");
                number("timeout").unwrap();
                let action = element.attribute("action").unwrap();
                // Of a person who is dialled nothing is wanted but a key.
                if !action.contains("/whisper/") {
                    assert_eq!(element.attribute("actionOnEmptyResult"), Some("true"), "{document}");
                }
                let inside = element.children.iter().map(|child| child.name.as_str());
                assert!(
                    inside.into_iter().all(|name| ["Say", "Pause", "Play"].contains(&name)),
                    "{document}"
                );
            }
            "Dial" => {
                assert!(number("timeout").unwrap() >= 5, "{document}");
                let shown = element.attribute("callerId").unwrap_or("+1");
                assert!(shown.starts_with('+'), "{document}");
                assert!(element.text.is_empty() && element.children.len() == 1, "{document}");
            }
            "Record" => {
                assert!(number("maxLength").unwrap() > 0 && number("timeout").unwrap() > 0);
                assert_eq!(element.attribute("playBeep"), Some("true"), "{document}");
                for address in ["action", "recordingStatusCallback"] {
                    let address = element.attribute(address).unwrap_or_default();
                    assert!(address.starts_with("/api/twilio/message/"), "{document}");
                }
            }
            "Redirect" => assert!(element.text.starts_with("/api/twilio/"), "{document}"),
            "Number" | "Pause" | "Hangup" => {}
            other => panic!("{other} in {document}"),
        }
    }
    // A call that is neither listened to, dialled, recorded nor sent on ends in words, by its own will.
    let last = verbs.last().unwrap();
    let goes_on = ["Gather", "Dial", "Record", "Redirect", "Hangup"].contains(&last.name.as_str());
    assert!(goes_on, "the call ends by accident: {document}");
}
