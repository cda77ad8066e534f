//! Businesses from documents, read as an import reads them and compiled as a server compiles them.

use std::{collections::BTreeMap, sync::Arc};

use frontdesk_domain::{
    confidence::Confidence,
    documents::{
        Faults, Mode,
        company::Company,
        nearest,
        qna::{Owner, Qna},
        safety::SafetyRules,
        template::{ScenarioStatus, Template},
    },
    ids::TemplateId,
};
use serde::Deserialize;
use serde_json::Value;

use super::label::{DataFault, Label, LabelSource, Labelled};
use crate::{
    knowledge::{CompiledQna, CompiledTemplate, Knowledge, Parts},
    language::Language,
    safety::SafetyMatcher,
};

/// A business: its settings, and what it knows.
#[derive(Debug)]
pub struct Business {
    /// Its settings.
    pub company: Company,
    /// The pieces of which its knowledge is made: what meaning is learnt from.
    pub parts: Parts,
    /// The same, combined.
    pub knowledge: Knowledge,
    /// What its templates set for tier 1 and tier 2.
    pub template_thresholds: BTreeMap<TemplateId, [Option<Confidence>; 2]>,
    /// What can answer: live scenarios and active Q&A.
    pub units: BTreeMap<(LabelSource, String), Unit>,
}

/// A scenario or Q&A, as an operator knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name, or the question.
    pub name: String,
    /// Triggers, or the question and its variants.
    pub wordings: Vec<String>,
}

/// Businesses by the ids of their companies.
#[derive(Debug, Default)]
pub struct Businesses(pub BTreeMap<String, Business>);

/// Documents that several businesses share.
#[derive(Debug, Default)]
pub struct Documents {
    templates: BTreeMap<TemplateId, (Template, Arc<CompiledTemplate>)>,
    trades: BTreeMap<String, (Vec<Qna>, Arc<CompiledQna>)>,
}

impl Documents {
    /// Adds a template: one JSON document.
    ///
    /// # Errors
    /// It is no JSON, or an import would refuse it.
    pub fn add_template(&mut self, text: &str) -> Result<(), DataFault> {
        let document: Value = serde_json::from_str(text).map_err(|error| DataFault::of_text(&error))?;
        let template = Template::parse(&document, Mode::Import).map_err(refused)?.value;
        self.templates.insert(template.id, compiled(template));
        Ok(())
    }

    /// Adds the Q&A of trades: a JSON list of documents that name their trade.
    ///
    /// # Errors
    /// It is no list of JSON documents, or an import would refuse one of them.
    pub fn add_trade_qna(&mut self, text: &str) -> Result<(), DataFault> {
        let documents: Vec<Value> = serde_json::from_str(text).map_err(|error| DataFault::of_text(&error))?;
        let mut of_trade: BTreeMap<String, Vec<Qna>> = BTreeMap::new();
        for document in documents {
            match Qna::parse_of_trade(&document, Mode::Import).map_err(refused)? {
                (Owner::Trade(trade), qna) => of_trade.entry(trade.key().to_owned()).or_default().push(qna.value),
                (Owner::Company(_), _) => {}
            }
        }
        for (trade, qna) in of_trade {
            let compiled = Arc::new(CompiledQna::new(&qna, Language::english()));
            self.trades.insert(trade, (qna, compiled));
        }
        Ok(())
    }

    /// The companies of JSON lines such as `{"company": {…}, "qna": [{…}]}`, with what they share.
    ///
    /// # Errors
    /// A line is no such JSON, an import would refuse it, a company stands there twice or asks a template that is not
    /// there, or there are no companies.
    pub fn companies(&self, lines: &str) -> Result<Businesses, DataFault> {
        let mut businesses = Businesses::default();
        let lines = lines.strip_prefix('\u{feff}').unwrap_or(lines);
        for (line, text) in (1..).zip(lines.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            let read: CompanyLine = serde_json::from_str(text).map_err(|error| DataFault::of_line(line, &error))?;
            let at_line = |fault: DataFault| DataFault::new(line, fault.detail);
            let parsed = Company::parse(&read.company, Mode::Import)
                .map_err(refused)
                .map_err(at_line)?;
            let company = parsed.value.company;
            let id = company.id.to_string();
            let owner = Owner::Company(company.id);
            let qna: Result<Vec<Qna>, Faults> = read
                .qna
                .iter()
                .map(|document| Ok(Qna::parse(document, &owner, Mode::Import)?.value))
                .collect();
            let qna = qna.map_err(refused).map_err(at_line)?;
            let business = self.business(company, &qna).map_err(at_line)?;
            if businesses.0.insert(id.clone(), business).is_some() {
                return Err(DataFault::new(line, format!("the company {id} stands there twice")));
            }
        }
        if businesses.0.is_empty() {
            return Err(DataFault::new(None, "there are no companies in it"));
        }
        Ok(businesses)
    }

