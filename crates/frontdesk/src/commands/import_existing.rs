//! `frontdesk import --from-existing`: the collections of the system that Frontdesk takes over from.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use frontdesk_domain::{
    clock::Clock as _,
    documents::existing::{Collection, Document, Outcome, Remark, Source, Translated, translate},
};
use frontdesk_store::system::SystemClock;
use serde_json::Value;

use super::{Context, import::counted, runtime};
use crate::{
    admin::{Admin, AdminError},
    cli::{ExistingSource, ImportArguments},
    output::Output,
};

/// The server takes so much at once.
const MOST_BYTES: usize = 64 << 20;

/// So many lines about what is only kept are printed; the report has them all.
const KEPT_LINES: usize = 25;

/// What was read, and what was not.
struct Read {
    taken: Vec<(Source, Collection)>,
    /// Collections that hold nothing of what Frontdesk has, with what is in them.
    passed_over: Vec<String>,
}

pub(super) fn run(context: &Context, arguments: &ImportArguments, source: &ExistingSource) -> Result<()> {
    // What is missing here should not show after minutes of reading.
    let admin = if arguments.dry_run {
        None
    } else {
        Some(context.admin(&arguments.server)?)
    };
    let output = context.output;
    let read = match source {
        ExistingSource::Files(path) => of_files(path)?,
        ExistingSource::Database(url) => of_database(url)?,
    };
    for (kind, collection) in &read.taken {
        let count = collection.documents.len();
        output.line(format_args!(
            "{}: {count} documents, read as {}",
            collection.name,
            name_of(*kind)
        ))?;
    }
    for passed in &read.passed_over {
        output.line(output.dim(format_args!("{passed}")))?;
    }
    if read.taken.iter().all(|(_, collection)| collection.documents.is_empty()) {
        bail!("nothing was imported: there are no companies, templates or Q&As in it");
    }
    let translated = translate(read.taken, SystemClock.now());
    if let Some(path) = &arguments.report {
        write_report(path, &translated.remarks).with_context(|| format!("cannot write {}", path.display()))?;
        output.line(format_args!(
            "all {} remarks are in {}",
            translated.remarks.len(),
            path.display()
        ))?;
    }
    summarise(output, &translated)?;
    let refused = translated.refused();
    if refused > 0 && !arguments.skip_refused {
        bail!(
            "nothing was imported: {refused} documents cannot be taken over; correct them there, or leave them out with --skip-refused"
        );
    }
    let counts = counts(&translated.documents);
    let Some(admin) = admin else {
        return Ok(output.line(format_args!(
            "nothing was imported, as --dry-run says; it would be {counts}"
        ))?);
    };
    send(&admin, &translated.documents)?;
    output.line(format_args!("imported {counts}"))?;
    output.line("secrets were sealed; `frontdesk doctor` says what each company still lacks")?;
    Ok(())
}

const fn name_of(source: Source) -> &'static str {
    match source {
        Source::Companies => "companies",
        Source::Templates => "templates",
        Source::Qna => "Q&A of companies",
        Source::TradeQna => "Q&A of trades",
    }
}

fn counts(documents: &[Document]) -> String {
    let mut by_kind: BTreeMap<_, u64> = BTreeMap::new();
    for document in documents {
        *by_kind.entry(document.kind).or_default() += 1;
    }
    let counts: Vec<_> = by_kind
        .iter()
        .map(|(kind, count)| counted(*count, kind.as_str()))
        .collect();
    if counts.is_empty() {
        "nothing".to_owned()
    } else {
        counts.join(", ")
    }
}

