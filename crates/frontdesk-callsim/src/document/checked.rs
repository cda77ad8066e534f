//! Elements that were held against the schema; what does not follow it has been left out and is a warning.

use roxmltree::Node;

use super::schema::{self, NOT_PLAYED};
use crate::code::{Code, Fault};

/// An element of which only legal parts are left.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: &'static str,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Checked>,
    /// All text in it, that of its children included, blanks at the ends left out.
    pub(super) text: String,
    /// How many characters stand between its tags, mark-up included.
    pub(super) marked_up: usize,
}

impl Checked {
    /// Checks an element that the schema names and everything in it.
    pub(super) fn read(node: Node<'_, '_>, warnings: &mut Vec<Fault>) -> Result<Self, Fault> {
        let name = node.tag_name().name();
        let Some(element) = schema::element(name) else {
            return Err(Fault::new(Code::Parse, format!("<{name}>")));
        };
        let mut attributes = Vec::new();
        for attribute in node.attributes() {
            let spelled = match attribute.namespace() {
                Some("http://www.w3.org/XML/1998/namespace") => format!("xml:{}", attribute.name()),
                _ => attribute.name().to_owned(),
            };
            let known = element.attributes.iter().find(|(known, _)| *known == spelled);
            let Some((_, kind)) = known else {
                warnings.push(Fault::new(
                    Code::Schema,
                    format!("<{name}> has no attribute `{spelled}`"),
                ));
                continue;
            };
            match kind.check(attribute.value()) {
                Ok(()) => attributes.push((spelled, attribute.value().to_owned())),
                Err((code, expected)) => {
                    let shown: String = attribute.value().chars().take(60).collect();
                    warnings.push(Fault::new(
                        code,
                        format!("<{name} {spelled}=\"{shown}\"> is not {expected}"),
                    ));
                }
            }
        }
        let mut children = Vec::new();
        for child in node.children() {
            if let Some(text) = child.text().filter(|_| child.is_text()) {
                if !element.text && !text.trim().is_empty() {
                    let shown: String = text.trim().chars().take(30).collect();
                    warnings.push(Fault::new(Code::Schema, format!("text stands in <{name}>: {shown}")));
                }
            } else if child.is_element() {
                let inner = child.tag_name().name();
                if element.children.contains(&inner) {
                    children.push(Self::read(child, warnings)?);
                } else if name == "Response" && NOT_PLAYED.contains(&inner) {
                    return Err(Fault::new(Code::NotPlayed, format!("<{inner}>")));
                } else {
                    warnings.push(Fault::new(Code::Schema, format!("<{inner}> may not stand in <{name}>")));
                }
            }
        }
        let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
        Ok(Self {
            name: element.name,
            attributes,
            children,
            text: texts.collect::<String>().trim().to_owned(),
            marked_up: marked_up(node),
        })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn is_on(&self, name: &str) -> Option<bool> {
        self.attribute(name).map(|value| value == "true")
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.attribute(name)?.parse().ok()
    }
}

fn marked_up(node: Node<'_, '_>) -> usize {
    let source = node.document().input_text();
    let within = node.first_child().zip(node.last_child());
    let range = within.map(|(first, last)| first.range().start..last.range().end);
    let has_elements = node.children().any(|child| child.is_element());
    if !has_elements {
        // Without mark-up the words count as they are spoken, not as they are escaped.
        return node.text().unwrap_or_default().trim().chars().count();
    }
    range
        .and_then(|range| source.get(range))
        .map_or(0, |inner| inner.trim().chars().count())
}
