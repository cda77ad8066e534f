//! What is spoken beside answers, and the phrases by which a caller steers the call: data, by language.

use std::{collections::BTreeMap, sync::Arc};

use crate::variables::Wording;

macro_rules! wire_names {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $name:ident = $wire:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$variant_doc])* $name,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }
        }
    };
}

wire_names! {
    /// The prompts there are.
    PromptName {
        /// A company cannot be loaded.
        Apology = "apology",
        /// Its calls are not answered at present.
        Suspended = "suspended",
        /// Before a call is dialled through for a company that forwards.
        Forward = "forward",
        /// What is said first.
        Greeting = "greeting",
        /// The caller says nothing.
        Silence = "silence",
        /// After an answer.
        AnythingElse = "anythingElse",
        /// The call ends.
        Goodbye = "goodbye",
        /// Before a message is recorded.
        TakeMessage = "takeMessage",
        /// After it was.
        MessageThanks = "messageThanks",
        /// Asks whether the caller wants to leave a message.
        OfferMessage = "offerMessage",
        /// Asks whether the caller wants to be connected.
        OfferTransfer = "offerTransfer",
        /// Before a person is dialled.
        Transfer = "transfer",
        /// Nobody answered.
        TransferFailed = "transferFailed",
        /// Fallback for companies without one: something nearly matched.
        ClarificationNeeded = "clarificationNeeded",
        /// Fallback for companies without one: nothing matched.
        NoMatchFound = "noMatchFound",
        /// Fallback for companies without one: an error or a time-out.
        TechnicalIssue = "technicalIssue",
        /// Fallback for companies without one: another trade's business.
        OutOfScope = "outOfScope",
    }
}

wire_names! {
    /// What a caller says to steer the call.
    PhraseName {
        /// Agrees.
        Yes = "yes",
        /// Disagrees.
        No = "no",
        /// Wants a person.
        Person = "person",
        /// Wants the last words again.
        Repeat = "repeat",
        /// Wants them slower.
        Slower = "slower",
        /// Ends the call.
        Goodbye = "goodbye",
        /// Did not mean to call here.
        WrongNumber = "wrongNumber",
        /// Needs a moment.
        HoldOn = "holdOn",
    }
}

/// The tone that stands in for one that a prompt does not have.
pub const DEFAULT_TONE: &str = "default";

/// Texts by prompt and tone; partial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptTexts(BTreeMap<PromptName, BTreeMap<Arc<str>, Vec<Wording>>>);

impl PromptTexts {
    /// The variations of a prompt in that tone, else in the tone `default`, else in its first tone; empty if
    /// there is no such prompt.
    #[must_use]
    pub fn pick(&self, name: PromptName, tone: &str) -> &[Wording] {
        let Some(tones) = self.0.get(&name) else { return &[] };
        let found = tones
            .get(tone)
            .or_else(|| tones.get(DEFAULT_TONE))
            .or_else(|| tones.values().next());
        found.map_or(&[], Vec::as_slice)
    }
}

/// The prompts and phrases of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts {
    /// Its author's label.
    pub version: Arc<str>,
    /// The BCP 47 language.
    pub language: Arc<str>,
    /// What is spoken.
    pub texts: PromptTexts,
    /// What is recognised.
    pub phrases: BTreeMap<PhraseName, Vec<Arc<str>>>,
}

impl Prompts {
    /// The phrases of that name.
    #[must_use]
    pub fn phrases(&self, name: PhraseName) -> &[Arc<str>] {
        self.phrases.get(&name).map_or(&[], Vec::as_slice)
    }
}
