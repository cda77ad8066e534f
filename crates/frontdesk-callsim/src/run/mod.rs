//! A run: many calls, several at once, with what goes wrong on the way.

mod hold;
mod outages;
mod records;
mod summary;
mod transcript;

#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Deserialize;

use crate::{
    caller::{self, Caller, Script, Utterance},
    executor::{Line, Place},
    faults::Shares,
    network::{Fallback, Network},
    server::Server,
};
pub use hold::CallReport;
pub use records::Admin;
pub use summary::Summary;

/// A company that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: String,
    /// Its Twilio account.
    pub account_sid: String,
    /// What signs its webhooks; without one they go unsigned.
    pub auth_token: Option<String>,
}

/// Reads companies, one JSON object a line: a company, or one under `company`.
///
/// # Errors
/// A line is none.
pub fn companies(text: &str) -> Result<Vec<Company>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(rename = "_id")]
        id: String,
        name: String,
        phone: String,
        #[serde(default)]
        twilio: Twilio,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Twilio {
        account_sid: Option<String>,
        auth_token: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Line {
        Within { company: Document },
        Bare(Document),
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (Line::Within { company } | Line::Bare(company)) = serde_json::from_str(line)?;
            Ok(Company {
                id: company.id,
                name: company.name,
                number: company.phone,
                account_sid: company
                    .twilio
                    .account_sid
                    .unwrap_or_else(|| format!("AC{}", "0".repeat(32))),
                auth_token: company.twilio.auth_token,
            })
        })
        .collect()
}

/// What a run is made of.
#[derive(Debug)]
pub struct World {
    /// The way to the server.
    pub network: Network,
    /// Who is called.
    pub companies: Vec<Company>,
    /// The webhook of a company's number, `{companyId}` in place of its id, with its overrides.
    pub webhook: String,
    /// Where the progress of calls is told; likewise.
    pub status_callback: Option<String>,
    /// The fallback URL of a company's number; likewise.
    pub fallback_url: Option<String>,
    /// A folder of exported fallback documents, which wins over the URL.
    pub fallback_folder: Option<PathBuf>,
    /// What goes wrong.
    pub shares: Shares,
    /// What every draw comes from.
    pub seed: u64,
    /// When the run began.
    pub began: (Timestamp, Instant),
    /// Where records are asked for.
    pub admin: Option<Admin>,
    /// Where transcripts go.
    pub transcripts: Option<PathBuf>,
    /// Whether progress is told on stderr.
    pub tells: bool,
}

/// The calls of a run.
#[derive(Debug)]
pub enum Calls {
    /// So many, their callers drawn.
    Drawn(usize, Vec<Utterance>),
    /// These.
    Scripts(Vec<Script>),
}

/// One call to be held.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) number: usize,
    pub(crate) company: Company,
    pub(crate) caller: Caller,
    pub(crate) line: Line,
    pub(crate) seed: u64,
}

/// Whether the server is away by the run's own doing, and what share of the calls is over.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// How many restarts and kills there have been, counted when they begin and when they end: odd while one lasts.
    pub(crate) outages: Cell<usize>,
    /// Likewise for a locked store and a full disk.
    pub(crate) store_troubles: Cell<usize>,
    pub(crate) ended: Cell<usize>,
    pub(crate) running: Cell<usize>,
    /// Only calls before this one may begin, so that none of the disturbances comes after the last call.
    pub(crate) gate: Cell<usize>,
}

impl Course {
    /// Whether an outage lasts, or began and ended since `before`.
    pub(crate) fn was_disturbed(&self, before: usize) -> bool {
        self.outages.get() != before || before % 2 == 1
    }

    /// Whether the store's trouble lasts, or began and ended since `before`.
    pub(crate) fn had_store_trouble(&self, before: usize) -> bool {
        self.store_troubles.get() != before || before % 2 == 1
    }
}

impl World {
    fn of_company(&self, template: &str, company: &Company) -> String {
        let url = template.replace("{companyId}", &company.id);
        if url.starts_with('/') {
            format!("{}{url}", self.network.public_url())
        } else {
            url
        }
    }

    fn fallback(&self, company: &Company) -> Fallback {
        if let Some(folder) = &self.fallback_folder {
            let named = |path: &PathBuf| {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                name.is_some_and(|name| name.contains(&company.id))
            };
            let files = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            let found = files.into_iter().find(named);
            return Fallback::File(found.unwrap_or_else(|| folder.join(format!("{}.xml", company.id))));
        }
        match &self.fallback_url {
            Some(template) => Fallback::Url(self.of_company(template, company)),
            None => Fallback::None,
        }
    }

