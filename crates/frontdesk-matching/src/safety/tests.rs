use super::*;

mod danger;
mod harmless;
mod oblique;
mod rules_as_data;
mod shortcuts;

use crate::normal::normalize;

/// What the embedded rules say of an utterance.
fn found(utterance: &str) -> Option<(String, String)> {
    let normal = normalize(utterance);
    let found = EMBEDDED.find(&normal)?;
    Some((found.category.id.to_string(), found.words(&normal).to_owned()))
}

/// Checks a whole table and names every sentence that is off.
#[track_caller]
fn check_all(table: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (category, utterances) in table {
        let expected = Some(*category).filter(|category| !category.is_empty());
        for utterance in *utterances {
            let found = found(utterance);
            if found.as_ref().map(|(id, _)| id.as_str()) != expected {
                wrong.push(format!("{expected:?} {utterance:?}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_embedded_rules_compile() {
    let rules = embedded_rules().unwrap();
    let matcher = SafetyMatcher::compile(&rules).unwrap();
    assert_eq!(matcher.categories().len(), rules.categories.len());
    assert_eq!(EMBEDDED.categories().len(), rules.categories.len());
    assert!(rules.categories.len() >= 10);
}
