//! Any text through the writer of documents.

use frontdesk_twilio::twiml::{
    Dial, Gather, Hints, Number, Pause, Play, Prompt, Record, Redirect, Response, Say, Verb,
};

use crate::document::{self, Element};

/// A text that is repeated gets about so long, more than a document takes.
const LONG: usize = 70_000;

/// A text in every place of a document stays the text of that place: the document is one that Twilio takes, with the
/// verbs that were written and no other. The text is that after the first byte, which says whether it is repeated.
///
/// # Panics
/// That does not hold.
pub fn holds(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    if *kind == 0 && !text.is_empty() {
        let long = text.repeat(LONG / text.len() + 1);
        let speech: Vec<Verb<'_>> = vec![Verb::Say((&*long).into()), Verb::Hangup];
        let root = document::taken(&Response { verbs: speech }.to_xml());
        assert_eq!(
            root.names().last(),
            Some(&"Hangup"),
            "long speech is cut, and nothing else"
        );
    } else {
        let root = document::taken(&Response { verbs: verbs(&text) }.to_xml());
        assert_order(&root);
        if text.len() < 1_000 {
            assert_whole(&root, &text);
        }
    }
}

/// Each verb once, with the text in each of its places.
fn verbs(text: &str) -> Vec<Verb<'_>> {
    let say = Say {
        text: "Good day.".into(),
        voice: Some(text.into()),
        language: Some(text.into()),
    };
    let gather = Gather {
        action: text.into(),
        language: Some(text.into()),
        hints: Hints::new([text, text]),
        finish_on_key: Some(text.into()),
        prompts: vec![
            Prompt::Say(text.into()),
            Prompt::Pause(Pause { seconds: 1 }),
            Prompt::Play(Play { url: text.into() }),
        ],
        ..Gather::default()
    };
    let number = Number {
        number: text.into(),
        url: Some(text.into()),
        ..Number::default()
    };
    let dial = Dial {
        action: Some(text.into()),
        caller_id: Some(text.into()),
        numbers: vec![number],
        ..Dial::default()
    };
    let record = Record {
        action: text.into(),
        finish_on_key: Some(text.into()),
        recording_status_callback: Some(text.into()),
        transcribe_callback: Some(text.into()),
        ..Record::default()
    };
    let redirect = Redirect {
        url: text.into(),
        ..Redirect::default()
    };
    vec![
        Verb::Say(text.into()),
        Verb::Say(say),
        Verb::Play(Play { url: text.into() }),
        Verb::Gather(gather),
        Verb::Dial(dial),
        Verb::Record(record),
        Verb::Redirect(redirect),
        Verb::Hangup,
    ]
}

/// The verbs are those written, in their order; blank ones are left out, and the last ones where there is no room.
fn assert_order(root: &Element) {
    let order = ["Say", "Play", "Gather", "Dial", "Record", "Redirect", "Hangup"];
    let mut names = root.names();
    names.dedup();
    let mut rest = order.iter();
    for name in &names {
        assert!(rest.any(|expected| expected == name), "{names:?}");
    }
    for name in order.iter().filter(|name| **name != "Say") {
        let count = root.children.iter().filter(|child| child.name == *name).count();
        assert!(count <= 1, "{count} times <{name}>");
    }
}

/// A short text stands whole in each of its places.
fn assert_whole(root: &Element, text: &str) {
    let carried: String = text.chars().filter(|c| is_carried(*c)).collect();
    let find = |name: &str| root.children.iter().find(|child| child.name == name);
    let places = [
        ("Gather", &["action", "language", "finishOnKey"][..]),
        ("Dial", &["action", "callerId"]),
        (
            "Record",
            &["action", "finishOnKey", "recordingStatusCallback", "transcribeCallback"],
        ),
    ];
    for (name, attributes) in places {
        let Some(element) = find(name) else {
            panic!("<{name}> is missing")
        };
        for attribute in attributes {
            assert_eq!(
                element.attribute(attribute),
                Some(carried.as_str()),
                "`{attribute}` of <{name}>"
            );
        }
    }
    let redirected = find("Redirect").map(|redirect| redirect.text.as_str());
    assert_eq!(redirected, Some(carried.as_str()), "<Redirect>");
    let dialled = find("Dial").and_then(|dial| dial.children.first());
    assert_eq!(
        dialled.map(|number| number.text.as_str()),
        Some(carried.as_str()),
        "<Number>"
    );
    assert_eq!(
        dialled.and_then(|number| number.attribute("url")),
        Some(carried.as_str()),
        "`url` of <Number>"
    );
    let first_voice = |say: &&Element| say.name == "Say" && say.attribute("voice").is_none();
    let spoken: String = root
        .children
        .iter()
        .filter(first_voice)
        .map(|say| say.text.as_str())
        .collect();
    assert_eq!(heard(&spoken), heard(&carried), "every word is spoken");
    assert!(root.names().ends_with(&["Hangup"]));
}

/// What of a text is no blank and has a width.
fn heard(text: &str) -> String {
    let silent =
        |c: &char| c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}');
    text.chars().filter(|c| !silent(c)).collect()
}

const fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
