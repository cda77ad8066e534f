//! Reads `TwiML`, as far as a telephone has to carry it out.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// The verbs of a document, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The verbs.
    pub verbs: Vec<Verb>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Speak.
    Say(String),
    /// Play a recording, or tones.
    Play(String),
    /// Wait, for whole seconds.
    Pause(u32),
    /// Listen, speaking meanwhile.
    Gather(Gather),
    /// Record a message.
    Record(Record),
    /// Call these numbers and connect the first who answers.
    Dial {
        /// Whom.
        numbers: Vec<String>,
        /// Where the outcome is posted; absent: the document goes on.
        action: Option<String>,
    },
    /// Go on with the document at this URL.
    Redirect(String),
    /// Refuse the call.
    Reject,
    /// End the call.
    Hangup,
}

/// Listens to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gather {
    /// Where what was heard is posted; absent: to the document's own URL.
    pub action: Option<String>,
    /// Whether silence is posted as well; else the document goes on.
    pub action_on_empty_result: bool,
    /// Whether speech is listened to.
    pub speech: bool,
    /// Whether keys are listened to.
    pub keys: bool,
    /// What is spoken or played meanwhile.
    pub prompts: Vec<Verb>,
}

/// Records a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Where the recording is posted; absent: to the document's own URL.
    pub action: Option<String>,
    /// Whether a beep comes first.
    pub beep: bool,
}

/// The text is no `TwiML` that a telephone could carry out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no TwiML: {0}")]
pub struct NotTwiml(String);

impl From<quick_xml::Error> for NotTwiml {
    fn from(error: quick_xml::Error) -> Self {
        Self(error.to_string())
    }
}

impl Document {
    /// Reads a document. It is as strict as Twilio: what Twilio warns of or refuses is an error here.
    ///
    /// # Errors
    /// It is no XML, its root is not `Response`, or it has a verb that is not known.
    pub fn parse(xml: &str) -> Result<Self, NotTwiml> {
        let root = Element::parse(xml)?;
        if root.name != "Response" {
            return Err(NotTwiml(format!("its root is <{}>", root.name)));
        }
        if !root.text.trim().is_empty() {
            return Err(NotTwiml("text stands outside of all verbs".to_owned()));
        }
        let verbs = root.children.iter().map(verb).collect::<Result<_, _>>()?;
        Ok(Self { verbs })
    }

    /// Everything that is spoken, prompts of a `<Gather>` included, in order.
    #[must_use]
    pub fn said(&self) -> Vec<&str> {
        let mut said = Vec::new();
        for verb in &self.verbs {
            match verb {
                Verb::Say(text) => said.push(text.as_str()),
                Verb::Gather(gather) => said.extend(gather.prompts.iter().filter_map(Verb::spoken)),
                _ => {}
            }
        }
        said
    }

    /// The first `<Gather>`.
    #[must_use]
    pub fn gather(&self) -> Option<&Gather> {
        self.verbs.iter().find_map(|verb| match verb {
            Verb::Gather(gather) => Some(gather),
            _ => None,
        })
    }

    /// The first `<Record>`.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.verbs.iter().find_map(|verb| match verb {
            Verb::Record(record) => Some(record),
            _ => None,
        })
    }
}

impl Verb {
    fn spoken(&self) -> Option<&str> {
        match self {
            Self::Say(text) => Some(text),
            _ => None,
        }
    }
}

