//! Notifications.

use async_trait::async_trait;
use frontdesk_domain::{
    alert::{AlertCode, AlertKind},
    ids::{CompanyId, NotificationId, ObjectId},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    ADMIN, SqliteStore,
    failure::damaged,
    outbox,
    rows::{self, Bound, Conditions},
};
use crate::{
    common::notices::{Anew, REMEMBERED_GROUPS, bounded},
    ports::{
        NotificationChange, NotificationChanged, NotificationFilter, NotificationStore, Page, RaisedAlert, StoreError,
    },
    system::ObjectIds,
};

const WHAT: &str = "a notification";

pub(super) const COLUMNS: &str = "id, code, severity, company_id, message, details, count, first_at, last_at, state, \
    snoozed_until";

/// Reads a row that begins with [`COLUMNS`], without deliveries.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Notification> {
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
        deliveries: Vec::new(),
    })
}

/// The same notification with who was told.
pub(super) fn with_deliveries(
    connection: &Connection,
    mut notification: Notification,
) -> rusqlite::Result<Notification> {
    notification.deliveries = outbox::of_notification(connection, notification.id)?;
    Ok(notification)
}

fn find(connection: &Connection, id: NotificationId) -> rusqlite::Result<Option<Notification>> {
    let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([id.to_string()], read)
        .optional()?;
    found
        .map(|notification| with_deliveries(connection, notification))
        .transpose()
}

/// Whether a group of alerts is in one of the notifications that it may be in.
fn is_stored(connection: &Connection, raised: &RaisedAlert) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM notifications WHERE id = ?1
        UNION ALL SELECT 1 FROM notifications, json_each(groups)
            WHERE code = ?2 AND ifnull(company_id, '') = ?3 AND state <> 'resolved' AND value = ?1";
    let company = raised.alert.company.map(|company| company.to_string());
    connection.prepare_cached(sql)?.exists(params![
        raised.id.to_string(),
        raised.alert.code.as_str(),
        company.unwrap_or_default()
    ])
}

/// Whether a notification begins anew, by the parts of [`Anew`].
const ANEW: &str = "(state = 'acknowledged' AND last_at <= ?12
    OR state = 'open' AND last_at <= ?13 AND ifnull(snoozed_until, last_at) <= last_at)";

fn raise(connection: &Connection, raised: &RaisedAlert, now: i64, ids: &ObjectIds) -> rusqlite::Result<()> {
    if is_stored(connection, raised)? {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO notifications
            (id, code, severity, company_id, message, details, count, first_at, last_at, state, changed_at, round_at,
                due_at, groups)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'open', ?10, ?8, ?10, json_array(?1))
        ON CONFLICT (code, ifnull(company_id, '')) WHERE state <> 'resolved' DO UPDATE SET
            message = iif(excluded.last_at >= last_at, excluded.message, message),
            details = iif(excluded.last_at >= last_at, excluded.details, details),
            count = count + excluded.count,
            first_at = min(first_at, excluded.first_at),
            last_at = max(last_at, excluded.last_at),
            changed_at = excluded.changed_at,
            rev = rev + 1,
            state = iif({ANEW}, 'open', state),
            round = iif({ANEW}, round + 1, round),
            round_at = iif({ANEW}, excluded.due_at, round_at),
            due_at = iif({ANEW} OR state = 'open'
                    AND (count + excluded.count >= next_count OR snoozed_until <= excluded.last_at),
                excluded.due_at, due_at),
            groups = json_insert(
                iif(json_array_length(groups) < ?11, groups, json_remove(groups, '$[0]')), '$[#]', excluded.id)
        RETURNING id"
    );
    let RaisedAlert {
        id,
        alert,
        count,
        first_at,
        last_at,
        told,
    } = raised;
    let anew = Anew::with(alert.code, *last_at);
    let notification: String = connection.prepare_cached(&sql)?.query_row(
        params![
            id.to_string(),
            alert.code.as_str(),
            rows::word_of(alert.code.severity())?,
            alert.company.map(|company| company.to_string()),
            bounded::message(&alert.message),
            rows::to_json(&*bounded::details(&alert.details))?,
            count,
            first_at.as_microsecond(),
            last_at.as_microsecond(),
            now,
            REMEMBERED_GROUPS,
            anew.acknowledged.map(Timestamp::as_microsecond),
            anew.open.map(Timestamp::as_microsecond),
        ],
        |row| row.get(0),
    )?;
    told.iter()
        .try_for_each(|told| outbox::note_told(connection, &notification, told, ids))
}

