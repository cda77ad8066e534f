//! What tells contacts of notifications, put together.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use frontdesk_delivery::{
    Channels, Courier,
    channels::system,
    courier::{Letterhead, trial},
};
use frontdesk_domain::{
    clock::Clock,
    documents::contact::{Contact, ContactSecrets},
};
use frontdesk_server::{
    Notices,
    metrics::DELIVERIES,
    notices::{ChannelTrial, ContactTester},
};
use frontdesk_store::{leader::Leadership, ports::Backend, queue::AlertQueue, system::ObjectIds, tasks::TaskSet};

use crate::config::NoticesConfig;

/// The ways to contacts, and what is the same in all messages.
pub(super) struct Post {
    channels: Arc<Channels>,
    letterhead: Letterhead,
    clock: Arc<dyn Clock>,
}

impl Post {
    pub(super) fn new(config: &NoticesConfig, public_url: &str, clock: &Arc<dyn Clock>) -> Result<Self> {
        let channels = Channels::new(&config.channels, system(), Arc::clone(clock));
        Ok(Self {
            channels: Arc::new(channels.context("contacts cannot be told of notifications")?),
            letterhead: Letterhead {
                public_url: public_url.to_owned(),
                support_contact: config.support_contact.as_deref().map(str::to_owned),
            },
            clock: Arc::clone(clock),
        })
    }

    /// Tells contacts of notifications until the process ends.
    pub(super) fn deliver(self, store: Arc<dyn Backend>, leadership: Leadership, alerts: AlertQueue, tasks: &TaskSet) {
        let Self {
            channels,
            letterhead,
            clock,
        } = self;
        Courier::new(store, channels, clock, leadership, alerts, letterhead).start(tasks);
    }

    /// Shows how many messages went which way.
    pub(super) fn shown(&self) -> impl Fn() + Send + Sync + 'static {
        let channels = Arc::clone(&self.channels);
        move || {
            for (kind, result, count) in channels.counts() {
                metrics::counter!(DELIVERIES, "kind" => kind, "result" => result).absolute(count);
            }
        }
    }

    /// The notification centre of the admin API.
    pub(super) fn centre(&self, config: &NoticesConfig) -> Notices {
        let tester = Tester {
            channels: Arc::clone(&self.channels),
            letterhead: self.letterhead.clone(),
            ids: ObjectIds::new(Arc::clone(&self.clock)),
            clock: Arc::clone(&self.clock),
        };
        Notices::new(config.channels.reach, config.support_contact.clone(), Arc::new(tester))
    }
}

struct Tester {
    channels: Arc<Channels>,
    letterhead: Letterhead,
    ids: ObjectIds,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl ContactTester for Tester {
    async fn test(&self, contact: &Contact, secrets: &ContactSecrets) -> Vec<ChannelTrial> {
        let trials = contact.channels.iter().map(|channel| async {
            let message = trial(&self.ids, &self.letterhead, self.clock.now());
            let sent = self.channels.send(channel, secrets.get(&channel.id), &message).await;
            ChannelTrial {
                channel_id: Arc::clone(&channel.id),
                kind: channel.target.kind(),
                error: sent.err().map(|failure| failure.reason),
            }
        });
        futures_util::future::join_all(trials).await
    }
}
