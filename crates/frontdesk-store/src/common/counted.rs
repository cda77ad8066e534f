//! What the fallback rate counts.

use frontdesk_domain::{
    decision::Source,
    record::{TurnOutcome, TurnRecord},
};

/// Whether a fallback answered the turn; `None` for a greeting, which answers nothing.
pub(crate) fn is_fallback(turn: &TurnRecord) -> Option<bool> {
    (turn.outcome != TurnOutcome::Greeted).then_some(turn.decision.source == Source::Fallback)
}
