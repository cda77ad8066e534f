//! What comes of dialling.

use super::*;

fn dial_result(call: &Call) -> String {
    let Request { form, .. } = request(call);
    format!(
        "{} {}",
        form.get("DialCallStatus").unwrap(),
        form.get("DialBridged").unwrap()
    )
}

#[track_caller]
fn check_dial(rung: Rung, want: &str) {
    let mut call = call("<Dial action=\"/d\" timeout=\"20\">+19375550111</Dial>");
    call.rung(rung);
    assert_eq!(dial_result(&call), want);
}

fn person() -> Callee {
    Callee {
        talks: seconds(60),
        after: seconds(4),
        presses: Some("1".into()),
        ..Callee::default()
    }
}

#[test]
fn the_action_of_a_dial_learns_what_came_of_it() {
    check_dial(Rung::Busy, "busy false");
    check_dial(Rung::NoAnswer, "no-answer false");
    check_dial(Rung::Failed, "failed false");
    check_dial(Rung::Answered(person()), "completed true");
    check_dial(
        Rung::Answered(Callee {
            after: seconds(20),
            ..person()
        }),
        "no-answer false",
    );
}

#[test]
fn a_dial_without_an_action_goes_on_with_the_next_verb() {
    let mut call = call("<Say>a</Say><Dial>+19375550111</Dial><Redirect>/next</Redirect>");
    call.rung(Rung::Busy);
    assert!(request(&call).url.ends_with("/next"));
}

#[test]
fn a_number_that_cannot_be_dialled_fails_without_ringing() {
    let bad = parse(b"<Response><Dial action='/d'>911</Dial></Response>").unwrap();
    let mut call = Call::begin(
        Line::default(),
        &Link {
            url: WEBHOOK.into(),
            method: Method::Post,
        },
    );
    call.answered(Answer {
        document: bad,
        url: WEBHOOK.into(),
        took: Duration::ZERO,
    });
    assert_eq!(dial_result(&call), "failed false");
}

#[test]
fn a_call_that_was_connected_ended_in_a_transfer() {
    let mut call = call("<Say>a</Say><Dial action=\"/d\">+19375550111</Dial>");
    call.rung(Rung::Answered(person()));
    answer(&mut call, "<Say>bye</Say>");
    check_ending(&call, "transferred");
    assert_eq!(call.clock(), seconds(64) + seconds(1) / 15 + seconds(3) / 15);
}

const WHISPERED: &str = "<Dial action=\"/d\"><Number url=\"/w\" statusCallback=\"/s\" statusCallbackEvent=\"initiated ringing answered completed\">+19375550111</Number></Dial>";
const PRESS_ONE: &str = "<Gather numDigits=\"1\" action=\"/w2\"><Say>press 1</Say></Gather><Hangup/>";

#[test]
fn a_whisper_is_asked_for_as_a_call_of_its_own() {
    let mut call = call(WHISPERED);
    call.rung(Rung::Answered(person()));
    let Request { url, form, purpose, .. } = request(&call);
    assert_eq!((url.as_str(), purpose), ("https://fd.example/w", Purpose::Whisper));
    assert_eq!(form.get("ParentCallSid"), Some(call.line().call_sid.as_str()));
    assert_eq!(
        (form.get("To"), form.get("Direction")),
        (Some("+19375550111"), Some("outbound-dial"))
    );
    assert_ne!(form.get("CallSid"), form.get("ParentCallSid"));
}

#[test]
fn who_presses_the_key_is_connected() {
    let mut call = call(WHISPERED);
    call.rung(Rung::Answered(person()));
    answer(&mut call, PRESS_ONE);
    assert_eq!(request(&call).form.get("Digits"), Some("1"));
    answer(&mut call, "");
    assert_eq!(dial_result(&call), "completed true");
}

#[test]
fn a_machine_or_a_refusal_is_not_connected() {
    let machine = Callee {
        presses: None,
        machine: true,
        ..person()
    };
    let refuses = Callee {
        hangs_up: true,
        ..person()
    };
    for callee in [machine, refuses] {
        let mut call = call(WHISPERED);
        call.rung(Rung::Answered(callee));
        answer(&mut call, PRESS_ONE);
        assert_eq!(dial_result(&call), "completed false");
    }
    let mut declined = call(WHISPERED);
    declined.rung(Rung::Answered(Callee {
        presses: Some("2".into()),
        ..person()
    }));
    answer(&mut declined, PRESS_ONE);
    answer(&mut declined, "<Hangup/>");
    assert_eq!(dial_result(&declined), "completed false");
}

#[test]
fn a_machine_that_nobody_asked_to_press_a_key_swallows_the_call() {
    let mut call = call("<Say>a</Say><Dial>+19375550111</Dial>");
    call.rung(Rung::Answered(Callee {
        machine: true,
        presses: None,
        ..person()
    }));
    check_ending(&call, "machine");
}

#[test]
fn the_progress_of_a_dialled_leg_is_told() {
    let mut call = call(WHISPERED);
    call.rung(Rung::Busy);
    let statuses: Vec<_> = call
        .take_notices()
        .iter()
        .map(|notice| notice.form.get("CallStatus").unwrap().to_owned())
        .collect();
    assert_eq!(statuses, ["queued", "ringing", "busy"]);
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_cancels_it() {
    for rung in [Rung::Answered(person()), Rung::NoAnswer] {
        let mut call = call("<Dial action=\"/d\">+19375550111</Dial>");
        call.hang_up_after(seconds(2));
        call.rung(rung);
        assert_eq!(dial_result(&call), "canceled false");
        assert_eq!(request(&call).purpose, Purpose::Farewell);
        answer(&mut call, "<Say>a</Say>");
        check_ending(&call, "caller-hung-up");
    }
}
