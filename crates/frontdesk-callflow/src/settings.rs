//! The platform's own numbers: what holds where neither company nor template says otherwise.

use std::time::Duration;

use tokio::time::Instant;

/// Tier 1's threshold where scenario, company and template set none.
pub const TIER1_THRESHOLD: f64 = 0.70;

/// Tier 2's threshold where scenario, company and template set none.
pub const TIER2_THRESHOLD: f64 = 0.60;

/// The LLM's choice is taken from this confidence on.
pub const TIER3_THRESHOLD: f64 = 0.60;

/// A candidate at most this far below its threshold is near: the caller is asked to say it in other words.
pub const NEAR: f64 = 0.25;

/// Two candidates at most this far apart are close: if nothing decides between them, the caller is asked which is meant.
pub const CLOSE: f64 = 0.08;

/// After this many misses in a row a person is needed (DESIGN 4.5).
pub const MISSES_BEFORE_ESCALATION: u8 = 2;

/// A turn is answered within this time, whatever is broken.
pub const TURN_DEADLINE: Duration = Duration::from_millis(3_900);

/// Nothing on the call path waits longer for the store.
pub const STORE_DEADLINE: Duration = Duration::from_secs(1);

/// How long a turn waits for the store to confirm what the cache server has said: that nobody has answered it.
pub(crate) const CONFIRMED: Duration = Duration::from_millis(100);

/// Of a turn's time so much is left to those who have waited in vain for another instance's answer.
const ALONE: Duration = Duration::from_millis(600);

/// Of a turn's time so much is left for what comes after the store was read.
const AFTER_READING: Duration = Duration::from_millis(400);

/// Until when another instance's answer is waited for. A turn that nobody has answered by then, this process answers itself.
pub(crate) fn answered_alone_by(turn: Instant) -> Instant {
    turn.checked_sub(ALONE).unwrap_or(turn)
}

/// Until when a turn waits for the store with this patience, or less where its own deadline comes sooner.
pub(crate) fn read_by(turn: Instant, patience: Duration) -> Instant {
    let leaves_time = turn.checked_sub(AFTER_READING).unwrap_or(turn);
    leaves_time.min(Instant::now() + patience)
}

/// Nothing on the call path waits longer for what is only a cache.
pub const CACHE_DEADLINE: Duration = Duration::from_millis(50);

/// A turn waits at most so long for the meaning of its utterance.
pub const MEANING_DEADLINE: Duration = Duration::from_millis(250);

/// A turn waits at most so long for what its company's answers mean, where that is being learnt.
pub const LEARNING_WAIT: Duration = Duration::from_millis(250);

/// A turn waits at most so long for the LLM.
pub const LLM_WAIT: Duration = Duration::from_millis(2_500);

/// A request to the LLM runs on so long at most, so that its bill is known.
pub const LLM_REQUEST: Duration = Duration::from_secs(10);

/// What is left of a turn's time once the LLM was waited for: a fallback and its record need it.
pub const LLM_MARGIN: Duration = Duration::from_millis(400);

/// What is left of a turn's time once a fallback's number was waited for: what is spoken is still to be written.
pub const FALLBACK_MARGIN: Duration = Duration::from_millis(100);

/// So many answers are offered to the LLM at most, dangers aside.
pub const LLM_OFFERED: usize = 24;

/// How long a destination rings before the caller is asked for a message.
pub const DIAL_SECONDS: u32 = 25;

/// So long the dialled person has to press the key that takes the call.
pub const WHISPER_SECONDS: u32 = 8;

/// So long a caller who asked for a moment may say nothing.
pub const PATIENCE_SECONDS: u32 = 20;

/// A transferred call ends after this time.
pub const DIAL_LIMIT_SECONDS: u32 = 14_400;

/// The longest message.
pub const MESSAGE_SECONDS: u32 = 180;

/// Silence that ends a message.
pub const MESSAGE_SILENCE_SECONDS: u32 = 6;

/// So many templates of other trades are asked at most whether an utterance is their business.
pub const FOREIGN_TEMPLATES: usize = 64;

/// The only sentence that is spoken from code (DESIGN section 1).
pub const EMERGENCY_SENTENCE: &str =
    "I'm experiencing technical difficulties. Let me transfer you to a live agent immediately.";
