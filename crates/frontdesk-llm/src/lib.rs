//! Tier 3's provider: the question it is asked, the client that asks, the reading of its answer, what it costs, and the
//! breaker that keeps callers from waiting for one that is down.
//!
//! A turn's way through here: [`question::body`] writes the request; [`prices::Prices::worst`] says what to hold for it;
//! [`provider::Provider::ask`] sends it under an absolute deadline; [`verdict::Verdict::of`] checks what came back against what was
//! offered; [`prices::Prices::bill`] prices it. Who asks, and what becomes of the money, is `frontdesk_callflow::llm`'s business.

pub mod breaker;
pub mod client;
pub mod completion;
pub mod prices;
pub mod provider;
pub mod question;
pub mod verdict;
