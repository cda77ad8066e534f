//! Phrases by which a caller steers a call: recognised when they are all that was said, or nearly.

use std::collections::{BTreeMap, HashMap, HashSet};

use aho_corasick::{AhoCorasick, MatchKind};
use frontdesk_domain::documents::prompts::PhraseName;

use crate::normal::normalize;

/// A phrase of fewer words is recognised only if nothing else was said.
const WORDS_WITHIN: usize = 3;

/// So many other words may be said around a phrase.
const WORDS_AROUND: usize = 5;

/// The names that are recognised at any time, in the order in which they are asked.
const AT_ANY_TIME: [PhraseName; 6] = [
    PhraseName::Person,
    PhraseName::WrongNumber,
    PhraseName::Slower,
    PhraseName::Repeat,
    PhraseName::HoldOn,
    PhraseName::Goodbye,
];

/// The names of what a sentence of ours may offer.
const OFFERS: [PhraseName; 3] = [
    PhraseName::OffersTransfer,
    PhraseName::OffersMessage,
    PhraseName::OffersCallback,
];

/// The phrases of a language, in their normal form.
#[derive(Debug, Default)]
pub struct Phrases {
    whole: HashMap<Box<str>, Vec<PhraseName>>,
    /// Phrases that may stand among other words, by their first word, in the order in which they are asked.
    within: HashMap<Box<str>, Vec<(Box<str>, PhraseName)>>,
    /// Of one word or two.
    fillers: HashSet<Box<str>>,
    negations: HashSet<Box<str>>,
    offers: Offers,
    digits: HashMap<Box<str>, char>,
}

/// What sentences of ours say that offer something.
#[derive(Debug, Default)]
struct Offers {
    /// The phrases with a blank before and after; `None` if there are none.
    phrases: Option<AhoCorasick>,
    /// What each of them offers.
    names: Vec<PhraseName>,
}

impl Offers {
    fn new(phrases: &[(String, PhraseName)]) -> Self {
        let texts = phrases.iter().map(|(phrase, _)| phrase);
        // Words of a prompt never are too many for it.
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(texts);
        Self {
            phrases: automaton.ok().filter(|_| !phrases.is_empty()),
            names: phrases.iter().map(|(_, name)| *name).collect(),
        }
    }

    fn first_in(&self, padded: &str) -> Option<PhraseName> {
        let found = self.phrases.as_ref()?.find(padded)?;
        self.names.get(found.pattern().as_usize()).copied()
    }
}

impl Phrases {
    /// Compiles phrases by name. A phrase that has no word is left out.
    #[must_use]
    pub fn compile<'a, L>(lists: impl IntoIterator<Item = (PhraseName, L)>) -> Self
    where
        L: IntoIterator<Item = &'a str>,
    {
        let mut phrases = Self::default();
        let lists: BTreeMap<_, Vec<&str>> = lists
            .into_iter()
            .map(|(name, list)| (name, list.into_iter().collect()))
            .collect();
        let fillers = lists.get(&PhraseName::Filler).into_iter().flatten();
        let fillers = fillers.map(|filler| normalize(filler).into_boxed_str());
        phrases.fillers = fillers.filter(|filler| !filler.is_empty()).collect();
        for (value, words) in ('0'..='9').zip(lists.get(&PhraseName::Digits).into_iter().flatten()) {
            for word in words.split('|') {
                phrases.digits.insert(normalize(word).into(), value);
            }
        }
        let mut offers = Vec::new();
        for (name, list) in lists {
            if matches!(name, PhraseName::Filler | PhraseName::Digits) {
                continue;
            }
            if OFFERS.contains(&name) {
                let padded = list.into_iter().map(|phrase| format!(" {} ", normalize(phrase)));
                offers.extend(padded.map(|phrase| (phrase, name)));
                continue;
            }
            for phrase in list {
                phrases.add(name, phrase);
            }
        }
        phrases.offers = Offers::new(&offers);
        phrases
    }

