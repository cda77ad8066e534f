//! Turns that another instance may have answered, or is about to: the same webhook gets the same bytes from all of them
//! (DESIGN 4.15), as long as they hear each other.

use std::{sync::Arc, time::Duration};

use frontdesk_store::instances::{Instances, TurnAnswer, TurnClaim, TurnPlace};
use tokio::time::{Instant, sleep_until};

use crate::{
    answers::{CallKey, Claim, Given, TurnKey},
    flow::CallFlow,
    respond::Claimed,
};

/// How often an instance that is about to answer is asked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// A turn that this instance has taken before all others. Given back when it is dropped unanswered.
pub(crate) struct Held {
    instances: Arc<dyn Instances>,
    place: Option<TurnPlace>,
}

impl Held {
    /// Keeps the answer for the others.
    pub(crate) fn give(mut self, given: &Given) {
        let answer = TurnAnswer {
            document: Arc::clone(&given.document),
            response: Arc::clone(&given.response),
        };
        if let Some(place) = self.place.take() {
            self.instances.give_turn(place, answer);
        }
    }

    /// It is not this instance's, or nobody can tell.
    fn forget(mut self) {
        self.place = None;
    }
}

impl Drop for Held {
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
        let held = Held {
            instances: Arc::clone(instances),
            place: Some(place.clone()),
        };
        loop {
            match instances.claim_turn(&place).await {
                TurnClaim::Mine => {
                    claim.hold(held);
                    return Claimed::Mine(claim);
                }
                TurnClaim::Unknown => {
                    held.forget();
                    return Claimed::Mine(claim);
                }
                TurnClaim::Answered(TurnAnswer { document, response }) => {
                    held.forget();
                    let answered = Arc::clone(&document);
                    claim.pass_on(call.clone(), &Given { document, response });
                    return Claimed::Answered(answered);
                }
                TurnClaim::UnderWay => {
                    let next = Instant::now() + LOOK;
                    if next >= deadline {
                        held.forget();
                        return Claimed::TooLate;
                    }
                    sleep_until(next).await;
                }
            }
        }
    }
}
