//! Documents of operators: what is refused, in which words, and how secrets rest.

use std::{collections::BTreeSet, error::Error, fmt};

use frontdesk_domain::{
    documents::{Fault, company::CompanySecrets},
    ids::{CompanyId, TemplateId},
};
use serde_json::{Map, Value};

use crate::{
    ports::{Changed, Seq, WriteError},
    seal::Sealer,
};

/// What a company's secrets are sealed for.
fn context(id: CompanyId) -> String {
    format!("company:{id}:secrets")
}

/// A company's secrets as they rest; none if there are none.
pub(crate) fn seal(id: CompanyId, secrets: &CompanySecrets, sealer: &Sealer) -> Option<Vec<u8>> {
    (!secrets.is_empty()).then(|| sealer.seal(&context(id), &secrets.to_bytes()))
}

/// A company's secrets, from what [`seal`] made.
pub(crate) fn unseal(
    id: CompanyId,
    sealed: Option<&[u8]>,
    sealer: &Sealer,
) -> Result<CompanySecrets, Box<dyn Error + Send + Sync>> {
    let Some(sealed) = sealed else {
        return Ok(CompanySecrets::default());
    };
    let plain = sealer.open(&context(id), sealed)?;
    Ok(CompanySecrets::from_bytes(&plain)?)
}

/// A `kind` of document cannot be made under an id that another one has.
pub(crate) fn taken_id(kind: &str, pointer: &str, id: &impl fmt::Display) -> WriteError {
    WriteError::Taken {
        pointer: pointer.to_owned(),
        detail: format!("is the id of another {kind}, {id}; leave it out to get a new one"),
    }
}

/// The number at this place of a company's numbers is another company's.
pub(crate) fn taken_number(at: usize, number: impl fmt::Display, owner: &str) -> Fault {
    let pointer = at
        .checked_sub(1)
        .map_or_else(|| "/phone".to_owned(), |at| format!("/phones/{at}"));
    Fault {
        pointer,
        detail: format!("{number} is a number of company {owner}"),
    }
}

/// A company refers to a template that does not exist.
pub(crate) fn no_template(json: &Map<String, Value>, template: TemplateId) -> Fault {
    Fault {
        pointer: pointer_of(json, template),
        detail: format!("there is no template {template}"),
    }
}

/// A document is of a company that does not exist.
pub(crate) fn no_company(id: CompanyId) -> Fault {
    Fault {
        pointer: "/companyId".to_owned(),
        detail: format!("there is no company {id}"),
    }
}

/// Where a document refers to a template; the references stand in another order than they are asked in.
fn pointer_of(json: &Map<String, Value>, template: TemplateId) -> String {
    const POINTER: &str = "/aiAgentSettings/templateReferences";
    let references = json
        .get("aiAgentSettings")
        .and_then(|settings| settings.get("templateReferences"));
    let names_it = |reference: &Value| {
        let id = reference.get("templateId").unwrap_or(reference).as_str();
        id.and_then(|id| id.parse().ok()) == Some(template)
    };
    let at = references
        .and_then(Value::as_array)
        .and_then(|references| references.iter().position(names_it));
    at.map_or_else(|| POINTER.to_owned(), |at| format!("{POINTER}/{at}"))
}

/// Each thing once, with its last change.
pub(crate) fn last_of_each(changes: Vec<(Seq, Changed)>) -> Vec<(Seq, Changed)> {
    let mut seen = BTreeSet::new();
    let mut last: Vec<_> = changes
        .into_iter()
        .rev()
        .filter(|(_, changed)| seen.insert(changed.clone()))
        .collect();
    last.reverse();
    last
}
