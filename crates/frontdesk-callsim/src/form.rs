//! The parameters of a webhook.

use std::fmt::Write as _;

/// Names and values, in the order in which they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Adds a parameter.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a parameter, or replaces the value that it has.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.push(name, value),
        }
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As the body of a POST or the query of a GET.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        for (name, value) in self.iter() {
            if !encoded.is_empty() {
                encoded.push('&');
            }
            encode(name, &mut encoded);
            encoded.push('=');
            encode(value, &mut encoded);
        }
        encoded
    }
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => into.push(char::from(byte)),
            b' ' => into.push('+'),
            // Writing to a text cannot fail.
            _ => _ = write!(into, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_as_something_else_is_encoded() {
        let mut form = Form::default();
        form.push("a b", "x&y=z+ñ\n");
        form.push("empty", "");
        assert_eq!(form.encode(), "a+b=x%26y%3Dz%2B%C3%B1%0A&empty=");
    }

    #[test]
    fn a_value_that_is_set_again_is_replaced() {
        let mut form = Form::default();
        form.push("a", "1");
        form.set("a", "2");
        form.set("b", "3");
        assert_eq!(form.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    }
}
