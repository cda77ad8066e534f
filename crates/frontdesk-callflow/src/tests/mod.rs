//! The call flow over a real store.

mod beside;
mod broken;
mod callback;
mod caller;
mod choice;
mod concepts;
mod conversation;
mod danger;
mod decision;
mod document;
mod fallbacks;
mod faults;
mod limits;
mod llm;
mod log;
mod meaning;
mod messages;
mod once;
mod overload;
mod scene;
mod scripted;
mod spending;
mod ways_out;
mod wordings;
mod words;
