//! Readable transcripts.

use std::{fmt::Write as _, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use super::hold::CallReport;
use crate::executor::{Event, Moment};

/// Writes one file a call.
pub(super) fn write(folder: &Path, reports: &[CallReport]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for report in reports {
        let file = folder.join(format!("{:05}-{}.txt", report.number + 1, slug(&report.name)));
        std::fs::write(&file, of(report)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn slug(name: &str) -> String {
    let name = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), " ");
    let words: Vec<_> = name.split_whitespace().collect();
    words.join("-").chars().take(60).collect()
}

/// One call, as a person reads it.
pub(super) fn of(report: &CallReport) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    _ = writeln!(
        text,
        "{}\n{} calls {}, {}",
        report.name, report.from, report.company.name, report.call_sid
    );
    for moment in &report.moments {
        _ = writeln!(text, "{}", line(moment));
    }
    _ = writeln!(
        text,
        "{}  the call is over: {}",
        clock(report.length),
        report.ending.name()
    );
    if let Some(ending) = &report.recorded_ending {
        _ = writeln!(text, "       its record says: {ending}");
    }
    for problem in &report.problems {
        _ = writeln!(text, "       WRONG: {problem}");
    }
    text
}

fn clock(at: Duration) -> String {
    format!(
        "{:02}:{:02}.{}",
        at.as_secs() / 60,
        at.as_secs() % 60,
        at.subsec_millis() / 100
    )
}

fn line(moment: &Moment) -> String {
    let what = match &moment.what {
        Event::Spoken { words, cut: false } => format!("desk    {words}"),
        Event::Spoken { words, cut: true } => format!("desk    {words} (cut off)"),
        Event::Played(what) => format!("desk    (plays {what})"),
        Event::Beep => "desk    (beep)".to_owned(),
        Event::Said(words) => format!("caller  {}", shortened(words)),
        Event::Pressed(keys) => format!("caller  (presses {keys})"),
        Event::Unheard(words) => format!("caller  (unheard: {})", shortened(words)),
        Event::Silence => "caller  (silent)".to_owned(),
        Event::Recorded(seconds) => format!("twilio  (recorded {seconds} s)"),
        Event::Rang(numbers) => format!("twilio  (rings {})", numbers.join(", ")),
        Event::Whispered(words) => format!("whisper {words}"),
        Event::Dialled(outcome) => format!("twilio  (dial: {outcome})"),
        Event::Connected => "twilio  (connected)".to_owned(),
        Event::HungUp => "caller  (hangs up)".to_owned(),
        Event::Fault(fault) => format!("twilio  {fault}"),
    };
    format!("{}  {what}", clock(moment.at))
}

fn shortened(words: &str) -> String {
    let count = words.split_whitespace().count();
    if count <= 80 {
        return words.to_owned();
    }
    let start: Vec<_> = words.split_whitespace().take(40).collect();
    format!("{} … ({count} words)", start.join(" "))
}
