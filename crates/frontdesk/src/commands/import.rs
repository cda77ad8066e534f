//! `frontdesk import`: all documents of some files, or none and the reasons.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Context, runtime};
use crate::{
    admin::{AdminError, text},
    cli::ImportArguments,
};

pub(super) fn run(context: &Context, arguments: &ImportArguments) -> Result<()> {
    let admin = context.admin(&arguments.server)?;
    let files = arguments
        .files
        .iter()
        .map(|path| Ok((path.display().to_string(), read(path)?)));
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
fn counted(count: u64, kind: &str) -> String {
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

fn read(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
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
    let mut lines = Vec::new();
    for (_, text) in files {
        lines.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
    lines
}

/// Lines of the whole as lines of the file that they are in.
fn with_files(said: &str, files: &[(String, Vec<u8>)]) -> String {
    if files.len() < 2 {
        return said.to_owned();
    }
    let place = |line: &str| -> Option<String> {
        let (before, rest) = line.split_once("line ")?;
        let (number, rest) = rest.split_once(':')?;
        let mut number: usize = number.parse().ok().filter(|_| before.trim().is_empty())?;
        for (name, text) in files {
            let lines = joined(&[(String::new(), text.clone())])
                .split(|&byte| byte == b'\n')
                .count()
                - 1;
            if number <= lines {
                return Some(format!("{before}{name}, line {number}:{rest}"));
            }
            number -= lines;
        }
        None
    };
    said.lines()
        .map(|line| place(line).unwrap_or_else(|| line.to_owned()))
        .collect::<Vec<_>>()
        .join("\n")
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
        assert_eq!(with_files(said, &files[..1]), said);
    }
}
