//! Template references in the `configuration` of companies that come from elsewhere.

use serde_json::{Value, json};

use super::TemplateReference;
use crate::{
    documents::reader::{Reader, push_escaped, unwrap},
    ids::TemplateId,
};

/// Takes over the references of `configuration` on import; the caller has seen that there are no others.
pub(super) fn adopt(doc: &mut Reader<'_, '_>) -> Option<Vec<TemplateReference>> {
    let found = found(doc);
    if found.is_empty() {
        return None;
    }
    let mut templates: Vec<TemplateId> = Vec::new();
    for (at, template) in found {
        doc.place.note_below(
            &at,
            format!("template {template} was taken over into `aiAgentSettings.templateReferences`"),
        );
        if !templates.contains(&template) {
            templates.push(template);
        }
    }
    let ids: Vec<String> = templates.iter().map(TemplateId::to_string).collect();
    doc.overwrite_in("aiAgentSettings", "templateReferences", json!(ids));
    Some(
        templates
            .into_iter()
            .map(|template| TemplateReference {
                template,
                enabled: true,
            })
            .collect(),
    )
}

/// Tells of references in `configuration` that have no effect.
pub(super) fn report(doc: &mut Reader<'_, '_>) {
    for (at, template) in found(doc) {
        let detail = format!(
            "template {template} has no effect here: `aiAgentSettings.templateReferences` says which templates are used"
        );
        doc.place.note_below(&at, detail);
    }
}

/// Ids under names that speak of a template or of what the company was cloned from.
fn found(doc: &Reader<'_, '_>) -> Vec<(String, TemplateId)> {
    let mut references = Vec::new();
    if !doc.place.is_import() {
        return references;
    }
    for (name, value) in doc
        .raw("configuration")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let folded = name.to_lowercase();
        if folded.contains("template") || folded.contains("clonedfrom") {
            let mut at = "/configuration".to_owned();
            push_escaped(&mut at, name);
            collect(value, &at, &mut references);
        }
    }
    references
}

fn collect(value: &Value, at: &str, references: &mut Vec<(String, TemplateId)>) {
    match unwrap(value).as_ref() {
        Value::String(text) => references.extend(text.parse().ok().map(|template| (at.to_owned(), template))),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{at}/{index}"), references);
            }
        }
        Value::Object(fields) => {
            let disabled = fields.get("enabled") == Some(&Value::Bool(false));
            let id = ["templateId", "_id", "id"]
                .iter()
                .find_map(|name| Some((name, fields.get(*name)?)));
            if let (Some((name, id)), false) = (id, disabled) {
                collect(id, &format!("{at}/{name}"), references);
            }
        }
        _ => {}
    }
}
