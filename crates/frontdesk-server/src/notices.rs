//! What the notification centre needs of the rest of the process.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use frontdesk_domain::{
    address::Reach,
    documents::contact::{Contact, ContactSecrets},
    notice::ChannelKind,
};
use serde::Serialize;
use tokio::sync::Semaphore;

/// So many listen to the stream of notifications at most.
const STREAMS: usize = 32;

/// How a test of a channel went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelTrial {
    /// Which channel of the contact.
    pub channel_id: Arc<str>,
    /// Of which kind it is.
    pub kind: ChannelKind,
    /// Why the message was not taken; null if it was.
    pub error: Option<String>,
}

/// Sends a test message by every channel of a contact.
#[async_trait]
pub trait ContactTester: Send + Sync {
    /// Sends it now, and waits for seconds at most.
    async fn test(&self, contact: &Contact, secrets: &ContactSecrets) -> Vec<ChannelTrial>;
}

/// What the notification centre is made of.
#[derive(Clone)]
pub struct Notices {
    /// Where contacts may be.
    pub reach: Reach,
    /// Whom an operator asks when a runbook does not help.
    pub support_contact: Option<Arc<str>>,
    /// Tries contacts.
    pub tester: Arc<dyn ContactTester>,
    pub(crate) streams: Arc<Semaphore>,
}

impl Notices {
    /// Puts the parts together.
    #[must_use]
    pub fn new(reach: Reach, support_contact: Option<Arc<str>>, tester: Arc<dyn ContactTester>) -> Self {
        Self {
            reach,
            support_contact,
            tester,
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}
