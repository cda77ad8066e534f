//! Contacts: a document each, their secrets sealed beside it.

use async_trait::async_trait;
use frontdesk_domain::ids::ContactId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    SqliteStore,
    failure::{Failure, damaged},
    outbox,
    rows::{self, After, Before, expect},
};
use crate::{
    common::{documents, notices},
    ports::{ContactStore, ContactWrite, Page, Rev, StoreError, Stored, StoredContact, WriteError},
    seal::Sealer,
};

/// Reads a row of `json, rev, created_at, updated_at, id, secrets`.
fn read(row: &Row<'_>, sealer: &Sealer) -> rusqlite::Result<StoredContact> {
    let id: ContactId = row
        .get_ref(4)?
        .as_str()?
        .parse()
        .map_err(|error| damaged("a contact's id", error))?;
    let document = rows::stored(row, format_args!("contact {id}"))?;
    let secrets = notices::unseal(id, row.get_ref(5)?.as_blob_or_null()?, sealer)
        .map_err(|error| damaged(format_args!("the secrets of contact {id}"), error))?;
    Ok(StoredContact { document, secrets })
}

fn before(connection: &Connection, id: &str) -> rusqlite::Result<Option<Before>> {
    let mut statement = connection.prepare_cached("SELECT rev, created_at FROM contacts WHERE id = ?1")?;
    statement.query_row([id], Before::read).optional()
}

fn put(connection: &Connection, write: ContactWrite, after: After, sealer: &Sealer) -> rusqlite::Result<Stored> {
    let sql = "INSERT INTO contacts (id, json, secrets, rev, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET json = excluded.json, secrets = excluded.secrets, rev = excluded.rev,
            updated_at = excluded.updated_at";
    let ContactWrite { contact, json, secrets } = write;
    let sealed = notices::seal(contact.id, &secrets, sealer);
    let id = contact.id.to_string();
    let After {
        rev,
        created_at,
        updated_at,
    } = after;
    let values = params![id, rows::to_json(&json)?, sealed, rev, created_at, updated_at];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(Stored {
        json,
        rev,
        created_at: rows::time(created_at)?,
        updated_at: rows::time(updated_at)?,
    })
}

#[async_trait]
impl ContactStore for SqliteStore {
    async fn contact(&self, id: ContactId) -> Result<Option<StoredContact>, StoreError> {
        let sealer = self.sealer.clone();
        self.read("read a contact", move |connection| {
            let sql = "SELECT json, rev, created_at, updated_at, id, secrets FROM contacts WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_row([id.to_string()], |row| read(row, &sealer))
                .optional()
        })
        .await
    }

    async fn contacts(&self, page: Page<ContactId>) -> Result<Vec<StoredContact>, StoreError> {
        let sealer = self.sealer.clone();
        self.read("list contacts", move |connection| {
            let sql = "SELECT json, rev, created_at, updated_at, id, secrets FROM contacts
                WHERE id > ?1 ORDER BY id";
            let after = page.after.map(|id| id.to_string()).unwrap_or_default();
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query([after])?;
            rows::readable(found, page.limit, "a contact", |row| read(row, &sealer))
        })
        .await
    }

    async fn insert_contact(&self, write: ContactWrite) -> Result<Stored, WriteError> {
        let sealer = self.sealer.clone();
        self.write("make a contact", move |connection, now| {
            let id = write.contact.id;
            if before(connection, &id.to_string())?.is_some() {
                return Err(Failure::Refused(documents::taken_id("contact", "/id", &id)));
            }
            Ok(put(connection, write, After::of(None, now), &sealer)?)
        })
        .await
    }

    async fn replace_contact(&self, write: ContactWrite, expected: Rev) -> Result<Stored, WriteError> {
        let sealer = self.sealer.clone();
        self.write("write a contact", move |connection, now| {
            let before = before(connection, &write.contact.id.to_string())?;
            let before = expect(before, Some(expected)).map_err(Failure::Refused)?;
            Ok(put(connection, write, After::of(Some(before), now), &sealer)?)
        })
        .await
    }

    async fn delete_contact(&self, id: ContactId, expected: Rev) -> Result<(), WriteError> {
        self.write("delete a contact", move |connection, now| {
            let id = id.to_string();
            expect(before(connection, &id)?, Some(expected)).map_err(Failure::Refused)?;
            connection
                .prepare_cached("DELETE FROM contacts WHERE id = ?1")?
                .execute([&id])?;
            outbox::give_up(connection, &id, now)?;
            Ok(())
        })
        .await
    }
}
