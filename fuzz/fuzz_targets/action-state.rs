//! [`frontdesk_properties::action_state::holds`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| frontdesk_properties::action_state::holds(input));
