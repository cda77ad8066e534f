//! Reads an answer as Twilio does: refuses it with Twilio's code, or gives the verbs and what Twilio would warn of.

mod checked;
mod number;
mod schema;
mod typed;
mod verbs;

#[cfg(test)]
mod tests;

use roxmltree::ParsingOptions;

use crate::code::{Code, Fault};
use checked::Checked;
pub use verbs::{Dial, Document, Gather, Link, Method, Number, Play, Record, Say, SpeechTimeout, Verb};

/// The longest document, in bytes.
const LONGEST: usize = 64 * 1024;

/// Media types that Twilio takes for a document.
const MEDIA_TYPES: [&str; 3] = ["text/xml", "application/xml", "text/html"];

/// Reads what a webhook was answered with.
///
/// # Errors
/// Twilio would not carry this out: it would ask the fallback URL, or end the call.
pub fn read(status: u16, content_type: Option<&str>, body: &[u8]) -> Result<Document, Fault> {
    if !(200..300).contains(&status) {
        return Err(Fault::new(Code::Retrieval, format!("the status is {status}")));
    }
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if !MEDIA_TYPES.contains(&media_type.trim().to_ascii_lowercase().as_str()) {
        let named = content_type.map_or_else(|| "none".to_owned(), |named| format!("`{named}`"));
        return Err(Fault::new(Code::ContentType, format!("the content type is {named}")));
    }
    if body.len() > LONGEST {
        return Err(Fault::new(Code::TooLong, format!("the body has {} bytes", body.len())));
    }
    parse(body)
}

/// Reads a document whose envelope is in order.
///
/// # Errors
/// It is no XML, its root is another, or a part of it stops the call.
pub fn parse(body: &[u8]) -> Result<Document, Fault> {
    let refused = |why: String| Fault::new(Code::Parse, why);
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(refused("a byte order mark stands before the document".to_owned()));
    }
    let text = std::str::from_utf8(body).map_err(|error| refused(format!("the document is not UTF-8: {error}")))?;
    if let Some(illegal) = text.chars().find(|&character| !is_legal(character)) {
        return Err(refused(format!("U+{:04X} is no character of XML 1.0", illegal as u32)));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: 100_000,
        ..ParsingOptions::default()
    };
    let tree = roxmltree::Document::parse_with_options(text, options).map_err(|error| refused(error.to_string()))?;
    let root = tree.root_element();
    if root.tag_name().name() != "Response" || root.tag_name().namespace().is_some() {
        return Err(refused(format!("the root is <{}>", root.tag_name().name())));
    }
    let mut warnings = Vec::new();
    let root = Checked::read(root, &mut warnings)?;
    let verbs = typed::verbs(&root, &mut warnings)?;
    Ok(Document { verbs, warnings })
}

/// The production `Char` of XML 1.0.
const fn is_legal(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{1_0000}'..)
}
