//! Reads what a caller would live through out of a `TwiML` document.

use anyhow::{Result, anyhow, bail};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// Twilio takes no longer document.
const MAX_BYTES: usize = 64 * 1024;

/// The verbs that stand in a document, the nouns that stand in them.
const VERBS: [&str; 9] = [
    "Say", "Play", "Pause", "Gather", "Record", "Dial", "Redirect", "Reject", "Hangup",
];

/// A document, as far as a caller notices it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// What is spoken, in order.
    pub said: Vec<String>,
    /// Where a `<Gather>` posts what it hears.
    pub gather: Option<String>,
    /// Where a `<Record>` posts the recording.
    pub record: Option<String>,
    /// Who is dialled.
    pub dialled: Vec<String>,
}

impl Document {
    /// Reads a document as strictly as Twilio does.
    ///
    /// # Errors
    /// It is no well-formed XML, too long, or holds what Twilio does not know.
    pub fn parse(xml: &str) -> Result<Self> {
        if xml.len() > MAX_BYTES {
            bail!("the document has {} bytes, Twilio takes {MAX_BYTES}", xml.len());
        }
        let mut reader = Reader::from_str(xml);
        let mut document = Self::default();
        // The elements that are open, outermost first, and the text of the innermost one.
        let mut open: Vec<String> = Vec::new();
        let mut text = String::new();
        let mut roots = 0;
        loop {
            match reader.read_event()? {
                Event::Start(start) => {
                    roots += usize::from(open.is_empty());
                    document.begin(&open, &start)?;
                    open.push(start.name().as_ref().to_owned());
                    text.clear();
                }
                Event::Empty(start) => {
                    roots += usize::from(open.is_empty());
                    document.begin(&open, &start)?;
                }
                Event::End(_) => {
                    let name = open.pop().unwrap_or_default();
                    document.end(&name, std::mem::take(&mut text).trim());
                }
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::CData(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                    Some(character) => text.push(character),
                    None => text.push(predefined(&reference.xml10_content())?),
                },
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        if roots != 1 || !open.is_empty() {
            bail!("the document is no single, closed element");
        }
        Ok(document)
    }

    /// All that is spoken, in one line.
    #[must_use]
    pub fn speech(&self) -> String {
        self.said.join(" ")
    }

    fn begin(&mut self, open: &[String], start: &BytesStart<'_>) -> Result<()> {
        let name = start.name();
        let name = name.as_ref();
        let may_stand_here = match open {
            [] => name == "Response",
            [_] => VERBS.contains(&name),
            [_, verb] if verb == "Gather" => matches!(name, "Say" | "Play" | "Pause"),
            [_, verb] if verb == "Dial" => name == "Number",
            _ => false,
        };
        if !may_stand_here {
            bail!(
                "<{name}> stands in {}",
                if open.is_empty() {
                    "no element".into()
                } else {
                    open.join("/")
                }
            );
        }
        match name {
            "Gather" => self.gather = action(start)?,
            "Record" => self.record = action(start)?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, text: &str) {
        match name {
            "Say" if !text.is_empty() => self.said.push(text.to_owned()),
            "Number" | "Dial" if !text.is_empty() => self.dialled.push(text.to_owned()),
            _ => {}
        }
    }
}

fn action(start: &BytesStart<'_>) -> Result<Option<String>> {
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.as_ref() == "action" {
            return Ok(Some(attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned()));
        }
    }
    Ok(None)
}

/// The five entities that XML knows without a declaration.
fn predefined(name: &str) -> Result<char> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err(anyhow!("the entity &{name}; is not declared")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(verbs: &str) -> Document {
        Document::parse(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>"
        ))
        .unwrap()
    }

    #[test]
    fn what_is_spoken_is_read_as_it_is_meant() {
        let document = read("<Say voice=\"x\">Tom &amp; Ann&apos;s &#233;</Say><Gather><Say>Yes?</Say></Gather>");
        assert_eq!(document.said, ["Tom & Ann's é", "Yes?"]);
    }

    #[test]
    fn the_next_webhook_is_named_by_the_document() {
        let document = read("<Gather action=\"/a?s=1&amp;b\"/><Record action=\"/m\"/><Dial><Number>+1</Number></Dial>");
        assert_eq!(document.gather.as_deref(), Some("/a?s=1&b"));
        assert_eq!(document.record.as_deref(), Some("/m"));
        assert_eq!(document.dialled, ["+1"]);
    }

    #[test]
    fn what_twilio_would_refuse_is_refused() {
        for xml in [
            "",
            "{}",
            "<html/>",
            "<Response>",
            "<Response/><Response/>",
            "<Response><Sing/></Response>",
            "<Response><Gather><Dial>1</Dial></Gather></Response>",
            "<Response><Say>&nbsp;</Say></Response>",
            "<Response><Say>a</Response>",
        ] {
            assert!(Document::parse(xml).is_err(), "{xml}");
        }
        let long = format!("<Response><Say>{}</Say></Response>", "a".repeat(MAX_BYTES));
        assert!(Document::parse(&long).is_err());
    }
}