    fn plans(&self, calls: &Calls) -> Result<Vec<Plan>> {
        let Some(first) = self.companies.first() else {
            bail!("there are no companies to call");
        };
        let plan = |number: usize, company: &Company, caller: Caller, from: Option<&str>| {
            let mut rng = self.rng(number, 1);
            Plan {
                number,
                line: line(company, from, &mut rng),
                company: company.clone(),
                caller,
                seed: rng.random(),
            }
        };
        match calls {
            Calls::Drawn(count, utterances) => Ok((0..*count)
                .map(|number| {
                    let mut rng = self.rng(number, 0);
                    let drawn = rng.random_range(0..self.companies.len());
                    let company = self.companies.get(drawn).unwrap_or(first);
                    let caller = caller::generate(utterances, &company.id, &mut rng);
                    plan(number, company, caller, None)
                })
                .collect()),
            Calls::Scripts(scripts) => scripts
                .iter()
                .enumerate()
                .map(|(number, script)| {
                    let company = match &script.company {
                        None => first,
                        Some(wanted) => {
                            let fits = |known: &&Company| known.id == *wanted || known.name.contains(wanted.as_str());
                            let found = self.companies.iter().find(fits);
                            found.ok_or_else(|| {
                                anyhow::anyhow!("`{}` calls {wanted}, which is no company", script.name)
                            })?
                        }
                    };
                    Ok(plan(number, company, script.caller(), script.from.as_deref()))
                })
                .collect(),
        }
    }

    /// What a call's draws come from; neighbouring seeds have no calls in common.
    fn rng(&self, number: usize, stream: u64) -> StdRng {
        let mut seed = [0; 32];
        let words = [self.seed, number as u64, stream];
        for (place, byte) in seed.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())) {
            *place = byte;
        }
        StdRng::from_seed(seed)
    }

    fn tell(&self, what: &str) {
        use std::io::Write as _;

        if self.tells {
            // Nobody may be there to read it.
            _ = writeln!(std::io::stderr().lock(), "{what}");
        }
    }
}

/// Who calls: numbers that belong to nobody, now and then none.
fn line(company: &Company, from: Option<&str>, rng: &mut StdRng) -> Line {
    let hidden = rng.random_bool(0.03);
    let drawn = format!("+1202555{:04}", 100 + rng.random_range(0..100));
    let place = |city: &str, state: &str, zip: &str| Place {
        city: city.to_owned(),
        state: state.to_owned(),
        zip: zip.to_owned(),
        country: "US".to_owned(),
    };
    Line {
        call_sid: format!("CA{:032x}", rng.random::<u128>()),
        account_sid: company.account_sid.clone(),
        from: match from {
            Some(from) => from.to_owned(),
            None if hidden => "anonymous".to_owned(),
            None => drawn,
        },
        to: company.number.clone(),
        from_place: place("WASHINGTON", "DC", "20001"),
        to_place: place("", "", ""),
        caller_name: rng.random_bool(0.2).then(|| "WIRELESS CALLER".to_owned()),
        forwarded_from: rng.random_bool(0.1).then(|| company.number.clone()),
        sends_empty_speech: rng.random_bool(0.5),
    }
}

/// Holds all calls, so many at once, and gives what came of them.
///
/// # Errors
/// The run itself could not be carried out. What the front desk did wrong is in the summary.
pub async fn run(world: &World, calls: &Calls, at_once: usize, server: Option<&mut Server>) -> Result<Summary> {
    let plans = world.plans(calls)?;
    let count = plans.len();
    let course = Course::default();
    course.running.set(count);
    course.gate.set(usize::MAX);
    let began = Instant::now();
    let held = async {
        let mut reports = Vec::with_capacity(count);
        let mut under_way = stream::iter(plans)
            .map(|plan| Box::pin(hold::hold(world, &course, plan)))
            .buffer_unordered(at_once.max(1));
        let mut told = Instant::now();
        while let Some(report) = under_way.next().await {
            reports.push(report);
            course.ended.set(reports.len());
            if told.elapsed() > Duration::from_secs(2) {
                told = Instant::now();
                let wrong: usize = reports.iter().map(|report| report.problems.len()).sum();
                world.tell(&format!("{} of {count} calls, {wrong} problems", reports.len()));
            }
        }
        course.running.set(0);
        reports
    };
    let tampered = outages::disturb(world, &course, count, at_once, server);
    let (mut reports, disturbances) = futures_util::future::join(held, tampered).await;
    let took = began.elapsed();
    reports.sort_by_key(|report| report.number);
    if let Some(admin) = &world.admin {
        world.tell("asking for the records");
        records::check(world, admin, &mut reports).await;
    }
    if let Some(folder) = &world.transcripts {
        transcript::write(folder, &reports)?;
    }
    Ok(Summary::of(&reports, &disturbances?, took))
}
