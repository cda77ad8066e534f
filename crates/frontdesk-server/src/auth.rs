//! Who may do what: the extractors that prove a permission.
//!
//! A handler of the admin API takes [`Operator`] or [`CompanyScope`] as its first argument after the state, so nothing
//! of the request is read before the token was checked. A company comes from [`CompanyScope`] only.

use axum::extract::FromRequestParts;
use frontdesk_domain::ids::CompanyId;
use frontdesk_store::ports::StoredCompany;
use http::{HeaderMap, header, request::Parts};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    extract::path_parameter,
    problem::{Code, Problem},
    state::App,
};

/// The operator's token, kept as its SHA-256 only.
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// Takes the token. `None` if it is blank, because everybody could send that.
    #[must_use]
    pub fn new(token: &SecretString) -> Option<Self> {
        let token = token.expose_secret().trim();
        (!token.is_empty()).then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }

    /// Whether `token` is this one, in a time that does not tell how much of it is right.
    #[must_use]
    fn is(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.0.ct_eq(&given).into()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// The token of `Authorization: Bearer …`; none if the header is absent, given twice or of another scheme.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Proof that the request carries the operator's token.
#[derive(Debug, Clone, Copy)]
pub struct Operator(());

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let refused = |detail| Err(Problem::new(Code::Unauthorized, detail));
        match bearer(&parts.headers) {
            None => refused("the request carries no bearer token"),
            Some(token) if app.token.is(token) => Ok(Self(())),
            Some(_) => refused("the token is not the one of this server"),
        }
    }
}

/// Proof that the request may act for the company in its path, and that there is one.
#[derive(Debug, Clone)]
pub struct CompanyScope {
    /// Which company.
    pub id: CompanyId,
    /// The company as it is stored.
    pub company: StoredCompany,
}

impl FromRequestParts<App> for CompanyScope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Operator::from_request_parts(parts, app).await?;
        let name = path_parameter(parts, "companyId").await?;
        let not_found = || Problem::not_found(Code::CompanyNotFound, "company", &name);
        let id: CompanyId = name.parse().map_err(|_| not_found())?;
        let company = app.store.company(id).await?.ok_or_else(not_found)?;
        Ok(Self { id, company })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, want: Option<&str>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(bearer(&headers), want, "{header:?}");
    }

    #[test]
    fn a_bearer_token_is_read_from_its_header() {
        check(Some("Bearer abc"), Some("abc"));
        check(Some("bearer  abc "), Some("abc"));
        for none in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer  "),
            Some("Basic abc"),
            Some("abc"),
        ] {
            check(none, None);
        }
    }

    #[test]
    fn two_tokens_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer a".parse().unwrap());
        headers.append(header::AUTHORIZATION, "Bearer b".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }

    #[test]
    fn a_blank_token_is_none() {
        for blank in ["", " ", "\t\n"] {
            assert!(AdminToken::new(&blank.into()).is_none());
        }
        let token = AdminToken::new(&"secret\n".into()).unwrap();
        assert!(token.is("secret") && !token.is("secre") && !token.is(""));
        assert_eq!(format!("{token:?}"), "AdminToken(…)");
    }
}
