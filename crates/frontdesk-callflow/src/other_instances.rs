//! Turns that another instance may have answered, or is about to: the same webhook gets the same bytes from all of them
//! (DESIGN 4.15), as long as they hear each other.

use std::{sync::Arc, time::Duration};

use frontdesk_store::{
    instances::{Instances, TurnAnswer, TurnClaim, TurnPlace},
    ports::CallLog as _,
    queue::TurnQueue,
};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::{
    answers::{CallKey, Claim, Given, Others, TurnKey},
    flow::CallFlow,
    respond::{Claimed, a_day_before},
    settings,
};

/// How often an instance that is about to answer is asked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// The store is asked for its answer each so many looks.
const LOOKS_PER_RECALL: u32 = 15;

/// So long an answer waits for its record before others are told of it.
const STORED: Duration = Duration::from_secs(2);

/// A turn that this instance has taken before all others. Given back when it is dropped unanswered.
pub(crate) struct SharedClaim {
    instances: Arc<dyn Instances>,
    place: Option<TurnPlace>,
    turns: TurnQueue,
}

impl SharedClaim {
    /// Keeps the answer for the others; that of a turn with a record once the store has the record. Until then they wait:
    /// if this process dies before, the same webhook is answered and recorded anew.
    pub(crate) fn give(mut self, given: &Given, has_record: bool) {
        let answer = TurnAnswer {
            document: Arc::clone(&given.document),
            response: Arc::clone(&given.response),
        };
        if let Some(place) = self.place.take() {
            let turns = self.turns.clone();
            let stored = async move {
                if has_record {
                    // A store that is away must not keep the answer from them.
                    _ = timeout(STORED, turns.stored()).await;
                }
            };
            self.instances.give_turn(place, answer, Box::pin(stored));
        }
    }

    /// It is another instance's.
    fn forget(mut self) {
        self.place = None;
    }
}

impl Drop for SharedClaim {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.instances.let_turn_go(place);
        }
    }
}

impl CallFlow {
    /// Takes a turn from the other instances too, or waits for the answer that one of them gives.
    pub(crate) async fn claim_from_others<'a>(
        &'a self,
        mut claim: Claim<'a>,
        turn: &TurnKey,
        call: &CallKey,
        deadline: Instant,
    ) -> Claimed<'a> {
        let Some(instances) = self.instances() else {
            return Claimed::Mine(claim);
        };
        let place = TurnPlace {
            company: turn.0,
            turn: turn.1.clone(),
        };
        // Before it is taken: whoever waits may be broken off meanwhile.
        let held = SharedClaim {
            instances: Arc::clone(instances),
            place: Some(place.clone()),
            turns: self.turns().clone(),
        };
        let mut looks = 0_u32;
        loop {
            match instances.claim_turn(&place).await {
                TurnClaim::Mine => {
                    claim.hold(held, Others::HaveNotAnswered);
                    return Claimed::Mine(claim);
                }
                // A claim that was heard too late may have been taken: its answer is told, or it is given back.
                TurnClaim::Unknown => {
                    claim.hold(held, Others::Unknown);
                    return Claimed::Mine(claim);
                }
                TurnClaim::Answered(TurnAnswer { document, response }) => {
                    held.forget();
                    return pass_on(claim, call, Given { document, response });
                }
                TurnClaim::UnderWay => {
                    looks += 1;
                    // Its answer is in the store before long, also where it could not tell the others.
                    if looks.is_multiple_of(LOOKS_PER_RECALL)
                        && let Some(given) = self.given_elsewhere(turn, call, deadline).await
                    {
                        held.forget();
                        return pass_on(claim, call, given);
                    }
                    let next = Instant::now() + LOOK;
                    if next >= settings::answered_alone_by(deadline) {
                        // It may have died. If it answers all the same, the store keeps one record and one charge.
                        held.forget();
                        return Claimed::Mine(claim);
                    }
                    sleep_until(next).await;
                }
            }
        }
    }

    /// What the store has as the answer of a turn that another instance took.
    async fn given_elsewhere(&self, turn: &TurnKey, call: &CallKey, deadline: Instant) -> Option<Given> {
        let since = a_day_before(self.deps.clock.now());
        let asked = self.store().recall(turn.0, &call.1, &turn.1, since);
        let answer = timeout_at(deadline, asked).await.ok()?.ok()??.answer?;
        Some(Given {
            document: answer.document?,
            response: answer.response,
        })
    }
}

fn pass_on<'a>(claim: Claim<'a>, call: &CallKey, given: Given) -> Claimed<'a> {
    claim.pass_on(call.clone(), &given);
    Claimed::Answered(given.document)
}
