//! Fetches the audio of recorded messages, behind the calls.
//!
//! Here and not below: nothing that answers a call knows of it, and nothing else speaks to Twilio's API. What is due is
//! noted in the store with its message, so that a restart forgets none; [`heard`] wakes the task that fetches. A
//! recording that cannot be fetched is tried again after growing pauses, for [`GIVE_UP`] from the first try on.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::{
    clock::Clock,
    ids::{CompanyId, MessageId},
    time::Timestamp,
};
use frontdesk_store::{
    ports::{Backend, DueAudio, StoreError},
    tasks::{Stopping, TaskSet},
};
use frontdesk_twilio::recording::account_of;
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::{sync::Notify, time};
use tracing::{debug, error, info, warn};

pub mod heard;
pub mod source;
#[cfg(test)]
mod tests;

use source::{Login, RecordingSource};

/// A recording is tried for so long.
const GIVE_UP: Duration = Duration::from_mins(10);

/// The pause after the first try; each pause after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(160);

/// What was taken and not heard of again is due again after so long: longer than a fetch may take.
const TAKEN: Duration = Duration::from_mins(1);

/// So many recordings are fetched at once.
const AT_ONCE: usize = 4;

/// How often the store is asked without a new message: other processes take messages too.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How long it is waited for a store that does not answer.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Fetches recordings that are due.
pub struct Fetcher {
    /// Knows what is due, and keeps what was fetched.
    pub store: Arc<dyn Backend>,
    /// Where recordings are.
    pub source: Arc<dyn RecordingSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For companies without a token of their own.
    pub platform_token: Option<SecretString>,
    /// Rings when a message has come.
    pub woken: Arc<Notify>,
}

impl Fetcher {
    /// Fetches what is due until the process ends.
    pub fn start(self, tasks: &TaskSet) {
        let mut stopping = tasks.stopping();
        tasks.spawn("fetch recordings", async move {
            while !stopping.is_set() {
                let wait = self.fetch_due(&stopping).await;
                tokio::select! {
                    () = stopping.wait() => {}
                    () = self.woken.notified() => {}
                    () = time::sleep(wait) => {}
                }
            }
        });
    }

    /// Fetches all that is due. Gives how long nothing will be due, as far as is known.
    async fn fetch_due(&self, stopping: &Stopping) -> Duration {
        while !stopping.is_set() {
            match self.take_due().await {
                Ok(Taken::Due(due)) => {
                    join_all(due.iter().map(|due| self.fetch_one(due, stopping.clone()))).await;
                }
                Ok(Taken::NoneFor(wait)) => return wait,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "it is not known which recordings are due"
                    );
                    return STORE_PAUSE;
                }
            }
        }
        Duration::ZERO
    }

    async fn take_due(&self) -> Result<Taken, StoreError> {
        let now = self.clock.now();
        match self.store.next_audio_due().await? {
            Some(due) if due <= now => {
                let taken = self.store.claim_audio(now, now + TAKEN, AT_ONCE).await?;
                Ok(Taken::Due(taken))
            }
            Some(due) => {
                let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
                Ok(Taken::NoneFor(wait.min(LOOK_EVERY)))
            }
            None => Ok(Taken::NoneFor(LOOK_EVERY)),
        }
    }

    async fn fetch_one(&self, due: &DueAudio, mut stopping: Stopping) {
        let due_at = tokio::select! {
            biased;
            fetched = self.fetch_and_keep(due) => match fetched {
                Ok(()) => return,
                Err(failure) => self.after(due, &failure),
            },
            // The next process begins with it at once.
            () = stopping.wait() => Some(self.clock.now()),
        };
        if let Err(error) = self.store.postpone_audio(due.message, due_at).await {
            // It is due again by itself.
            warn!(message.id = %due.message, error = &error as &dyn std::error::Error, "it could not be noted when a recording is due");
        }
    }

    async fn fetch_and_keep(&self, due: &DueAudio) -> Result<(), Failure> {
        let login = self.login(due).await?;
        let audio = self.source.fetch(&due.url, login.as_ref()).await?;
        let bytes = audio.bytes.len();
        if self.store.put_audio(due.message, audio).await? {
            info!(company.id = %due.company, message.id = %due.message, bytes, "a recording was fetched");
        }
        Ok(())
    }

    /// When a recording is tried again that could not be fetched; `None` gives it up.
    fn after(&self, due: &DueAudio, failure: &Failure) -> Option<Timestamp> {
        let DueAudio {
            message,
            company,
            attempts,
            first_tried_at,
            ..
        } = due;
        let cause = failure as &dyn std::error::Error;
        let again = match failure {
            Failure::Source(cause) if cause.is_final() => None,
            _ => next_try(*first_tried_at, self.clock.now(), *attempts),
        };
        match again {
            None => given_up(*company, *message, *attempts, cause),
            Some(again) => {
                debug!(company.id = %company, message.id = %message, attempts, %again, error = cause, "a recording could not be fetched yet");
            }
        }
        again
    }

    /// What opens the company's recordings; `None` if there is no token at all.
    async fn login(&self, due: &DueAudio) -> Result<Option<Login>, StoreError> {
        let company = self.store.company(due.company).await?;
        let account = company
            .as_ref()
            .and_then(|company| company.document.json.get("twilio")?.get("accountSid")?.as_str())
            .or_else(|| account_of(&due.url))
            .map(Into::into);
        let own = company.as_ref().and_then(|company| company.secrets.auth_token.clone());
        let token = own.or_else(|| self.platform_token.clone());
        Ok(account.zip(token).map(|(account, token)| Login { account, token }))
    }
}

/// Somebody must listen to it at Twilio's, while it is there.
fn given_up(company: CompanyId, message: MessageId, attempts: u32, cause: &(dyn std::error::Error + 'static)) {
    error!(company.id = %company, message.id = %message, attempts, error = cause, "a recording could not be fetched and is given up; it can still be heard at its recordingUrl");
}

enum Taken {
    Due(Vec<DueAudio>),
    NoneFor(Duration),
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the recording was not fetched")]
    Source(#[from] source::FetchError),
    #[error("the recording was not kept")]
    Store(#[from] StoreError),
}

/// When a recording is tried again that failed `attempts` times, last at `now`; `None` once its time is over.
fn next_try(first: Timestamp, now: Timestamp, attempts: u32) -> Option<Timestamp> {
    let last = first + GIVE_UP;
    let doublings = attempts.saturating_sub(1).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    (now < last).then(|| (now + pause).min(last))
}
