//! Import: many documents at once, or none.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use axum::{Json, extract::State};
use frontdesk_domain::{
    documents::{
        Fault, Faults, Mode, Unknown,
        company::{Company, CompanyDocument},
        import::{self, Item, Kind, LineFault},
        overlay::Overlay,
        prompts::Prompts,
        qna::Qna,
        safety::SafetyRules,
        template::Template,
    },
    ids::{CompanyId, QnaId, TemplateId},
};
use frontdesk_store::ports::{ImportError, ImportItem, QnaOwner, Singleton, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answer, alike, off_thread, overlay, prompts, safety};
use crate::{
    auth::Operator,
    extract::ImportBody,
    openapi::schema,
    problem::{Code, Problem},
    state::App,
};

/// So many faults are named at most; whoever has more corrects these first.
const NAMED_FAULTS: usize = 1_000;

/// So many overlays are held against the triggers of their templates; each takes milliseconds.
const COMPARED_OVERLAYS: usize = 100;

/// Imports documents: JSON lines, or JSON values over several lines, or lists of them.
///
/// All or nothing: a line that cannot be imported refuses the whole body. Documents are made or replaced by id; secrets
/// that a company does not bring stay as they are; fields that are not known are kept and listed in the answer, but
/// refused where they stand beside secrets or look like one. Money that was rounded to whole pico-dollars is noted, and
/// wordings that two answers have.
#[utoipa::path(post, path = "/api/v1/import", tag = "import and export",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = schema::ImportReport)))]
pub(crate) async fn import(State(app): State<App>, _: Operator, ImportBody(text): ImportBody) -> Answer<Json<Report>> {
    let drafts = parsed(&app, text).await?;
    let report = written(&app, drafts).await?;
    Ok(Json(report))
}

/// What was imported, and what an operator should look at.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    imported: BTreeMap<&'static str, usize>,
    unknown_fields: Vec<UnknownField>,
    notes: Vec<LineFault>,
}

#[derive(Debug, Serialize)]
struct UnknownField {
    line: usize,
    pointer: String,
    nearest: Option<String>,
}

/// A document that was read and not yet compared with others.
enum Draft {
    Company(Box<CompanyDocument>, Map<String, Value>),
    Template(TemplateId, Map<String, Value>),
    Qna(QnaOwner, QnaId, Map<String, Value>),
    Singleton(Singleton, Map<String, Value>),
}

/// Drafts beside the places they come from, and what was noticed while reading them.
struct Drafts {
    drafts: Vec<(Item, Draft)>,
    report: Report,
}

/// Reads the body. Large ones take seconds, which no caller's turn should wait for.
async fn parsed(app: &App, text: String) -> Answer<Drafts> {
    let ids = app.ids.clone();
    let read = off_thread(move || {
        let items = import::read(&text, || ids.make())?;
        drafts(items)
    });
    read.await?.map_err(refused)
}

fn refused(mut faults: Vec<LineFault>) -> Problem {
    let lines: BTreeSet<usize> = faults.iter().map(|fault| fault.line).collect();
    let detail = match (faults.as_slice(), lines.len()) {
        ([fault], _) => format!("line {}: `{}` {}", fault.line, fault.pointer, fault.detail),
        (faults, 1) => format!("one line has {} faults", faults.len()),
        (faults, lines) => format!("{lines} lines have {} faults", faults.len()),
    };
    faults.sort_by_key(|fault| fault.line);
    faults.truncate(NAMED_FAULTS);
    Problem::new(Code::ImportRefused, detail).with_errors(faults)
}

fn drafts(items: Vec<Item>) -> Result<Drafts, Vec<LineFault>> {
    let mut report = Report {
        imported: Kind::ALL.iter().map(|kind| (kind.as_str(), 0)).collect(),
        ..Report::default()
    };
    let mut faults = Vec::new();
    let mut drafts = Vec::with_capacity(items.len());
    for mut item in items {
        match draft(&item, &mut report) {
            Ok(draft) => {
                *report.imported.entry(item.kind.as_str()).or_default() += 1;
                item.document = Value::Null;
                drafts.push((item, draft));
            }
            Err(Faults(refused)) => faults.extend(refused.into_iter().map(|fault| item.fault(fault))),
        }
    }
    note_repeats(&drafts, &mut report);
    if faults.is_empty() {
        Ok(Drafts { drafts, report })
    } else {
        Err(faults)
    }
}

