use super::*;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

fn check(verbs: Vec<Verb<'_>>, body: &str) {
    let xml = Response { verbs }.to_xml();
    assert_eq!(xml, format!("{HEAD}{body}"));
    spoken(&xml);
}

/// The texts of the `<Say>` elements of a document that parses.
fn spoken(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut said, mut names) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap_or_else(|fault| panic!("{fault}: {xml}")) {
            Event::Start(start) => {
                let name = String::from_utf8(start.name().as_ref().into()).unwrap();
                said.extend((name == "Say").then(String::new));
                names.push(name);
            }
            Event::End(_) => drop(names.pop()),
            Event::Text(text) if names.last().is_some_and(|name| name == "Say") => {
                let text: &str = &text;
                said.last_mut().unwrap().push_str(text);
            }
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                said.last_mut().unwrap().push_str(match name {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "#13" => "\r",
                    other => panic!("unexpected entity {other:?}"),
                });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(names.is_empty());
    assert!(xml.len() <= MAX_DOCUMENT, "{} bytes", xml.len());
    assert!(said.iter().all(|text| !text.trim().is_empty()), "a blank <Say>");
    said
}

fn say(text: &str) -> String {
    Response {
        verbs: vec![Verb::Say(text.into())],
    }
    .to_xml()
}

fn in_voice<'a>(text: &'a str, voice: &'a str) -> Say<'a> {
    Say {
        voice: Some(voice.into()),
        ..text.into()
    }
}

#[test]
fn no_verbs_are_an_empty_response() {
    check(vec![], "<Response/>");
}

#[test]
fn caller_text_cannot_inject_verbs() {
    check(
        vec![Verb::Say("<Dial>+1900</Dial> & \"more\"]]>".into()), Verb::Hangup],
        r#"<Response><Say>&lt;Dial&gt;+1900&lt;/Dial&gt; &amp; "more"]]&gt;</Say><Hangup/></Response>"#,
    );
}

#[test]
fn an_attribute_cannot_end_early() {
    check(
        vec![Verb::Say(in_voice("hi", "\"><Dial>'&\u{b}"))],
        r#"<Response><Say voice="&quot;&gt;&lt;Dial&gt;&apos;&amp;">hi</Say></Response>"#,
    );
}

#[test]
fn an_attribute_keeps_its_tabs_and_line_ends() {
    check(
        vec![Verb::Say(in_voice("hi", "a\tb\nc\rd"))],
        r#"<Response><Say voice="a&#9;b&#10;c&#13;d">hi</Say></Response>"#,
    );
}

#[test]
fn a_turn_listens_for_the_next_one() {
    let gather = Gather {
        action: "/api/twilio/v2-agent-respond/1?s=a&t=b".into(),
        timeout: Some(5),
        speech_timeout: Some(3),
        language: Some("en-US".into()),
        hints: Hints::new(["no heat", "AC"]),
        action_on_empty_result: true,
        finish_on_key: Some("".into()),
        num_digits: Some(1),
        barge_in: Some(false),
        prompts: vec![
            Prompt::Say(Say {
                language: Some("en-US".into()),
                ..in_voice("How can I help?", "Polly.Joanna-Neural")
            }),
            Prompt::Pause(Pause { seconds: 1 }),
            Prompt::Play(Play {
                url: "https://x/a.mp3?b&c".into(),
            }),
        ],
        ..Gather::default()
    };
    check(
        vec![
            Verb::Gather(gather),
            Verb::Redirect(Redirect {
                url: "/x".into(),
                method: Method::Post,
            }),
        ],
        concat!(
            r#"<Response><Gather input="dtmf speech" action="/api/twilio/v2-agent-respond/1?s=a&amp;t=b" method="POST""#,
            r#" timeout="5" speechTimeout="3" language="en-US" hints="no heat,AC" actionOnEmptyResult="true""#,
            r#" finishOnKey="" numDigits="1" bargeIn="false">"#,
            r#"<Say voice="Polly.Joanna-Neural" language="en-US">How can I help?</Say><Pause length="1"/>"#,
            r#"<Play>https://x/a.mp3?b&amp;c</Play></Gather><Redirect method="POST">/x</Redirect></Response>"#
        ),
    );
}

#[test]
fn a_transfer_dials_with_a_whisper() {
    let dial = Dial {
        action: Some("/dial-result".into()),
        caller_id: Some("+15551234567".into()),
        timeout: Some(20),
        time_limit: Some(600),
        answer_on_bridge: true,
        numbers: vec![
            Number {
                number: "+15550000001".into(),
                url: Some("/whisper".into()),
                method: Method::Get,
            },
            Number {
                number: "+15550000002".into(),
                ..Number::default()
            },
        ],
        ..Dial::default()
    };
    check(
        vec![Verb::Dial(dial)],
        concat!(
            r#"<Response><Dial action="/dial-result" method="POST" callerId="+15551234567" timeout="20" timeLimit="600""#,
            r#" answerOnBridge="true"><Number url="/whisper" method="GET">+15550000001</Number>"#,
            r"<Number>+15550000002</Number></Dial></Response>"
        ),
    );
}

