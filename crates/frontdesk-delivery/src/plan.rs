//! Who is told of a notification, decided from its state alone. Does no I/O and reads no clock.

use std::{collections::BTreeSet, time::Duration};

use frontdesk_domain::{
    documents::contact::{Contact, Step},
    notice::DeliveryState,
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::ports::{DueNotification, NewDelivery, Plan};

/// At so many alerts everybody who was told is told again; a storm ends in four messages.
const COUNTS: [u64; 3] = [100, 1_000, 10_000];

/// No count is reached.
const NEVER: u64 = i64::MAX as u64;

/// Decides who is told now, and when to decide again. Repeated with the same state it decides the same, and each occasion
/// has a name that the outbox takes once.
#[must_use]
pub fn plan(due: &DueNotification, contacts: &[Contact], now: Timestamp) -> Plan {
    let notification = &due.notification;
    let next_count = COUNTS.into_iter().find(|count| *count > notification.count);
    let mut plan = Plan {
        deliveries: Vec::new(),
        next_count: next_count.unwrap_or(NEVER),
        due_at: None,
    };
    match notification.state {
        NotificationState::Acknowledged => {}
        NotificationState::Resolved => plan.deliveries = farewells(due, contacts),
        NotificationState::Open if is_silent(notification, now) => {}
        NotificationState::Open => {
            let concerned = || contacts.iter().filter(|contact| concerns(contact, notification));
            for contact in concerned() {
                tell(&mut plan.deliveries, due, contact, now);
            }
            let later = concerned().flat_map(|contact| &contact.escalation);
            let later = later.filter_map(|step| Some(begins(due, step)?).filter(|at| *at > now));
            plan.due_at = later.min();
        }
    }
    plan
}

fn concerns(contact: &Contact, notification: &Notification) -> bool {
    contact.is_for(notification.severity, notification.company_id)
}

/// Snoozed, or not raised since the snooze has ended.
fn is_silent(notification: &Notification, now: Timestamp) -> bool {
    let until = notification.snoozed_until;
    until.is_some_and(|until| now < until || notification.last_at < until)
}

/// When a step is taken.
fn begins(due: &DueNotification, step: &Step) -> Option<Timestamp> {
    let after = Duration::from_mins(u64::from(step.after_minutes));
    due.round_at.checked_add(after).ok()
}

/// What one contact is told now: each channel one message at most.
fn tell(deliveries: &mut Vec<NewDelivery>, due: &DueNotification, contact: &Contact, now: Timestamp) {
    let notification = &due.notification;
    let mut taken: Vec<&Step> = contact
        .escalation
        .iter()
        .filter(|step| begins(due, step).is_some_and(|at| at <= now))
        .collect();
    // The last step speaks for those that nobody was there to take.
    taken.sort_by_key(|step| std::cmp::Reverse(step.after_minutes));
    let reached = COUNTS.into_iter().rfind(|count| *count <= notification.count);
    // The first decision tells how many there are already.
    let is_storm = due.next_count > 1 && notification.count >= due.next_count;
    for channel in &contact.channels {
        let step = taken
            .iter()
            .find(|step| contact.channels_of(step).any(|of| of.id == channel.id));
        let Some(step) = step else { continue };
        let new = |what: String| NewDelivery {
            contact_id: contact.id,
            channel_id: channel.id.clone(),
            kind: channel.target.kind(),
            occasion: format!("{}:{what}", due.round).into(),
        };
        let escalation = new(format!("after-{}", step.after_minutes));
        let is_known = notification.deliveries.iter().any(|known| {
            known.contact_id == escalation.contact_id
                && known.channel_id == escalation.channel_id
                && known.occasion == escalation.occasion
        });
        match reached {
            _ if !is_known => deliveries.push(escalation),
            Some(count) if is_storm => deliveries.push(new(format!("count-{count}"))),
            _ => {}
        }
    }
}

/// Who was told hears that it is over.
fn farewells(due: &DueNotification, contacts: &[Contact]) -> Vec<NewDelivery> {
    let told = due.notification.deliveries.iter();
    let told = told.filter(|told| told.state != DeliveryState::Dead);
    let whom: BTreeSet<_> = told
        .map(|told| (told.contact_id, &told.channel_id, told.kind))
        .collect();
    let is_there = |id| contacts.iter().any(|contact| contact.id == id && contact.enabled);
    whom.into_iter()
        .filter(|(contact, ..)| is_there(*contact))
        .map(|(contact_id, channel_id, kind)| NewDelivery {
            contact_id,
            channel_id: channel_id.clone(),
            kind,
            occasion: format!("{}:resolved", due.round).into(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
