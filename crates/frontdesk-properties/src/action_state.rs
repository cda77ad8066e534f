//! The sealed state of a call, in the address that a turn is posted to.

use frontdesk_callflow::state;
use frontdesk_domain::{call_state::CallState, ids::CallId};
use frontdesk_twilio::form::Form;

use crate::desk::{COMPANY, Desk, sealer};

/// The longest sealed state.
const MAX_SEALED: usize = 1_024;

/// Of a state (up to the first line's end) and a body: the state opens only if it is one that was sealed for this call;
/// one that was sealed and then changed does not open; and whatever it holds, as it stands, sealed anew or none at all,
/// each route answers with a document that Twilio takes.
///
/// # Panics
/// That does not hold.
pub fn holds(input: &[u8]) {
    let mut halves = input.splitn(2, |byte| *byte == b'\n');
    let given = halves.next().unwrap_or_default();
    let body = Form::parse(halves.next().unwrap_or_default()).unwrap_or_default();
    let (sealer, desk) = (sealer(), Desk::shared());
    let Ok(company) = COMPANY.parse() else {
        panic!("{COMPANY} is no id")
    };
    let sid = desk.new_call();
    let call = CallId::new(&sid);
    let text = String::from_utf8_lossy(given);
    // The id of this call is new, so that nothing was ever sealed for it.
    assert_eq!(state::open(&sealer, company, &call, &text), None);

    let context = format!("call-state:{company}:{call}");
    let mut sealed = sealer.seal_text(&context, given);
    if let Some(opened) = state::open(&sealer, company, &call, &sealed) {
        sealed = again(
            opened,
            |state| state::seal(state, &sealer, company, &call),
            |sealed| state::open(&sealer, company, &call, sealed),
        );
    }
    let place = given.iter().map(|byte| usize::from(*byte)).sum::<usize>() % sealed.len();
    let changed: String = sealed
        .char_indices()
        .map(|(at, c)| {
            if at != place {
                c
            } else if c == 'A' {
                'Q'
            } else {
                'A'
            }
        })
        .collect();
    // The last character of base64 may carry bits that nothing reads.
    let is_last = place + 1 == sealed.len();
    assert!(
        is_last || state::open(&sealer, company, &call, &changed).is_none(),
        "a changed state opens"
    );

    for state in [text.as_ref(), &sealed] {
        let form = called(&body, &desk.new_call());
        desk.post_everywhere(COMPANY, &format!("?s={state}"), &form);
    }
    desk.post_everywhere(COMPANY, &format!("?s={sealed}"), &called(&body, &sid));
}

/// A state that opens is sealed again within the limit, and is then what it was.
fn again(
    mut opened: CallState,
    seal: impl Fn(&mut CallState) -> String,
    open: impl Fn(&str) -> Option<CallState>,
) -> String {
    let sealed = seal(&mut opened);
    assert!(sealed.len() <= MAX_SEALED, "a state of {} bytes", sealed.len());
    assert_eq!(open(&sealed), Some(opened), "a state is read back");
    sealed
}

/// The body as one of this call.
fn called(body: &Form, call: &str) -> Form {
    let mut form = Form::default();
    form.push("CallSid", call);
    for (name, value) in body.pairs().filter(|(name, _)| *name != "CallSid") {
        form.push(name, value);
    }
    form
}
