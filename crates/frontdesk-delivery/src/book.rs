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
use frontdesk_store::ports::{ContactStore, Page, StoreError, StoredContact};
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

/// What is found of a contact.
pub(crate) enum Found {
    Contact(Contact, ContactSecrets),
    Unreadable,
    Gone,
}

/// Reads a contact; `None` if it cannot be read, which is said.
fn read(stored: StoredContact) -> Option<(Contact, ContactSecrets)> {
    // What got in is read whatever is allowed now; what is sent is checked again.
    let all = Reach {
        private: true,
        plain_http: true,
    };
    match Contact::parse(&Value::Object(stored.document.json), Mode::Stored, all) {
        Ok(parsed) => Some((parsed.value.contact, stored.secrets)),
        Err(faults) => {
            warn!(
                faults = faults.0.len(),
                "a stored contact cannot be read and is not told"
            );
            None
        }
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

    /// A contact as it is now.
    pub(crate) async fn contact(&self, id: ContactId) -> Result<Found, StoreError> {
        let stored = self.store.contact(id).await?;
        Ok(stored.map_or(Found::Gone, |stored| {
            read(stored).map_or(Found::Unreadable, |(contact, secrets)| Found::Contact(contact, secrets))
        }))
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
            let before = after;
            for stored in page {
                // The next page begins after it, whether it can be read or not.
                let id = stored.document.json.get("id").and_then(Value::as_str);
                after = id.and_then(|id| id.parse().ok()).or(after);
                if let Some((contact, secrets)) = read(stored) {
                    known.secrets.push((contact.id, secrets));
                    known.contacts.push(contact);
                }
            }
            if is_last || after == before {
                break;
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (Arc::new(known), Some(begun));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::time::Timestamp;
    use frontdesk_store::ports::{ContactWrite, Rev, Stored, StoredContact, WriteError};
    use serde_json::json;

    use super::*;

    /// Contacts by number, of which only the last can be read.
    struct Mostly(u32);

    fn stored(number: u32, last: u32) -> StoredContact {
        let channels = if number == last {
            json!([{ "id": "email", "kind": "email", "address": "oncall@example.com" }])
        } else {
            json!("of a newer version")
        };
        let json = json!({ "id": format!("{number:024}"), "name": "On call", "channels": channels });
        StoredContact {
            document: Stored {
                json: json.as_object().unwrap().clone(),
                rev: 1,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            },
            secrets: ContactSecrets::default(),
        }
    }

    #[async_trait::async_trait]
    impl ContactStore for Mostly {
        async fn contact(&self, _: ContactId) -> Result<Option<StoredContact>, StoreError> {
            Ok(None)
        }

        async fn contacts(&self, page: Page<ContactId>) -> Result<Vec<StoredContact>, StoreError> {
            let after = page.after.map(|id| id.to_string()).unwrap_or_default();
            let all = (1..=self.0).filter(|number| format!("{number:024}") > after);
            Ok(all.take(page.limit).map(|number| stored(number, self.0)).collect())
        }

        async fn insert_contact(&self, _: ContactWrite) -> Result<Stored, WriteError> {
            Err(WriteError::NotFound)
        }

        async fn replace_contact(&self, _: ContactWrite, _: Rev) -> Result<Stored, WriteError> {
            Err(WriteError::NotFound)
        }

        async fn delete_contact(&self, _: ContactId, _: Rev) -> Result<(), WriteError> {
            Err(WriteError::NotFound)
        }
    }

    #[tokio::test]
    async fn a_page_of_contacts_that_cannot_be_read_hides_none_of_the_next() {
        let book = Book::new(Arc::new(Mostly(2 * 200 + 1)));
        let read = tokio::time::timeout(Duration::from_secs(20), book.refresh()).await;
        read.unwrap().unwrap();
        let known = book.known();
        assert_eq!(known.contacts.len(), 1);
        assert_eq!(known.contacts[0].id.to_string(), format!("{:024}", 401));
    }
}
