//! Messages: when one was left, and whether it says certain words.

use frontdesk_domain::{ids::MessageId, record::Message, time::Timestamp};

/// When a message of this id was made, to the second.
pub(crate) fn time_in(id: MessageId) -> Timestamp {
    let id = id.to_string();
    let seconds = id.get(..8).and_then(|hex| i64::from_str_radix(hex, 16).ok());
    Timestamp::from_second(seconds.unwrap_or_default()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether a message says these words, which are in lower case. Stores' own comparisons know only some alphabets.
pub(crate) fn says(message: &Message, words: &str) -> bool {
    let texts = [&message.transcript, &message.callback_time];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(words))
}
