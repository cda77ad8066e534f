//! Spoken prompts and phrases to recognise.