/// The conditions of a filter; companies and states by their words.
fn conditions(filter: &NotificationFilter) -> rusqlite::Result<Conditions> {
    let NotificationFilter {
        state,
        code,
        severity,
        company,
        from,
        to,
    } = filter;
    let mut all = Conditions::default();
    let text = |text: String| [Box::new(text) as Bound];
    let time = |at: &Timestamp| [Box::new(at.as_microsecond()) as Bound];
    if let Some(state) = state {
        all.and("state = ?", text(rows::word_of(state)?));
    }
    if let Some(code) = code {
        all.and("code = ?", text(code.as_str().to_owned()));
    }
    if let Some(severity) = severity {
        all.and("severity = ?", text(rows::word_of(severity)?));
    }
    if let Some(company) = company {
        all.and("company_id = ?", text(company.to_string()));
    }
    if let Some(from) = from {
        all.and("last_at >= ?", time(from));
    }
    if let Some(to) = to {
        all.and("first_at < ?", time(to));
    }
    Ok(all)
}

fn change(
    connection: &Connection,
    id: NotificationId,
    change: NotificationChange,
    now: i64,
) -> rusqlite::Result<NotificationChanged> {
    let Some(found) = find(connection, id)? else {
        return Ok(NotificationChanged::NotFound);
    };
    let is_resolved = found.state == NotificationState::Resolved;
    let id = id.to_string();
    match change {
        NotificationChange::Acknowledge => {
            // What came since it was last told cannot be meant.
            let sql = "UPDATE notifications SET state = 'acknowledged',
                due_at = iif(?3 AND count > 1 AND count >= next_count, due_at, NULL), changed_at = ?2, rev = rev + 1
                WHERE id = ?1 AND state = 'open'";
            let is_event = found.code.kind() == AlertKind::Event;
            connection.prepare_cached(sql)?.execute(params![id, now, is_event])?;
        }
        NotificationChange::Snooze(_) if is_resolved => return Ok(NotificationChanged::IsResolved),
        NotificationChange::Snooze(until) => {
            let sql = "UPDATE notifications SET state = 'open', snoozed_until = ?3, round = round + 1, round_at = ?3,
                due_at = NULL, changed_at = ?2, rev = rev + 1 WHERE id = ?1";
            let until = until.as_microsecond();
            connection.prepare_cached(sql)?.execute(params![id, now, until])?;
        }
        NotificationChange::Resolve => {
            // Who was told hears that it is over.
            let sql = "UPDATE notifications SET state = 'resolved', snoozed_until = NULL, due_at = ?2, changed_at = ?2,
                rev = rev + 1 WHERE id = ?1 AND state <> 'resolved'";
            connection.prepare_cached(sql)?.execute(params![id, now])?;
        }
        NotificationChange::Reopen => {
            let another = "SELECT 1 FROM notifications AS other, notifications AS this WHERE this.id = ?1
                AND other.code = this.code AND ifnull(other.company_id, '') = ifnull(this.company_id, '')
                AND other.state <> 'resolved' AND other.id <> this.id";
            if is_resolved && connection.prepare_cached(another)?.exists([&id])? {
                return Ok(NotificationChanged::AnotherIsOpen);
            }
            let sql = "UPDATE notifications SET state = 'open', snoozed_until = NULL, round = round + 1, round_at = ?2,
                due_at = ?2, changed_at = ?2, rev = rev + 1
                WHERE id = ?1 AND (state <> 'open' OR snoozed_until IS NOT NULL)";
            connection.prepare_cached(sql)?.execute(params![id, now])?;
        }
    }
    let id = found.id;
    Ok(find(connection, id)?.map_or(NotificationChanged::NotFound, |changed| {
        NotificationChanged::Done(Box::new(changed))
    }))
}