#[test]
fn a_dial_without_numbers_is_left_out_and_eleven_are_ten() {
    check(
        vec![Verb::Dial(Dial::default()), Verb::Hangup],
        "<Response><Hangup/></Response>",
    );
    let numbers = (0..11)
        .map(|n| Number {
            number: format!("+1555000{n:04}").into(),
            ..Number::default()
        })
        .collect();
    let xml = Response {
        verbs: vec![Verb::Dial(Dial {
            numbers,
            ..Dial::default()
        })],
    }
    .to_xml();
    assert_eq!(xml.matches("<Number>").count(), 10);
}

#[test]
fn a_message_is_recorded() {
    let record = Record {
        action: "/message".into(),
        max_length: Some(120),
        timeout: Some(5),
        play_beep: Some(true),
        finish_on_key: Some("#".into()),
        recording_status_callback: Some("/message?status".into()),
        trim: Some(Trim::TrimSilence),
        transcribe_callback: Some("/transcript".into()),
        ..Record::default()
    };
    check(
        vec![Verb::Record(record), Verb::Reject(RejectReason::Busy)],
        concat!(
            r#"<Response><Record action="/message" method="POST" maxLength="120" timeout="5" playBeep="true""#,
            r##" finishOnKey="#" recordingStatusCallback="/message?status" trim="trim-silence" transcribe="true""##,
            r#" transcribeCallback="/transcript"/><Reject reason="busy"/></Response>"#
        ),
    );
}

#[test]
fn blank_speech_is_never_written() {
    for text in ["", " \n\t", "\u{0}\u{b}", "\u{200b}\u{feff}", "\u{a0}"] {
        assert_eq!(say(text), format!("{HEAD}<Response></Response>"), "{text:?}");
    }
    let gather = Gather {
        action: "/x".into(),
        prompts: vec![Prompt::Say(" ".into())],
        ..Gather::default()
    };
    spoken(
        &Response {
            verbs: vec![Verb::Gather(gather), Verb::Play(Play::default())],
        }
        .to_xml(),
    );
}

#[test]
fn characters_that_xml_lacks_are_dropped() {
    assert_eq!(
        spoken(&say("a\0b\u{b}c\u{1f}d\u{fffe}e\u{ffff}f\u{fffd}g\u{7f}")),
        ["abcdef\u{fffd}g\u{7f}"]
    );
    assert_eq!(
        spoken(&say("tab\tline\ncarriage\r\nend")),
        ["tab\tline\ncarriage\r\nend"]
    );
    assert_eq!(spoken(&say("שלום \u{202e}🙂")), ["שלום \u{202e}🙂"]);
}

fn percent_encoded(text: &str) -> usize {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 })
        .sum()
}

/// The pieces in which a voice gets `text`, checked against its limit.
fn pieces_of(text: &str, voice: Option<&str>, limit: usize) -> Vec<String> {
    let say = Say {
        voice: voice.map(Into::into),
        ..text.into()
    };
    let pieces = spoken(
        &Response {
            verbs: vec![Verb::Say(say)],
        }
        .to_xml(),
    );
    for piece in &pieces {
        assert!(
            piece.chars().count() <= limit,
            "{} characters for {voice:?}",
            piece.chars().count()
        );
        assert!(
            percent_encoded(piece) <= 4_500,
            "{} bytes for {voice:?}",
            percent_encoded(piece)
        );
    }
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    assert_eq!(bare(&pieces.concat()), bare(text), "nothing is lost but blanks");
    pieces
}

#[test]
fn long_speech_is_split_at_sentences() {
    let text = "The furnace filter should be changed every ninety days. ".repeat(200);
    for (voice, limit) in [
        (None, 4_096),
        (Some("alice"), 4_096),
        (Some("Polly.Joanna-Neural"), 3_000),
        (Some("Google.en-US-Wavenet-D"), 5_000),
        (Some("Novel.Voice"), 3_000),
    ] {
        let pieces = pieces_of(&text, voice, limit);
        assert!(pieces.len() > 2);
        assert!(
            pieces.iter().rev().skip(1).all(|piece| piece.ends_with("days.")),
            "{voice:?}"
        );
    }
}

#[test]
fn long_sentences_are_split_at_words_and_long_words_at_characters() {
    let pieces = pieces_of(&"furnace ".repeat(1_500), None, 4_096);
    assert!(
        pieces
            .iter()
            .all(|piece| piece.trim_end().ends_with("furnace") && piece.starts_with("furnace"))
    );
    let pieces = pieces_of(&"x".repeat(10_000), Some("Polly.Amy"), 3_000);
    assert_eq!(
        pieces.iter().map(String::len).collect::<Vec<_>>(),
        [3_000, 3_000, 3_000, 1_000]
    );
    let pieces = pieces_of(&"火が出ています。".repeat(800), Some("Polly.Mizuki"), 3_000);
    assert!(pieces.iter().all(|piece| piece.ends_with('。')));
}