    fn add(&mut self, name: PhraseName, phrase: &str) {
        let normal = normalize(phrase);
        for form in [&*normal, self.bare(&normal)] {
            if form.is_empty() || (form != &*normal && self.fillers.contains(form)) {
                continue;
            }
            let names = self.whole.entry(form.into()).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if name == PhraseName::No {
            self.negations.insert((&*normal).into());
        }
        let words = normal.split(' ').count();
        if words >= WORDS_WITHIN && AT_ANY_TIME.contains(&name) {
            let first = normal.split(' ').next().unwrap_or_default();
            let same = self.within.entry(first.into()).or_default();
            same.push((normal.clone().into(), name));
        }
    }

    /// What steers the call at any time: a person, repeat, slower, goodbye …
    #[must_use]
    pub fn steering(&self, normalized: &str) -> Option<PhraseName> {
        if normalized.is_empty() {
            return None;
        }
        let whole = self.names_of(normalized);
        if let Some(name) = AT_ANY_TIME.into_iter().find(|name| whole.contains(name)) {
            return Some(name);
        }
        self.steering_within(normalized)
    }

    /// A phrase among a few other words, at the first word at which one begins.
    fn steering_within(&self, normalized: &str) -> Option<PhraseName> {
        let words = normalized.split(' ').count();
        let mut at = 0;
        for word in normalized.split(' ') {
            let rest = normalized.get(at..)?;
            for (phrase, name) in self.within.get(word).into_iter().flatten() {
                let after = rest.strip_prefix(&**phrase);
                let is_whole = after.is_some_and(|after| after.is_empty() || after.starts_with(' '));
                if is_whole && words <= phrase.split(' ').count() + WORDS_AROUND {
                    let before = normalized.get(..at)?;
                    return (!self.denies(before)).then_some(*name);
                }
            }
            at += word.len() + 1;
        }
        None
    }

    /// Whether words deny what follows them.
    fn denies(&self, words: &str) -> bool {
        words
            .split(' ')
            .any(|word| word.ends_with("n't") || word == "not" || self.negations.contains(word))
    }

    /// Which of these names all that was said is, but for courtesies.
    #[must_use]
    pub fn whole(&self, normalized: &str, among: &[PhraseName]) -> Option<PhraseName> {
        let whole = self.names_of(normalized);
        among.iter().copied().find(|name| whole.contains(name))
    }

    /// Which of these names an answer to a question is: all of it, or its first words.
    #[must_use]
    pub fn reply(&self, normalized: &str, among: &[PhraseName]) -> Option<PhraseName> {
        if let Some(name) = self.whole(normalized, among) {
            return Some(name);
        }
        // "yes I would like that", "no I mean the other one": the first words say it, longest first.
        let bare = self.bare(normalized);
        let ends = bare.match_indices(' ').map(|(at, _)| at).filter(|at| *at > 0);
        let mut heads: Vec<&str> = ends.filter_map(|at| bare.get(..at)).take(4).collect();
        heads.reverse();
        heads.into_iter().find_map(|head| {
            let names = self.whole.get(head)?;
            among.iter().copied().find(|name| names.contains(name))
        })
    }

    /// What a sentence of ours in normal form offers: the way out that it names first.
    #[must_use]
    pub fn offer(&self, sentence: &str) -> Option<PhraseName> {
        self.offers.first_in(&format!(" {sentence} "))
    }

    /// The digits in what was said, typed or as words; anything else is passed over.
    #[must_use]
    pub fn digits(&self, normalized: &str) -> String {
        let mut digits = String::new();
        for word in normalized.split(' ') {
            match self.digits.get(word) {
                Some(digit) => digits.push(*digit),
                None => digits.extend(word.chars().filter(char::is_ascii_digit)),
            }
        }
        digits
    }

    fn names_of(&self, normalized: &str) -> &[PhraseName] {
        let found = self
            .whole
            .get(normalized)
            .or_else(|| self.whole.get(self.bare(normalized)));
        found.map_or(&[], Vec::as_slice)
    }

    /// Without the fillers at both ends; as it is if nothing else was said.
    fn bare<'t>(&self, normalized: &'t str) -> &'t str {
        let mut rest = normalized;
        while let Some(shorter) = self.without_filler(rest) {
            rest = shorter;
        }
        rest
    }

    /// Without a filler of two words or one, in front or at the end; something is left.
    fn without_filler<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut fronts = text.match_indices(' ').map(|(at, _)| at).take(2);
        let (one, two) = (fronts.next()?, fronts.next());
        let front = [two, Some(one)].into_iter().flatten().find_map(|at| {
            let (filler, rest) = text.split_at_checked(at)?;
            self.fillers.contains(filler).then(|| rest.trim_start())
        });
        if front.is_some() {
            return front;
        }
        let mut backs = text.rmatch_indices(' ').map(|(at, _)| at).take(2);
        let (one, two) = (backs.next()?, backs.next());
        [two, Some(one)].into_iter().flatten().find_map(|at| {
            let (rest, filler) = text.split_at_checked(at)?;
            self.fillers.contains(filler.trim_start()).then_some(rest)
        })
    }
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::documents::prompts::Prompts;

    use super::*;

    fn phrases() -> Phrases {
        let prompts = Prompts::embedded();
        Phrases::compile(
            prompts
                .phrases
                .iter()
                .map(|(name, list)| (*name, list.iter().map(|text| &**text))),
        )
    }

    #[track_caller]
    fn check(said: &str, want: Option<PhraseName>) {
        assert_eq!(phrases().steering(&normalize(said)), want, "{said}");
    }

    #[test]
    fn what_steers_a_call_is_recognised_with_courtesies_around_it() {
        check("Can you repeat that, please?", Some(PhraseName::Repeat));
        check("um sorry, come again", Some(PhraseName::Repeat));
        for again in [
            "What?",
            "Sorry, what was that last part?",
            "Could I hear that again, please",
            "I didn't catch what you said",
            "run that by me one more time",
            "you're breaking up",
        ] {
            check(again, Some(PhraseName::Repeat));
        }
        check("okay thank you bye", Some(PhraseName::Goodbye));
        check("I'd like to speak to a person now", Some(PhraseName::Person));
        check("hello, operator", Some(PhraseName::Person));
        check("Slow down!", Some(PhraseName::Slower));
        check("hold on a second", Some(PhraseName::HoldOn));
        check("sorry I have the wrong number", Some(PhraseName::WrongNumber));
    }

    #[test]
    fn other_wishes_steer_nothing() {
        check("my ac is not cooling", None);
        check("I don't want to talk to a person", None);
        check(
            "can a human being get sick from mold in the air ducts of an old house",
            None,
        );
        check("please", None);
        check("", None);
        check("operator error on the furnace display", None);
        check("what you just said sounds good", None);
        check("you cut out a piece of my wall", None);
        check("it leaks again", None);
    }

    #[test]
    fn a_reply_is_read_from_its_first_words() {
        let reply = |said: &str| phrases().reply(&normalize(said), &[PhraseName::No, PhraseName::Yes]);
        assert_eq!(reply("yes"), Some(PhraseName::Yes));
        assert_eq!(reply("Yes, I would like that very much"), Some(PhraseName::Yes));
        assert_eq!(reply("no, that's not the one I meant"), Some(PhraseName::No));
        assert_eq!(reply("uh, yeah please"), Some(PhraseName::Yes));
        assert_eq!(reply("my furnace is broken"), None);
    }

    #[test]
    fn a_sentence_offers_what_it_names_first() {
        let offer = |sentence: &str| phrases().offer(&normalize(sentence));
        assert_eq!(
            offer("Would you like to leave a message?"),
            Some(PhraseName::OffersMessage)
        );
        assert_eq!(
            offer("I can take a message, and our office will call you back."),
            Some(PhraseName::OffersMessage)
        );
        assert_eq!(offer("Shall I connect you?"), Some(PhraseName::OffersTransfer));
        assert_eq!(offer("We connected your line. Could you say that another way?"), None);
    }

    #[test]
    fn digits_are_read_typed_and_in_words() {
        let digits = |said: &str| phrases().digits(&normalize(said));
        assert_eq!(digits("five five five oh one two three"), "5550123");
        assert_eq!(digits("it's 555-0123, extension 4"), "55501234");
        assert_eq!(digits("call me tomorrow"), "");
    }
}
