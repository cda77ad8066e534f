//! Telling without the store: each process tells of the alerts that it has in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use frontdesk_domain::{
    alert::{AlertCode, AlertKind},
    documents::contact::{Channel, Contact},
    ids::{CompanyId, ContactId, DeliveryId},
};
use frontdesk_store::{
    ports::{RaisedAlert, Told},
    queue::Waiting,
    tasks::Stopping,
};
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::time::{self, Instant};
use tracing::{error, info, warn};

use super::{BRIEFLY, Inner, LOOK, as_notification};
use crate::{book::Known, channels::Message, plan::BREATH};

/// Alerts that could not be stored for so long are told without the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whom it could not tell without the store is tried again after that.
const AGAIN: Duration = Duration::from_secs(10);

/// Without the store, contacts are told of one code for so many companies at most.
const COMPANIES: usize = 200;

/// So many are told before it is looked for what is more urgent by now.
const PASS: usize = 8;

/// So many messages about one alert are on their way at once.
const SENDERS: usize = 16;

/// The occasion of what is told at once, as [`plan`](crate::plan::plan) names it.
const OPENED: &str = "0:after-0";

/// What alerts are told by.
type Key = (AlertCode, Option<CompanyId>);

fn key_of(group: &RaisedAlert) -> Key {
    (group.alert.code, group.alert.company)
}

/// What was told while the store is away.
#[derive(Debug, Default)]
struct Away {
    lines: HashMap<Key, Line>,
    heard: HashMap<(Key, ContactId, Arc<str>), Heard>,
    /// Of each code: for how many companies somebody was told.
    companies: HashMap<AlertCode, usize>,
    /// Channels that have not taken a message, and until when they are let alone.
    resting: HashMap<(ContactId, Arc<str>), Instant>,
}

/// What was told of one code and company.
#[derive(Debug)]
struct Line {
    /// Of how many alerts.
    count: u64,
    /// Somebody is still to be told.
    is_owed: bool,
    /// Not before then.
    next: Instant,
    /// Somebody was told.
    is_told: bool,
}

/// What a channel was told of one code and company.
#[derive(Debug)]
struct Heard {
    /// Of how many alerts.
    count: u64,
    at: Instant,
}

/// What a channel is to be told.
enum Next {
    Nothing,
    /// Something, but not yet.
    Later,
    /// On this occasion.
    Now(Arc<str>),
}

/// How telling of one group of alerts went.
#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    sent: usize,
    /// Messages that are still to be sent.
    owed: usize,
}

impl Away {
    fn wants(&self, waiting: &Waiting) -> bool {
        match self.lines.get(&(waiting.code, waiting.company)) {
            Some(line) if Instant::now() < line.next => false,
            Some(line) => line.is_owed || waiting.code.kind() == AlertKind::Event && waiting.count > line.count,
            None => self.has_room_for(waiting.code),
        }
    }

    /// Whether one company more may be told of with this code.
    fn has_room_for(&self, code: AlertCode) -> bool {
        self.companies.get(&code).is_none_or(|told| *told < COMPANIES)
    }

    /// Whether a group that was wanted before its pass began still is.
    fn still_wants(&self, group: &RaisedAlert) -> bool {
        self.lines.contains_key(&key_of(group)) || self.has_room_for(group.alert.code)
    }

    fn note(&mut self, group: &RaisedAlert, outcome: Outcome) {
        let code = group.alert.code;
        let known = self.lines.get(&key_of(group));
        let was_told = known.is_some_and(|line| line.is_told);
        if !was_told && outcome.sent > 0 {
            let told = self.companies.entry(code).or_default();
            *told += 1;
            if *told == COMPANIES {
                warn!(
                    code = code.as_str(),
                    companies = COMPANIES,
                    "contacts were told of {} without the store for as many companies as they can be: of more they hear when it answers",
                    code.as_str()
                );
            }
        }
        let is_owed = outcome.owed > 0;
        let line = Line {
            count: group.count,
            is_owed,
            next: Instant::now() + if is_owed { AGAIN } else { BREATH },
            is_told: was_told || outcome.sent > 0,
        };
        self.lines.insert(key_of(group), line);
    }

