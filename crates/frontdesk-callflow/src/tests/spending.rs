//! What is sent to a provider was held before, and what was held comes to an end (invariants 1 and 2).

use std::time::Duration;

use frontdesk_domain::{
    ledger::{EntryKind, LedgerEntry, Spend},
    money::PicoUsd,
};
use serde_json::{Value, json};

use super::{
    document::said,
    faults::{Fault, Part},
    llm::{FOREIGN, account, entries, spend},
    scene::Scene,
    scripted::{Does, Scripted},
};

#[tokio::test]
async fn nothing_is_sent_for_a_turn_that_gave_up_before_its_hold_came() {
    let provider = Scripted::new([Does::Chooses("cooling", 0.93)]);
    let scene = Scene::with_llm(&provider, json!({})).await;
    // On a busy machine the store may be given up before it is mended: then nothing was held at all.
    for number in 0..10 {
        scene.breaks(Part::Ledger, Fault::Hangs);
        let mut call = scene.call(&format!("CA{number}"));
        // Of this the LLM is left half a second, and the store has a second.
        call.patience = Duration::from_millis(900);
        let heard = call.says(FOREIGN).await;
        assert!(!said(&heard).starts_with("Sorry it's hot"), "{heard}");
        scene.breaks(Part::Ledger, Fault::None);
        if let Some(entry) = closed(&scene).await {
            assert_eq!((entry.kind, entry.amount), (EntryKind::Void, PicoUsd::ZERO));
            assert_eq!(provider.asked(), Vec::<Value>::new());
            assert_eq!(spend(&scene).await, Spend::default());
            return;
        }
    }
    panic!("no hold came");
}

/// The company's entry once it is closed; `None` if there is none within a second.
async fn closed(scene: &Scene) -> Option<LedgerEntry> {
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let found = entries(scene, account()).await.into_iter().next();
        if let Some(entry) = found.filter(|entry| entry.kind != EntryKind::Held) {
            return Some(entry);
        }
    }
    None
}
