//! Which files the encoder that Frontdesk installs is made of, and in which folder an encoder is.

use std::path::{Path, PathBuf};

/// The encoder that is installed: sentence-transformers' all-MiniLM-L6-v2 (Apache-2.0), 384 numbers a text.
pub const NAME: &str = "all-MiniLM-L6-v2";

/// A file of it. Where it comes from does not matter, its hash does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its name.
    pub name: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: &'static str,
}

/// Its files, the smallest first.
pub const FILES: [PinnedFile; 3] = [
    PinnedFile {
        name: "config.json",
        bytes: 612,
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
    PinnedFile {
        name: "tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    PinnedFile {
        name: "model.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
];

/// The folder of an encoder: the first of these that holds its files itself or in a folder of the name [`NAME`]. What the
/// files hold is not looked at.
#[must_use]
pub fn find(folders: &[PathBuf]) -> Option<PathBuf> {
    let candidates = folders.iter().flat_map(|folder| [folder.clone(), folder.join(NAME)]);
    candidates.into_iter().find(|folder| holds_an_encoder(folder))
}

fn holds_an_encoder(folder: &Path) -> bool {
    FILES.iter().all(|file| folder.join(file.name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_with_all_files_is_taken_itself_or_by_the_models_name() {
        let root = tempfile::tempdir().unwrap();
        let [empty, half, outer, plain] = ["empty", "half", "outer", "plain"].map(|name| root.path().join(name));
        let inner = outer.join(NAME);
        for folder in [&empty, &half, &inner, &plain] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(half.join("config.json"), "{}").unwrap();
        for file in FILES {
            std::fs::write(inner.join(file.name), "").unwrap();
            std::fs::write(plain.join(file.name), "").unwrap();
        }
        let absent = root.path().join("absent");
        assert_eq!(find(&[absent.clone(), empty.clone(), half, outer]), Some(inner));
        assert_eq!(find(&[empty, plain.clone()]), Some(plain));
        assert_eq!(find(&[absent]), None);
    }
}