fn draft(item: &Item, report: &mut Report) -> Result<Draft, Faults> {
    let document = &item.document;
    let mut notice = |unknown: Vec<Unknown>, notes: Vec<Fault>| {
        report
            .unknown_fields
            .extend(unknown.into_iter().map(|Unknown { pointer, nearest }| UnknownField {
                line: item.line,
                pointer: format!("{}{pointer}", item.pointer),
                nearest,
            }));
        report.notes.extend(notes.into_iter().map(|note| item.fault(note)));
    };
    Ok(match item.kind {
        Kind::Company => {
            let parsed = Company::parse(document, Mode::Import)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Company(Box::new(parsed.value), parsed.json)
        }
        Kind::Template => {
            let parsed = Template::parse(document, Mode::Import)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Template(parsed.value.id, parsed.json)
        }
        Kind::Qna | Kind::TradeQna => {
            let of_owner = if item.kind == Kind::Qna {
                Qna::parse_of_company
            } else {
                Qna::parse_of_trade
            };
            let (owner, parsed) = of_owner(document, Mode::Import)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Qna(owner, parsed.value.id, parsed.json)
        }
        Kind::Overlay => {
            let (company, parsed) = Overlay::parse_owned(document, Mode::Import)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Singleton(Singleton::Overlay(company), parsed.json)
        }
        Kind::Safety => {
            let parsed = SafetyRules::parse(document, Mode::Import)?;
            safety::compile(&parsed.value)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Singleton(Singleton::Safety, parsed.json)
        }
        Kind::Prompts => {
            let parsed = Prompts::parse(document, Mode::Import)?;
            notice(parsed.unknown, parsed.notes);
            Draft::Singleton(Singleton::Prompts(parsed.value.language), parsed.json)
        }
    })
}

/// The last document of an id wins, and the operator hears of it.
fn note_repeats(drafts: &[(Item, Draft)], report: &mut Report) {
    let mut first_lines = HashMap::new();
    for (item, draft) in drafts {
        let key = match draft {
            Draft::Company(document, _) => format!("company {}", document.company.id),
            Draft::Template(id, _) => format!("template {id}"),
            Draft::Qna(QnaOwner::Company(owner), id, _) => format!("Q&A {id} of company {owner}"),
            Draft::Qna(QnaOwner::Trade(owner), id, _) => format!("Q&A {id} of trade {}", owner.key()),
            Draft::Singleton(Singleton::Overlay(company), _) => format!("overlay of company {company}"),
            Draft::Singleton(Singleton::Safety, _) => "safety rules".to_owned(),
            Draft::Singleton(Singleton::Prompts(language), _) => format!("prompts of {language}"),
        };
        if let Some(earlier) = first_lines.insert(key.clone(), item.line) {
            let detail = format!("{key} stands on line {earlier} too; this later one was taken");
            report.notes.push(item.fault(Fault {
                pointer: String::new(),
                detail,
            }));
        }
    }
}

/// Compares the documents with each other and with what is stored, and writes all or none.
async fn written(app: &App, drafts: Drafts) -> Answer<Report> {
    let Drafts { drafts, mut report } = drafts;
    let faults = unspoken_languages(app, &drafts).await?;
    if !faults.is_empty() {
        return Err(refused(faults));
    }
    note_unknown_scenarios(app, &drafts, &mut report).await?;
    note_alike(app, &drafts, &mut report).await?;
    let (lines, items): (Vec<_>, Vec<_>) = drafts.into_iter().map(|(line, draft)| (line, draft.into())).unzip();
    let imported = app.store.import(items, app.clock.now()).await;
    match imported {
        Ok(_) => Ok(report),
        Err(ImportError::Store(error)) => Err(error.into()),
        Err(ImportError::Refused(faults)) => {
            let placed = faults
                .into_iter()
                .filter_map(|(index, fault)| Some(lines.get(index)?.fault(fault)));
            Err(refused(placed.collect()))
        }
    }
}

/// Companies whose language has prompts neither here nor in the store.
async fn unspoken_languages(app: &App, drafts: &[(Item, Draft)]) -> Result<Vec<LineFault>, StoreError> {
    let mut languages = prompts::languages(app).await?;
    languages.extend(drafts.iter().filter_map(|(_, draft)| match draft {
        Draft::Singleton(Singleton::Prompts(language), _) => Some(language.to_string()),
        _ => None,
    }));
    let unspoken = drafts.iter().filter_map(|(item, draft)| {
        let Draft::Company(document, _) = draft else {
            return None;
        };
        let language = &document.company.voice.language;
        (!languages.contains(&**language)).then(|| {
            let detail = prompts::no_prompts(language, &languages);
            item.fault(Fault {
                pointer: "/voice/language".into(),
                detail,
            })
        })
    });
    Ok(unspoken.collect())
}

/// Overlays come from elsewhere with scenarios that their templates no longer have: kept, and told.
async fn note_unknown_scenarios(app: &App, drafts: &[(Item, Draft)], report: &mut Report) -> Result<(), StoreError> {
    for (item, draft) in drafts {
        let Draft::Singleton(Singleton::Overlay(company), json) = draft else {
            continue;
        };
        let known = scenarios_of(app, *company, drafts).await?;
        let unknown = overlay::unknown_scenarios(json, &Value::Null, &known);
        report.notes.extend(unknown.into_iter().map(|fault| {
            let detail = format!("{}; it was imported and has no effect until one has", fault.detail);
            item.fault(Fault { detail, ..fault })
        }));
    }
    Ok(())
}

