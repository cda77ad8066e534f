//! Deletes what is kept no longer: calls with their turns, messages with their audio, notifications with their deliveries.
//!
//! A record is kept for `retentionDays` times 24 hours after its call began or its message was left, whether somebody
//! has dealt with it or not, and is gone within the hour after. It is kept for a day at least, whatever the settings
//! say, 0 included: until then the same webhook must get the same answer again; and for a year at most. A company that is
//! deleted keeps its records for as long as it did; where that is not known, for the usual time. A notification is kept
//! for `notifications.retention_days` after it was resolved. Of all processes that use the store one deletes; where it is
//! another one than before, within a minute.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{clock::Clock, documents::company::DEFAULT_RETENTION_DAYS, time::Timestamp};
use frontdesk_store::{
    leader::Leadership,
    ports::{Backend, Purged, PurgedNotices, StoreError},
    tasks::{Stopping, TaskSet},
};
use tokio::time::{self, Instant};
use tracing::{info, warn};

/// How often a process asks whether it is its turn. Not at the start, when the calls that waited for it are answered.
const LOOK: Duration = Duration::from_mins(1);

/// How often it is looked for what to delete.
const EVERY: Duration = Duration::from_hours(1);

/// Between two batches others write.
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes records whose retention has ended.
pub struct Retention {
    /// Where the records are.
    pub store: Arc<dyn Backend>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether this process deletes.
    pub leadership: Leadership,
    /// For how many days notifications are kept after they were resolved.
    pub notification_days: u16,
}

impl Retention {
    /// Deletes each hour while it is this process's turn, until the process ends.
    pub fn start(self, tasks: &TaskSet) {
        let mut stopping = tasks.stopping();
        tasks.spawn("delete what is kept no longer", async move {
            let mut begun: Option<Instant> = None;
            loop {
                tokio::select! {
                    () = stopping.wait() => return,
                    () = time::sleep(LOOK) => {}
                }
                if !self.leadership.is_held() || begun.is_some_and(|begun| begun.elapsed() < EVERY) {
                    continue;
                }
                begun = Some(Instant::now());
                match self.purge(&stopping).await {
                    Ok(Purged {
                        calls: 0, messages: 0, ..
                    }) => {}
                    Ok(Purged { calls, turns, messages }) => {
                        info!(calls, turns, messages, "records whose retention has ended were deleted");
                    }
                    Err(error) => {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "records whose retention has ended could not be deleted; the next try is in an hour"
                        );
                    }
                }
                match self.purge_notices(&stopping).await {
                    Ok(PurgedNotices { notifications: 0, .. }) => {}
                    Ok(PurgedNotices {
                        notifications,
                        deliveries,
                    }) => {
                        info!(
                            notifications,
                            deliveries, "notifications whose retention has ended were deleted"
                        );
                    }
                    Err(error) => {
                        warn!(
                            error = &error as &dyn std::error::Error,
                            "notifications whose retention has ended could not be deleted; the next try is in an hour"
                        );
                    }
                }
            }
        });
    }

    /// Deletes all whose retention has ended by now, batch by batch; ends early when the process does or another one's
    /// turn has come.
    async fn purge(&self, stopping: &Stopping) -> Result<Purged, StoreError> {
        let now = self.clock.now();
        let mut all = Purged::default();
        for keeper in self.store.record_keepers().await? {
            let before = kept_since(now, days_of(keeper.retention_days));
            while self.goes_on(stopping) {
                let batch = self.store.purge(keeper.company, before).await?;
                if batch == Purged::default() {
                    break;
                }
                all.calls += batch.calls;
                all.turns += batch.turns;
                all.messages += batch.messages;
                time::sleep(PAUSE).await;
            }
        }
        while self.goes_on(stopping) && self.store.purge_leftovers().await? {
            time::sleep(PAUSE).await;
        }
        Ok(all)
    }

    /// The same for notifications that were resolved long ago.
    async fn purge_notices(&self, stopping: &Stopping) -> Result<PurgedNotices, StoreError> {
        let before = kept_since(self.clock.now(), self.notification_days);
        let mut all = PurgedNotices::default();
        while self.goes_on(stopping) {
            let batch = self.store.purge_notices(before).await?;
            if batch == PurgedNotices::default() {
                break;
            }
            all.notifications += batch.notifications;
            all.deliveries += batch.deliveries;
            time::sleep(PAUSE).await;
        }
        Ok(all)
    }

    fn goes_on(&self, stopping: &Stopping) -> bool {
        !stopping.is_set() && self.leadership.is_held()
    }
}