#[test]
fn an_emoji_is_never_split() {
    let family = "👨\u{200d}👩\u{200d}👧";
    for shift in 0..8 {
        let text = format!("{}{}", "x".repeat(shift), family.repeat(400));
        let pieces = pieces_of(&text, None, 4_096);
        assert!(
            pieces.iter().skip(1).all(|piece| piece.starts_with('👨')),
            "shift {shift}"
        );
        assert!(pieces.iter().all(|piece| piece.ends_with('👧')), "shift {shift}");
    }
}

#[test]
fn a_decimal_point_ends_no_sentence() {
    let text = format!("One. {}", "It is $89.50 now, ".repeat(400));
    let pieces = pieces_of(&text, Some("Polly.Joanna"), 3_000);
    assert_eq!(pieces[0], "One.");
    assert!(pieces[1].ends_with("now,") || !pieces[1].ends_with("$89."));
}

#[test]
fn a_document_is_cut_to_what_twilio_reads() {
    let sentence = "Bread & butter <now>. ";
    let text = sentence.repeat(70_000 / sentence.len() + 1);
    let gather = Gather {
        action: "/x?a&b".into(),
        prompts: vec![Prompt::Say("Anything else?".into())],
        ..Gather::default()
    };
    let xml = Response {
        verbs: vec![Verb::Say((&*text).into()), Verb::Gather(gather)],
    }
    .to_xml();
    let said = spoken(&xml);
    assert!(xml.len() > MAX_DOCUMENT - 100, "{} bytes: cut too early", xml.len());
    assert_eq!(said.last().unwrap(), "Anything else?", "short speech is not cut");
    assert!(said.iter().rev().skip(1).all(|piece| piece.ends_with("<now>.")));
    assert!(xml.ends_with("</Gather></Response>"));
}

#[test]
fn speech_without_sentences_or_words_is_cut_too() {
    for text in [
        "&".repeat(70_000),
        "🙂".repeat(20_000),
        "word ".repeat(14_000),
        " ".repeat(70_000) + "late",
        "\"".repeat(70_000),
    ] {
        assert!(!spoken(&say(&text)).is_empty());
    }
}

#[test]
fn hints_go_before_words_and_verbs_go_last() {
    let hints = Hints::new((0..500).map(|n| format!("{n:03}{}", "x".repeat(97))));
    let gather = Gather {
        action: "a".repeat(20_000).into(),
        hints,
        ..Gather::default()
    };
    let verbs = vec![Verb::Say("Hello.".into()), Verb::Gather(gather)];
    let xml = Response { verbs: verbs.clone() }.to_xml();
    assert!(!xml.contains("hints") && xml.contains("<Gather"));
    assert_eq!(spoken(&xml), ["Hello."]);
    let endless = Verb::Redirect(Redirect {
        url: "/".repeat(MAX_DOCUMENT).into(),
        method: Method::Get,
    });
    let xml = Response {
        verbs: [verbs, vec![endless.clone()]].concat(),
    }
    .to_xml();
    assert!(xml.contains("<Gather") && !xml.contains("<Redirect"));
    check(vec![endless], "<Response/>");
}

#[test]
fn hints_keep_to_the_limits() {
    let hints = Hints::new(["no heat, no air", "", " \n", "AC"]);
    assert_eq!(hints.as_str(), "no heat no air,AC");
    let long = format!("{} {}", "x".repeat(60), "y".repeat(60));
    assert_eq!(
        Hints::new([&*long, &"z".repeat(101), "ok"]).as_str(),
        format!("{},ok", "x".repeat(60))
    );
    assert_eq!(Hints::new(vec!["é".repeat(100); 600]).as_str().split(',').count(), 500);
    assert!(Hints::new(Vec::<String>::new()).is_empty());
}

fn legal_only(text: &str) -> String {
    let illegal = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(|c| !illegal(*c)).collect()
}

proptest! {
    #[test]
    fn short_speech_is_read_back_as_it_was(text in prop_oneof![any::<String>(), "[\\PC<>&'\"\r\n\t\u{0}\u{b}\u{ffff}]{0,200}"]) {
        let expected = legal_only(&text);
        let said = spoken(&say(&text));
        if said.is_empty() {
            prop_assert!(expected.chars().all(|c| !c.is_alphanumeric()));
        } else {
            prop_assert_eq!(said, [expected]);
        }
    }
}

proptest! {
    // A case may write hundreds of kilobytes.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_speech_of_any_length_fits(text in "[a .!?é🙂<&\"\u{200d}\n]{0,400}", times in 1_usize..250, count in 1_usize..3) {
        let text = text.repeat(times);
        let verbs = (0..count).map(|_| Verb::Say((&*text).into())).collect();
        spoken(&Response { verbs }.to_xml());
    }
}
