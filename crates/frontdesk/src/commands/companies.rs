//! Finds the company that somebody means.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    admin::{Admin, text},
    phone::Callee,
};

/// A company, as far as a caller needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) phone: String,
    account_sid: Option<String>,
}

impl Company {
    fn of(document: &Value) -> Self {
        let account = document.pointer("/twilio/accountSid").and_then(Value::as_str);
        Self {
            id: text(document, "_id").to_owned(),
            name: text(document, "name").to_owned(),
            phone: text(document, "phone").to_owned(),
            account_sid: account.map(str::to_owned),
        }
    }

    /// As the one who is called.
    pub(super) fn callee(&self) -> Callee {
        Callee {
            company: self.id.clone(),
            number: self.phone.clone(),
            account_sid: self.account_sid.clone(),
        }
    }
}

/// All companies.
pub(super) async fn all(admin: &Admin) -> Result<Vec<Company>> {
    let companies: Vec<_> = admin.list("/api/v1/companies").await?.iter().map(Company::of).collect();
    if companies.is_empty() {
        bail!("the server has no companies: start it with `frontdesk serve --demo`, or `frontdesk import` some");
    }
    Ok(companies)
}

/// The company of this id, of this name, or the only one with this in its name.
pub(super) fn find(companies: &[Company], wanted: &str) -> Result<Company> {
    let wanted = wanted.trim();
    let same = |text: &str| text.eq_ignore_ascii_case(wanted);
    if let Some(found) = companies
        .iter()
        .find(|company| same(&company.id) || same(&company.name))
    {
        return Ok(found.clone());
    }
    let lower = wanted.to_lowercase();
    let found: Vec<_> = companies
        .iter()
        .filter(|company| company.name.to_lowercase().contains(&lower))
        .collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("no company is called `{wanted}`; there are {}", names(companies.iter())),
        several => bail!(
            "`{wanted}` is in several names: {}; write more of the one you mean",
            names(several.iter().copied())
        ),
    }
}

fn names<'c>(companies: impl Iterator<Item = &'c Company>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<_> = companies.map(|company| company.name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let listed = names.join(", ");
    if more == 0 {
        listed
    } else {
        format!("{listed} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn companies() -> Vec<Company> {
        let company = |id: &str, name: &str| Company {
            id: id.into(),
            name: name.into(),
            phone: "+1".into(),
            account_sid: None,
        };
        vec![
            company("a1", "Acme"),
            company("a2", "Acme South"),
            company("b1", "Best & Sons"),
        ]
    }

    #[track_caller]
    fn check(wanted: &str, want: Result<&str, &str>) {
        match (find(&companies(), wanted), want) {
            (Ok(found), Ok(id)) => assert_eq!(found.id, id, "{wanted}"),
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{wanted}: {error}"),
            (found, _) => panic!("{wanted}: {found:?}"),
        }
    }

    #[test]
    fn a_company_is_found_by_id_name_and_part_of_its_name() {
        check("A2", Ok("a2"));
        check("acme", Ok("a1"));
        check("sons", Ok("b1"));
        check(" South ", Ok("a2"));
        check("acm", Err("several names: Acme, Acme South"));
        check("zebra", Err("there are Acme, Acme South, Best & Sons"));
    }
}