#[async_trait]
impl NotificationStore for SqliteStore {
    async fn raise(&self, alerts: Vec<RaisedAlert>) -> Result<(), StoreError> {
        let now = self.clock.now().as_microsecond();
        let ids = self.ids.clone();
        self.record("keep alerts", ADMIN, move |connection| {
            alerts
                .iter()
                .try_for_each(|raised| raise(connection, raised, now, &ids))
        })
        .await
    }

    async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: Page<NotificationId>,
    ) -> Result<Vec<Notification>, StoreError> {
        let filter = filter.clone();
        self.read("list notifications", move |connection| {
            // Ids begin with the second in which they were made; `g` comes after every hexadecimal digit.
            let before = page.after.map_or_else(|| "g".to_owned(), |id| id.to_string());
            let mut all = conditions(&filter)?;
            all.and("id < ?", [Box::new(before) as Bound]);
            let sql = format!(
                "SELECT {COLUMNS} FROM notifications WHERE true{} ORDER BY id DESC",
                all.sql
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query(rusqlite::params_from_iter(all.values()))?;
            rows::readable(found, page.limit, WHAT, |row| with_deliveries(connection, read(row)?))
        })
        .await
    }

    async fn notification(&self, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        self.read("read a notification", move |connection| find(connection, id))
            .await
    }

    async fn notifications_changed(
        &self,
        since: Timestamp,
        count: usize,
    ) -> Result<Vec<(Timestamp, Notification)>, StoreError> {
        self.read("find out which notifications changed", move |connection| {
            let sql = format!(
                "SELECT {COLUMNS}, changed_at FROM notifications WHERE changed_at >= ?1 ORDER BY changed_at, id"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query([since.as_microsecond()])?;
            rows::readable(found, count, WHAT, |row| {
                let at = rows::time(row.get(11)?)?;
                Ok((at, with_deliveries(connection, read(row)?)?))
            })
        })
        .await
    }

    async fn change_notification(
        &self,
        id: NotificationId,
        wanted: NotificationChange,
    ) -> Result<NotificationChanged, StoreError> {
        let now = self.clock.now().as_microsecond();
        self.record("change a notification", ADMIN, move |connection| {
            change(connection, id, wanted, now)
        })
        .await
    }

    async fn resolve_open(
        &self,
        code: AlertCode,
        company: Option<CompanyId>,
        at: Timestamp,
    ) -> Result<Option<NotificationId>, StoreError> {
        let now = self.clock.now().as_microsecond();
        self.record("resolve a notification", ADMIN, move |connection| {
            let sql = "UPDATE notifications SET state = 'resolved', snoozed_until = NULL, due_at = ?4, changed_at = ?4,
                rev = rev + 1
                WHERE code = ?1 AND ifnull(company_id, '') = ?2 AND state <> 'resolved' AND last_at <= ?3 RETURNING id";
            let company = company.map(|company| company.to_string()).unwrap_or_default();
            let values = params![code.as_str(), company, at.as_microsecond(), now];
            let resolved: Option<String> = connection
                .prepare_cached(sql)?
                .query_row(values, |row| row.get(0))
                .optional()?;
            let id = resolved.map(|id| id.parse::<ObjectId>());
            let id = id.transpose().map_err(|error| damaged("a notification's id", error))?;
            Ok(id.map(NotificationId::from))
        })
        .await
    }
}
