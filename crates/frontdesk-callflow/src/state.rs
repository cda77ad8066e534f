//! Seals what a call remembers into the address that Twilio posts the next turn to (DESIGN 4.14).

use frontdesk_domain::{
    call_state::CallState,
    ids::{CallId, CompanyId},
};
use frontdesk_store::seal::Sealer;

/// The query parameter that carries it.
pub const PARAMETER: &str = "s";

/// The sealed text is at most this long.
const MAX_SEALED: usize = 1024;

/// Seals the state for the next turn of this call. What does not fit is forgotten, oldest first.
#[must_use]
pub fn seal(state: &mut CallState, sealer: &Sealer, company: CompanyId, call: &CallId) -> String {
    let context = context(company, call);
    loop {
        let plain = serde_json::to_vec(state).unwrap_or_default();
        let sealed = sealer.seal_text(&context, &plain);
        if sealed.len() <= MAX_SEALED || !state.forget() {
            return sealed;
        }
    }
}

/// Opens what [`seal`] made. `None` if it was made for another call or company, with another key, or was changed.
#[must_use]
pub fn open(sealer: &Sealer, company: CompanyId, call: &CallId, sealed: &str) -> Option<CallState> {
    if sealed.len() > MAX_SEALED {
        return None;
    }
    let plain = sealer.open_text(&context(company, call), sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn context(company: CompanyId, call: &CallId) -> String {
    format!("call-state:{company}:{call}")
}

#[cfg(test)]
mod tests {
    use frontdesk_domain::decision::FallbackKind;

    use super::*;

    fn sealer() -> Sealer {
        Sealer::from_key([7; 32])
    }

    fn company() -> CompanyId {
        "507f1f77bcf86cd799439011".parse().unwrap()
    }

    #[test]
    fn a_state_opens_for_its_own_call_and_company_only() {
        let mut state = CallState::default();
        (state.turn, state.misses, state.nonce) = (3, 1, 42);
        let call = CallId::new("CA1");
        let sealed = seal(&mut state, &sealer(), company(), &call);
        assert_eq!(open(&sealer(), company(), &call, &sealed), Some(state));
        assert_eq!(open(&sealer(), company(), &CallId::new("CA2"), &sealed), None);
        let other = "507f1f77bcf86cd799439012".parse().unwrap();
        assert_eq!(open(&sealer(), other, &call, &sealed), None);
        assert_eq!(open(&Sealer::from_key([8; 32]), company(), &call, &sealed), None);
        assert_eq!(open(&sealer(), company(), &call, "not sealed"), None);
    }

    #[test]
    fn however_much_a_call_remembers_the_sealed_text_fits() {
        let mut state = CallState::default();
        (state.turn, state.misses, state.nonce) = (u32::MAX, u8::MAX, u64::MAX);
        for number in 0..200_usize {
            state.note_answered(&format!("scenario-{number}"), i64::MAX);
            for kind in FallbackKind::ALL {
                state.note_heard(kind, 65_000 + number % 500);
            }
        }
        let sealed = seal(&mut state, &sealer(), company(), &CallId::new("CA1"));
        assert!(sealed.len() <= MAX_SEALED, "{} bytes", sealed.len());
        assert!(open(&sealer(), company(), &CallId::new("CA1"), &sealed).is_some());
        assert_eq!(state.times_answered("scenario-199"), 1, "the newest is remembered");
    }
}
