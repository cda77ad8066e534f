//! What is spoken beside answers, and the phrases by which a caller steers the call: data, by language.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::{Value, json};

use super::{
    Faults, Mode, Parsed,
    company::language,
    reader::{
        Reader, parse,
        shapes::{line, list, map, object, text, wording},
    },
};
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
        /// Follows the greeting while the company is closed.
        AfterHours = "afterHours",
        /// The caller says nothing.
        Silence = "silence",
        /// The caller says nothing again: what the keys do.
        Menu = "menu",
        /// The caller pressed a key that means nothing here.
        KeysNotUnderstood = "keysNotUnderstood",
        /// The caller needs a moment.
        Waiting = "waiting",
        /// The caller wants something again, and nothing was said.
        NothingToRepeat = "nothingToRepeat",
        /// Before the last words are said again, slowly.
        Slower = "slower",
        /// The caller did not mean to call here.
        WrongNumber = "wrongNumber",
        /// Two things that the caller may mean: `{first}` and `{second}`.
        Choice = "choice",
        /// After an answer.
        AnythingElse = "anythingElse",
        /// After a yes to that.
        GoAhead = "goAhead",
        /// The call ends.
        Goodbye = "goodbye",
        /// Before a message is recorded.
        TakeMessage = "takeMessage",
        /// After it was.
        MessageThanks = "messageThanks",
        /// Before a person is dialled.
        Transfer = "transfer",
        /// Somebody did not answer, and the next one is dialled.
        TransferNext = "transferNext",
        /// Nobody answered.
        TransferFailed = "transferFailed",
        /// The caller wants a person, and nobody can be dialled now.
        NobodyThere = "nobodyThere",
        /// What the dialled person hears: press 1 to take the call.
        Whisper = "whisper",
        /// They take it.
        WhisperAccepted = "whisperAccepted",
        /// They do not.
        WhisperDeclined = "whisperDeclined",
        /// Asks whether the caller wants to be called back.
        OfferCallback = "offerCallback",
        /// Asks whether at the number that they call from.
        CallbackSameNumber = "callbackSameNumber",
        /// Asks for the number.
        CallbackNumber = "callbackNumber",
        /// Asks for it again.
        CallbackNumberAgain = "callbackNumberAgain",
        /// Reads it back: `{number}`.
        CallbackConfirm = "callbackConfirm",
        /// Asks for a time.
        CallbackTime = "callbackTime",
        /// After the wish is kept.
        CallbackThanks = "callbackThanks",
        /// A limit against abuse ends the conversation.
        LimitReached = "limitReached",
        /// A webhook of a call that has ended.
        CallOver = "callOver",
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
        /// Says that what was read back is wrong.
        Wrong = "wrong",
        /// It is good so: an offer is taken, and nothing else is wanted.
        Praise = "praise",
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
        /// Chooses the first of two.
        First = "first",
        /// Chooses the second.
        Second = "second",
        /// Chooses neither.
        Neither = "neither",
        /// What a sentence of ours says that offers a person.
        OffersTransfer = "offersTransfer",
        /// What a sentence of ours says that offers to take a message.
        OffersMessage = "offersMessage",
        /// What a sentence of ours says that offers to call back.
        OffersCallback = "offersCallback",
        /// Words around a phrase that change nothing.
        Filler = "filler",
        /// The digits from zero to nine, each with the words for it, separated by `|`.
        Digits = "digits",
    }
}

/// The tone that stands in for one that a prompt does not have.
pub const DEFAULT_TONE: &str = "default";

/// Texts by prompt and tone; partial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptTexts(BTreeMap<PromptName, BTreeMap<Arc<str>, Vec<Wording>>>);

impl PromptTexts {
    /// Reads `{ name: { tone: [text] } }`.
    pub(super) fn read(doc: &mut Reader<'_, '_>) -> Self {
        let mut texts = BTreeMap::new();
        for name in PromptName::ALL {
            let shape = map(20, tone, list(1..=50, wording(1..=2_000)));
            // Absent names stay absent: these texts are partial.
            if let Some(tones) = doc.sparse(name.as_str(), shape) {
                texts.insert(*name, tones.into_iter().collect());
            }
        }
        Self(texts)
    }

    /// The prompts that have a text.
    pub fn names(&self) -> impl Iterator<Item = PromptName> {
        self.0.keys().copied()
    }

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

fn tone(name: &str) -> Result<Arc<str>, &'static str> {
    let well_formed = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    well_formed
        .then(|| name.into())
        .ok_or("is no name of a tone; it should be letters, digits and dashes")
}

/// The prompts that come with the program, in `en-US`.
pub const EMBEDDED: &str = include_str!("../../data/prompts/en-US.json");

impl Prompts {
    /// Reads a prompts document.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(document: &Value, mode: Mode<'_>) -> Result<Parsed<Self>, Faults> {
        parse(document, mode, |doc| {
            let version = doc.or("version", "", line(0..=100));
            let language = doc.required("language", language);
            let texts = doc.required("texts", object(|doc| Some(PromptTexts::read(doc))));
            let phrases = doc.or("phrases", json!({}), object(|doc| Some(phrases(doc))));
            doc.ignored("rev");
            doc.server_time("createdAt");
            doc.server_time("updatedAt");
            if let Some(texts) = &texts {
                let missing = PromptName::ALL.iter().filter(|name| !texts.0.contains_key(name));
                for name in missing {
                    let detail = "is missing; the text that comes with the program is spoken, in English";
                    doc.place.note_below(&format!("/texts/{}", name.as_str()), detail);
                }
            }
            Some(Self {
                version: version?,
                language: language?,
                texts: texts?,
                phrases: phrases?,
            })
        })
    }

    /// The prompts that come with the program.
    #[must_use]
    pub fn embedded() -> &'static Self {
        #[expect(clippy::expect_used, reason = "the file is part of the program and a test parses it")]
        static PROMPTS: LazyLock<Prompts> = LazyLock::new(|| {
            let document = serde_json::from_str(EMBEDDED).expect("embedded prompts are JSON");
            Prompts::parse(&document, Mode::Import)
                .expect("embedded prompts are right")
                .value
        });
        &PROMPTS
    }

    /// The variations of a prompt: the company's own, else the language's, else those of the program.
    #[must_use]
    pub fn pick<'a>(&'a self, own: &'a PromptTexts, name: PromptName, tone: &str) -> &'a [Wording] {
        let found = [own, &self.texts]
            .into_iter()
            .map(|texts| texts.pick(name, tone))
            .find(|texts| !texts.is_empty());
        found.unwrap_or_else(|| Self::embedded().texts.pick(name, tone))
    }

    /// The phrases of that name.
    #[must_use]
    pub fn phrases(&self, name: PhraseName) -> &[Arc<str>] {
        self.phrases.get(&name).map_or(&[], Vec::as_slice)
    }
}

fn phrases(doc: &mut Reader<'_, '_>) -> BTreeMap<PhraseName, Vec<Arc<str>>> {
    let mut phrases = BTreeMap::new();
    for name in PhraseName::ALL {
        if let Some(texts) = doc.sparse(name.as_str(), list(0..=500, text(1..=200))) {
            phrases.insert(*name, texts);
        }
    }
    phrases
}
