//! The outbox: a row a delivery.

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{DeliveryId, NotificationId},
    notice::{Attempt, Delivery, DeliveryState},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    ADMIN, SqliteStore,
    failure::damaged,
    notifications,
    rows::{self, Bound, Conditions},
};
use crate::{
    common::notices::{MAX_DELIVERIES, next_attempts},
    ports::{
        Busy, DeliveryFilter, DueDelivery, DueNotification, OutboxStore, Outcome, Page, Plan, Rev, StoreError, Told,
    },
    system::ObjectIds,
};

const WHAT: &str = "a delivery";

const COLUMNS: &str = "id, notification_id, contact_id, channel_id, kind, occasion, state, tries, attempts, created_at, \
    due_at, direct";

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let bad = |error| damaged("an id in the outbox", error);
    Ok(Delivery {
        id: row.get_ref(0)?.as_str()?.parse().map_err(bad)?,
        notification_id: row.get_ref(1)?.as_str()?.parse().map_err(bad)?,
        contact_id: row.get_ref(2)?.as_str()?.parse().map_err(bad)?,
        channel_id: row.get(3)?,
        kind: rows::word(row.get_ref(4)?.as_str()?, "the kind of a channel")?,
        occasion: row.get(5)?,
        state: rows::word(row.get_ref(6)?.as_str()?, "the state of a delivery")?,
        tries: row.get(7)?,
        attempts: rows::from_json(row.get_ref(8)?.as_str()?, "the attempts of a delivery")?,
        created_at: rows::time(row.get(9)?)?,
        due_at: rows::optional_time(row.get(10)?)?,
        direct: row.get(11)?,
    })
}

pub(super) fn of_notification(connection: &Connection, id: NotificationId) -> rusqlite::Result<Vec<Delivery>> {
    let sql =
        format!("SELECT {COLUMNS} FROM outbox WHERE notification_id = ?1 ORDER BY id DESC LIMIT {MAX_DELIVERIES}");
    let mut statement = connection.prepare_cached(&sql)?;
    let newest = statement.query([id.to_string()])?;
    let mut deliveries = rows::readable(newest, usize::MAX, WHAT, read)?;
    deliveries.reverse();
    Ok(deliveries)
}

/// Notes that somebody was told without the store.
pub(super) fn note_told(
    connection: &Connection,
    notification: &str,
    told: &Told,
    ids: &ObjectIds,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO outbox
            (id, notification_id, contact_id, channel_id, kind, occasion, state, tries, attempts, created_at, direct)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sent', 1, ?7, ?8, 1) ON CONFLICT DO NOTHING";
    let Told {
        contact_id,
        channel_id,
        kind,
        occasion,
        at,
    } = told;
    let attempts = [Attempt { at: *at, error: None }];
    connection.prepare_cached(sql)?.execute(params![
        ids.make().to_string(),
        notification,
        contact_id.to_string(),
        channel_id,
        kind.as_str(),
        occasion,
        rows::to_json(&attempts)?,
        at.as_microsecond(),
    ])?;
    Ok(())
}

/// Gives up what is on its way to a contact that is gone.
pub(super) fn give_up(connection: &Connection, contact: &str, now: Timestamp) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE contact_id = ?1 AND state = 'pending'");
    let pending: Vec<Delivery> = connection
        .prepare_cached(&sql)?
        .query_map([contact], read)?
        .collect::<rusqlite::Result<_>>()?;
    for delivery in pending {
        let attempt = Attempt {
            at: now,
            error: Some("its contact was deleted".into()),
        };
        end(connection, delivery, attempt, Outcome::Dead)?;
    }
    Ok(())
}

fn end(connection: &Connection, delivery: Delivery, attempt: Attempt, outcome: Outcome) -> rusqlite::Result<()> {
    let (state, due_at) = match outcome {
        Outcome::Sent => (DeliveryState::Sent, None),
        Outcome::Again(at) => (DeliveryState::Pending, Some(at.as_microsecond())),
        Outcome::Dead => (DeliveryState::Dead, None),
    };
    let now = attempt.at.as_microsecond();
    let attempts = next_attempts(delivery.attempts, attempt);
    let sql = "UPDATE outbox SET state = ?2, due_at = ?3, attempts = ?4 WHERE id = ?1";
    let values = params![
        delivery.id.to_string(),
        state.as_str(),
        due_at,
        rows::to_json(&attempts)?
    ];
    connection.prepare_cached(sql)?.execute(values)?;
    // Whoever looks on sees how it goes.
    let sql = "UPDATE notifications SET changed_at = max(changed_at, ?2) WHERE id = ?1";
    let notification = delivery.notification_id.to_string();
    connection.prepare_cached(sql)?.execute(params![notification, now])?;
    Ok(())
}

fn find(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([id.to_string()], read).optional()
}

