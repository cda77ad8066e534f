//! `frontdesk import`: all documents of some files, or none and the reasons.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Context, import_existing, runtime};
use crate::{
    admin::{AdminError, text},
    cli::ImportArguments,
};

pub(super) fn run(context: &Context, arguments: &ImportArguments) -> Result<()> {
    if let Some(source) = &arguments.from_existing {
        return import_existing::run(context, arguments, source);
    }
    let admin = context.admin(&arguments.server)?;
    let files = arguments.files.iter().map(|path| Ok((name(path), read(path)?)));
    let files = files.collect::<Result<Vec<_>>>()?;
    let lines = joined(&files);
    let report = match runtime()?.block_on(admin.import(lines)) {
        Ok(report) => report,
        Err(AdminError::Problem { text, .. }) => bail!("nothing was imported: {}", with_files(&text, &files)),
        Err(error) => return Err(error.into()),
    };
    let imported = report.get("imported").and_then(Value::as_object);
    let counts = imported
        .into_iter()
        .flatten()
        .filter(|(_, count)| count.as_u64() != Some(0));
    let counts: Vec<_> = counts
        .map(|(kind, count)| counted(count.as_u64().unwrap_or_default(), kind))
        .collect();
    let output = context.output;
    output.line(if counts.is_empty() {
        "imported nothing: there are no documents in it".to_owned()
    } else {
        format!("imported {}", counts.join(", "))
    })?;
    for note in report.get("notes").and_then(Value::as_array).into_iter().flatten() {
        let line = note.get("line").and_then(Value::as_u64).unwrap_or_default();
        let said = format!("line {line}: {} {}", text(note, "pointer"), text(note, "detail"));
        output.line(output.dim(format_args!("  {}", with_files(&said, &files))))?;
    }
    Ok(())
}

/// How many documents of a kind, in words.
pub(super) fn counted(count: u64, kind: &str) -> String {
    let (one, several) = match kind {
        "company" => ("company", "companies"),
        "template" => ("template", "templates"),
        "qna" => ("Q&A", "Q&As"),
        "tradeQna" => ("trade Q&A", "trade Q&As"),
        "overlay" => ("overlay", "overlays"),
        "safety" => ("set of safety rules", "sets of safety rules"),
        "prompts" => ("language's prompts", "languages' prompts"),
        other => (other, other),
    };
    format!("{count} {}", if count == 1 { one } else { several })
}

/// What people call a file.
fn name(path: &Path) -> String {
    if is_standard_input(path) {
        "the standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(path: &Path) -> Result<Vec<u8>> {
    if is_standard_input(path) {
        let mut lines = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut lines)
            .context("cannot read the standard input")?;
        return Ok(lines);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// All files, one below the other; each begins on a line of its own.
fn joined(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    let mut lines = Vec::new();
    for (_, text) in files {
        lines.extend_from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
        if !text.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
    lines
}

/// Lines of the whole as lines of the file that they are in: the line of each fault, and lines that it speaks of.
fn with_files(said: &str, files: &[(String, Vec<u8>)]) -> String {
    let placed = |line: &str| {
        let faulty = split_number(line, "line ").filter(|(before, ..)| before.trim().is_empty());
        let (place, rest) =
            match faulty.and_then(|(before, number, rest)| Some((before, place_of(number, files)?, rest))) {
                Some((before, (name, number), rest)) => (format!("{before}{name}, line {number}"), rest),
                None => (String::new(), line),
            };
        let spoken_of = split_number(rest, " stands on line ");
        match spoken_of.and_then(|(before, number, rest)| Some((before, place_of(number, files)?, rest))) {
            Some((before, (name, number), rest)) => {
                format!("{place}{before} stands on line {number} of {name}{rest}")
            }
            None => format!("{place}{rest}"),
        }
    };
    said.lines().map(placed).collect::<Vec<_>>().join("\n")
}

/// A text before, in and after a number that stands behind `words`.
fn split_number<'t>(text: &'t str, words: &str) -> Option<(&'t str, usize, &'t str)> {
    let (before, rest) = text.split_once(words)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at_checked(end)?;
    Some((before, number.parse().ok()?, rest))
}

/// The file of a line of the whole, and the line in it.
fn place_of(line: usize, files: &[(String, Vec<u8>)]) -> Option<(&str, usize)> {
    let mut number = line;
    for (name, text) in files {
        let lines = text.split_inclusive(|&byte| byte == b'\n').count().max(1);
        if number <= lines {
            return Some((name, number));
        }
        number -= lines;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_file_and_the_line_in_it() {
        let files = [
            ("a.jsonl".to_owned(), b"{}\n{}".to_vec()),
            ("b.jsonl".to_owned(), b"{}\n".to_vec()),
        ];
        assert_eq!(joined(&files), b"{}\n{}\n{}\n");
        let said = "2 faults\n  line 2: /a is odd\n  line 3: /b is odd";
        assert_eq!(
            with_files(said, &files),
            "2 faults\n  a.jsonl, line 2: /a is odd\n  b.jsonl, line 1: /b is odd"
        );
        assert_eq!(
            with_files("line 2: /a is odd", &files[..1]),
            "a.jsonl, line 2: /a is odd",
            "of one file too"
        );
    }

    #[test]
    fn a_line_that_a_note_speaks_of_is_one_of_a_file_too() {
        let files = [
            ("a.jsonl".to_owned(), b"".to_vec()),
            ("b.jsonl".to_owned(), b"{}\n{}\n".to_vec()),
        ];
        assert_eq!(
            with_files(
                "line 3: company x stands on line 2 too; this later one was taken",
                &files
            ),
            "b.jsonl, line 2: company x stands on line 1 of b.jsonl too; this later one was taken"
        );
        assert_eq!(with_files("line 9: stands alone", &files), "line 9: stands alone");
    }

    #[test]
    fn a_byte_order_mark_at_the_beginning_of_a_file_is_no_text() {
        let files = [
            ("a".to_owned(), "\u{feff}{}".into()),
            ("b".to_owned(), "\u{feff}{}\n".into()),
        ];
        assert_eq!(joined(&files), b"{}\n{}\n");
    }
}
