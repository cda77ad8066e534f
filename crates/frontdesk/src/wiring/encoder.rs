//! Finds and loads the encoder.

use std::{path::PathBuf, sync::Arc, time::Instant};

use frontdesk_encoder::{
    Encoder,
    bert::{Bert, LoadError},
    files,
};
use frontdesk_server::health::NoEncoder;
use tracing::{info, warn};

/// The encoder in the first of these folders that has one.
///
/// # Errors
/// None has one, or it cannot be used; the log says so.
pub fn load(folders: &[PathBuf]) -> Result<Arc<dyn Encoder>, NoEncoder> {
    let Some(folder) = files::find(folders) else {
        let looked = folders.iter().map(|folder| folder.display().to_string());
        warn!(
            matcher = "lexical",
            folders = looked.collect::<Vec<_>>().join(", "),
            "no encoder is there: words alone decide (lexical); `frontdesk model install` gets it"
        );
        return Err(NoEncoder::NotFound);
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
            Ok(encoder)
        }
        Err(refusal) => {
            warn!(
                matcher = "lexical",
                folder = %folder.display(),
                error = &refusal as &dyn std::error::Error,
                "the encoder cannot be used: words alone decide (lexical)"
            );
            Err(NoEncoder::NotLoaded(in_words(refusal).into()))
        }
    }
}

/// A refusal with all its causes: the innermost says what is wrong with a file.
#[must_use]
pub fn in_words(refusal: LoadError) -> String {
    format!("{:#}", anyhow::Error::new(refusal))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_encoder_that_is_absent_is_told_from_one_that_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        assert_eq!(load(&folders).err(), Some(NoEncoder::NotFound));
        for file in files::FILES {
            fs::write(folder.path().join(file.name), "{}").unwrap();
        }
        let refusal = load(&folders).err().unwrap().to_string();
        assert!(
            refusal.contains("cannot be loaded")
                && refusal.contains("config.json")
                && refusal.contains("missing field"),
            "{refusal}"
        );
    }
}
