mod dial;

use super::*;
use crate::document::{Document, parse};

const WEBHOOK: &str = "https://fd.example/voice#rc=2";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn document(verbs: &str) -> Document {
    let document = parse(format!("<Response>{verbs}</Response>").as_bytes()).unwrap();
    assert_eq!(document.warnings, [], "{verbs}");
    document
}

/// A call whose first document is this, given without delay.
fn call(verbs: &str) -> Call {
    let line = Line {
        call_sid: format!("CA{}", "1".repeat(32)),
        account_sid: format!("AC{}", "2".repeat(32)),
        from: "+12025550143".into(),
        to: "+12025550199".into(),
        ..Line::default()
    };
    let mut call = Call::begin(
        line,
        &Link {
            url: WEBHOOK.into(),
            method: Method::Post,
        },
    );
    answer(&mut call, verbs);
    call
}

#[track_caller]
fn answer(call: &mut Call, verbs: &str) {
    let Step::Request(request) = call.step() else {
        panic!("{:?}", call.step())
    };
    call.answered(Answer {
        document: document(verbs),
        url: request.url,
        took: Duration::ZERO,
    });
}

#[track_caller]
fn request(call: &Call) -> Request {
    match call.step() {
        Step::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_ending(call: &Call, want: &str) {
    match call.step() {
        Step::Over(ending) => assert_eq!(ending.name(), want),
        other => panic!("{other:?}"),
    }
}

fn says(words: &str, when: When) -> Act {
    Act::Speak {
        words: words.into(),
        confidence: Some(0.91),
        when,
        hangs_up: false,
    }
}

fn presses(keys: &str) -> Act {
    Act::Press {
        keys: keys.into(),
        when: When::After(Duration::ZERO),
    }
}

const AT_ONCE: When = When::After(Duration::ZERO);

/// What these verbs make of an act: the request's path and the parameters that a result has, or the ending.
#[track_caller]
fn check(verbs: &str, act: Act, want: &str) {
    let mut call = call(verbs);
    call.act(act);
    let came = match call.step() {
        Step::Request(request) => {
            let result = [
                "SpeechResult",
                "Confidence",
                "Digits",
                "FinishedOnKey",
                "RecordingDuration",
            ];
            let result = result
                .iter()
                .filter_map(|name| Some(format!(" {name}={}", request.form.get(name)?)));
            format!(
                "{}{}",
                request.url.trim_start_matches("https://fd.example"),
                result.collect::<String>()
            )
        }
        Step::Over(ending) => ending.name().to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(came, want, "{verbs}");
}

#[test]
fn a_call_begins_with_all_that_twilio_knows() {
    let line = Line {
        call_sid: "CA1".into(),
        from: "anonymous".into(),
        ..Line::default()
    };
    let call = Call::begin(
        line,
        &Link {
            url: WEBHOOK.into(),
            method: Method::Post,
        },
    );
    let Request { url, form, purpose, .. } = request(&call);
    assert_eq!((url.as_str(), purpose), (WEBHOOK, Purpose::Turn));
    for (name, value) in [
        ("CallSid", "CA1"),
        ("CallStatus", "ringing"),
        ("ApiVersion", "2010-04-01"),
        ("Direction", "inbound"),
        ("From", "anonymous"),
        ("Caller", "anonymous"),
    ] {
        assert_eq!(form.get(name), Some(value), "{name}");
    }
    for role in ["From", "To", "Caller", "Called"] {
        for part in ["City", "State", "Zip", "Country"] {
            assert!(form.get(&format!("{role}{part}")).is_some());
        }
    }
}

#[test]
fn verbs_take_the_time_that_they_take() {
    let call =
        call("<Say>fifteen letters</Say><Pause length=\"4\"/><Play>/a.mp3</Play><Say loop=\"2\">fifteen letters</Say>");
    assert_eq!(call.clock(), seconds(1 + 4 + 5 + 2));
    check_ending(&call, "answered");
}

#[test]
fn a_call_without_a_word_is_no_answer() {
    check_ending(&call(""), "silent");
    check_ending(&call("<Pause/><Hangup/>"), "silent");
    check_ending(&call("<Reject/>"), "rejected");
    check_ending(&call("<Say>a</Say><Hangup/><Say>b</Say>"), "answered");
    check_ending(&call("<Say>a</Say><Reject/>"), "answered");
}

#[test]
fn words_go_to_the_action() {
    let gather = "<Gather input=\"speech dtmf\" action=\"/turn?s=1\"/>";
    check(
        gather,
        says("no heat", AT_ONCE),
        "/turn?s=1 SpeechResult=no heat Confidence=0.91000000",
    );
    let unsure = Act::Speak {
        words: "a".into(),
        confidence: None,
        when: AT_ONCE,
        hangs_up: false,
    };
    check(gather, unsure, "/turn?s=1 SpeechResult=a");
}

#[test]
fn a_gather_without_an_action_asks_the_current_url() {
    check(
        "<Gather input=\"speech\"/>",
        says("a", AT_ONCE),
        "/voice SpeechResult=a Confidence=0.91000000",
    );
}

#[test]
fn nobody_listens_to_what_was_not_asked_for() {
    check(
        "<Gather action=\"/t\"/><Redirect>/next</Redirect>",
        says("a", AT_ONCE),
        "/next",
    );
    check(
        "<Gather input=\"speech\" action=\"/t\"/><Redirect>/next</Redirect>",
        presses("1"),
        "/next",
    );
}

#[test]
fn silence_goes_on_with_the_next_verb_unless_the_document_wants_it() {
    check(
        "<Gather input=\"speech\" action=\"/t\"/><Redirect>/next</Redirect>",
        Act::Wait,
        "/next",
    );
    check("<Gather action=\"/t\"/><Say>bye</Say>", Act::Wait, "answered");
    check(
        "<Gather input=\"dtmf speech\" action=\"/t\" actionOnEmptyResult=\"true\"/>",
        Act::Wait,
        "/t Digits= FinishedOnKey=",
    );
    check(
        "<Gather input=\"speech\" action=\"/t\" actionOnEmptyResult=\"true\"/>",
        Act::Wait,
        "/t",
    );
}

#[test]
fn who_speaks_too_late_is_not_heard() {
    let gather = "<Gather input=\"speech\" timeout=\"3\" action=\"/t\"/><Redirect>/next</Redirect>";
    check(
        gather,
        says("a", When::After(seconds(3))),
        "/t SpeechResult=a Confidence=0.91000000",
    );
    check(gather, says("a", When::After(Duration::from_millis(3_001))), "/next");
}

#[test]
fn keys_end_by_their_number_by_a_key_or_by_time() {
    let gather = |attributes: &str| format!("<Gather action=\"/t\" {attributes}/><Redirect>/next</Redirect>");
    check(
        &gather("numDigits=\"2\""),
        presses("123"),
        "/t Digits=12 FinishedOnKey=",
    );
    check(&gather(""), presses("12#3"), "/t Digits=12 FinishedOnKey=#");
    check(
        &gather("finishOnKey=\"*\""),
        presses("1#*"),
        "/t Digits=1# FinishedOnKey=*",
    );
    check(
        &gather("finishOnKey=\"\""),
        presses("1#"),
        "/t Digits=1# FinishedOnKey=",
    );
    check(&gather(""), presses("#"), "/next");
    let clock = |attributes: &str| {
        let mut call = call(&gather(attributes));
        call.act(presses("12"));
        call.clock()
    };
    assert_eq!(clock("numDigits=\"2\" timeout=\"9\""), Duration::from_millis(600));
    assert_eq!(clock("timeout=\"9\""), Duration::from_millis(9_600));
}

#[test]
fn words_are_complete_after_the_speech_timeout() {
    let clock = |attributes: &str| {
        let mut call = call(&format!("<Gather input=\"speech\" action=\"/t\" {attributes}/>"));
        call.act(says("five words of a caller", When::After(seconds(1))));
        call.clock()
    };
    assert_eq!(clock("speechTimeout=\"3\""), seconds(1 + 2 + 3));
    assert_eq!(clock("timeout=\"7\""), seconds(1 + 2 + 7));
}

#[test]
fn words_beyond_the_longest_speech_are_lost() {
    check(
        "<Gather input=\"speech\" action=\"/t\" maxSpeechTime=\"1\"/>",
        says("a b c d", AT_ONCE),
        "/t SpeechResult=a b Confidence=0.91000000",
    );
}

const PROMPTED: &str = "<Gather input=\"speech dtmf\" action=\"/t\" BARGE><Say>fifteen letters</Say><Say>fifteen letters</Say></Gather><Redirect>/next</Redirect>";

#[test]
fn a_caller_cuts_a_prompt_off() {
    let mut call = call(&PROMPTED.replace("BARGE", ""));
    call.act(says("stop", When::Into(Duration::from_millis(1_500))));
    let cut: Vec<_> = call
        .moments()
        .iter()
        .filter_map(|moment| match moment.what {
            Event::Spoken { cut, .. } => Some(cut),
            _ => None,
        })
        .collect();
    assert_eq!(cut, [false, true]);
    assert_eq!(request(&call).form.get("SpeechResult"), Some("stop"));
    assert_eq!(call.clock(), Duration::from_millis(1_500 + 400 + 5_000));
}

#[test]
fn without_barge_in_words_over_a_prompt_are_lost_and_keys_are_not() {
    let prompted = PROMPTED.replace("BARGE", "bargeIn=\"false\"");
    check(&prompted, says("stop", When::Into(seconds(1))), "/next");
    check(
        &prompted,
        says("stop", When::Into(seconds(3))),
        "/t SpeechResult=stop Confidence=0.91000000",
    );
    let key = Act::Press {
        keys: "1#".into(),
        when: When::Into(seconds(1)),
    };
    check(&prompted, key, "/t Digits=1 FinishedOnKey=#");
}

#[test]
fn a_caller_may_hang_up_at_any_time() {
    check(
        &PROMPTED.replace("BARGE", ""),
        Act::HangUp {
            when: When::Into(seconds(1)),
        },
        "caller-hung-up",
    );
    check(
        "<Gather action=\"/t\"/>",
        Act::HangUp {
            when: When::After(seconds(1)),
        },
        "caller-hung-up",
    );
    let mid_words = Act::Speak {
        words: "I wanted".into(),
        confidence: None,
        when: AT_ONCE,
        hangs_up: true,
    };
    check("<Gather input=\"speech\" action=\"/t\"/>", mid_words, "caller-hung-up");
}

#[test]
fn a_caller_who_hangs_up_mid_turn_hears_no_answer() {
    let mut call = call("<Gather input=\"speech\" action=\"/t\"/>");
    call.act(says("a", AT_ONCE));
    call.hang_up_after(Duration::from_millis(10));
    call.answered(Answer {
        document: document("<Say>b</Say>"),
        url: WEBHOOK.into(),
        took: seconds(1),
    });
    check_ending(&call, "caller-hung-up");
    assert!(
        !call
            .moments()
            .iter()
            .any(|moment| matches!(moment.what, Event::Spoken { .. }))
    );
}

#[test]
fn a_message_goes_to_the_action_with_its_length() {
    let record = "<Record action=\"/m\" timeout=\"3\"/><Redirect>/empty</Redirect>";
    check(
        record,
        says("one two three four five", When::After(seconds(1))),
        "/m Digits= RecordingDuration=3",
    );
    check(
        "<Record action=\"/m\" maxLength=\"2\"/>",
        says("one two three four five six seven", AT_ONCE),
        "/m Digits= RecordingDuration=2",
    );
}

#[test]
fn an_empty_recording_goes_on_with_the_next_verb() {
    let record = "<Record action=\"/m\"/><Redirect>/empty</Redirect>";
    check(record, Act::Wait, "/empty");
    check(record, presses("#"), "/empty");
    check(record, says("too late", When::After(seconds(6))), "/empty");
    check(
        record,
        Act::HangUp {
            when: When::After(seconds(1)),
        },
        "caller-hung-up",
    );
}

#[test]
fn who_hangs_up_after_a_message_has_left_it() {
    let mut call = call("<Record action=\"/m\"/>");
    call.act(Act::Speak {
        words: "call me back please".into(),
        confidence: None,
        when: AT_ONCE,
        hangs_up: true,
    });
    let farewell = request(&call);
    assert_eq!(farewell.purpose, Purpose::Farewell);
    assert_eq!(
        (farewell.form.get("Digits"), farewell.form.get("CallStatus")),
        (Some("hangup"), Some("completed"))
    );
    // Nobody hears what that document says.
    answer(&mut call, "<Say>a</Say><Redirect>/again</Redirect>");
    check_ending(&call, "message");
}

#[test]
fn a_recording_is_told_of_apart() {
    let mut call = call(
        "<Record action=\"/m\" recordingStatusCallback=\"/r\" recordingStatusCallbackEvent=\"completed absent\"/>",
    );
    call.act(says("a", AT_ONCE));
    let notices = call.take_notices();
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}")
    };
    assert_eq!(
        (notice.purpose, notice.form.get("RecordingStatus")),
        (Purpose::Notice, Some("completed"))
    );
    assert_eq!(notice.form.get("RecordingSid"), request(&call).form.get("RecordingSid"));
}

#[test]
fn without_a_document_the_call_ends_in_an_application_error() {
    let mut call = call("<Say>a</Say><Redirect>/x</Redirect>");
    call.failed(Fault::new(crate::code::Code::Retrieval, "500"), seconds(1));
    check_ending(&call, "application-error");
}

#[test]
fn documents_that_lead_in_a_circle_end_the_call() {
    let mut call = call("<Redirect>/voice</Redirect>");
    for _ in 0..CIRCLE {
        if let Step::Request(_) = call.step() {
            answer(&mut call, "<Redirect>/voice</Redirect>");
        }
    }
    check_ending(&call, "circles");
}

#[test]
fn what_is_not_asked_for_changes_nothing() {
    let mut call = call("<Gather action=\"/t\"/>");
    let before = call.step();
    call.rung(Rung::Busy);
    call.failed(Fault::new(crate::code::Code::Retrieval, ""), seconds(1));
    assert_eq!(call.step(), before);
}
