//! Who is told of a notification, decided from its state alone. Does no I/O and reads no clock.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use frontdesk_domain::{
    alert::AlertKind,
    documents::contact::{Contact, Step},
    notice::{Delivery, DeliveryState},
    record::{Notification, NotificationState},
    time::Timestamp,
};
use frontdesk_store::ports::{DueNotification, NewDelivery, Plan};

/// At so many alerts everybody who was told is told again; a storm ends in four messages.
const COUNTS: [u64; 3] = [100, 1_000, 10_000];

/// No count is reached.
const NEVER: u64 = i64::MAX as u64;

/// Of events, a channel hears of those that came since at most so often.
pub(crate) const BREATH: Duration = Duration::from_mins(1);

/// Decides who is told now, and when to decide again. Repeated with the same state it decides the same, and each occasion
/// has a name that the outbox takes once.
#[must_use]
pub fn plan(due: &DueNotification, contacts: &[Contact], now: Timestamp) -> Plan {
    let notification = &due.notification;
    let mut plan = Plan {
        deliveries: Vec::new(),
        next_count: next_count(notification),
        due_at: None,
    };
    match notification.state {
        NotificationState::Acknowledged if !has_untold_events(due) => {}
        NotificationState::Resolved => plan.deliveries = farewells(due, contacts),
        NotificationState::Open if is_silent(notification, now) => {}
        NotificationState::Acknowledged | NotificationState::Open => {
            let concerned = || contacts.iter().filter(|contact| concerns(contact, notification));
            let mut waits_until = None;
            for contact in concerned() {
                tell(&mut plan.deliveries, &mut waits_until, due, contact, now);
            }
            if waits_until.is_some() {
                // It is still owed to somebody.
                plan.next_count = due.next_count;
            }
            let later = concerned().flat_map(|contact| &contact.escalation);
            let later = later.filter_map(|step| Some(begins(due, step)?).filter(|at| *at > now));
            let later = later.filter(|_| notification.state == NotificationState::Open);
            plan.due_at = later.chain(waits_until).min();
        }
    }
    plan
}

fn is_event(notification: &Notification) -> bool {
    notification.code.kind() == AlertKind::Event
}

/// At so many alerts there is something to tell.
fn next_count(notification: &Notification) -> u64 {
    if is_event(notification) {
        return notification.count.saturating_add(1).min(NEVER);
    }
    let next = COUNTS.into_iter().find(|count| *count > notification.count);
    next.unwrap_or(NEVER)
}

/// Whether events came since it was last decided whom to tell. Whoever acknowledged cannot know of them.
fn has_untold_events(due: &DueNotification) -> bool {
    let count = due.notification.count;
    is_event(&due.notification) && count > 1 && count >= due.next_count
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

/// What one contact is told now: each channel one message at most. Whom an event cannot be told yet waits.
fn tell(
    deliveries: &mut Vec<NewDelivery>,
    waits_until: &mut Option<Timestamp>,
    due: &DueNotification,
    contact: &Contact,
    now: Timestamp,
) {
    let notification = &due.notification;
    let mut taken: Vec<&Step> = contact
        .escalation
        .iter()
        .filter(|step| begins(due, step).is_some_and(|at| at <= now))
        .collect();
    // The last step speaks for those that nobody was there to take.
    taken.sort_by_key(|step| std::cmp::Reverse(step.after_minutes));
    for channel in &contact.channels {
        let step = taken
            .iter()
            .find(|step| contact.channels_of(step).any(|of| of.id == channel.id));
        let Some(step) = step else { continue };
        let heard = || {
            let all = notification.deliveries.iter();
            all.filter(|known| known.contact_id == contact.id && known.channel_id == channel.id)
        };
        let Some(what) = news(due, step, heard) else { continue };
        let occasion: Arc<str> = format!("{}:{what}", due.round).into();
        if heard().any(|known| known.occasion == occasion) {
            continue;
        }
        if is_event(notification)
            && let Some(free_at) = heard().filter_map(|known| free_at(known, now)).max()
            && free_at > now
        {
            *waits_until = Some(waits_until.map_or(free_at, |at| at.min(free_at)));
            continue;
        }
        deliveries.push(NewDelivery {
            contact_id: contact.id,
            channel_id: channel.id.clone(),
            kind: channel.target.kind(),
            occasion,
        });
    }
}

/// What a channel is to be told, from what it was told: a step of escalation before a count.
fn news<'a, I: Iterator<Item = &'a Delivery>>(
    due: &DueNotification,
    step: &Step,
    heard: impl Fn() -> I,
) -> Option<String> {
    let notification = &due.notification;
    let escalation = format!("after-{}", step.after_minutes);
    let of_step = format!("{}:{escalation}", due.round);
    let of_count = format!("{}:count-", due.round);
    // Of many deliveries only the newest are known; whoever was told of a count after that was told of the step.
    let since = begins(due, step);
    let is_taken = heard().any(|known| {
        *known.occasion == *of_step || known.occasion.starts_with(&of_count) && Some(known.created_at) >= since
    });
    if !is_taken && notification.state == NotificationState::Open {
        return Some(escalation);
    }
    if is_event(notification) {
        return has_untold_events(due).then(|| format!("count-{}", notification.count));
    }
    // The first decision tells how many there are already.
    let is_storm = due.next_count > 1 && notification.count >= due.next_count;
    let reached = COUNTS.into_iter().rfind(|count| *count <= notification.count);
    reached.filter(|_| is_storm).map(|count| format!("count-{count}"))
}

/// From when on a channel that heard this may hear of the next event. What is still on its way will tell of it too.
fn free_at(known: &Delivery, now: Timestamp) -> Option<Timestamp> {
    let since = if known.state == DeliveryState::Pending {
        now
    } else {
        known.created_at
    };
    since.checked_add(BREATH).ok()
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
