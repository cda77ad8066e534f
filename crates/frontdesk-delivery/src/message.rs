//! What a contact reads.

use std::fmt::Write as _;

use frontdesk_domain::{
    ids::DeliveryId,
    record::{Notification, NotificationState},
    runbook,
    time::Timestamp,
};
use serde_json::{Value, json};

/// A message about a notification, on one occasion.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which delivery it is: the same for each attempt.
    pub id: DeliveryId,
    /// Why it is sent, as `round:what`.
    pub occasion: String,
    /// The notification as it is now.
    pub notification: Notification,
    /// Where the server is reached.
    pub public_url: String,
    /// Whom to ask.
    pub support_contact: Option<String>,
    /// Whether it only tries a contact.
    pub is_test: bool,
}

impl Message {
    /// The first word: how urgent it is, or that it is over.
    fn mark(&self) -> String {
        if self.is_test {
            return "TEST".to_owned();
        }
        match self.notification.state {
            NotificationState::Resolved => "RESOLVED".to_owned(),
            _ => format!("{:?}", self.notification.severity).to_uppercase(),
        }
    }

    /// Why it is sent, in words; nothing where that is plain.
    fn why(&self) -> Option<String> {
        let (_, what) = self.occasion.split_once(':')?;
        if let Some(minutes) = what.strip_prefix("after-").filter(|minutes| *minutes != "0") {
            return Some(format!("Nobody has acknowledged this for {minutes} minutes."));
        }
        let count = what.strip_prefix("count-")?;
        Some(format!("This was raised {count} times by now."))
    }

    /// One line.
    pub(crate) fn subject(&self) -> String {
        let sentence = self.notification.message.lines().next().unwrap_or_default();
        let subject = format!("[{}] {}: {sentence}", self.mark(), self.notification.code.as_str());
        match subject.char_indices().nth(180) {
            Some((end, _)) => format!("{}…", subject.get(..end).unwrap_or_default()),
            None => subject,
        }
    }

    /// The whole message as plain text.
    pub(crate) fn text(&self) -> String {
        let Notification {
            id,
            code,
            company_id,
            message,
            details,
            count,
            first_at,
            last_at,
            ..
        } = &self.notification;
        let mut text = format!("{message}\n\n");
        if let Some(why) = self.why() {
            text.push_str(&why);
            text.push_str("\n\n");
        }
        let company = company_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        let url = &self.public_url;
        // Writing to a text does not fail.
        _ = write!(
            text,
            "Code: {}\nCompany: {company}\nRaised: {count} times, first {first_at:.0}, last {last_at:.0}\n\
             What helps: {}\nRunbook: {url}{}\nNotification: {id}\nTo acknowledge: POST {url}/api/v1/notifications/{id}/acknowledge\n",
            code.as_str(),
            runbook::fix(*code),
            runbook::path(*code),
        );
        if let Some(contact) = &self.support_contact {
            _ = writeln!(text, "Support: {contact}");
        }
        if !details.is_null() {
            _ = writeln!(text, "\nDetails: {details}");
        }
        text
    }

    /// As an incoming webhook of Slack takes it.
    pub(crate) fn slack(&self) -> Value {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        json!({ "text": format!("*{}*\n{}", escaped(&self.subject()), escaped(&self.text())) })
    }

    /// What a webhook gets.
    pub(crate) fn json(&self, at: Timestamp) -> Value {
        let mut notification = serde_json::to_value(&self.notification).unwrap_or_default();
        if let Some(fields) = notification.as_object_mut() {
            // Whom else it concerns is none of the other side's business.
            fields.shift_remove("deliveries");
        }
        let code = self.notification.code;
        json!({
            "deliveryId": self.id,
            "occasion": self.occasion,
            "sentAt": at,
            "test": self.is_test,
            "notification": notification,
            "fix": runbook::fix(code),
            "runbook": format!("{}{}", self.public_url, runbook::path(code)),
        })
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::alert::{AlertCode, Severity};

    use super::*;

    fn message(occasion: &str, state: NotificationState) -> Message {
        Message {
            id: "65f123456789abcdef000001".parse().unwrap(),
            occasion: occasion.to_owned(),
            notification: Notification {
                id: "65f123456789abcdef000002".parse().unwrap(),
                code: AlertCode::LlmDown,
                severity: Severity::Critical,
                company_id: None,
                message: "the LLM <refuses> & fails".to_owned(),
                details: json!({ "status": 401 }),
                count: 3,
                first_at: Timestamp::UNIX_EPOCH,
                last_at: Timestamp::UNIX_EPOCH,
                state,
                snoozed_until: None,
                deliveries: Vec::new(),
            },
            public_url: "https://fd.example.com".to_owned(),
            support_contact: Some("support@example.com".to_owned()),
            is_test: false,
        }
    }

    #[test]
    fn a_message_says_what_happened_and_what_helps() {
        let open = message("0:after-0", NotificationState::Open);
        assert_eq!(
            open.subject(),
            "[CRITICAL] PRODUCTION_AI_LLM_DOWN: the LLM <refuses> & fails"
        );
        let text = open.text();
        for part in [
            "test-connection",
            "Raised: 3 times, first 1970-01-01T00:00:00Z",
            "https://fd.example.com/api/v1/runbooks/PRODUCTION_AI_LLM_DOWN",
            "support@example.com",
            "401",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            open.slack()["text"]
                .as_str()
                .unwrap()
                .contains("&lt;refuses&gt; &amp; fails")
        );
        assert_eq!(
            open.json(Timestamp::UNIX_EPOCH)["notification"]["code"],
            "PRODUCTION_AI_LLM_DOWN"
        );
    }

    #[test]
    fn a_message_says_why_it_is_sent() {
        let late = message("0:after-15", NotificationState::Open);
        assert!(late.text().contains("for 15 minutes"));
        let storm = message("0:count-1000", NotificationState::Open);
        assert!(storm.text().contains("1000 times"));
        let over = message("0:resolved", NotificationState::Resolved);
        assert!(over.subject().starts_with("[RESOLVED]"));
    }

    #[test]
    fn a_subject_is_one_line_of_bounded_length() {
        let mut long = message("0:after-0", NotificationState::Open);
        long.notification.message = format!("ä{}\nBcc: everybody@example.com", "ä".repeat(1_000));
        assert!(long.subject().chars().count() < 190);
        assert!(!long.subject().contains('\n'));
    }
}
