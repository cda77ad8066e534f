//! Hears what is published on a channel.

use std::{fmt, time::Duration};

use futures_util::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::time;

use super::{CONNECT, NoAnswer, Redis};

/// A channel on which nothing is heard for so long is asked whether it is there.
const LOOK: Duration = Duration::from_secs(1);

/// So long it may take to say so.
const PATIENCE: Duration = Duration::from_secs(1);

/// A channel that is heard, over a connection of its own.
pub struct Subscription {
    sink: PubSubSink,
    stream: PubSubStream,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins to hear a channel. What was published before is not heard. For tasks: may take a second.
    ///
    /// # Errors
    /// The server cannot be reached, or not in time.
    pub async fn subscribe(&self, channels: &[String]) -> Result<Subscription, NoAnswer> {
        let begun = time::timeout(2 * CONNECT, async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(channels).await?;
            Ok(Subscription { sink, stream })
        });
        begun.await.map_err(|_| NoAnswer::Late)?.map_err(NoAnswer::Failed)
    }
}

impl Subscription {
    /// The next message, with its channel; `None` when the connection is lost: subscribe again, and take it that
    /// something was missed.
    pub async fn next(&mut self) -> Option<(String, Vec<u8>)> {
        loop {
            match time::timeout(LOOK, self.stream.next()).await {
                Ok(message) => {
                    let message = message?;
                    return Some((
                        message.get_channel_name().to_owned(),
                        message.get_payload_bytes().to_vec(),
                    ));
                }
                // A server that hangs keeps its connections open.
                Err(_) => {
                    let answer = time::timeout(PATIENCE, self.sink.ping::<redis::Value>()).await;
                    answer.ok()?.ok()?;
                }
            }
        }
    }
}
