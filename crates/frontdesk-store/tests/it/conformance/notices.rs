use std::{collections::BTreeSet, sync::Arc};

use frontdesk_domain::{
    alert::{AlertCode, Severity},
    decision::FallbackKind,
    ids::{CallId, CompanyId, MessageId, NotificationId},
    record::{AudioState, Message, MessageKind, MessageState, NotificationState},
};
use frontdesk_store::ports::{MessageFilter, NotificationChange, NotificationChanged, NotificationFilter, Page};

use super::{Given, centre::changed};
use crate::support::{at, id, raised, turn};

pub(crate) fn message(number: u32, recording: Option<&str>) -> Message {
    Message {
        id: id(number),
        company_id: id(1),
        call_id: CallId::new("CA1"),
        kind: MessageKind::Message,
        from: None,
        callback_number: None,
        callback_time: None,
        recording_sid: recording.map(Into::into),
        recording_url: None,
        recording_seconds: Some(7),
        audio: AudioState::None,
        transcript: None,
        state: MessageState::New,
        at: at("2026-11-15T12:00:00Z"),
    }
}

async fn list(given: &Given, state: Option<MessageState>, after: Option<MessageId>) -> Vec<Message> {
    let filter = MessageFilter {
        state,
        ..MessageFilter::default()
    };
    given
        .store
        .messages(id(1), &filter, Page { after, limit: 2 })
        .await
        .unwrap()
}

pub(crate) async fn a_recording_is_one_message(given: &Given) {
    let store = &given.store;
    assert_eq!(store.put_message(message(1, Some("RE1"))).await.unwrap(), id(1));
    store.set_message_state(id(1), id(1), MessageState::Done).await.unwrap();
    let mut later = message(2, Some("RE1"));
    later.transcript = Some("please call back".into());
    later.recording_seconds = Some(9);
    assert_eq!(store.put_message(later).await.unwrap(), id(1), "the first id stays");
    let kept = list(given, None, None).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].transcript.as_deref(), Some("please call back"));
    assert_eq!(kept[0].recording_seconds, Some(7), "what is there is not written over");
    assert_eq!(kept[0].state, MessageState::Done);
    store.put_message(message(3, None)).await.unwrap();
    store.put_message(message(4, None)).await.unwrap();
    let mut foreign = message(5, Some("RE1"));
    foreign.company_id = id(2);
    assert_eq!(store.put_message(foreign).await.unwrap(), id(5));
    assert_eq!(
        store
            .messages(id(1), &MessageFilter::default(), Page { after: None, limit: 9 })
            .await
            .unwrap()
            .len(),
        3
    );
}

pub(crate) async fn a_time_to_call_back_may_come_later(given: &Given) {
    let store = &given.store;
    let wish = Message {
        kind: MessageKind::Callback,
        callback_number: Some("+19375550188".into()),
        ..message(1, None)
    };
    let at_noon = Message {
        callback_time: Some("at \"noon\"".into()),
        callback_number: Some("+19375550199".into()),
        ..wish.clone()
    };
    let foreign = Message {
        company_id: id(2),
        callback_time: Some("never".into()),
        ..wish.clone()
    };
    store.put_message(wish.clone()).await.unwrap();
    store.set_message_state(id(1), id(1), MessageState::Done).await.unwrap();
    // The same webhook may come again, also after the one that brings the time.
    for later in [at_noon, wish.clone(), foreign] {
        assert_eq!(store.put_message(later).await.unwrap(), id(1));
    }
    let kept = Message {
        callback_time: Some("at \"noon\"".into()),
        state: MessageState::Done,
        ..wish
    };
    assert_eq!(list(given, None, None).await, [kept]);
}

pub(crate) async fn messages_are_listed_newest_first(given: &Given) {
    for (number, time) in [(1, "12:00"), (2, "14:00"), (3, "13:00"), (4, "13:00")] {
        let at = at(&format!("2026-11-15T{time}:00Z"));
        given
            .store
            .put_message(Message {
                at,
                ..message(number, None)
            })
            .await
            .unwrap();
    }
    let ids = |messages: &[Message]| messages.iter().map(|message| message.id).collect::<Vec<_>>();
    let first = list(given, None, None).await;
    assert_eq!(ids(&first), [id(2), id(4)]);
    assert_eq!(ids(&list(given, None, Some(first[1].id)).await), [id(3), id(1)]);
    given
        .store
        .set_message_state(id(1), id(3), MessageState::Done)
        .await
        .unwrap();
    assert_eq!(ids(&list(given, Some(MessageState::Done), None).await), [id(3)]);
    assert_eq!(ids(&list(given, Some(MessageState::New), Some(id(4))).await), [id(1)]);
}

