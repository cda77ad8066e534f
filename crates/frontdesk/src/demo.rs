//! The demo: businesses, templates and Q&As that are compiled in.

use serde_json::Value;

const COMPANIES: &str = include_str!("../../../data/trades/companies.jsonl");
const TRADE_QNA: &str = include_str!("../../../data/trades/trades-qna.json");
const TEMPLATES: [&str; 3] = [
    include_str!("../../../data/trades/universal.template.json"),
    include_str!("../../../data/trades/hvac.template.json"),
    include_str!("../../../data/trades/plumbing.template.json"),
];

/// Everything, as an import takes it.
#[must_use]
pub fn import_lines() -> String {
    let mut lines = TEMPLATES.join("\n");
    lines.push('\n');
    lines.push_str(TRADE_QNA);
    lines.push('\n');
    lines.push_str(COMPANIES);
    lines
}

fn companies() -> impl Iterator<Item = Value> {
    let lines = COMPANIES
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|mut line| line.get_mut("company").map(Value::take))
}

fn id(document: &Value) -> Option<String> {
    Some(document.get("_id")?.as_str()?.to_owned())
}

/// The ids of its companies.
#[must_use]
pub fn company_ids() -> Vec<String> {
    companies().filter_map(|company| id(&company)).collect()
}

/// The ids of its templates.
#[must_use]
pub fn template_ids() -> Vec<String> {
    let templates = TEMPLATES
        .iter()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok());
    templates.filter_map(|template| id(&template)).collect()
}

/// The auth token that a company of the demo came with. It is no secret.
#[must_use]
pub fn auth_token(company: &str) -> Option<String> {
    let found = companies().find(|document| id(document).as_deref() == Some(company))?;
    Some(found.pointer("/twilio/authToken")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_eight_companies_and_their_templates() {
        assert_eq!((company_ids().len(), template_ids().len()), (8, 3));
        for company in company_ids() {
            assert!(
                auth_token(&company).is_some_and(|token| token.starts_with("demo-token-")),
                "{company}"
            );
        }
        assert_eq!(auth_token("66f0a1c0de00000000000fff"), None);
    }
}
