//! Parameters of the path. One that cannot name anything is answered like one that names nothing: 404.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use frontdesk_domain::{
    alert::AlertCode,
    documents::trade::TradeName,
    ids::{CallId, ContactId, DeliveryId, MessageId, NotificationId, QnaId, TemplateId},
};
use http::request::Parts;

use crate::problem::{Code, Problem};

/// The decoded parameter of that name.
pub(crate) async fn path_parameter(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let unknown = || Problem::new(Code::UnknownPath, "the path cannot be read");
    let parameters = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| unknown())?;
    let found = parameters.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned()).ok_or_else(unknown)
}

/// What a parameter of the path names.
pub(crate) trait Named: Sized {
    /// The parameter's name.
    const PARAMETER: &'static str;
    /// What it is called when it is not there, and the code for that.
    const MISSING: (&'static str, Code);

    fn parse(text: &str) -> Option<Self>;
}

/// A parameter of the path, read.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: Named, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = path_parameter(parts, T::PARAMETER).await?;
        let (what, code) = T::MISSING;
        T::parse(&text)
            .map(Self)
            .ok_or_else(|| Problem::not_found(code, what, text))
    }
}

macro_rules! named {
    ($($type:ty, $parameter:literal, $what:literal, $code:ident, $parse:expr;)*) => {$(
        impl Named for $type {
            const PARAMETER: &'static str = $parameter;
            const MISSING: (&'static str, Code) = ($what, Code::$code);

            fn parse(text: &str) -> Option<Self> {
                $parse(text)
            }
        }
    )*};
}

/// A language in the path, as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Language(pub(crate) Arc<str>);

named! {
    TemplateId, "templateId", "template", TemplateNotFound, |text: &str| text.parse().ok();
    MessageId, "messageId", "message", MessageNotFound, |text: &str| text.parse().ok();
    NotificationId, "notificationId", "notification", NotificationNotFound, |text: &str| text.parse().ok();
    ContactId, "contactId", "contact", ContactNotFound, |text: &str| text.parse().ok();
    DeliveryId, "deliveryId", "delivery", DeliveryNotFound, |text: &str| text.parse().ok();
    AlertCode, "alertCode", "runbook", RunbookNotFound, |text: &str| {
        AlertCode::ALL.iter().find(|code| code.as_str() == text).copied()
    };
    QnaId, "qnaId", "Q&A", QnaNotFound, |text: &str| Some(QnaId::new(text));
    CallId, "callId", "call", CallNotFound, |text: &str| Some(CallId::new(text));
    TradeName, "trade", "trade", TradeNotFound, |text: &str| {
        let well_formed = (1..=100).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
        well_formed.then(|| TradeName::new(text))
    };
    Language, "language", "language with prompts", PromptsNotFound, |text: &str| Some(Language(text.into()));
}