pub(crate) async fn another_companys_message_is_not_touched(given: &Given) {
    given.store.put_message(message(1, None)).await.unwrap();
    let touched = given
        .store
        .set_message_state(id(2), id(1), MessageState::Done)
        .await
        .unwrap();
    assert_eq!(touched, None);
    assert_eq!(list(given, None, None).await[0].state, MessageState::New);
    assert!(
        given
            .store
            .messages(id(2), &MessageFilter::default(), Page { after: None, limit: 9 })
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn alerts_of_one_kind_are_one_notification(given: &Given) {
    let store = &given.store;
    let used = AlertCode::FallbackUsed;
    let alerts = vec![
        raised(2, used, Some(1), 3),
        raised(1, used, Some(1), 4),
        raised(3, used, Some(2), 1),
        raised(4, used, None, 1),
        raised(5, AlertCode::DatabaseError, None, 1),
        raised(6, used, None, 1),
    ];
    store.raise(alerts).await.unwrap();
    let listed = store
        .notifications(&NotificationFilter::default(), Page { after: None, limit: 9 })
        .await
        .unwrap();
    let counts: Vec<_> = listed.iter().map(|one| (one.id, one.count)).collect();
    let ids = [id::<NotificationId>(5), id(4), id(3), id(2)];
    assert_eq!(
        counts,
        [(ids[0], 1), (ids[1], 2), (ids[2], 1), (ids[3], 7)],
        "newest first"
    );
    let grouped = &listed[3];
    assert_eq!(grouped.message, "alert 2", "the newest speaks");
    assert_eq!(grouped.details["number"], 2);
    assert_eq!((grouped.first_at.as_second(), grouped.last_at.as_second()), (1, 3));
    assert_eq!(
        (grouped.severity, grouped.state),
        (Severity::Warning, NotificationState::Open)
    );
    assert_eq!((grouped.company_id, listed[1].company_id), (Some(id(1)), None));
    let page = store
        .notifications(
            &NotificationFilter::default(),
            Page {
                after: Some(ids[1]),
                limit: 1,
            },
        )
        .await
        .unwrap();
    assert_eq!(page[0].id, ids[2]);
}

pub(crate) async fn an_acknowledged_notification_counts_on(given: &Given) {
    let store = &given.store;
    store
        .raise(vec![raised(1, AlertCode::LlmDown, Some(1), 1)])
        .await
        .unwrap();
    let acknowledged = changed(given, 1, NotificationChange::Acknowledge).await;
    assert_eq!(acknowledged.state, NotificationState::Acknowledged);
    store
        .raise(vec![raised(2, AlertCode::LlmDown, Some(1), 1)])
        .await
        .unwrap();
    let listed = store
        .notifications(&NotificationFilter::default(), Page { after: None, limit: 9 })
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].count, listed[0].state), (2, NotificationState::Acknowledged));
    assert_eq!(
        changed(given, 1, NotificationChange::Acknowledge).await.count,
        2,
        "twice is once"
    );
    let unknown = store
        .change_notification(id(9), NotificationChange::Acknowledge)
        .await
        .unwrap();
    assert_eq!(unknown, NotificationChanged::NotFound);
}

pub(crate) async fn rotation_numbers_are_unique(given: &Given) {
    let stores = [given.store.clone(), (given.reopen)().await];
    let company: CompanyId = id(1);
    let mut drawing = tokio::task::JoinSet::new();
    for number in 0..100 {
        let store = stores[number % 2].clone();
        drawing.spawn(async move { store.next_rotation(company, FallbackKind::NoMatchFound).await.unwrap() });
    }
    let drawn: BTreeSet<u64> = drawing.join_all().await.into_iter().collect();
    assert_eq!(drawn, (0..100).collect());
    assert_eq!(
        given
            .store
            .peek_rotation(company, FallbackKind::NoMatchFound)
            .await
            .unwrap(),
        100
    );
    assert_eq!(
        given
            .store
            .peek_rotation(company, FallbackKind::OutOfScope)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        given
            .store
            .next_rotation(id(2), FallbackKind::NoMatchFound)
            .await
            .unwrap(),
        0
    );
}

pub(crate) async fn what_was_spoken_last_is_remembered(given: &Given) {
    let company: CompanyId = id(1);
    let spoken = |number, variation| {
        let mut turn = turn(1, "CA1", number, "can you fix it");
        turn.decision.fallback_type = Some(FallbackKind::TechnicalIssue);
        turn.variation = variation;
        turn
    };
    // The language's own words are no variation of the company's.
    let turns = vec![spoken(1, Some(0)), spoken(2, Some(2)), spoken(3, None)];
    given.store.append_turns(Arc::new(turns)).await.unwrap();
    given
        .store
        .append_turns(Arc::new(vec![spoken(4, Some(1))]))
        .await
        .unwrap();
    given
        .store
        .next_rotation(company, FallbackKind::NoMatchFound)
        .await
        .unwrap();
    assert_eq!(
        given.store.last_spoken(company).await.unwrap(),
        [(FallbackKind::TechnicalIssue, 1)]
    );
    assert_eq!(
        given
            .store
            .next_rotation(company, FallbackKind::TechnicalIssue)
            .await
            .unwrap(),
        0
    );
}

pub(crate) async fn it_answers_a_ping(given: &Given) {
    given.store.ping().await.unwrap();
    given.store.ping().await.unwrap();
}