    /// A business with this Q&A of its own and what it shares with others.
    ///
    /// # Errors
    /// It asks a template that is not there.
    pub fn business(&self, company: Company, qna: &[Qna]) -> Result<Business, DataFault> {
        let language = Language::english();
        let mut templates = Vec::new();
        for reference in company.template_references.iter().filter(|reference| reference.enabled) {
            let id = reference.template;
            templates.push(self.templates.get(&id).ok_or_else(|| {
                DataFault::new(
                    None,
                    format!("{} asks the template {id}, which is not there", company.name),
                )
            })?);
        }
        let trades = || company.trades.iter().filter_map(|trade| self.trades.get(trade.key()));
        let parts = Parts {
            company_qna: Some(Arc::new(CompiledQna::new(qna, language))),
            trade_qna: trades().map(|(_, compiled)| Arc::clone(compiled)).collect(),
            templates: templates.iter().map(|(_, compiled)| Arc::clone(compiled)).collect(),
            overlay: None,
        };
        let mut units = BTreeMap::new();
        for (template, _) in &templates {
            let live = template.scenarios().filter(|one| one.status == ScenarioStatus::Live);
            units.extend(live.map(|scenario| {
                let unit = Unit {
                    name: scenario.name.to_string(),
                    wordings: scenario.triggers.clone(),
                };
                ((LabelSource::Template, scenario.id.as_str().to_owned()), unit)
            }));
        }
        let own = qna.iter().map(|qna| (LabelSource::CompanyQna, qna));
        let of_trades = trades()
            .flat_map(|(qna, _)| qna)
            .map(|qna| (LabelSource::TradeQna, qna));
        units.extend(own.chain(of_trades).filter(|(_, qna)| qna.active).map(|(source, qna)| {
            let unit = Unit {
                name: qna.question.clone(),
                wordings: std::iter::once(&qna.question).chain(&qna.variants).cloned().collect(),
            };
            ((source, qna.id.as_str().to_owned()), unit)
        }));
        let thresholds = templates
            .iter()
            .map(|(template, _)| (template.id, [template.tier1_threshold, template.tier2_threshold]));
        Ok(Business {
            template_thresholds: thresholds.collect(),
            knowledge: Knowledge::new(&parts, language),
            parts,
            units,
            company,
        })
    }
}

fn compiled(template: Template) -> (Template, Arc<CompiledTemplate>) {
    let compiled = Arc::new(CompiledTemplate::new(&template, Language::english()));
    (template, compiled)
}

#[derive(Deserialize)]
struct CompanyLine {
    company: Value,
    #[serde(default)]
    qna: Vec<Value>,
}

fn refused(faults: impl Into<Faults>) -> DataFault {
    DataFault::new(None, faults.into().to_string())
}

/// Safety rules, as they are written and compiled.
#[derive(Debug)]
pub struct Safety {
    /// What dangers are learnt from by their meaning.
    pub rules: SafetyRules,
    /// The same, compiled.
    pub matcher: SafetyMatcher,
}

/// Compiles safety rules: one JSON document.
///
/// # Errors
/// It is no JSON, an import would refuse it, or a phrase or pattern does not compile.
pub fn safety_rules(text: &str) -> Result<Safety, DataFault> {
    let document: Value = serde_json::from_str(text).map_err(|error| DataFault::of_text(&error))?;
    let rules = SafetyRules::parse(&document, Mode::Import).map_err(refused)?.value;
    match SafetyMatcher::compile(&rules) {
        Ok(matcher) => Ok(Safety { rules, matcher }),
        Err(faults) => {
            let first = faults.first().map_or_else(String::new, |fault| format!("{fault:?}"));
            Err(DataFault::new(
                None,
                format!("the safety rules do not compile: {first}"),
            ))
        }
    }
}

impl Businesses {
    /// Reads and compiles templates (one JSON text each), companies (JSON lines) and the trades' Q&A (a JSON list).
    ///
    /// # Errors
    /// A document does not parse.
    pub fn read(templates: &[&str], companies: &str, trade_qna: &str) -> Result<Self, DataFault> {
        let mut documents = Documents::default();
        for text in templates {
            documents.add_template(text)?;
        }
        documents.add_trade_qna(trade_qna)?;
        documents.companies(companies)
    }

    /// Whether every label names a business, and something that this business has. Categories of safety are compared
    /// with `safety` if it is given; the rules of the build may have others than the author of the labels knew.
    ///
    /// # Errors
    /// The first label that does not.
    pub fn check(&self, utterances: &[Labelled], safety: Option<&SafetyMatcher>) -> Result<(), DataFault> {
        for labelled in utterances {
            let fault = |detail: String| Err(DataFault::new(labelled.line, detail));
            let Some(business) = self.0.get(&labelled.company) else {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                return fault(format!(
                    "no business has the id `{}`; there are {}",
                    labelled.company,
                    known.join(", ")
                ));
            };
            for label in std::iter::once(&labelled.expect).chain(&labelled.second) {
                if let Some(why) = business.lacks(label, safety) {
                    return fault(why);
                }
            }
        }
        Ok(())
    }
}

impl Business {
    /// Why a label means nothing here; `None` if it does.
    fn lacks(&self, label: &Label, safety: Option<&SafetyMatcher>) -> Option<String> {
        let (source, name) = (label.source, &self.company.name);
        let id = label.id.as_deref()?;
        if source == LabelSource::Safety {
            let categories = safety?.categories();
            let is_known = categories.iter().any(|category| category.id.as_str() == id);
            return (!is_known).then(|| format!("the safety rules have no category `{id}`"));
        }
        if self.units.contains_key(&(source, id.to_owned())) {
            return None;
        }
        let what = match source {
            LabelSource::Template => "live scenario",
            LabelSource::TradeQna => "active Q&A of its trades",
            _ => "active Q&A of its own",
        };
        if let Some((other, _)) = self.units.keys().find(|(_, known)| known == id) {
            let other = other.as_str();
            return Some(format!(
                "`{id}` is of the source `{other}` at {name}, not `{}`",
                source.as_str()
            ));
        }
        let ids = self
            .units
            .keys()
            .filter(|(of, _)| *of == source)
            .map(|(_, id)| id.as_str());
        let hint = nearest(id, ids).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Some(format!("{name} has no {what} `{id}`{hint}"))
    }
}