/// For how many days a company's records are kept. What was stored when more was allowed still holds: an update deletes
/// nothing that somebody wanted to keep.
fn days_of(stored: Option<u16>) -> u16 {
    stored.unwrap_or(DEFAULT_RETENTION_DAYS)
}

/// What is older is kept no longer.
fn kept_since(now: Timestamp, days: u16) -> Timestamp {
    let day = Duration::from_hours(24);
    now.checked_sub(day * u32::from(days.max(1))).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use frontdesk_domain::{
        alert::{Alert, AlertCode},
        documents::{
            Mode, Parsed,
            company::{Company, CompanyDocument, CompanySecrets},
        },
        ids::{CallId, CompanyId, ObjectId},
        record::{AudioState, Message, MessageKind, MessageState},
    };
    use frontdesk_store::{
        leader,
        ports::{
            Audio, AudioStore as _, CallEnd, CallLog as _, CompanyStore as _, CompanyWrite, MessageStore as _,
            NotificationFilter, NotificationStore as _, Page, RaisedAlert, RetentionStore as _, TurnLog as _,
        },
        seal::Sealer,
        sqlite::{SqliteOptions, SqliteStore},
    };
    use serde_json::json;

    use super::*;

    struct TestClock(Mutex<Timestamp>);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    fn id<Id: From<ObjectId>>(number: u32) -> Id {
        Id::from(ObjectId::from_parts(number, [0; 8]))
    }

    fn keeping(company: u32, days: u16) -> CompanyWrite {
        let document = json!({ "_id": id::<CompanyId>(company).to_string(), "name": "A",
            "phone": format!("+1555010000{company}"), "retentionDays": days });
        let Parsed { value, json, .. } = Company::parse(&document, Mode::Import).unwrap();
        let CompanyDocument { company, secrets, .. } = value;
        CompanyWrite {
            company: Arc::new(company),
            json,
            secrets: secrets.apply(&CompanySecrets::default()).unwrap(),
        }
    }

    /// Companies that keep 0, 7, 90 and (deleted) 2 days, and one of which nothing is known, each with a call and a
    /// recorded message of the same instant.
    async fn scene(store: &SqliteStore, at: Timestamp) {
        for (company, days) in [(1, 0), (2, 7), (3, 90), (4, 2)] {
            store.insert_company(keeping(company, days)).await.unwrap();
        }
        store.delete_company(id(4), None).await.unwrap();
        for company in 1..=5 {
            let end = CallEnd {
                company: id(company),
                call: CallId::new("CA1"),
                from: None,
                at,
                status: "completed",
            };
            store.end_calls(Arc::new(vec![end])).await.unwrap();
            let message = Message {
                id: id(company),
                company_id: id(company),
                call_id: CallId::new("CA1"),
                kind: MessageKind::Message,
                from: None,
                callback_number: None,
                callback_time: None,
                recording_sid: Some("RE1".into()),
                recording_url: Some("https://api.twilio.com/RE1".into()),
                recording_seconds: Some(4),
                audio: AudioState::None,
                transcript: None,
                state: MessageState::New,
                at,
            };
            store.put_message(message).await.unwrap();
            let audio = Audio {
                content_type: "audio/mpeg".into(),
                bytes: vec![7; 300_000],
            };
            assert!(store.put_audio(id(company), audio).await.unwrap());
        }
    }

    /// An empty store in a folder of its own, and a clock that is set.
    fn stage(start: Timestamp) -> (tempfile::TempDir, Arc<TestClock>, Arc<SqliteStore>) {
        let clock = Arc::new(TestClock(Mutex::new(start)));
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(Sealer::from_key([7; 32]));
        let file = folder.path().join("frontdesk.db");
        let store = SqliteStore::open(&file, key, clock.clone(), SqliteOptions::default()).unwrap();
        (folder, clock, Arc::new(store))
    }

    #[tokio::test]
    async fn records_are_deleted_when_their_companys_retention_ends() {
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let (_folder, clock, store) = stage(start);
        scene(&store, start).await;
        // Another process has the lease until its orderly end.
        let others = TaskSet::new();
        let other = leader::start(store.clone(), "work", &others);
        while !other.is_held() {
            time::sleep(Duration::from_millis(1)).await;
        }
        let tasks = TaskSet::new();
        let retention = Retention {
            store: store.clone(),
            clock: clock.clone(),
            leadership: leader::start(store.clone(), "work", &tasks),
            notification_days: 365,
        };
        *clock.0.lock().unwrap() = start + Duration::from_hours(24 * 365);
        let purged = retention.purge(&tasks.stopping()).await.unwrap();
        assert_eq!(purged, Purged::default(), "not before it is this process's turn");
        others.shutdown(Duration::from_secs(5)).await;
        while !retention.leadership.is_held() {
            time::sleep(Duration::from_millis(1)).await;
        }
        let left_after = async |hours: u64| {
            *clock.0.lock().unwrap() = start + Duration::from_hours(hours);
            retention.purge(&tasks.stopping()).await.unwrap();
            let mut left = Vec::new();
            for company in 1..=5 {
                let call = store.call(id(company), &CallId::new("CA1")).await.unwrap();
                let audio = store.audio(id(company), id(company)).await.unwrap();
                assert_eq!(call.is_some(), audio.is_some(), "calls and messages go together");
                assert!(
                    audio.is_none_or(|found| found.audio.is_some()),
                    "and the audio with its message"
                );
                left.extend(call.map(|_| company));
            }
            left
        };
        assert_eq!(left_after(24).await, [1, 2, 3, 4, 5], "each for a day at least");
        assert_eq!(left_after(25).await, [2, 3, 4, 5]);
        assert_eq!(left_after(2 * 24).await, [2, 3, 4, 5]);
        assert_eq!(
            left_after(2 * 24 + 1).await,
            [2, 3, 5],
            "a deleted company keeps its retention"
        );
        assert_eq!(left_after(7 * 24 + 1).await, [3, 5]);
        assert_eq!(left_after(90 * 24).await, [3, 5]);
        assert_eq!(left_after(90 * 24 + 1).await, Vec::<u32>::new(), "the usual time");
        assert!(!store.purge_leftovers().await.unwrap(), "nothing is left over");
    }

    #[tokio::test]
    async fn notifications_are_deleted_so_long_after_they_were_resolved() {
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let (_folder, clock, store) = stage(start);
        for (number, code) in [(1, AlertCode::LlmDown), (2, AlertCode::DatabaseError)] {
            let alert = Alert {
                code,
                company: None,
                message: "it is down".into(),
                details: json!({}),
            };
            let raised = RaisedAlert {
                id: id(number),
                alert,
                count: 1,
                first_at: start,
                last_at: start,
                told: Vec::new(),
            };
            store.raise(vec![raised]).await.unwrap();
        }
        store.resolve_open(AlertCode::LlmDown, None, start).await.unwrap();
        let tasks = TaskSet::new();
        let retention = Retention {
            store: store.clone(),
            clock: clock.clone(),
            leadership: leader::start(store.clone(), "work", &tasks),
            notification_days: 100,
        };
        while !retention.leadership.is_held() {
            time::sleep(Duration::from_millis(1)).await;
        }
        let left_after = async |hours: u64| {
            *clock.0.lock().unwrap() = start + Duration::from_hours(hours);
            retention.purge_notices(&tasks.stopping()).await.unwrap();
            let all = NotificationFilter::default();
            let listed = store.notifications(&all, Page { after: None, limit: 9 }).await.unwrap();
            listed.iter().map(|one| one.code).collect::<Vec<_>>()
        };
        assert_eq!(left_after(100 * 24).await.len(), 2);
        assert_eq!(left_after(100 * 24 + 1).await, [AlertCode::DatabaseError]);
        assert_eq!(
            left_after(1_000 * 24).await,
            [AlertCode::DatabaseError],
            "it is not over"
        );
    }

    #[test]
    fn what_was_stored_when_more_was_allowed_still_holds() {
        for (stored, want) in [(None, 90), (Some(0), 0), (Some(365), 365), (Some(3_650), 3_650)] {
            assert_eq!(days_of(stored), want, "{stored:?}");
        }
    }

    #[test]
    fn retention_is_counted_in_days_and_never_less_than_one() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (days, want) in [
            (0, "2026-11-19T12:00:00Z"),
            (1, "2026-11-19T12:00:00Z"),
            (90, "2026-08-22T12:00:00Z"),
            (3_650, "2016-11-22T12:00:00Z"),
        ] {
            assert_eq!(kept_since(now, days), want.parse().unwrap(), "{days}");
        }
    }
}
