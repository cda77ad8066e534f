//! Filters on messages, the audio of recordings, and the end of retention.

use std::time::Duration;

use frontdesk_domain::{
    ids::{CallId, MessageId},
    record::{AudioState, Message, MessageKind, MessageState, TurnRecord},
};
use frontdesk_store::ports::{Audio, MessageFilter, Page, Purged, RecordKeeper};
use serde_json::json;

use super::{Given, notices::message};
use crate::support::{at, company_document, id, turn, write_of};

const URL: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";

fn recorded(number: u32) -> Message {
    Message {
        recording_url: Some(URL.into()),
        ..message(number, Some(&format!("RE{number}")))
    }
}

fn audio(length: usize) -> Audio {
    let bytes = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    Audio {
        content_type: "audio/mpeg".into(),
        bytes,
    }
}

async fn state(given: &Given, number: u32) -> AudioState {
    let page = Page { after: None, limit: 99 };
    let messages = given
        .store
        .messages(id(1), &MessageFilter::default(), page)
        .await
        .unwrap();
    let listed = messages.iter().find(|message| message.id == id(number)).unwrap().audio;
    let found = given.store.audio(id(1), id(number)).await.unwrap().unwrap();
    assert_eq!(found.state, listed, "the list and the audio say the same");
    assert_eq!(found.audio.is_some(), listed == AudioState::Stored);
    listed
}

pub(crate) async fn messages_are_filtered(given: &Given) {
    let one = Message {
        at: at("2026-11-14T12:00:00Z"),
        from: Some("+15550107777".into()),
        ..message(1, None)
    };
    let two = Message {
        transcript: Some("BITTE rufen Sie ZURÜCK".into()),
        state: MessageState::Done,
        ..message(2, None)
    };
    let three = Message {
        kind: MessageKind::Callback,
        callback_number: Some("+15550107777".into()),
        callback_time: Some("Tomorrow".into()),
        at: at("2026-11-16T12:00:00Z"),
        ..message(3, None)
    };
    for message in [one, two, three] {
        given.store.put_message(message).await.unwrap();
    }
    let check = async |filter: MessageFilter, want: &[u32]| {
        let page = Page { after: None, limit: 9 };
        let found = given.store.messages(id(1), &filter, page).await.unwrap();
        let found: Vec<MessageId> = found.iter().map(|message| message.id).collect();
        let want: Vec<MessageId> = want.iter().map(|number| id(*number)).collect();
        assert_eq!(found, want, "{filter:?}");
    };
    let all = MessageFilter::default;
    let noon = Some(at("2026-11-15T12:00:00Z"));
    let words = |words: &str| MessageFilter {
        words: Some(words.to_owned()),
        ..all()
    };
    check(all(), &[3, 2, 1]).await;
    check(MessageFilter { from: noon, ..all() }, &[3, 2]).await;
    check(MessageFilter { to: noon, ..all() }, &[1]).await;
    let state = Some(MessageState::Done);
    check(MessageFilter { state, ..all() }, &[2]).await;
    for (kind, want) in [(MessageKind::Callback, &[3][..]), (MessageKind::Message, &[2, 1])] {
        check(
            MessageFilter {
                kind: Some(kind),
                ..all()
            },
            want,
        )
        .await;
    }
    let caller = Some("+15550107777".to_owned());
    check(MessageFilter { caller, ..all() }, &[3, 1]).await;
    check(words("zurück"), &[2]).await;
    check(words("TOMORROW"), &[3]).await;
    check(words("%"), &[]).await;
    check(words("callback"), &[]).await;
}

pub(crate) async fn words_are_found_page_by_page(given: &Given) {
    for number in 1..=6 {
        let words = if number % 2 == 0 { "roof" } else { "floor" };
        let transcript = Some(format!("the {words}").into());
        given
            .store
            .put_message(Message {
                transcript,
                ..message(number, None)
            })
            .await
            .unwrap();
    }
    let filter = MessageFilter {
        words: Some("Roof".into()),
        ..MessageFilter::default()
    };
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = given
            .store
            .messages(id(1), &filter, Page { after, limit: 2 })
            .await
            .unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|message| message.id));
    }
    assert_eq!(seen, [id(6), id(4), id(2)]);
}

