//! Calls of one turn each: by callers who wait for their answers, or who come at their times.

use std::{net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

use crate::{
    connection::Connection,
    report::quantile,
    twilio::{Call, Caller},
    twiml::Document,
    world::{Company, PRICE},
};

/// An answer that takes longer is silence to its caller.
const HEARD: Duration = Duration::from_secs(1);

/// So many callers wait at once at most; beyond them a line is busy.
const LINES: usize = 4_000;

/// What came of callers' turns.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    /// For so long callers came.
    pub lasts: Duration,
    /// Answered with what the company has to say to it, within a second: how long each took.
    pub right: Vec<Duration>,
    /// Answered with something else, such as being put through, within a second.
    pub other: usize,
    /// Answered later.
    pub late: usize,
    /// Not answered, or with what Twilio would not take.
    pub failed: usize,
}

impl Outcomes {
    fn note(&mut self, heard: Option<bool>, took: Duration) {
        match heard {
            None => self.failed += 1,
            Some(_) if took > HEARD => self.late += 1,
            Some(true) => self.right.push(took),
            Some(false) => self.other += 1,
        }
    }

    /// Right answers a second.
    #[must_use]
    pub fn right_a_second(&self) -> f64 {
        let turns = f64::from(u32::try_from(self.right.len()).unwrap_or(u32::MAX));
        turns / self.lasts.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The time within which this share of the right answers came, in milliseconds.
    #[must_use]
    pub fn within(&self, share: f64) -> f64 {
        quantile(&mut self.right.clone(), share).as_secs_f64() * 1e3
    }
}

/// Callers of one company, who come one after the other at a steady rate, whether those before were answered or not.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals<'c> {
    /// Whom they call.
    pub company: &'c Company,
    /// So many a second.
    pub rate: f64,
    /// For so long.
    pub lasts: Duration,
}

/// One turn of a new call: whether the right answer was heard; `None` without an answer.
async fn turn(caller: &mut Caller, company: &Company) -> Option<bool> {
    let sid = format!("CA{:032x}", rand::random::<u128>());
    caller.take(Call::new(&company.twilio, &company.id, &sid));
    let heard = caller.say(PRICE.0).await.map(Document::speech);
    heard.ok().map(|heard| heard.starts_with(PRICE.1))
}

/// So many callers, each of whom calls anew when answered.
pub async fn waiting(server: SocketAddr, company: &Company, callers: usize, lasts: Duration) -> Outcomes {
    let until = Instant::now() + lasts;
    let callers = (0..callers).map(async |_| {
        let mut caller = Caller::new(Connection::new(server));
        let mut seen = Outcomes::default();
        while Instant::now() < until {
            let asked = Instant::now();
            let heard = turn(&mut caller, company).await;
            seen.note(heard, asked.elapsed());
        }
        seen
    });
    let mut all = Outcomes {
        lasts,
        ..Outcomes::default()
    };
    for seen in Box::pin(join_all(callers)).await {
        all.right.extend(seen.right);
        all.other += seen.other;
        all.late += seen.late;
        all.failed += seen.failed;
    }
    all
}

/// Callers who come at their times. A turn's time counts from when its caller came, also where this process was late.
pub async fn coming(server: SocketAddr, arrivals: &[Arrivals<'_>]) -> Vec<Outcomes> {
    let began = Instant::now();
    let mut seen: Vec<_> = arrivals
        .iter()
        .map(|of| Outcomes {
            lasts: of.lasts,
            ..Outcomes::default()
        })
        .collect();
    let mut came = vec![0_u32; arrivals.len()];
    let mut free: Vec<Caller> = Vec::new();
    let mut asking = FuturesUnordered::new();
    loop {
        let next = arrivals
            .iter()
            .zip(&came)
            .enumerate()
            .filter_map(|(of, (arrivals, came))| {
                let at = Duration::from_secs_f64(f64::from(*came) / arrivals.rate.max(f64::MIN_POSITIVE));
                (at < arrivals.lasts).then_some((began + at, of))
            });
        let next = next.min();
        if let Some((due, of)) = next
            && due <= Instant::now()
            && let (Some(came), Some(arrivals)) = (came.get_mut(of), arrivals.get(of))
        {
            *came += 1;
            if asking.len() >= LINES {
                if let Some(seen) = seen.get_mut(of) {
                    seen.failed += 1;
                }
                continue;
            }
            let mut caller = free.pop().unwrap_or_else(|| Caller::new(Connection::new(server)));
            asking.push(async move {
                let heard = turn(&mut caller, arrivals.company).await;
                (of, caller, heard, due.elapsed())
            });
            // Those who wait are looked at now and then, however many come.
            if !came.is_multiple_of(8) {
                continue;
            }
        }
        tokio::select! {
            Some((of, caller, heard, took)) = asking.next(), if !asking.is_empty() => {
                free.push(caller);
                if let Some(seen) = seen.get_mut(of) {
                    seen.note(heard, took);
                }
            }
            () = sleep_until(next.map_or(began, |(due, _)| due)), if next.is_some() => {}
            else => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_answers_are_no_right_ones() {
        let mut seen = Outcomes {
            lasts: Duration::from_secs(2),
            ..Outcomes::default()
        };
        let millis = Duration::from_millis;
        for (heard, took) in [
            (Some(true), 10),
            (Some(true), 990),
            (Some(true), 1_200),
            (Some(false), 3),
            (None, 1),
        ] {
            seen.note(heard, millis(took));
        }
        assert_eq!((seen.right.len(), seen.other, seen.late, seen.failed), (2, 1, 1, 1));
        assert!((seen.right_a_second() - 1.0).abs() < 1e-9);
        assert!((seen.within(0.99) - 990.0).abs() < 1e-9);
    }
}
