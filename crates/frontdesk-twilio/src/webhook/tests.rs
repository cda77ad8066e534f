use super::*;

fn form(pairs: &[(&str, &str)]) -> Form {
    pairs.iter().copied().collect()
}

#[test]
fn a_usual_turn_is_read() {
    let form = form(&[
        ("CallSid", "CA1"),
        ("AccountSid", "AC1"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("CallStatus", "in-progress"),
        ("SpeechResult", " no heat "),
        ("Confidence", "0.93"),
        ("Language", "en-US"),
        ("Novelty", "1"),
    ]);
    let read = TurnParameters::of(&form);
    let expected = TurnParameters {
        call_sid: Some("CA1"),
        account_sid: Some("AC1"),
        from: Some("+14158675309"),
        to: Some("+18005551212"),
        call_status: Some(CallStatus::InProgress),
        speech_result: Some(" no heat "),
        confidence: Some(0.93),
        language: Some("en-US"),
        ..TurnParameters::default()
    };
    assert_eq!(read, expected);
    assert_eq!(read.said(), Some(" no heat "));
    assert_eq!(read.caller(), Caller::Number("+14158675309"));
}

#[test]
fn odd_values_are_absent() {
    let form = form(&[
        ("CallSid", ""),
        ("AccountSid", " "),
        ("CallStatus", "COMPLETED"),
        ("Confidence", "abc"),
        ("RecordingDuration", "-1"),
        ("DialCallStatus", "no answer"),
        ("DialBridged", "yes"),
        ("SequenceNumber", "99999999999"),
    ]);
    assert_eq!(TurnParameters::of(&form), TurnParameters::default());
}

#[test]
fn a_confidence_outside_zero_to_one_is_absent() {
    for (value, expected) in [
        ("0", Some(0.0)),
        ("0.0", Some(0.0)),
        ("1", Some(1.0)),
        ("1.1", None),
        ("-0.1", None),
        ("NaN", None),
        ("inf", None),
        ("", None),
        (" 0.5", None),
    ] {
        let form = form(&[("Confidence", value)]);
        assert_eq!(TurnParameters::of(&form).confidence, expected, "{value:?}");
    }
}

#[test]
fn a_blank_utterance_is_kept_and_is_silence() {
    let form = form(&[("SpeechResult", " \u{a0}\n"), ("Digits", "")]);
    let read = TurnParameters::of(&form);
    assert_eq!((read.speech_result, read.digits), (Some(" \u{a0}\n"), Some("")));
    assert_eq!((read.said(), read.pressed()), (None, None));
}

#[test]
fn the_first_of_repeated_values_counts() {
    let form = form(&[
        ("Digits", "1"),
        ("Digits", "2"),
        ("SpeechResult", ""),
        ("SpeechResult", "late"),
    ]);
    let read = TurnParameters::of(&form);
    assert_eq!(read.pressed(), Some("1"));
    assert_eq!(read.speech_result, Some(""));
}

#[test]
fn recordings_and_dials_are_read() {
    let form = form(&[
        ("RecordingUrl", "https://api.twilio.com/r/1"),
        ("RecordingSid", "RE1"),
        ("RecordingDuration", "12"),
        ("RecordingStatus", "completed"),
        ("TranscriptionText", "call me"),
        ("TranscriptionStatus", "completed"),
        ("DialCallStatus", "no-answer"),
        ("DialCallDuration", "0"),
        ("DialBridged", "false"),
        ("CallDuration", "61"),
        ("ErrorCode", "11200"),
        ("ErrorUrl", "https://x"),
        ("StirVerstat", "TN-Validation-Passed-A"),
        ("CallerName", "CA Wireless Call"),
    ]);
    let expected = TurnParameters {
        recording_url: Some("https://api.twilio.com/r/1"),
        recording_sid: Some("RE1"),
        recording_duration: Some(12),
        recording_status: Some("completed"),
        transcription_text: Some("call me"),
        transcription_status: Some("completed"),
        dial_call_status: Some(DialCallStatus::NoAnswer),
        dial_call_duration: Some(0),
        dial_bridged: Some(false),
        call_duration: Some(61),
        error_code: Some(11200),
        error_url: Some("https://x"),
        stir_verstat: Some("TN-Validation-Passed-A"),
        caller_name: Some("CA Wireless Call"),
        ..TurnParameters::default()
    };
    assert_eq!(TurnParameters::of(&form), expected);
}

#[test]
fn callers_are_told_apart() {
    for (from, caller) in [
        ("+14158675309", Caller::Number("+14158675309")),
        ("anonymous", Caller::Anonymous),
        ("Anonymous", Caller::Anonymous),
        ("+266696687", Caller::Anonymous),
        ("+7378742833", Caller::Anonymous),
        ("", Caller::Anonymous),
        ("client:jane", Caller::Client("jane")),
        ("sip:jane@example.com", Caller::Sip("sip:jane@example.com")),
        ("40404", Caller::Other("40404")),
        ("+", Caller::Other("+")),
        ("+1 900", Caller::Other("+1 900")),
    ] {
        assert_eq!(Caller::of(from), caller, "{from:?}");
    }
    assert_eq!(TurnParameters::default().caller(), Caller::Anonymous);
}

#[test]
fn a_call_is_over_in_five_states_of_eight() {
    let all = [
        "queued",
        "ringing",
        "in-progress",
        "completed",
        "busy",
        "failed",
        "no-answer",
        "canceled",
    ];
    let over = all
        .iter()
        .filter_map(|status| CallStatus::parse(status))
        .filter(|status| status.is_final());
    assert_eq!(over.count(), 5);
}