pub(crate) async fn a_recording_is_due_until_it_is_kept(given: &Given) {
    let store = &given.store;
    store.put_message(message(9, None)).await.unwrap();
    assert_eq!(state(given, 9).await, AudioState::None);
    assert_eq!(store.next_audio_due().await.unwrap(), None);
    store.put_message(recorded(1)).await.unwrap();
    let (noon, later) = (at("2026-11-15T12:00:00Z"), at("2026-11-15T12:01:00Z"));
    assert_eq!(state(given, 1).await, AudioState::Due);
    let reopened = (given.reopen)().await;
    assert_eq!(
        reopened.next_audio_due().await.unwrap(),
        Some(noon),
        "also for the next process"
    );
    let early = noon - Duration::from_secs(1);
    assert_eq!(store.claim_audio(early, later, 9).await.unwrap(), []);
    let claimed = reopened.claim_audio(noon, later, 9).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let due = &claimed[0];
    assert_eq!((due.message, due.company, &*due.url), (id(1), id(1), URL));
    assert_eq!((due.attempts, due.first_tried_at), (1, noon));
    assert_eq!(store.claim_audio(noon, later, 9).await.unwrap(), [], "it is taken once");
    let again = &store
        .claim_audio(later, later + Duration::from_mins(1), 9)
        .await
        .unwrap()[0];
    assert_eq!(
        (again.attempts, again.first_tried_at),
        (2, noon),
        "and again if nobody is heard of"
    );
    store.postpone_audio(id(1), Some(early)).await.unwrap();
    assert_eq!(store.next_audio_due().await.unwrap(), Some(early));
    // More than two parts, the last one short.
    let kept = audio(600_000);
    assert!(store.put_audio(id(1), kept.clone()).await.unwrap());
    assert_eq!(state(given, 1).await, AudioState::Stored);
    assert_eq!(
        reopened.audio(id(1), id(1)).await.unwrap().unwrap().audio,
        Some(kept.clone())
    );
    assert_eq!(store.next_audio_due().await.unwrap(), None);
    assert!(!store.put_audio(id(1), audio(5)).await.unwrap(), "what is there stays");
    store.postpone_audio(id(1), None).await.unwrap();
    store.put_message(recorded(1)).await.unwrap();
    assert_eq!(store.audio(id(1), id(1)).await.unwrap().unwrap().audio, Some(kept));
}

pub(crate) async fn a_recording_that_was_given_up_is_not_due(given: &Given) {
    let store = &given.store;
    store.put_message(recorded(1)).await.unwrap();
    store.postpone_audio(id(1), None).await.unwrap();
    assert_eq!(state(given, 1).await, AudioState::Failed);
    assert_eq!(store.next_audio_due().await.unwrap(), None);
    store.put_message(recorded(1)).await.unwrap();
    assert_eq!(
        store.next_audio_due().await.unwrap(),
        None,
        "the same webhook changes nothing"
    );
}

pub(crate) async fn the_address_of_a_recording_may_come_later(given: &Given) {
    let store = &given.store;
    store.put_message(message(1, Some("RE1"))).await.unwrap();
    assert_eq!(store.next_audio_due().await.unwrap(), None);
    store.put_message(recorded(1)).await.unwrap();
    assert_eq!(state(given, 1).await, AudioState::Due);
}

pub(crate) async fn audio_is_its_companys_alone(given: &Given) {
    let store = &given.store;
    store.put_message(recorded(1)).await.unwrap();
    store.put_audio(id(1), audio(10)).await.unwrap();
    assert_eq!(store.audio(id(2), id(1)).await.unwrap(), None);
    assert_eq!(store.audio(id(1), id(7)).await.unwrap(), None);
    assert!(
        !store.put_audio(id(7), audio(10)).await.unwrap(),
        "nothing is kept of nothing"
    );
}

fn began(company: u32, call: &str, time: &str) -> [TurnRecord; 2] {
    let turns = [turn(company, call, 1, "hello"), turn(company, call, 2, "goodbye")];
    turns.map(|turn| TurnRecord { at: at(time), ..turn })
}