/// The Q&As that are imported of one owner, with where they stand.
type ImportedQna<'d> = BTreeMap<&'d QnaId, (&'d Item, &'d Map<String, Value>)>;

/// Wordings that two answers will have after the import.
async fn note_alike(app: &App, drafts: &[(Item, Draft)], report: &mut Report) -> Answer<()> {
    let mut owners: BTreeMap<String, (&QnaOwner, ImportedQna<'_>)> = BTreeMap::new();
    let mut overlays = Vec::new();
    for (item, draft) in drafts {
        match draft {
            Draft::Template(_, json) => {
                let notes = alike::in_template(json.clone()).await?;
                report.notes.extend(notes.into_iter().map(|note| item.fault(note)));
            }
            Draft::Qna(owner, id, json) => {
                let name = match owner {
                    QnaOwner::Company(company) => company.to_string(),
                    QnaOwner::Trade(trade) => trade.key().to_string(),
                };
                owners
                    .entry(name)
                    .or_insert_with(|| (owner, BTreeMap::new()))
                    .1
                    .insert(id, (item, json));
            }
            Draft::Singleton(Singleton::Overlay(company), json) => overlays.push((item, *company, json)),
            Draft::Company(..) | Draft::Singleton(..) => {}
        }
    }
    for (owner, imported) in owners.into_values() {
        let documents = imported.iter().map(|(id, (_, json))| (*id, (*json).clone()));
        for (id, note) in alike::in_imported_qna(app, owner, documents.collect()).await? {
            report.notes.extend(imported.get(&id).map(|(item, _)| item.fault(note)));
        }
    }
    if let Some((item, ..)) = overlays.get(COMPARED_OVERLAYS) {
        report.notes.push(item.fault(Fault {
            pointer: String::new(),
            detail: "this overlay and those after it were not held against the triggers of their templates; `frontdesk doctor` does that".into(),
        }));
    }
    for (item, company, json) in overlays.into_iter().take(COMPARED_OVERLAYS) {
        let company = company_of(app, company, drafts).await?;
        let mut templates = Vec::new();
        for id in alike::asked_templates(&company) {
            templates.extend(template_of(app, id, drafts).await?);
        }
        let notes = alike::in_overlay_of(templates, json.clone()).await?;
        report.notes.extend(notes.into_iter().map(|note| item.fault(note)));
    }
    Ok(())
}

/// A company as it will be after the import; empty if there is none.
async fn company_of(app: &App, company: CompanyId, drafts: &[(Item, Draft)]) -> Result<Map<String, Value>, StoreError> {
    let imported = drafts.iter().rev().find_map(|(_, draft)| match draft {
        Draft::Company(document, json) if document.company.id == company => Some(json.clone()),
        _ => None,
    });
    if let Some(json) = imported {
        return Ok(json);
    }
    let stored = app.store.company(company).await?;
    Ok(stored.map(|company| company.document.json).unwrap_or_default())
}

/// A template as it will be after the import.
async fn template_of(
    app: &App,
    id: TemplateId,
    drafts: &[(Item, Draft)],
) -> Result<Option<Map<String, Value>>, StoreError> {
    let imported = drafts.iter().rev().find_map(|(_, draft)| match draft {
        Draft::Template(template, json) if *template == id => Some(json.clone()),
        _ => None,
    });
    match imported {
        Some(json) => Ok(Some(json)),
        None => Ok(app.store.template(id).await?.map(|stored| stored.json)),
    }
}

/// The scenarios of a company's templates, as they will be after the import.
async fn scenarios_of(app: &App, company: CompanyId, drafts: &[(Item, Draft)]) -> Result<BTreeSet<String>, StoreError> {
    let mut scenarios = BTreeSet::new();
    for id in overlay::templates_of(&company_of(app, company, drafts).await?) {
        if let Some(json) = template_of(app, id, drafts).await? {
            scenarios.extend(overlay::scenarios_in(&json).map(str::to_owned));
        }
    }
    Ok(scenarios)
}

impl From<Draft> for ImportItem {
    fn from(draft: Draft) -> Self {
        match draft {
            Draft::Template(id, json) => Self::Template(id, json),
            Draft::Qna(owner, id, json) => Self::Qna(owner, id, json),
            Draft::Singleton(which, json) => Self::Singleton(which, json),
            Draft::Company(document, json) => {
                let CompanyDocument {
                    company,
                    secrets,
                    opening,
                } = *document;
                Self::Company {
                    company: Arc::new(company),
                    json,
                    secrets,
                    opening,
                }
            }
        }
    }
}
