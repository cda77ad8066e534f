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
        Some(Self {
            channels: ChannelsOptions {
                mail: url,
                reach: Reach {
                    private: private?,
                    plain_http: plain_http?,
                },
            },
            support_contact,
        })
    }
}

fn text(setting: &Setting) -> Result<Arc<str>, String> {
    Ok(setting.text()?.into())
}