fn plan(
    connection: &Connection,
    id: NotificationId,
    rev: Rev,
    plan: &Plan,
    now: i64,
    ids: &ObjectIds,
) -> rusqlite::Result<()> {
    let id = id.to_string();
    let sql =
        "INSERT INTO outbox (id, notification_id, contact_id, channel_id, kind, occasion, state, created_at, due_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?7) ON CONFLICT DO NOTHING";
    let mut insert = connection.prepare_cached(sql)?;
    for new in &plan.deliveries {
        insert.execute(params![
            ids.make().to_string(),
            id,
            new.contact_id.to_string(),
            new.channel_id,
            new.kind.as_str(),
            new.occasion,
            now,
        ])?;
    }
    let sql = "UPDATE notifications SET next_count = ?3, due_at = iif(rev = ?2, ?4, ?5) WHERE id = ?1";
    let due_at = plan.due_at.map(Timestamp::as_microsecond);
    let values = params![id, rev, plan.next_count, due_at, now];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn due_notifications(&self, now: Timestamp, count: usize) -> Result<Vec<DueNotification>, StoreError> {
        self.read("find out whom to tell", move |connection| {
            let sql = format!(
                "SELECT {}, rev, round, round_at, next_count FROM notifications WHERE due_at <= ?1
                    ORDER BY severity <> 'CRITICAL', due_at",
                notifications::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let due = statement.query([now.as_microsecond()])?;
            rows::readable(due, count, "a notification", |row| {
                Ok(DueNotification {
                    notification: notifications::with_deliveries(connection, notifications::read(row)?)?,
                    rev: row.get(11)?,
                    round: row.get(12)?,
                    round_at: rows::time(row.get(13)?)?,
                    next_count: row.get(14)?,
                })
            })
        })
        .await
    }

    async fn plan(&self, id: NotificationId, rev: Rev, planned: Plan) -> Result<(), StoreError> {
        let now = self.clock.now().as_microsecond();
        let ids = self.ids.clone();
        self.record("decide whom to tell", ADMIN, move |connection| {
            plan(connection, id, rev, &planned, now, &ids)
        })
        .await
    }

    async fn due_deliveries(&self, now: Timestamp, busy: Busy, count: usize) -> Result<Vec<DueDelivery>, StoreError> {
        self.read("find deliveries that are due", move |connection| {
            let sql = "SELECT outbox.id, contact_id, channel_id, kind FROM outbox
                LEFT JOIN notifications ON notifications.id = notification_id
                WHERE outbox.due_at <= ?1
                    AND contact_id || ' ' || channel_id NOT IN (SELECT value FROM json_each(?2))
                    AND kind NOT IN (SELECT value FROM json_each(?3))
                ORDER BY CASE severity WHEN 'CRITICAL' THEN 0 WHEN 'WARNING' THEN 1 ELSE 2 END, outbox.due_at, outbox.id";
            let channels = busy.channels.iter();
            let channels: Vec<String> = channels.map(|(contact, channel)| format!("{contact} {channel}")).collect();
            let values = params![now.as_microsecond(), rows::to_json(&channels)?, rows::to_json(&busy.kinds)?];
            let mut statement = connection.prepare_cached(sql)?;
            let due = statement.query(values)?;
            rows::readable(due, count, WHAT, |row| {
                let bad = |error| damaged("an id in the outbox", error);
                Ok(DueDelivery {
                    id: row.get_ref(0)?.as_str()?.parse().map_err(bad)?,
                    contact_id: row.get_ref(1)?.as_str()?.parse().map_err(bad)?,
                    channel_id: row.get(2)?,
                    kind: rows::word(row.get_ref(3)?.as_str()?, "the kind of a channel")?,
                })
            })
        })
        .await
    }

    async fn claim_deliveries(
        &self,
        ids: Vec<DeliveryId>,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (now, again) = (now.as_microsecond(), again.as_microsecond());
        self.record("take deliveries that are due", ADMIN, move |connection| {
            let sql = format!(
                "UPDATE outbox SET due_at = ?3, tries = tries + 1
                    WHERE id IN (SELECT value FROM json_each(?1)) AND due_at <= ?2 RETURNING {COLUMNS}"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let claimed = statement.query(params![rows::to_json(&ids)?, now, again])?;
            let mut claimed = rows::readable(claimed, usize::MAX, WHAT, read)?;
            claimed.sort_by_key(|delivery| delivery.id);
            Ok(claimed)
        })
        .await
    }

    async fn end_delivery(&self, id: DeliveryId, attempt: Attempt, outcome: Outcome) -> Result<bool, StoreError> {
        self.record("note how a delivery went", ADMIN, move |connection| {
            let found = find(connection, id)?;
            let Some(found) = found.filter(|found| found.state == DeliveryState::Pending) else {
                return Ok(false);
            };
            end(connection, found, attempt, outcome).map(|()| true)
        })
        .await
    }

    async fn deliveries(&self, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Delivery>, StoreError> {
        self.read("list deliveries", move |connection| {
            let mut all = Conditions::default();
            let text = |text: String| [Box::new(text) as Bound];
            if let Some(state) = filter.state {
                all.and("state = ?", text(state.as_str().to_owned()));
            }
            if let Some(contact) = filter.contact {
                all.and("contact_id = ?", text(contact.to_string()));
            }
            let before = page.after.map_or_else(|| "g".to_owned(), |id| id.to_string());
            all.and("id < ?", text(before));
            let sql = format!("SELECT {COLUMNS} FROM outbox WHERE true{} ORDER BY id DESC", all.sql);
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query(rusqlite::params_from_iter(all.values()))?;
            rows::readable(found, page.limit, WHAT, read)
        })
        .await
    }

    async fn resend(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let now = self.clock.now().as_microsecond();
        self.record("send a delivery again", ADMIN, move |connection| {
            let sql = "UPDATE outbox SET state = 'pending', created_at = ?2, due_at = ?2 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![id.to_string(), now])?;
            find(connection, id)
        })
        .await
    }
}
