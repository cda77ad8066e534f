use std::time::Duration;

use super::*;

const XML: Option<&str> = Some("text/xml; charset=utf-8");

fn around(verbs: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>")
}

/// The codes of these verbs: that of the refusal, else those of the warnings.
#[track_caller]
fn check(verbs: &str, want: &[u16]) {
    let codes: Vec<_> = match parse(around(verbs).as_bytes()) {
        Ok(document) => document.warnings.iter().map(|fault| fault.code.number()).collect(),
        Err(fault) => vec![fault.code.number()],
    };
    assert_eq!(codes, want, "{}", verbs.chars().take(200).collect::<String>());
}

#[track_caller]
fn check_refused(body: &[u8], want: u16) {
    let refused = read(200, XML, body).unwrap_err();
    assert_eq!(refused.code.number(), want, "{refused}");
}

fn one(verbs: &str) -> Verb {
    let document = parse(around(verbs).as_bytes()).unwrap();
    assert_eq!(document.warnings, [], "{verbs}");
    document.verbs.into_iter().next().unwrap()
}

#[test]
fn the_envelope_is_checked_before_the_document() {
    let body = around("<Hangup/>");
    let code = |status, kind, body: &str| {
        read(status, kind, body.as_bytes())
            .map_err(|fault| fault.code.number())
            .err()
    };
    assert_eq!(code(200, XML, &body), None);
    assert_eq!(code(201, Some("APPLICATION/XML"), &body), None);
    assert_eq!(code(403, XML, &body), Some(11200));
    assert_eq!(code(500, XML, &body), Some(11200));
    assert_eq!(code(302, XML, &body), Some(11200));
    assert_eq!(code(200, None, &body), Some(12300));
    assert_eq!(code(200, Some("application/json"), &body), Some(12300));
    assert_eq!(code(200, Some("text/plain"), &body), Some(12300));
    let long = around(&format!("<!--{}-->", "x".repeat(64 * 1024)));
    assert_eq!(code(200, XML, &long), Some(11750));
    let longest = around(&format!("<!--{}-->", "x".repeat(64 * 1024 - around("<!---->").len())));
    assert_eq!((longest.len(), code(200, XML, &longest)), (64 * 1024, None));
}

#[test]
fn what_is_no_xml_is_refused() {
    check_refused(b"", 12100);
    check_refused(b"{}", 12100);
    check_refused(b"<Response><Say>a</Response>", 12100);
    check_refused(b"<Response><Say>a", 12100);
    check_refused(b" <?xml version=\"1.0\"?><Response/>", 12100);
    check_refused(b"\xef\xbb\xbf<Response/>", 12100);
    check_refused(b"<Response><Say>\xff</Say></Response>", 12100);
    check_refused("<Response><Say>a\u{b}</Say></Response>".as_bytes(), 12100);
    check_refused("<Response><Say>\u{fffe}</Say></Response>".as_bytes(), 12100);
    check_refused(b"<Response><Say>&#11;</Say></Response>", 12100);
    check_refused(b"<Response><Say>&nbsp;</Say></Response>", 12100);
    check_refused(b"<Response/><Response/>", 12100);
    check_refused(b"<Response><Say a='1' a='2'/></Response>", 12100);
    check_refused(b"<!DOCTYPE r [<!ENTITY a 'b'>]><Response/>", 12100);
}

#[test]
fn only_a_response_is_a_document() {
    check_refused(b"<html/>", 12100);
    check_refused(b"<response/>", 12100);
    check_refused(b"<Response xmlns='urn:x'/>", 12100);
}

#[test]
fn what_the_schema_does_not_know_is_warned_of_and_passed_over() {
    check("<Sing/><Hangup/>", &[12200]);
    check("<say>a</say>", &[12200]);
    check("words<Hangup/>", &[12200]);
    check("<Say tone=\"warm\">a</Say>", &[12200]);
    check("<Gather><Dial>+19375550111</Dial></Gather>", &[12200]);
    check("<Gather input=\"voice\"/>", &[12200]);
    check("<Gather method=\"PUT\"/>", &[12200]);
    check("<Gather numDigits=\"0\"/>", &[12200]);
    check("<Gather finishOnKey=\"##\"/>", &[12200]);
    check("<Pause length=\"-1\"/>", &[12200]);
    check("<Hangup>bye</Hangup>", &[12200]);
    check("<Dial timeout=\"soon\">+19375550111</Dial>", &[12200]);
    check("<Record maxLength=\"0\"/>", &[12200]);
    check("<Gather action=\"/a b\"/>", &[11100]);
    let document = parse(around("<Sing/><Say>a</Say>").as_bytes()).unwrap();
    assert!(matches!(document.verbs.as_slice(), [Verb::Say(_)]));
}

#[test]
fn verbs_that_are_not_played_are_named_as_such() {
    check("<Connect/>", &[0]);
    check("<Pay/>", &[0]);
}

