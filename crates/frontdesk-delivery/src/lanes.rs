//! How many attempts are on their way at once: so many in all, to each channel and to the one mail server, so that what
//! hangs holds up nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frontdesk_domain::{
    ids::{ContactId, DeliveryId},
    notice::ChannelKind,
};
use frontdesk_store::ports::{Busy, DueDelivery};
use tokio::sync::Notify;

/// So many attempts in all.
const LANES: usize = 32;

/// So many to one channel of a contact.
const TO_A_CHANNEL: usize = 4;

/// So many by mail: all mail goes through one server.
const BY_MAIL: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    contact: ContactId,
    channel: Arc<str>,
    kind: ChannelKind,
}

/// The attempts that are on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    taken: Mutex<HashMap<Way, usize>>,
    freed: Notify,
}

/// An attempt that is on its way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    way: Way,
    lanes: Lanes,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut taken = self.lanes.taken();
        if let Some(count) = taken.get_mut(&self.way) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.way);
            }
        }
        drop(taken);
        self.lanes.0.freed.notify_one();
    }
}

impl Lanes {
    fn taken(&self) -> MutexGuard<'_, HashMap<Way, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes back when an attempt has ended since it last did.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// To what no more attempts may begin.
    pub(crate) fn busy(&self) -> Busy {
        let taken = self.taken();
        let full = taken.iter().filter(|(_, count)| **count >= TO_A_CHANNEL);
        Busy {
            channels: full.map(|(way, _)| (way.contact, Arc::clone(&way.channel))).collect(),
            kinds: if by_mail(&taken) >= BY_MAIL {
                vec![ChannelKind::Email]
            } else {
                Vec::new()
            },
        }
    }

    /// Lanes for these deliveries, in their order, while there are any.
    pub(crate) fn take(&self, due: Vec<DueDelivery>) -> HashMap<DeliveryId, Lane> {
        let mut taken = self.taken();
        let mut lanes = HashMap::new();
        for due in due {
            if taken.values().sum::<usize>() >= LANES {
                break;
            }
            if due.kind == ChannelKind::Email && by_mail(&taken) >= BY_MAIL {
                continue;
            }
            let way = Way {
                contact: due.contact_id,
                channel: due.channel_id,
                kind: due.kind,
            };
            let count = taken.entry(way.clone()).or_default();
            if *count >= TO_A_CHANNEL {
                continue;
            }
            *count += 1;
            let lane = Lane {
                way,
                lanes: self.clone(),
            };
            lanes.insert(due.id, lane);
        }
        lanes
    }
}

fn by_mail(taken: &HashMap<Way, usize>) -> usize {
    let mails = taken.iter().filter(|(way, _)| way.kind == ChannelKind::Email);
    mails.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(number: u32, contact: u32, kind: ChannelKind) -> DueDelivery {
        DueDelivery {
            id: format!("{number:024}").parse().unwrap(),
            contact_id: format!("{contact:024}").parse().unwrap(),
            channel_id: "one".into(),
            kind,
        }
    }

    fn many(contact: u32, kind: ChannelKind) -> Vec<DueDelivery> {
        (0..40)
            .map(|number| due(contact * 100 + number, contact, kind))
            .collect()
    }

    #[test]
    fn one_channel_takes_four_lanes_at_most_and_is_busy_until_one_is_free() {
        let lanes = Lanes::default();
        let mut first = lanes.take(many(1, ChannelKind::Webhook));
        assert_eq!(first.len(), 4);
        assert_eq!(lanes.busy().channels.len(), 1);
        assert_eq!(lanes.take(many(2, ChannelKind::Slack)).len(), 4, "others are free");
        let one = *first.keys().next().unwrap();
        first.remove(&one);
        assert_eq!(lanes.busy().channels, []);
        assert_eq!(lanes.take(many(1, ChannelKind::Webhook)).len(), 1);
    }

    #[test]
    fn mail_takes_a_quarter_of_the_lanes_at_most_and_nothing_more_than_all() {
        let lanes = Lanes::default();
        let mails: Vec<_> = (1..20)
            .map(|contact| due(contact, contact, ChannelKind::Email))
            .collect();
        let mailed = lanes.take(mails);
        assert_eq!(mailed.len(), 8);
        assert_eq!(lanes.busy().kinds, [ChannelKind::Email]);
        let posts: Vec<_> = (100..200)
            .map(|contact| due(contact, contact, ChannelKind::Slack))
            .collect();
        let posted = lanes.take(posts);
        assert_eq!(posted.len(), 24);
        drop((mailed, posted));
        assert_eq!(lanes.busy(), Busy::default());
    }
}
