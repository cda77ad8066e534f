//! Contacts: a document each, their secrets sealed under `frontdesk`.

use async_trait::async_trait;
use frontdesk_domain::ids::ContactId;
use mongodb::bson::{Binary, Bson, Document, doc, spec::BinarySubtype};

use super::{
    MongoStore,
    failure::{Failure, Trouble, all_readable, batch, damaged, within, write_within},
    revisions::{self, After, Before, expect},
    schema::CONTACTS,
    values::{self, Fields as _, META, object_id},
};
use crate::{
    common::{documents, notices},
    mongo::failure::is_taken,
    ports::{ContactStore, ContactWrite, Page, Rev, StoreError, Stored, StoredContact, WriteError},
    seal::Sealer,
};

const WHAT: &str = "a contact";

fn read(mut document: Document, sealer: &Sealer) -> Result<StoredContact, Trouble> {
    let id: ContactId = document.id("_id", WHAT)?;
    let what = format!("contact {id}");
    let sealed = document.part(META, &what)?.get_binary_generic("secrets").ok();
    let secrets = notices::unseal(id, sealed.map(Vec::as_slice), sealer)
        .map_err(|error| damaged(format_args!("the secrets of {what}"), error))?;
    document.remove("_id");
    let mut stored = revisions::stored(document, &what)?;
    stored.json.insert("id".into(), id.to_string().into());
    Ok(StoredContact {
        document: stored,
        secrets,
    })
}

impl MongoStore {
    /// The contact as it rests.
    fn contact_document(&self, write: &ContactWrite, after: After) -> Document {
        let id = write.contact.id;
        let mut json = write.json.clone();
        json.shift_remove("id");
        let mut meta = after.meta();
        if let Some(bytes) = notices::seal(id, &write.secrets, &self.sealer) {
            let subtype = BinarySubtype::Generic;
            meta.insert("secrets", Bson::Binary(Binary { subtype, bytes }));
        }
        let mut document = doc! { "_id": object_id(id) };
        document.extend(values::document(&json, &object_id(id)));
        document.insert(META, meta);
        document
    }

    async fn contact_before(&self, id: ContactId, expected: Rev) -> Result<Before, Failure<WriteError>> {
        let collection = self.collection(CONTACTS);
        let found = collection
            .find_one(doc! { "_id": object_id(id) })
            .projection(doc! { META: 1 });
        let found = found.await.map_err(Trouble::from)?;
        let before = found.map(|found| Before::of(&found, WHAT)).transpose()?;
        expect(before, Some(expected)).map_err(Failure::Refused)
    }
}

fn stored(write: ContactWrite, after: After) -> Stored {
    let written = after.written(0);
    Stored {
        json: write.json,
        rev: written.rev,
        created_at: written.created_at,
        updated_at: written.updated_at,
    }
}

/// The contact while it has this revision.
fn of_revision(id: ContactId, rev: Rev) -> Document {
    doc! { "_id": object_id(id), format!("{META}.rev"): values::int(rev) }
}

#[async_trait]
impl ContactStore for MongoStore {
    async fn contact(&self, id: ContactId) -> Result<Option<StoredContact>, StoreError> {
        within("read a contact", self.options.operator_deadline, async {
            let collection = self.collection(CONTACTS);
            let found = collection.find_one(doc! { "_id": object_id(id) });
            found.await?.map(|found| read(found, &self.sealer)).transpose()
        })
        .await
    }

    async fn contacts(&self, page: Page<ContactId>) -> Result<Vec<StoredContact>, StoreError> {
        within("list contacts", self.options.operator_deadline, async {
            let after = page.after.map(|id| doc! { "_id": { "$gt": object_id(id) } });
            let collection = self.collection(CONTACTS);
            let found = collection.find(after.unwrap_or_default()).sort(doc! { "_id": 1 });
            let found = found.batch_size(batch(page.limit)).await?;
            // Reading takes a document apart.
            all_readable(found, page.limit, "a contact", |found| {
                read(found.clone(), &self.sealer)
            })
            .await
        })
        .await
    }

    async fn insert_contact(&self, write: ContactWrite) -> Result<Stored, WriteError> {
        write_within("make a contact", self.options.operator_deadline, async {
            let after = After::of(None, self.now());
            let document = self.contact_document(&write, after);
            match self.collection(CONTACTS).insert_one(document).await {
                Err(error) if is_taken(&error) => Err(Failure::Refused(documents::taken_id(
                    "contact",
                    "/id",
                    &write.contact.id,
                ))),
                done => {
                    done.map_err(Trouble::from)?;
                    Ok(stored(write, after))
                }
            }
        })
        .await
    }

    async fn replace_contact(&self, write: ContactWrite, expected: Rev) -> Result<Stored, WriteError> {
        write_within("write a contact", self.options.operator_deadline, async {
            let id = write.contact.id;
            let before = self.contact_before(id, expected).await?;
            let after = After::of(Some(before), self.now());
            let document = self.contact_document(&write, after);
            let collection = self.collection(CONTACTS);
            let replaced = collection.replace_one(of_revision(id, expected), document);
            if replaced.await.map_err(Trouble::from)?.matched_count == 0 {
                // Somebody else was faster; this says who has won, or it was this very write, run twice.
                let current = self.contact_before(id, after.rev).await?.rev;
                return Err(Failure::Refused(WriteError::Stale { current }));
            }
            Ok(stored(write, after))
        })
        .await
    }

    async fn delete_contact(&self, id: ContactId, expected: Rev) -> Result<(), WriteError> {
        write_within("delete a contact", self.options.operator_deadline, async {
            self.contact_before(id, expected).await?;
            let collection = self.collection(CONTACTS);
            let deleted = collection.delete_one(of_revision(id, expected));
            if deleted.await.map_err(Trouble::from)?.deleted_count == 0 {
                self.contact_before(id, expected).await?;
            }
            self.give_up_deliveries(id).await?;
            Ok(())
        })
        .await
    }
}
