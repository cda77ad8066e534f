//! Labelled utterances: what was said to whom, and what answers it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is wrong with a text that should be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DataFault {
    /// The line where it is, from 1; `None` if it is the text as a whole.
    pub line: Option<usize>,
    /// What is wrong there.
    pub detail: String,
}

impl fmt::Display for DataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl DataFault {
    pub(super) fn new(line: impl Into<Option<usize>>, detail: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            detail: detail.into(),
        }
    }

    /// A line that is no JSON of the wanted shape.
    pub(super) fn of_line(line: usize, error: &serde_json::Error) -> Self {
        let said = error.to_string();
        // The parser counts from the beginning of this line.
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        match error.column() {
            0 => Self::new(line, said),
            column => Self::new(line, format!("{said} (column {column})")),
        }
    }

    /// A text that is no JSON of the wanted shape.
    pub(super) fn of_text(error: &serde_json::Error) -> Self {
        let fault = Self::of_line(error.line(), error);
        Self {
            line: fault.line.filter(|line| *line > 0),
            ..fault
        }
    }
}

/// Where an answer comes from, in the order in which the ladder asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// The life-safety rules.
    Safety,
    /// The company's own Q&A.
    CompanyQna,
    /// The Q&A of its trades.
    TradeQna,
    /// Its templates.
    Template,
    /// Nothing that the business has.
    None,
}

impl LabelSource {
    /// Its name in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::CompanyQna => "company_qna",
            Self::TradeQna => "trade_qna",
            Self::Template => "template",
            Self::None => "none",
        }
    }
}

impl From<crate::knowledge::Source> for LabelSource {
    fn from(source: crate::knowledge::Source) -> Self {
        use crate::knowledge::Source;
        match source {
            Source::CompanyQna => Self::CompanyQna,
            Source::TradeQna => Self::TradeQna,
            Source::Template => Self::Template,
        }
    }
}

/// An answer in a labelled file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Label {
    /// Where it comes from.
    pub source: LabelSource,
    /// The id of the scenario, Q&A or safety category; `None` if nothing answers.
    #[serde(default)]
    pub id: Option<String>,
}

impl Label {
    /// The label of what nothing answers.
    pub const NOTHING: Self = Self {
        source: LabelSource::None,
        id: None,
    };

    /// Whether an answer of this source with this id is what the label names. Any safety category is a safe answer.
    #[must_use]
    pub fn is(&self, source: LabelSource, id: &str) -> bool {
        self.source == source && (source == LabelSource::Safety || self.id.as_deref() == Some(id))
    }
}

/// A labelled utterance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Labelled {
    /// The id of the company that was called.
    pub company: String,
    /// What was said, as the recogniser wrote it.
    pub utterance: String,
    /// What answers it.
    pub expect: Label,
    /// What kind of utterance it is.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Another answer that is right as well.
    #[serde(default)]
    pub second: Option<Label>,
    /// What the recogniser should have written.
    #[serde(default)]
    pub spoken: Option<String>,
    /// Its line in the file, from 1.
    #[serde(skip)]
    pub line: usize,
}

/// The lines of a file of labelled utterances; empty lines are passed over.
///
/// # Errors
/// A line is no labelled utterance, a label names no id where it needs one, or there are no utterances.
pub fn read_utterances(lines: &str) -> Result<Vec<Labelled>, DataFault> {
    let mut utterances = Vec::new();
    let lines = lines.strip_prefix('\u{feff}').unwrap_or(lines);
    for (line, text) in (1..).zip(lines.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let mut labelled: Labelled = serde_json::from_str(text).map_err(|error| DataFault::of_line(line, &error))?;
        labelled.line = line;
        for label in std::iter::once(&labelled.expect).chain(&labelled.second) {
            let source = label.source.as_str();
            match (label.source, &label.id) {
                (LabelSource::None, Some(id)) => {
                    return Err(DataFault::new(line, format!("`none` has no id, but `{id}` is given")));
                }
                (LabelSource::None | LabelSource::Safety, _) | (_, Some(_)) => {}
                (_, None) => return Err(DataFault::new(line, format!("the label `{source}` needs an `id`"))),
            }
        }
        utterances.push(labelled);
    }
    if utterances.is_empty() {
        return Err(DataFault::new(None, "there are no labelled utterances in it"));
    }
    Ok(utterances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(lines: &str, want: &str) {
        let fault = read_utterances(lines).unwrap_err().to_string();
        assert!(fault.contains(want), "{fault}");
    }

    #[test]
    fn a_faulty_line_is_named() {
        let good = r#"{"company": "c", "utterance": "u", "expect": {"source": "none", "id": null}}"#;
        assert_eq!(read_utterances(&format!("\n{good}\n")).unwrap()[0].line, 2);
        refused(&format!("{good}\n{{"), "line 2: EOF while parsing");
        refused(
            r#"{"company": "c", "utterance": "u"}"#,
            "line 1: missing field `expect`",
        );
        refused(&good.replace("none", "qna"), "unknown variant `qna`, expected one of");
        refused(
            &good.replace("none", "template"),
            "line 1: the label `template` needs an `id`",
        );
        refused(&good.replace("null", "\"x\""), "`none` has no id");
        refused("\n\n", "there are no labelled utterances");
    }

    #[test]
    fn any_category_is_a_safe_answer() {
        let label = |source, id: &str| Label {
            source,
            id: Some(id.into()),
        };
        assert!(label(LabelSource::Safety, "gas").is(LabelSource::Safety, "fire"));
        assert!(!label(LabelSource::Template, "a").is(LabelSource::Template, "b"));
        assert!(!label(LabelSource::Template, "a").is(LabelSource::CompanyQna, "a"));
    }
}