/// A folder with a file for each collection, as `mongoexport` writes them, or one such file.
fn of_files(path: &Path) -> Result<Read> {
    let mut files = Vec::new();
    if path.is_dir() {
        let cannot = || format!("cannot read {}", path.display());
        for entry in fs::read_dir(path).with_context(cannot)? {
            files.push(entry.with_context(cannot)?.path());
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let is_of = |file: &Path, endings: &[&str]| {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_lowercase();
        endings.iter().any(|ending| name.ends_with(ending))
    };
    let dumped = files.iter().any(|file| is_of(file, &[".bson", ".bson.gz"]));
    files.retain(|file| is_of(file, &[".json", ".jsonl", ".ndjson"]) && !is_of(file, &[".metadata.json"]));
    if files.is_empty() {
        let why = if dumped {
            "holds what mongodump writes: export it with mongoexport, or name the database itself"
        } else {
            "holds no .json or .jsonl file; `mongoexport --collection companies --out companies.json` writes one"
        };
        bail!("{} {why}", path.display());
    }
    let mut read = Read {
        taken: Vec::new(),
        passed_over: Vec::new(),
    };
    for file in files {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        let documents = documents_of(&file)?;
        match Source::of_name(&name).or_else(|| documents.first().and_then(Source::of_document)) {
            Some(source) => {
                let name = name.into();
                read.taken.push((source, Collection { name, documents }));
            }
            None => read.passed_over.push(passed_over(&name, documents.len() as u64)),
        }
    }
    Ok(read)
}

fn passed_over(name: &str, count: u64) -> String {
    format!("{name}: {count} documents, not read: no companies, templates or Q&As")
}

/// Documents one a line, over many lines, or in a list.
fn documents_of(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut documents = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value.with_context(|| format!("{} is no JSON", file.display()))? {
            Value::Array(items) => documents.extend(items),
            one => documents.push(one),
        }
    }
    Ok(documents)
}

#[cfg(feature = "mongo")]
fn of_database(url: &frontdesk_store::mongo_url::MongoUrl) -> Result<Read> {
    use frontdesk_store::mongo::ExistingDatabase;

    let cannot = || format!("cannot read {url}");
    runtime()?.block_on(async {
        let database = ExistingDatabase::open(url).await.with_context(cannot)?;
        if database.is_ours().await.with_context(cannot)? {
            bail!("{url} is a store of Frontdesk; `frontdesk migrate` moves one");
        }
        let mut read = Read {
            taken: Vec::new(),
            passed_over: Vec::new(),
        };
        for (name, count) in database.collections().await.with_context(cannot)? {
            let mut source = Source::of_name(&name);
            if source.is_none() && count > 0 {
                let sample = database.sample(&name).await.with_context(cannot)?;
                source = sample.as_ref().and_then(Source::of_document);
            }
            match source {
                Some(source) => {
                    let documents = database.documents(&name).await.with_context(cannot)?;
                    let name = name.into();
                    read.taken.push((source, Collection { name, documents }));
                }
                None => read.passed_over.push(passed_over(&name, count)),
            }
        }
        Ok(read)
    })
}

#[cfg(not(feature = "mongo"))]
fn of_database(url: &frontdesk_store::mongo_url::MongoUrl) -> Result<Read> {
    bail!("this build cannot read {url}: it has no MongoDB; export the collections with mongoexport")
}

fn write_report(path: &Path, remarks: &[Remark]) -> Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    for remark in remarks {
        serde_json::to_writer(&mut file, remark)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

/// Remarks that differ only in the document and in numbers of lists, as one.
#[derive(Default)]
struct Group<'r> {
    count: usize,
    first: Option<&'r Remark>,
}

fn summarise(output: Output, translated: &Translated) -> Result<()> {
    let mut groups: BTreeMap<(Outcome, &str, String, &str), Group<'_>> = BTreeMap::new();
    for remark in &translated.remarks {
        let place = without_numbers(&remark.pointer);
        let key = (remark.outcome, &*remark.collection, place, remark.why.as_str());
        let group = groups.entry(key).or_default();
        group.count += 1;
        group.first.get_or_insert(remark);
    }
    let mut kept = 0;
    for ((outcome, collection, place, why), group) in &groups {
        let Some(first) = group.first else { continue };
        if *outcome == Outcome::Kept {
            kept += 1;
            if kept > KEPT_LINES {
                continue;
            }
        }
        let mark = match outcome {
            Outcome::Refused => output.bad("✗ refused "),
            Outcome::LeftOut => output.bold("! left out"),
            Outcome::Changed => output.dim("~ changed "),
            Outcome::Kept => output.dim("· kept    "),
        };
        let times = match group.count {
            1 => format!("{collection} {}: {}", first.id, first.pointer),
            count => format!("{collection}, {count} times, first in {}: {place}", first.id),
        };
        output.line(format_args!("{mark} {times} {why}"))?;
        if !first.remedy.is_empty() {
            output.line(output.dim(format_args!("    → {}", first.remedy)))?;
        }
    }
    if kept > KEPT_LINES {
        let more = kept - KEPT_LINES;
        output.line(output.dim(format_args!(
            "· {more} more kinds of fields are kept; --report FILE lists all"
        )))?;
    }
    Ok(())
}

/// A pointer with `*` for each number in it.
fn without_numbers(pointer: &str) -> String {
    let star = |step: &str| {
        let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*".to_owned() } else { step.to_owned() }
    };
    pointer.split('/').map(star).collect::<Vec<_>>().join("/")
}

/// All of them, or none and the reasons.
fn send(admin: &Admin, documents: &[Document]) -> Result<()> {
    let mut lines = Vec::new();
    for document in documents {
        lines.extend_from_slice(document.line().as_bytes());
        lines.push(b'\n');
    }
    if lines.len() > MOST_BYTES {
        bail!(
            "nothing was imported: it is {} MiB, and the server takes {} MiB at once; import the templates and trades first, then the companies, from a folder each",
            lines.len() >> 20,
            MOST_BYTES >> 20
        );
    }
    match runtime()?.block_on(admin.import(lines)) {
        Ok(_) => Ok(()),
        Err(AdminError::Problem { text, .. }) => bail!("nothing was imported: {}", with_documents(&text, documents)),
        Err(error) => Err(error.into()),
    }
}

/// Lines of what was sent as the documents that they come from.
fn with_documents(said: &str, documents: &[Document]) -> String {
    let placed = |line: &str| {
        let named = line.trim_start().strip_prefix("line ").and_then(|rest| {
            let (number, rest) = rest.split_once(':')?;
            let document = documents.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
            let kind = document.kind.as_str();
            Some(format!("  {} {} ({kind}):{rest}", document.collection, document.id))
        });
        named.unwrap_or_else(|| line.to_owned())
    };
    said.lines().map(placed).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::documents::import::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_refuses_is_told_of_the_document_that_it_comes_from() {
        let document = |collection: &str, id: &str| Document {
            kind: Kind::Company,
            collection: collection.into(),
            id: id.into(),
            json: json!({}),
            moved: Vec::new(),
        };
        let documents = [document("companies", "a1"), document("v2companies", "b2")];
        assert_eq!(
            with_documents(
                "2 lines have 2 faults\n  line 2: /phone is taken\n  line 9: is odd",
                &documents
            ),
            "2 lines have 2 faults\n  v2companies b2 (company): /phone is taken\n  line 9: is odd"
        );
    }

    #[test]
    fn remarks_on_items_of_a_list_are_one_line() {
        assert_eq!(
            without_numbers("/categories/12/scenarios/0/id"),
            "/categories/*/scenarios/*/id"
        );
        assert_eq!(without_numbers("/variables/2nd"), "/variables/2nd");
        assert_eq!(without_numbers(""), "");
    }
}
