//! Spoken texts with `{variable}` placeholders, and what a company fills in for them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::Arc,
};

/// What a company fills in: its name as `companyName`, and its `variables`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables {
    values: BTreeMap<Arc<str>, Arc<str>>,
}

impl Variables {
    /// The name that always stands for the company's own name.
    pub const COMPANY_NAME: &str = "companyName";

    /// Takes the company's name and its variables; a variable called `companyName` yields to the name.
    #[must_use]
    pub fn new(company_name: Arc<str>, mut values: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        values.insert(Self::COMPANY_NAME.into(), company_name);
        Self { values }
    }

    /// These and some of the moment, such as the names that a caller chooses from; those of the moment win.
    #[must_use]
    pub fn with<'v>(&self, more: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let mut values = self.values.clone();
        values.extend(more.into_iter().map(|(name, value)| (name.into(), value.into())));
        Self { values }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(AsRef::as_ref)
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(AsRef::as_ref)
    }
}

/// Whether a text can be the name of a variable: a letter or underscore, then letters, digits,
/// underscores, dots and dashes, 64 at most.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// A text that is spoken, with its placeholders found once.
///
/// `{name}` is a placeholder when `name`, without blanks around it, [can name a variable](is_variable_name); any other
/// brace is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    text: Arc<str>,
    /// Where placeholders stand in `text`, braces included, in order.
    placeholders: Box<[Range<usize>]>,
}

impl Wording {
    /// Finds the placeholders of a text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut placeholders = Vec::new();
        let mut open = None;
        for (at, byte) in text.bytes().enumerate() {
            match (byte, open) {
                (b'{', _) => open = Some(at),
                (b'}', Some(start)) => {
                    if text
                        .get(start + 1..at)
                        .is_some_and(|name| is_variable_name(name.trim()))
                    {
                        placeholders.push(start..at + 1);
                    }
                    open = None;
                }
                _ => {}
            }
        }
        Self {
            text,
            placeholders: placeholders.into(),
        }
    }

    /// The text as it was written.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The names of its placeholders in order, repeats included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.placeholders
            .iter()
            .filter_map(|place| self.text.get(place.start + 1..place.end - 1).map(str::trim))
    }

    /// Whether every placeholder can be filled in.
    #[must_use]
    pub fn is_complete(&self, variables: &Variables) -> bool {
        self.names().all(|name| variables.get(name).is_some())
    }

    /// Fills in the placeholders. Borrows the text when it has none.
    ///
    /// # Errors
    /// Names every variable that is not set: such a text is not spoken.
    pub fn render(&self, variables: &Variables) -> Result<Cow<'_, str>, Unset<'_>> {
        if self.placeholders.is_empty() {
            return Ok(Cow::Borrowed(&self.text));
        }
        let mut spoken = String::with_capacity(self.text.len() + 32);
        let mut unset = BTreeSet::new();
        let mut done = 0;
        for (place, name) in self.placeholders.iter().zip(self.names()) {
            spoken.push_str(self.text.get(done..place.start).unwrap_or_default());
            match variables.get(name) {
                Some(value) => spoken.push_str(value),
                None => _ = unset.insert(name),
            }
            done = place.end;
        }
        spoken.push_str(self.text.get(done..).unwrap_or_default());
        if unset.is_empty() {
            Ok(Cow::Owned(spoken))
        } else {
            Err(Unset(unset.into_iter().collect()))
        }
    }
}

impl<'de> serde::Deserialize<'de> for Wording {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Arc<str>>::deserialize(deserializer).map(Self::new)
    }
}

impl From<&str> for Wording {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// The variables of a text that its company has not set, each named once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unset<'a>(pub Vec<&'a str>);

impl fmt::Display for Unset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unset: {}", self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let values = [("fee", "$89"), ("companyName", "not this one")];
        Variables::new(
            "Elm Street Dental".into(),
            values.map(|(name, value)| (name.into(), value.into())).into(),
        )
    }

    #[track_caller]
    fn check(text: &str, want: Result<&str, &[&str]>) {
        let (wording, variables) = (Wording::from(text), variables());
        let got = wording.render(&variables);
        assert_eq!(got.as_deref().map_err(|unset| unset.0.as_slice()), want, "{text}");
    }

    #[test]
    fn placeholders_are_filled_in() {
        check("A visit is {fee}.", Ok("A visit is $89."));
        check("{fee}{fee}", Ok("$89$89"));
        check("{ fee } and {\tfee}, {fee }.", Ok("$89 and $89, $89."));
        check("Ünïcode {fee} — ok", Ok("Ünïcode $89 — ok"));
    }

    #[test]
    fn the_company_name_is_the_companys() {
        check(
            "Thank you for calling {companyName}!",
            Ok("Thank you for calling Elm Street Dental!"),
        );
    }

    #[test]
    fn every_unset_variable_is_named_once() {
        check("{plan} costs {price}, {plan}, {fee}", Err(&["plan", "price"]));
        check("{Fee}", Err(&["Fee"]));
        check("{ plan } {plan}", Err(&["plan"]));
    }

    #[test]
    fn a_brace_that_is_no_placeholder_is_kept() {
        for text in [
            "",
            "{",
            "}",
            "{}",
            "{ }",
            "{9}",
            "a } b { c",
            "{two words}",
            "{unclosed",
        ] {
            check(text, Ok(text));
        }
        check("{{fee}}", Ok("{$89}"));
        check("{not {fee}", Ok("{not $89"));
    }

    #[test]
    fn a_text_without_placeholders_is_borrowed() {
        assert!(matches!(
            Wording::from("Hello {").render(&variables()),
            Ok(Cow::Borrowed("Hello {"))
        ));
    }

    #[test]
    fn a_filled_in_value_is_not_read_again() {
        let variables = Variables::new("{fee}".into(), BTreeMap::new());
        assert_eq!(
            Wording::from("{companyName}").render(&variables).as_deref(),
            Ok("{fee}")
        );
    }
}