/// Deletes all of company 1 from before then.
async fn purge(given: &Given, before: &str) -> Purged {
    let mut all = Purged::default();
    loop {
        let batch = given.store.purge(id(1), at(before)).await.unwrap();
        if batch == Purged::default() {
            return all;
        }
        all.calls += batch.calls;
        all.turns += batch.turns;
        all.messages += batch.messages;
    }
}

pub(crate) async fn a_purge_deletes_what_is_older_and_nothing_else(given: &Given) {
    let store = &given.store;
    let (old, new) = ("2026-11-14T11:59:59Z", "2026-11-14T12:00:00Z");
    for number in 0..60 {
        store
            .append_turns(began(1, &format!("CA{number}"), old).to_vec().into())
            .await
            .unwrap();
        store
            .put_message(Message {
                at: at(old),
                ..recorded(100 + number)
            })
            .await
            .unwrap();
    }
    store
        .append_turns(began(1, "CAnew", new).to_vec().into())
        .await
        .unwrap();
    store
        .append_turns(began(2, "CAfar", old).to_vec().into())
        .await
        .unwrap();
    store
        .put_message(Message {
            at: at(new),
            ..recorded(1)
        })
        .await
        .unwrap();
    let foreign = Message {
        company_id: id(2),
        at: at(old),
        ..recorded(2)
    };
    store.put_message(foreign).await.unwrap();
    for message in [1, 2, 100] {
        store.put_audio(id(message), audio(300_000)).await.unwrap();
    }
    let first = store.purge(id(1), at(new)).await.unwrap();
    assert!(first.calls > 0 && first.calls < 60, "in batches: {first:?}");
    let rest = purge(given, new).await;
    assert_eq!(first.calls + rest.calls, 60);
    assert_eq!(first.turns + rest.turns, 120);
    assert_eq!(first.messages + rest.messages, 60);
    assert!(store.call(id(1), &CallId::new("CA7")).await.unwrap().is_none());
    assert_eq!(store.audio(id(1), id(100)).await.unwrap(), None);
    assert!(store.purge_leftovers().await.unwrap(), "the audio itself");
    while store.purge_leftovers().await.unwrap() {}
    for (company, call, message) in [(1, "CAnew", 1), (2, "CAfar", 2)] {
        assert_eq!(
            store
                .call(id(company), &CallId::new(call))
                .await
                .unwrap()
                .unwrap()
                .turns
                .len(),
            2
        );
        assert!(
            store
                .audio(id(company), id(message))
                .await
                .unwrap()
                .unwrap()
                .audio
                .is_some()
        );
    }
    // The recordings that were still due went with their messages.
    assert_eq!(store.next_audio_due().await.unwrap(), None);
    assert_eq!(purge(given, new).await, Purged::default());
}

pub(crate) async fn a_deleted_company_keeps_its_retention(given: &Given) {
    let store = &given.store;
    let keepers = async || {
        let mut keepers = store.record_keepers().await.unwrap();
        keepers.sort_by_key(|keeper| keeper.company);
        keepers
    };
    assert_eq!(keepers().await, []);
    let mut document = company_document(1, &[]);
    document["retentionDays"] = json!(7);
    store.insert_company(write_of(&document)).await.unwrap();
    store.insert_company(write_of(&company_document(2, &[]))).await.unwrap();
    store
        .append_turns(began(1, "CA1", "2026-11-14T12:00:00Z").to_vec().into())
        .await
        .unwrap();
    store
        .put_message(Message {
            company_id: id(2),
            ..message(1, None)
        })
        .await
        .unwrap();
    store
        .put_message(Message {
            company_id: id(3),
            ..message(3, None)
        })
        .await
        .unwrap();
    let keeps = |number: u32, retention_days| RecordKeeper {
        company: id(number),
        retention_days,
    };
    let all = [keeps(1, Some(7)), keeps(2, Some(90)), keeps(3, None)];
    assert_eq!(keepers().await, all);
    store.delete_company(id(1), None).await.unwrap();
    assert_eq!(keepers().await, all, "deleted or not");
    assert_eq!(purge(given, "2026-11-20T12:00:00Z").await.calls, 1);
    while store.purge_leftovers().await.unwrap() {}
    assert_eq!(keepers().await, all[1..]);
    assert!(!store.purge_leftovers().await.unwrap());
}