fn verb(element: &Element) -> Result<Verb, NotTwiml> {
    let text = || element.text.trim().to_owned();
    Ok(match element.name.as_str() {
        "Say" => Verb::Say(text()),
        "Play" => Verb::Play(element.attribute("digits").map_or_else(text, str::to_owned)),
        "Pause" => Verb::Pause(
            element
                .attribute("length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(1),
        ),
        "Gather" => Verb::Gather(gather(element)?),
        "Record" => Verb::Record(Record {
            action: element.attribute("action").map(str::to_owned),
            beep: element.attribute("playBeep") != Some("false"),
        }),
        "Dial" => {
            let mut numbers: Vec<_> = element
                .children
                .iter()
                .map(|number| number.text.trim().to_owned())
                .collect();
            if !element.text.trim().is_empty() {
                numbers.push(text());
            }
            Verb::Dial {
                numbers,
                action: element.attribute("action").map(str::to_owned),
            }
        }
        "Redirect" => Verb::Redirect(text()),
        "Reject" => Verb::Reject,
        "Hangup" => Verb::Hangup,
        other => return Err(NotTwiml(format!("<{other}> is no verb that is known here"))),
    })
}

fn gather(element: &Element) -> Result<Gather, NotTwiml> {
    let input = element.attribute("input").unwrap_or("dtmf");
    let prompts: Vec<Verb> = element.children.iter().map(verb).collect::<Result<_, _>>()?;
    let may_stand_here = |prompt: &Verb| matches!(prompt, Verb::Say(_) | Verb::Play(_) | Verb::Pause(_));
    if !prompts.iter().all(may_stand_here) {
        return Err(NotTwiml(
            "a <Gather> holds more than <Say>, <Play> and <Pause>".to_owned(),
        ));
    }
    Ok(Gather {
        action: element.attribute("action").map(str::to_owned),
        action_on_empty_result: element.attribute("actionOnEmptyResult") == Some("true"),
        speech: input.split(' ').any(|kind| kind == "speech"),
        keys: input.split(' ').any(|kind| kind == "dtmf"),
        prompts,
    })
}

/// An element with what stands in it; text and children apart, which is enough for `TwiML` without SSML.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn parse(xml: &str) -> Result<Self, NotTwiml> {
        let mut reader = Reader::from_str(xml);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            let closed = match reader.read_event()? {
                Event::Start(start) => {
                    open.push(Self::begin(&start)?);
                    None
                }
                Event::Empty(start) => Some(Self::begin(&start)?),
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    Self::add_text(&mut open, &text.xml10_content())?;
                    None
                }
                Event::CData(text) => {
                    Self::add_text(&mut open, &text.xml10_content())?;
                    None
                }
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref()? {
                        Some(character) => character.to_string(),
                        None => predefined(&reference.xml10_content())?.to_owned(),
                    };
                    Self::add_text(&mut open, &character)?;
                    None
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
            };
            match (closed, open.last_mut()) {
                (None, _) => {}
                (Some(element), Some(parent)) => parent.children.push(element),
                (Some(_), None) if root.is_some() => return Err(NotTwiml("it has two roots".to_owned())),
                (Some(element), None) => root = Some(element),
            }
        }
        match (root, open.is_empty()) {
            (Some(root), true) => Ok(root),
            (_, false) => Err(NotTwiml("it ends within an element".to_owned())),
            (None, true) => Err(NotTwiml("it has no root".to_owned())),
        }
    }

    fn begin(start: &BytesStart<'_>) -> Result<Self, NotTwiml> {
        let name = start.name().as_ref().to_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| NotTwiml(format!("<{name}>: {error}")))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self {
            name,
            attributes,
            ..Self::default()
        })
    }

    fn add_text(open: &mut [Self], text: &str) -> Result<(), NotTwiml> {
        match open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(NotTwiml("text stands outside of its root".to_owned())),
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

/// The five entities that XML knows without a declaration.
fn predefined(name: &str) -> Result<&'static str, NotTwiml> {
    match name {
        "amp" => Ok("&"),
        "lt" => Ok("<"),
        "gt" => Ok(">"),
        "quot" => Ok("\""),
        "apos" => Ok("'"),
        _ => Err(NotTwiml(format!("the entity &{name}; is not declared"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(verbs: &str) -> Document {
        Document::parse(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>"
        ))
        .unwrap()
    }

    #[test]
    fn text_is_read_as_it_is_meant() {
        let read = document("<Say voice=\"x\">Tom &amp; Ann&apos;s &lt;3 &#233;<![CDATA[ <b>]]></Say>");
        assert_eq!(read.said(), ["Tom & Ann's <3 é <b>"]);
    }

    #[test]
    fn a_gather_is_read_with_its_prompts() {
        let read = document(
            "<Gather input=\"dtmf speech\" action=\"/a?s=1&amp;b\" actionOnEmptyResult=\"true\"><Say>Hi</Say><Pause/></Gather><Hangup/>",
        );
        let gather = Gather {
            action: Some("/a?s=1&b".into()),
            action_on_empty_result: true,
            speech: true,
            keys: true,
            prompts: vec![Verb::Say("Hi".into()), Verb::Pause(1)],
        };
        assert_eq!(read.verbs, [Verb::Gather(gather), Verb::Hangup]);
        assert_eq!(read.said(), ["Hi"]);
    }

    #[test]
    fn numbers_are_dialled_with_and_without_nouns() {
        let dial = |numbers: &[&str]| Verb::Dial {
            numbers: numbers.iter().map(|n| (*n).to_owned()).collect(),
            action: None,
        };
        assert_eq!(document("<Dial>+15550100</Dial>").verbs, [dial(&["+15550100"])]);
        assert_eq!(
            document("<Dial><Number>+1</Number><Number>+2</Number></Dial>").verbs,
            [dial(&["+1", "+2"])]
        );
    }

    #[track_caller]
    fn check_refused(xml: &str, says: &str) {
        let message = Document::parse(xml).unwrap_err().to_string();
        assert!(message.contains(says), "{xml}: {message}");
    }

    #[test]
    fn what_twilio_would_refuse_is_refused() {
        check_refused("", "no root");
        check_refused("{\"error\": 1}", "outside");
        check_refused("<html/>", "root is <html>");
        check_refused("<Response><Say>a</Response>", "no TwiML");
        check_refused("<Response><Say>a", "ends within");
        check_refused("<Response>words</Response>", "outside of all verbs");
        check_refused("<Response><Sing/></Response>", "<Sing>");
        check_refused("<Response><Say>&nbsp;</Say></Response>", "nbsp");
        check_refused(
            "<Response><Gather><Dial>1</Dial></Gather></Response>",
            "<Gather> holds more",
        );
        check_refused("<Response/><Response/>", "two roots");
    }
}
