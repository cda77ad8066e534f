//! Typed identifiers. An id of one kind cannot be passed for another.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Twelve bytes written as 24 lower-case hexadecimal digits; the first four are Unix seconds,
/// so ids sort by the time they were made (the shape of `MongoDB`'s `ObjectId`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId([u8; 12]);

/// The text is not 24 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 24 hexadecimal digits")]
pub struct NotAnObjectId;

impl ObjectId {
    /// Makes an id from the second it was made in and eight random bytes.
    #[must_use]
    pub fn from_parts(unix_seconds: u32, random: [u8; 8]) -> Self {
        let mut bytes = [0; 12];
        let (time, rest) = bytes.split_at_mut(4);
        time.copy_from_slice(&unix_seconds.to_be_bytes());
        rest.copy_from_slice(&random);
        Self(bytes)
    }
}

impl FromStr for ObjectId {
    type Err = NotAnObjectId;

    fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 12 || !rest.is_empty() {
            return Err(NotAnObjectId);
        }
        let mut bytes = [0; 12];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                return Err(NotAnObjectId);
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut text = [b'0'; 24];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [byte >> 4, byte & 15].map(|half| DIGITS.get(usize::from(half)).copied().unwrap_or(b'0'));
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! object_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ObjectId);

        impl From<ObjectId> for $name {
            fn from(id: ObjectId) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = NotAnObjectId;

            fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

object_ids! {
    /// A company (tenant).
    CompanyId;
    /// A template: a set of scenarios that many companies share.
    TemplateId;
    /// A notification.
    NotificationId;
    /// A message or a wish to be called back.
    MessageId;
    /// A ledger entry.
    LedgerEntryId;
    /// An entry of the history of a check.
    HealthEntryId;
    /// Somebody who is told of notifications.
    ContactId;
    /// A message to a contact, of a notification.
    DeliveryId;
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is; documents check its form where they are read.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The id as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same, shared.
            #[must_use]
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_ids! {
    /// A scenario; unique within its template.
    ScenarioId;
    /// A question with its answer; unique within its company or trade.
    QnaId;
    /// A category of the safety rules.
    SafetyId;
    /// One phone call: Twilio's `CallSid`.
    CallId;
    /// One turn: the call and what tells its webhook from the call's other ones.
    TurnId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_reads_and_writes_the_same_text() {
        let text = "507f1f77bcf86cd799439011";
        assert_eq!(text.parse::<CompanyId>().unwrap().to_string(), text);
    }

    #[test]
    fn anything_but_24_hex_digits_is_refused() {
        for text in [
            "",
            "507f1f77bcf86cd79943901",
            "507f1f77bcf86cd79943901g",
            "é".repeat(12).as_str(),
        ] {
            assert_eq!(text.parse::<ObjectId>(), Err(NotAnObjectId), "{text}");
        }
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        assert!(ObjectId::from_parts(1, [255; 8]) < ObjectId::from_parts(2, [0; 8]));
    }
}
