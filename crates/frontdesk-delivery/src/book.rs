//! The contacts, kept in memory: they are needed most when the store does not answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use frontdesk_domain::{
    address::Reach,
    documents::{
        Mode,
        contact::{Contact, ContactSecrets},
    },
    ids::ContactId,
};
use frontdesk_store::ports::{ContactStore, Page, StoreError};
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

/// What was read longer ago is read again.
const FRESH: Duration = Duration::from_secs(2);

/// So many contacts are read at once.
const PAGE: usize = 200;

/// Contacts with their secrets.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) contacts: Vec<Contact>,
    secrets: Vec<(ContactId, ContactSecrets)>,
}

impl Known {
    pub(crate) fn contact(&self, id: ContactId) -> Option<(&Contact, &ContactSecrets)> {
        let contact = self.contacts.iter().find(|contact| contact.id == id)?;
        let secrets = self.secrets.iter().find(|(of, _)| *of == id)?;
        Some((contact, &secrets.1))
    }
}

/// All contacts, as they were last read.
pub(crate) struct Book {
    store: Arc<dyn ContactStore>,
    known: Mutex<(Arc<Known>, Option<Instant>)>,
}

impl Book {
    pub(crate) fn new(store: Arc<dyn ContactStore>) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Reads the contacts, unless they were read just now.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let read_at = self.known.lock().unwrap_or_else(PoisonError::into_inner).1;
        if read_at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let begun = Instant::now();
        let (mut known, mut after) = (Known::default(), None);
        loop {
            let page = self.store.contacts(Page { after, limit: PAGE }).await?;
            let is_last = page.len() < PAGE;
            for stored in page {
                // What got in is read whatever is allowed now; what is sent is checked again.
                let all = Reach {
                    private: true,
                    plain_http: true,
                };
                let parsed = Contact::parse(&Value::Object(stored.document.json), Mode::Stored, all);
                match parsed {
                    Ok(parsed) => {
                        let contact = parsed.value.contact;
                        after = Some(contact.id);
                        known.secrets.push((contact.id, stored.secrets));
                        known.contacts.push(contact);
                    }
                    Err(faults) => warn!(
                        faults = faults.0.len(),
                        "a stored contact cannot be read and is not told"
                    ),
                }
            }
            if is_last {
                break;
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (Arc::new(known), Some(begun));
        Ok(())
    }
}
