//! Asks a large language model which of a company's own answers a caller wants. The model chooses; it never writes what is spoken.
//!
//! The way of one question, in the order of the modules:
//!
//! 1. [`prices`]: what the model costs. A model without a price is not asked.
//! 2. [`question`]: builds the request. Its bytes bound the tokens of its prompt, so that [`prices::Prices::worst`] is the most that
//!    it can cost: what whoever asks holds in the ledger first.
//! 3. [`provider`]: the port that sends it. [`client::OpenAiCompatible`] is the one implementation; [`endpoint`] says where it is.
//! 4. [`completion`]: what came back, as leniently as servers differ, with the usage that [`prices::Prices::bill`] turns into money.
//! 5. [`verdict`]: what the model decided, held to the schema and to what was offered.
//! 6. [`breaker`]: whether a provider that failed is asked at all. It has no clock and no tasks of its own.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use frontdesk_llm::{client::OpenAiCompatible, endpoint::{Endpoint, api_key}, prices::PriceTable};
//! # use frontdesk_llm::{provider::{Outcome, Progress, Provider as _}, question::{Question, Style, request}, verdict::verdict};
//! # async fn turn(question: &Question<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::parse("https://api.openai.com/v1", false)?;
//! let style = Style::new("gpt-6-luna", &endpoint);
//! let provider = OpenAiCompatible::new(endpoint, Some(api_key("sk-…")?))?;
//! let prices = PriceTable::embedded().of(&style.model, jiff::civil::date(2026, 11, 26)).ok_or("no price")?;
//!
//! let request = request(&style, question);
//! let (hold, row) = prices.worst(request.prompt_bound(), request.max_tokens);
//! // … hold it …
//! let asked = provider.ask(request.body, tokio::time::Instant::now() + Duration::from_secs(10), &Progress::default()).await;
//! if let Outcome::Answered(completion) = asked.outcome {
//!     let bill = completion.usage.map_or((hold, row), |usage| prices.bill(&usage));
//!     // … settle it …
//!     let verdict = verdict(&completion, |key| question.offered.iter().any(|offered| offered.key == key));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What holds here:
//! - No money is a float, and no unknown model is free.
//! - The caller's words are in the user message alone, as a JSON string.
//! - Each [`provider::Outcome`] says what it can have cost: an answer its usage, a refusal and a failed connection nothing, a cut
//!   request perhaps everything. Nothing is sent twice: another attempt is another hold, and the business of whoever asks.
//! - The API key is in one header. No error, no log line and no `Debug` form has it, nor callers' words.
//! - Nothing is logged here: failures are values, logged where they are handled.

pub mod breaker;
pub mod client;
pub mod completion;
pub mod endpoint;
pub mod prices;
pub mod provider;
pub mod question;
mod refusal;
pub mod verdict;
