//! Notifications.

use async_trait::async_trait;
use frontdesk_domain::{ids::NotificationId, record::Notification};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    ADMIN, SqliteStore,
    failure::damaged,
    rows::{self, limit},
};
use crate::ports::{NotificationStore, Page, RaisedAlert, StoreError};

const COLUMNS: &str = "id, code, severity, company_id, message, details, count, first_at, last_at, state, \
    snoozed_until, deliveries";

fn read(row: &Row<'_>) -> rusqlite::Result<Notification> {
    let id = |column: usize| -> rusqlite::Result<Option<&str>> { Ok(row.get_ref(column)?.as_str_or_null()?) };
    Ok(Notification {
        id: row
            .get_ref(0)?
            .as_str()?
            .parse()
            .map_err(|error| damaged("a notification's id", error))?,
        code: rows::word(row.get_ref(1)?.as_str()?, "an alert code")?,
        severity: rows::word(row.get_ref(2)?.as_str()?, "a severity")?,
        company_id: id(3)?
            .map(|id| id.parse().map_err(|error| damaged("a company's id", error)))
            .transpose()?,
        message: row.get(4)?,
        details: rows::from_json(row.get_ref(5)?.as_str()?, "a notification's details")?,
        count: row.get(6)?,
        first_at: rows::time(row.get(7)?)?,
        last_at: rows::time(row.get(8)?)?,
        state: rows::word(row.get_ref(9)?.as_str()?, "a notification's state")?,
        snoozed_until: rows::optional_time(row.get(10)?)?,
        deliveries: rows::from_json(row.get_ref(11)?.as_str()?, "a notification's deliveries")?,
    })
}

fn raise(connection: &Connection, raised: &RaisedAlert) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO notifications (id, code, severity, company_id, message, details, count, first_at, last_at, state)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'open')
        ON CONFLICT (code, ifnull(company_id, '')) WHERE state <> 'resolved' DO UPDATE SET
            message = iif(excluded.last_at >= last_at, excluded.message, message),
            details = iif(excluded.last_at >= last_at, excluded.details, details),
            count = count + excluded.count,
            first_at = min(first_at, excluded.first_at),
            last_at = max(last_at, excluded.last_at)";
    let RaisedAlert {
        id,
        alert,
        count,
        first_at,
        last_at,
    } = raised;
    connection.prepare_cached(sql)?.execute(params![
        id.to_string(),
        alert.code.as_str(),
        rows::word_of(alert.code.severity())?,
        alert.company.map(|company| company.to_string()),
        alert.message,
        rows::to_json(&alert.details)?,
        count,
        first_at.as_microsecond(),
        last_at.as_microsecond(),
    ])?;
    Ok(())
}

#[async_trait]
impl NotificationStore for SqliteStore {
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError> {
        self.record("keep alerts", ADMIN, move |connection| {
            alerts.iter().try_for_each(|raised| raise(connection, raised))
        })
        .await
    }

    async fn notifications(&self, page: Page<NotificationId>) -> Result<Vec<Notification>, StoreError> {
        self.read("list notifications", move |connection| {
            // Ids begin with the second in which they were made; `g` comes after every hexadecimal digit.
            let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            let before = page.after.map_or_else(|| "g".to_owned(), |id| id.to_string());
            connection
                .prepare_cached(&sql)?
                .query_map(params![before, limit(page.limit)], read)?
                .collect()
        })
        .await
    }

    async fn acknowledge(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.record("acknowledge a notification", ADMIN, move |connection| {
            let sql = "UPDATE notifications SET state = 'acknowledged' WHERE id = ?1 AND state = 'open'";
            connection.prepare_cached(sql)?.execute([id.to_string()])?;
            let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?1");
            connection
                .prepare_cached(&sql)?
                .query_row([id.to_string()], read)
                .optional()
        })
        .await
    }
}
