//! The body of a webhook: `application/x-www-form-urlencoded`, read without losing anything.
//!
//! Twilio signs over the decoded parameters, so order, repeats, empty values and blanks at the ends are kept.
//! What cannot be decoded is refused: a replacement character would make two bodies look alike.

use std::fmt::Write as _;

use memchr::{memchr, memchr2};

/// The decoded parameters of a webhook, in the order in which they were sent.
///
/// All names and values lie in one buffer, so that reading a body allocates twice, however many parameters it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    text: String,
    ends: Vec<Ends>,
}

/// Where a name and its value end in the buffer; the name begins where the value before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    name: usize,
    value: usize,
}

/// Why a body is not a form. Offsets count bytes of the body, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A `%` that two hexadecimal digits do not follow.
    #[error("bad percent-encoding at byte {offset}")]
    Percent {
        /// Where the `%` stands.
        offset: usize,
    },
    /// A name or value that does not decode to UTF-8.
    #[error("bytes that are not UTF-8 at byte {offset}")]
    Utf8 {
        /// Where the first offending byte, or its escape, stands.
        offset: usize,
    },
}

impl FormError {
    /// Where the fault stands in the body.
    pub const fn offset(self) -> usize {
        match self {
            Self::Percent { offset } | Self::Utf8 { offset } => offset,
        }
    }
}

impl Form {
    /// Reads a form-encoded body; an empty body is an empty form.
    ///
    /// A parameter without `=` has an empty value, and empty parameters (`a&&b`) are skipped.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let mut decoded = Vec::with_capacity(body.len());
        let mut ends = Vec::with_capacity(EXPECTED_PARAMETERS);
        let mut rest = body;
        while !rest.is_empty() {
            let (parameter, others) = cut(rest, memchr(b'&', rest));
            rest = others;
            if parameter.is_empty() {
                continue;
            }
            let (name, value) = cut(parameter, memchr(b'=', parameter));
            if !decode(name, &mut decoded) {
                return Err(locate(body));
            }
            let name = decoded.len();
            if !decode(value, &mut decoded) {
                return Err(locate(body));
            }
            ends.push(Ends {
                name,
                value: decoded.len(),
            });
        }
        let text = String::from_utf8(decoded).map_err(|_| locate(body))?;
        // Two halves of a character in two neighbours are UTF-8 together, and not apart.
        if !ends
            .iter()
            .all(|end| text.is_char_boundary(end.name) && text.is_char_boundary(end.value))
        {
            return Err(locate(body));
        }
        Ok(Self { text, ends })
    }

    /// The value of the first parameter of this name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.pairs().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Names and values, in the order in which they were sent.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let name = self.text.get(start..end.name).unwrap_or_default();
            let value = self.text.get(end.name..end.value).unwrap_or_default();
            start = end.value;
            (name, value)
        })
    }

    /// How many parameters there are, repeats counted.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no parameters at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a parameter at the end.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name = self.text.len();
        self.text.push_str(value);
        self.ends.push(Ends {
            name,
            value: self.text.len(),
        });
    }

    /// The body that [`Form::parse`] reads back as this form.
    pub fn encode(&self) -> String {
        let mut body = String::with_capacity(self.text.len() * 2);
        for (name, value) in self.pairs() {
            if !body.is_empty() {
                body.push('&');
            }
            encode(name, &mut body);
            body.push('=');
            encode(value, &mut body);
        }
        body
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            form.push(name.as_ref(), value.as_ref());
        }
        form
    }
}

/// Whether a `Content-Type` header announces a form; case and parameters such as `charset` do not matter.
pub fn is_form_content_type(header: &[u8]) -> bool {
    let essence = header.split(|&byte| byte == b';').next().unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// Room for the parameters of a usual webhook, so that reading one does not grow the list.
const EXPECTED_PARAMETERS: usize = 40;

/// What stands before a separator and after it; all of it before one that is not there.
fn cut(bytes: &[u8], separator: Option<usize>) -> (&[u8], &[u8]) {
    let (before, after) = separator
        .and_then(|at| bytes.split_at_checked(at))
        .unwrap_or((bytes, &[]));
    (before, after.get(1..).unwrap_or_default())
}

/// Appends what `encoded` stands for; `false` on bad percent-encoding.
#[must_use]
fn decode(encoded: &[u8], decoded: &mut Vec<u8>) -> bool {
    let mut rest = encoded;
    while let Some(plain) = memchr2(b'%', b'+', rest) {
        let (head, tail) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        decoded.extend_from_slice(head);
        rest = match tail {
            [b'+', tail @ ..] => {
                decoded.push(b' ');
                tail
            }
            [b'%', high, low, tail @ ..] => {
                let (Some(high), Some(low)) = (hexadecimal(*high), hexadecimal(*low)) else {
                    return false;
                };
                decoded.push(high << 4 | low);
                tail
            }
            _ => return false,
        };
    }
    decoded.extend_from_slice(rest);
    true
}

/// The value of a hexadecimal digit of either case.
pub(crate) const fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Finds the first fault of a body that was refused: reads it again, slowly, remembering offsets.
fn locate(body: &[u8]) -> FormError {
    let mut offset = 0;
    let mut bytes: Vec<(u8, usize)> = Vec::new();
    loop {
        let next = body.get(offset).copied();
        if matches!(next, None | Some(b'&' | b'=')) {
            // A later `=` belongs to the value, but no character spans it: ASCII never continues one.
            let piece: Vec<u8> = bytes.iter().map(|&(byte, _)| byte).collect();
            if let Err(fault) = std::str::from_utf8(&piece) {
                let offset = bytes.get(fault.valid_up_to()).map_or(offset, |&(_, at)| at);
                return FormError::Utf8 { offset };
            }
            bytes.clear();
        }
        match next {
            None => return FormError::Utf8 { offset },
            Some(b'%') => {
                let escape = body.get(offset + 1).zip(body.get(offset + 2));
                let digits = escape.and_then(|(high, low)| hexadecimal(*high).zip(hexadecimal(*low)));
                let Some((high, low)) = digits else {
                    return FormError::Percent { offset };
                };
                bytes.push((high << 4 | low, offset));
                offset += 3;
            }
            Some(b'&' | b'=') => offset += 1,
            Some(byte) => {
                bytes.push((byte, offset));
                offset += 1;
            }
        }
    }
}

fn encode(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