    /// What a channel is to be told of a group of alerts.
    fn next_for(&mut self, group: &RaisedAlert, contact: &Contact, channel: &Channel) -> Next {
        let place = (contact.id, channel.id.clone());
        let is_resting = self.resting.get(&place).is_some_and(|until| Instant::now() < *until);
        let heard = self.heard.get(&(key_of(group), place.0, Arc::clone(&place.1)));
        let Some(heard) = heard else {
            let mut told = group.told.iter();
            if told.any(|told| told.contact_id == place.0 && told.channel_id == place.1) {
                // By the process before this one.
                self.hears(group, contact, channel);
                return Next::Nothing;
            }
            return if is_resting {
                Next::Later
            } else {
                Next::Now(OPENED.into())
            };
        };
        if group.alert.code.kind() != AlertKind::Event || group.count <= heard.count {
            return Next::Nothing;
        }
        if is_resting || heard.at.elapsed() < BREATH {
            return Next::Later;
        }
        Next::Now(format!("0:count-{}", group.count).into())
    }

    /// Notes that a channel has been told.
    fn hears(&mut self, group: &RaisedAlert, contact: &Contact, channel: &Channel) {
        let heard = Heard {
            count: group.count,
            at: Instant::now(),
        };
        self.heard
            .insert((key_of(group), contact.id, channel.id.clone()), heard);
    }
}

impl Inner {
    /// Tells of alerts that cannot be stored, for as long as that lasts.
    pub(super) async fn watch(self: Arc<Self>, mut stopping: Stopping) {
        let mut away = Away::default();
        let mut pause = LOOK;
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(pause) => {}
            }
            pause = LOOK;
            if self.alerts.fails_for().is_none_or(|lasting| lasting < PATIENCE) {
                let told = away.lines.values().filter(|line| line.is_told).count();
                if told > 0 {
                    info!(kinds = told, "alerts that were told without the store are stored again");
                }
                away = Away::default();
                continue;
            }
            let groups = self.alerts.waiting(PASS, |waiting| away.wants(waiting));
            if groups.len() == PASS {
                pause = BRIEFLY;
            }
            let known = self.book.known();
            for group in groups {
                if !away.still_wants(&group) {
                    continue;
                }
                let outcome = tokio::select! {
                    () = stopping.wait() => return,
                    outcome = self.tell_directly(&group, &known, &mut away) => outcome,
                };
                away.note(&group, outcome);
            }
        }
    }

    /// Tells of one group of alerts whoever is to be told at once.
    async fn tell_directly(&self, group: &RaisedAlert, known: &Known, away: &mut Away) -> Outcome {
        let mut outcome = Outcome::default();
        let mut to = Vec::new();
        for contact in &known.contacts {
            if !contact.is_for(group.alert.code.severity(), group.alert.company) {
                continue;
            }
            let Some((_, secrets)) = known.contact(contact.id) else {
                continue;
            };
            for channel in at_once(contact) {
                match away.next_for(group, contact, channel) {
                    Next::Nothing => {}
                    Next::Later => outcome.owed += 1,
                    Next::Now(occasion) => to.push((contact, channel, secrets.get(&channel.id), occasion)),
                }
            }
        }
        for some in to.chunks(SENDERS) {
            let sending = some.iter().map(|(contact, channel, secret, occasion)| {
                self.send_directly(group, occasion, contact, channel, *secret)
            });
            for (is_sent, (contact, channel, ..)) in join_all(sending).await.into_iter().zip(some) {
                if is_sent {
                    outcome.sent += 1;
                    away.hears(group, contact, channel);
                } else {
                    outcome.owed += 1;
                    let place = (contact.id, channel.id.clone());
                    away.resting.insert(place, Instant::now() + AGAIN);
                }
            }
        }
        outcome
    }

    async fn send_directly(
        &self,
        group: &RaisedAlert,
        occasion: &Arc<str>,
        contact: &Contact,
        channel: &Channel,
        secret: Option<&SecretString>,
    ) -> bool {
        let id = DeliveryId::from(self.ids.make());
        let message: Message = self.message(id, occasion, as_notification(group));
        let (code, kind) = (group.alert.code.as_str(), channel.target.kind());
        match self.channels.send(channel, secret, &message).await {
            Ok(()) => {
                let told = Told {
                    contact_id: contact.id,
                    channel_id: channel.id.clone(),
                    kind,
                    occasion: Arc::clone(occasion),
                    at: self.clock.now(),
                };
                self.alerts.note_told(group.id, told);
                info!(code, contact = %contact.id, kind = kind.as_str(), "a contact was told of an alert without the store");
                true
            }
            Err(failure) => {
                error!(code, contact = %contact.id, kind = kind.as_str(), reason = failure.reason, "a contact could not be told of an alert, and the store does not answer");
                false
            }
        }
    }
}

