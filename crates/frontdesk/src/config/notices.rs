//! How operators are told of notifications.

use std::sync::Arc;

use frontdesk_delivery::{ChannelsOptions, MailOptions};
use frontdesk_domain::address::Reach;

use super::{Layers, Setting, secret, switch};

/// How operators are told of notifications.
#[derive(Debug, Clone, Default)]
pub struct NoticesConfig {
    /// The ways to contacts.
    pub channels: ChannelsOptions,
    /// Whom an operator asks when a runbook does not help.
    pub support_contact: Option<Arc<str>>,
    /// For how many days a notification is kept after it was resolved, with what was sent of it.
    pub retention_days: u16,
}

impl NoticesConfig {
    pub(super) fn check(layers: &mut Layers) -> Option<Self> {
        let private = layers.take("delivery.allow_private", switch);
        let plain_http = layers.take("delivery.allow_plain_http", switch);
        let support_contact = layers.take("support.contact", text);
        let from = layers.take("smtp.from", text);
        let url = layers.take("smtp.url", |setting| {
            let url = secret(setting)?;
            // With no sender of its own, the URL is still checked, so that its fault is named.
            let from: Arc<str> = from.clone().ok_or("needs a sender beside it: `smtp.from`")?;
            let mail = MailOptions { url, from };
            frontdesk_delivery::channels::check_mail(&mail).map_err(|error| error.to_string())?;
            Ok(mail)
        });
        let retention_days = layers.take("notifications.retention_days", days);
        Some(Self {
            channels: ChannelsOptions {
                mail: url,
                reach: Reach {
                    private: private?,
                    plain_http: plain_http?,
                },
            },
            support_contact,
            retention_days: retention_days?,
        })
    }
}

/// The checklist looks back 90 days, and a document that says when an outage was told of is wanted for longer than that.
fn days(setting: &Setting) -> Result<u16, String> {
    const DAYS: std::ops::RangeInclusive<u16> = 90..=3_650;
    let days = setting.count().and_then(|days| u16::try_from(days).ok());
    days.filter(|days| DAYS.contains(days))
        .ok_or_else(|| format!("should be a whole number of days, {} to {}", DAYS.start(), DAYS.end()))
}

fn text(setting: &Setting) -> Result<Arc<str>, String> {
    Ok(setting.text()?.into())
}
