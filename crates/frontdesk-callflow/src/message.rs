//! Messages that callers leave: kept, or asked for once more, or a person.

use std::sync::Arc;

use frontdesk_domain::{
    alert::AlertCode,
    ids::{CallId, MessageId, ObjectId},
    phone::PhoneNumber,
    record::{AudioState, Message, MessageKind, MessageState},
    redaction::{redact_caller, redact_field},
};
use frontdesk_store::ports::{CallLog as _, MessageStore as _, StoreError};
use frontdesk_twilio::{recording::is_at_twilio, webhook::TurnParameters};
use serde_json::json;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::{
    answers::{CallKey, Given, TurnKey},
    company::Tenant,
    flow::{CallFlow, empty_document},
    respond::{Claimed, guarded},
    settings,
    shares::within,
    speech,
    webhook::{Webhook, turn_id},
};

impl CallFlow {
    /// Keeps a recorded message and thanks for it; only then is it promised that somebody calls back. A recording in
    /// which nothing was said goes on like silence.
    pub async fn message(&self, tenant: &Tenant, webhook: &Webhook<'_>) -> Arc<str> {
        let parameters = TurnParameters::of(webhook.form);
        let Some(call) = parameters.call_sid.map(CallId::new) else {
            warn!(company.id = %tenant.id(), "a message without a CallSid was not kept");
            return speech::message_lost(tenant, None).into();
        };
        let is_report = parameters.recording_status.is_some();
        let is_empty = parameters.recording_duration == Some(0) && parameters.transcription_text.is_none();
        if is_empty {
            return if is_report {
                empty_document().into()
            } else {
                self.respond(tenant, webhook).await
            };
        }
        let state = self.open_state(tenant, &call, webhook);
        // Not by the state: who is asked for a message twice leaves two recordings under one.
        let is_second = speech::is_second_message(webhook.target);
        let key = webhook.turn_key(None) ^ u64::from(is_second);
        let dialled = state.map(|state| state.dialled).unwrap_or_default();
        let claim = match self
            .claim(
                &TurnKey(tenant.id(), turn_id(&call, key)),
                &CallKey(tenant.id(), call.clone()),
                webhook.deadline,
            )
            .await
        {
            Claimed::Mine(claim) => claim,
            Claimed::Answered(document) => return document,
            Claimed::TooLate => return speech::message_lost(tenant, webhook.sealed_state()).into(),
        };
        let kept = guarded(self.keep_message(tenant, webhook, &parameters, &call)).await;
        // A report that could not be kept is taken when it comes again.
        let comes_again = is_report && !matches!(kept, Some(Ok(())));
        let document = match kept {
            Some(Ok(())) if is_report => empty_document(),
            Some(Ok(())) => speech::thanks(tenant),
            Some(Err(failure)) => self.not_kept(tenant, webhook, &call, &dialled, &failure),
            None => {
                let source = "its parameters could not be read".into();
                let action = "keep a message";
                self.not_kept(
                    tenant,
                    webhook,
                    &call,
                    &dialled,
                    &StoreError::Unavailable { action, source },
                )
            }
        };
        let given = Given {
            document: document.into(),
            response: Arc::default(),
        };
        if comes_again {
            return empty_document().into();
        }
        claim.give_beside(CallKey(tenant.id(), call), &given);
        given.document
    }

    /// Tells that a message was not kept; the caller is asked for it once more, and then for a person.
    fn not_kept(
        &self,
        tenant: &Tenant,
        webhook: &Webhook<'_>,
        call: &CallId,
        dialled: &[PhoneNumber],
        failure: &StoreError,
    ) -> String {
        error!(company.id = %tenant.id(), call.id = %call, error = failure as &dyn std::error::Error, "a message was not kept");
        self.raise(
            AlertCode::DatabaseError,
            Some(tenant.id()),
            "a caller's message could not be kept",
            json!({ "callId": call }),
        );
        if speech::is_second_message(webhook.target) {
            speech::message_given_up(tenant, webhook.arrived, dialled)
        } else {
            speech::message_lost(tenant, webhook.sealed_state())
        }
    }

    async fn keep_message(
        &self,
        tenant: &Tenant,
        webhook: &Webhook<'_>,
        parameters: &TurnParameters<'_>,
        call: &CallId,
    ) -> Result<(), StoreError> {
        let random = rand::random();
        let seconds = u32::try_from(webhook.arrived.as_second()).unwrap_or_default();
        let message = Message {
            id: MessageId::from(ObjectId::from_parts(seconds, random)),
            company_id: tenant.id(),
            call_id: call.clone(),
            kind: MessageKind::Message,
            from: self.caller_of(tenant, webhook, parameters, call).await,
            callback_number: None,
            callback_time: None,
            recording_sid: parameters.recording_sid.map(Into::into),
            recording_url: parameters.recording_url.filter(|url| is_at_twilio(url)).map(Into::into),
            recording_seconds: parameters.recording_duration,
            audio: AudioState::None,
            transcript: parameters.transcription_text.map(|text| redact_field(text).into()),
            state: MessageState::New,
            at: webhook.arrived,
        };
        let id = message.id;
        let kept = self
            .put_message(message, settings::read_by(webhook.deadline, settings::STORE_DEADLINE))
            .await?;
        if kept == id {
            self.raise(
                AlertCode::MessageTaken,
                Some(tenant.id()),
                "a caller left a message",
                json!({ "callId": call, "messageId": kept }),
            );
        }
        Ok(())
    }

    /// The caller, redacted. The report of a recording does not name them, the call's records do; without them the
    /// message is kept all the same.
    async fn caller_of(
        &self,
        tenant: &Tenant,
        webhook: &Webhook<'_>,
        parameters: &TurnParameters<'_>,
        call: &CallId,
    ) -> Option<Arc<str>> {
        if let Some(from) = parameters.from {
            return Some(redact_caller(from).into());
        }
        let until = settings::read_by(webhook.deadline, settings::STORE_DEADLINE);
        let stored = self.store().call(tenant.id(), call);
        let failure: Box<dyn std::error::Error + Send + Sync> = match within(&tenant.shares.store, until, stored).await
        {
            Ok(Ok(stored)) => return stored?.from.map(Into::into),
            Ok(Err(failure)) => Box::new(failure),
            Err(late) => Box::new(late),
        };
        warn!(company.id = %tenant.id(), call.id = %call, error = &*failure as &dyn std::error::Error, "who left a message cannot be read; it is kept without a number");
        None
    }

    /// Keeps a message, or a wish to be called back; it is on disk when this returns. It is waited for until `until`.
    pub(crate) async fn put_message(&self, message: Message, until: Instant) -> Result<MessageId, StoreError> {
        let stored = tokio::time::timeout_at(until, self.store().put_message(message)).await;
        stored.unwrap_or_else(|late| {
            Err(StoreError::Unavailable {
                action: "keep a message in time",
                source: Box::new(late),
            })
        })
    }
}