/// The channels by which a contact is told at once, each once.
fn at_once(contact: &Contact) -> impl Iterator<Item = &Channel> {
    let mut seen = HashSet::new();
    let steps = contact.escalation.iter().filter(|step| step.after_minutes == 0);
    steps
        .flat_map(|step| contact.channels_of(step))
        .filter(move |channel| seen.insert(&channel.id))
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::{
        address::Reach,
        alert::Alert,
        documents::{Mode, contact::ContactSecrets},
        time::Timestamp,
    };
    use serde_json::{Value, json};

    use super::*;

    fn contact(escalation: &Value) -> Contact {
        let document = json!({
            "id": "65f123456789abcdef000007",
            "name": "On call",
            "channels": [
                { "kind": "email", "address": "oncall@example.com" },
                { "kind": "slack", "url": "https://hooks.example.com/x" },
            ],
            "escalation": escalation,
        });
        let parsed = Contact::parse(&document, Mode::new_document(), Reach::default()).unwrap();
        parsed.value.apply(&ContactSecrets::default()).unwrap().0
    }

    fn group(code: AlertCode, count: u64) -> RaisedAlert {
        RaisedAlert {
            id: "65f123456789abcdef000001".parse().unwrap(),
            alert: Alert {
                code,
                company: None,
                message: "somebody may be in danger".to_owned(),
                details: Value::Null,
            },
            count,
            first_at: Timestamp::UNIX_EPOCH,
            last_at: Timestamp::UNIX_EPOCH,
            told: Vec::new(),
        }
    }

    #[test]
    fn a_channel_of_two_steps_at_once_is_told_once() {
        let contact = contact(&json!([
            { "afterMinutes": 0, "channels": ["email", "slack"] },
            { "afterMinutes": 0, "channels": ["email"] },
        ]));
        let channels: Vec<_> = at_once(&contact).map(|channel| &*channel.id).collect();
        assert_eq!(channels, ["email", "slack"]);
    }

    fn occasion(next: Next) -> Option<String> {
        match next {
            Next::Now(occasion) => Some(occasion.to_string()),
            Next::Nothing => None,
            Next::Later => Some("later".to_owned()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_store_each_event_is_told_but_at_most_once_a_minute() {
        let contact = contact(&Value::Null);
        let channel = &contact.channels[0];
        let mut away = Away::default();
        let next = |away: &mut Away, code, count| occasion(away.next_for(&group(code, count), &contact, channel));
        assert_eq!(next(&mut away, AlertCode::EmergencyCall, 1).unwrap(), "0:after-0");
        away.hears(&group(AlertCode::EmergencyCall, 1), &contact, channel);
        assert_eq!(next(&mut away, AlertCode::EmergencyCall, 1), None);
        assert_eq!(next(&mut away, AlertCode::EmergencyCall, 3).unwrap(), "later");
        time::advance(BREATH).await;
        assert_eq!(next(&mut away, AlertCode::EmergencyCall, 3).unwrap(), "0:count-3");
        away.hears(&group(AlertCode::LlmDown, 1), &contact, channel);
        time::advance(BREATH).await;
        assert_eq!(next(&mut away, AlertCode::LlmDown, 9), None, "it is known");
    }
}
