//! Finds and loads the encoder.

use std::{path::PathBuf, sync::Arc, time::Instant};

use frontdesk_encoder::{Encoder, bert::Bert, files};
use tracing::{info, warn};

/// The encoder in the first of these folders that has one; `None` if none has one that can be used.
#[must_use]
pub fn load(folders: &[PathBuf]) -> Option<Arc<dyn Encoder>> {
    let Some(folder) = files::find(folders) else {
        let looked = folders.iter().map(|folder| folder.display().to_string());
        warn!(
            matcher = "lexical",
            folders = looked.collect::<Vec<_>>().join(", "),
            "no encoder is there: words alone decide (lexical); `frontdesk model install` gets it"
        );
        return None;
    };
    let began = Instant::now();
    match Bert::load(&folder) {
        Ok(encoder) => {
            let encoder: Arc<dyn Encoder> = Arc::new(encoder);
            let took = began.elapsed().as_millis();
            info!(
                matcher = "semantic",
                folder = %folder.display(),
                model = %encoder.model(),
                duration_ms = took,
                "the encoder is loaded"
            );
            Some(encoder)
        }
        Err(refusal) => {
            warn!(
                matcher = "lexical",
                folder = %folder.display(),
                error = &refusal as &dyn std::error::Error,
                "the encoder cannot be used: words alone decide (lexical)"
            );
            None
        }
    }
}