#[test]
fn speech_settings_have_codes_of_their_own() {
    check("<Gather input=\"speech\" speechTimeout=\"3\"/>", &[]);
    check("<Gather input=\"speech\" speechTimeout=\"auto\"/>", &[13335]);
    check("<Gather speechTimeout=\"auto\" speechModel=\"default\"/>", &[13335]);
    check("<Gather speechTimeout=\"auto\" speechModel=\"phone_call\"/>", &[13327]);
    check("<Gather speechTimeout=\"0\"/>", &[13327]);
    check("<Gather speechTimeout=\"2.5\"/>", &[13327]);
    check("<Gather maxSpeechTime=\"auto\"/>", &[13328]);
    check("<Gather speechModel=\"oracle\"/>", &[13334]);
}

#[test]
fn hints_are_at_most_500_of_at_most_100_characters() {
    let hints = |entry: &str, count: usize| format!("<Gather hints=\"{}\"/>", vec![entry; count].join(","));
    check(&hints("a", 500), &[]);
    check(&hints("a", 501), &[13330]);
    check(&hints(&"é".repeat(100), 3), &[]);
    check(&hints(&"a".repeat(101), 1), &[13330]);
}

#[test]
fn how_much_is_said_depends_on_the_voice() {
    let say = |voice: &str, length: usize| format!("<Say voice=\"{voice}\">{}</Say>", "a".repeat(length));
    check(&say("Polly.Joanna-Neural", 3_000), &[]);
    check(&say("Polly.Joanna-Neural", 3_001), &[13521]);
    check(&say("Google.en-US-Standard-A", 5_000), &[]);
    check(&say("Google.en-US-Standard-A", 5_001), &[13521]);
    check(&say("alice", 4_096), &[]);
    check(&say("alice", 4_097), &[13521]);
    check(&format!("<Say>{}</Say>", "é".repeat(800)), &[13521]);
    // Mark-up counts; an escaped character counts once.
    check(
        &format!("<Say voice=\"Polly.Amy\"><p>{}</p></Say>", "a".repeat(2_994)),
        &[13521],
    );
    check(
        &format!("<Say voice=\"Polly.Amy\">{}</Say>", "&amp;".repeat(3_000)),
        &[],
    );
}

#[test]
fn bad_numbers_are_named() {
    check("<Dial>+19375550111</Dial>", &[]);
    check("<Dial>front desk</Dial>", &[21211]);
    check(
        "<Dial><Number>+19005550111</Number><Number>911</Number></Dial>",
        &[21202, 21216],
    );
    check("<Dial/>", &[21211]);
    check("<Dial><Client>anna</Client></Dial>", &[]);
}

#[test]
fn a_gather_is_read_with_twilios_defaults() {
    let Verb::Gather(gather) = one("<Gather/>") else {
        panic!()
    };
    let five = Duration::from_secs(5);
    assert_eq!(
        (gather.speech, gather.keys, gather.action_on_empty_result),
        (false, true, false)
    );
    assert_eq!(
        (gather.timeout, gather.speech_timeout),
        (five, SpeechTimeout::After(five))
    );
    assert_eq!(
        (gather.finish_on_key, gather.num_digits, gather.barge_in),
        (Some('#'), None, true)
    );
    assert_eq!((gather.language.as_str(), gather.method), ("en-US", Method::Post));
    let Verb::Gather(gather) = one(
        "<Gather input=\"speech dtmf\" finishOnKey=\"\" action=\"/a?b=1&amp;c=2\" hints=\"a, b\"><Say>Hi</Say><Pause/></Gather>",
    ) else {
        panic!()
    };
    assert_eq!((gather.speech, gather.keys, gather.finish_on_key), (true, true, None));
    assert_eq!(gather.action.as_deref(), Some("/a?b=1&c=2"));
    assert_eq!(
        (gather.hints, gather.prompts.len()),
        (vec!["a".to_owned(), "b".to_owned()], 2)
    );
}

#[test]
fn words_are_read_as_they_are_spoken() {
    let spoken = |verbs: &str| match one(verbs) {
        Verb::Say(say) => say.text,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        spoken("<Say>Tom &amp; Ann&apos;s &lt;3 &#233;<![CDATA[ <b>]]></Say>"),
        "Tom & Ann's <3 é <b>"
    );
    assert_eq!(
        spoken("<Say>at <say-as interpret-as=\"time\">9</say-as>\n sharp</Say>"),
        "at 9 sharp"
    );
}

#[test]
fn a_dial_is_read_with_whom_it_rings() {
    let Verb::Dial(dial) = one(
        "<Dial timeout=\"20\" action=\"/d\"><Number url=\"/w\" statusCallback=\"/s\" statusCallbackEvent=\"ringing answered\">+19375550111</Number></Dial>",
    ) else {
        panic!()
    };
    assert_eq!(
        (dial.timeout, dial.action.as_deref()),
        (Duration::from_secs(20), Some("/d"))
    );
    let [number] = dial.numbers.as_slice() else { panic!() };
    assert_eq!(number.whisper.as_ref().map(|link| link.url.as_str()), Some("/w"));
    assert_eq!(number.status_events, ["ringing", "answered"]);
}
