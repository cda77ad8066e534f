//! Intent sets: questions and what they ask for, as research publishes them.
//!
//! Two shapes are read: CSV with a heading (RFC 4180; a quoted field may hold commas, quotes and line breaks) that names
//! a column `text` (or `utterance`, `question`, `query`) and a column `intent` (or `label`, `category`), and JSON lines
//! with these fields. An empty intent means that the question is foreign to the whole set.

use serde_json::Value;

use super::label::DataFault;

const TEXTS: [&str; 4] = ["text", "utterance", "question", "query"];
const INTENTS: [&str; 3] = ["intent", "label", "category"];

/// A question and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What was said.
    pub text: String,
    /// The intent; `None` if the set has none for it.
    pub intent: Option<String>,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// Reads an intent set.
///
/// # Errors
/// A line has no text or no field for the intent, the heading lacks a column, a quote is not closed, or there are no
/// questions.
pub fn read_intents(text: &str) -> Result<Vec<Question>, DataFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let questions = if text.trim_start().starts_with('{') {
        json_lines(text)?
    } else {
        csv(text)?
    };
    if questions.is_empty() {
        return Err(DataFault::new(None, "there are no questions in it"));
    }
    Ok(questions)
}

fn question(text: &str, intent: &str, line: usize) -> Result<Question, DataFault> {
    let (text, intent) = (text.trim(), intent.trim());
    if text.is_empty() {
        return Err(DataFault::new(line, "there is no text"));
    }
    Ok(Question {
        text: text.to_owned(),
        intent: (!intent.is_empty()).then(|| intent.to_owned()),
        line,
    })
}

fn json_lines(text: &str) -> Result<Vec<Question>, DataFault> {
    let mut questions = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let fields: Value = serde_json::from_str(text).map_err(|error| DataFault::of_line(line, &error))?;
        let of = |names: &[&str]| names.iter().find_map(|name| fields.get(name)).cloned();
        let Some(Value::String(text)) = of(&TEXTS) else {
            return Err(DataFault::new(line, "there is no `text`"));
        };
        let intent = match of(&INTENTS) {
            Some(Value::String(intent)) => intent,
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null) => String::new(),
            _ => {
                return Err(DataFault::new(
                    line,
                    "there is no `intent` (null, if the question is foreign)",
                ));
            }
        };
        questions.push(question(&text, &intent, line)?);
    }
    Ok(questions)
}

fn csv(text: &str) -> Result<Vec<Question>, DataFault> {
    let mut records = records(text)?.into_iter();
    let Some((_, heading)) = records.next() else {
        return Ok(Vec::new());
    };
    let column = |names: &[&str]| {
        let is_one = |cell: &String| names.iter().any(|name| cell.trim().eq_ignore_ascii_case(name));
        heading.iter().position(is_one).ok_or_else(|| {
            DataFault::new(
                1,
                format!(
                    "the heading has no column `{}` (it has {})",
                    names.join("` or `"),
                    heading.join(", ")
                ),
            )
        })
    };
    let (text_column, intent_column) = (column(&TEXTS)?, column(&INTENTS)?);
    records
        .map(|(line, cells)| {
            let cell = |at: usize| {
                cells.get(at).ok_or_else(|| {
                    DataFault::new(
                        line,
                        format!("there are {} columns, the heading has {}", cells.len(), heading.len()),
                    )
                })
            };
            question(cell(text_column)?, cell(intent_column)?, line)
        })
        .collect()
}

/// The records of a CSV text, each with the line where it begins; empty lines are none.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, DataFault> {
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut begin) = (1, 1);
    let mut quoted_since = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match letter {
            '"' if quoted_since.is_some() => {
                if letters.next_if_eq(&'"').is_some() {
                    cell.push('"');
                } else {
                    quoted_since = None;
                }
            }
            '"' if cell.is_empty() => quoted_since = Some(line),
            ',' if quoted_since.is_none() => cells.push(std::mem::take(&mut cell)),
            '\r' if quoted_since.is_none() && letters.peek() == Some(&'\n') => {}
            '\n' if quoted_since.is_none() => {
                end(&mut records, begin, &mut cells, &mut cell);
                begin = line;
            }
            other => cell.push(other),
        }
    }
    if let Some(line) = quoted_since {
        return Err(DataFault::new(line, "a quote is opened and not closed"));
    }
    end(&mut records, begin, &mut cells, &mut cell);
    Ok(records)
}

fn end(records: &mut Vec<(usize, Vec<String>)>, line: usize, cells: &mut Vec<String>, cell: &mut String) {
    if !cells.is_empty() || !cell.trim().is_empty() {
        cells.push(std::mem::take(cell));
        records.push((line, std::mem::take(cells)));
    }
    cell.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read<'q> = (&'q str, Option<&'q str>, usize);

    #[track_caller]
    fn check(text: &str, want: Result<&[Read<'_>], &str>) {
        match (read_intents(text), want) {
            (Ok(read), Ok(want)) => {
                let read: Vec<_> = read
                    .iter()
                    .map(|one| (one.text.as_str(), one.intent.as_deref(), one.line))
                    .collect();
                assert_eq!(read, want);
            }
            (Err(fault), Err(want)) => assert!(fault.to_string().contains(want), "{fault}"),
            (read, _) => panic!("{read:?}"),
        }
    }

    #[test]
    fn csv_is_read_by_its_heading() {
        check("text,category\nhi,a\n", Ok(&[("hi", Some("a"), 2)]));
        check(
            "Label,Text\r\na,\"x, \"\"y\"\"\nz\"\r\n\r\n,foreign",
            Ok(&[("x, \"y\"\nz", Some("a"), 2), ("foreign", None, 5)]),
        );
        check(
            "text,kind\nhi,a",
            Err("line 1: the heading has no column `intent` or `label`"),
        );
        check(
            "text,intent\nhi\n",
            Err("line 2: there are 1 columns, the heading has 2"),
        );
        check("text,intent\nb,a\n\"hi,a\n", Err("line 3: a quote is opened"));
        check("text,intent\n  ,a\n", Err("line 2: there is no text"));
        check("text,intent\n", Err("there are no questions"));
        check("", Err("there are no questions"));
    }

    #[test]
    fn json_lines_are_read_by_their_fields() {
        check(
            "{\"text\": \"hi\", \"intent\": \"a\"}\n\n{\"text\": \"ho\", \"label\": null}\n",
            Ok(&[("hi", Some("a"), 1), ("ho", None, 3)]),
        );
        check("{\"text\": \"hi\"}", Err("line 1: there is no `intent`"));
        check("{\"text\": \"hi\", \"intent\": \"a\"}\n{", Err("line 2: EOF"));
        check("{\"intent\": \"a\"}", Err("line 1: there is no `text`"));
    }
}
