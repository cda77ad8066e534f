//! The admin token: configured, or made once and kept beside the store.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use rand::RngExt as _;
use secrecy::SecretString;

use crate::config::Config;

/// The configured token, else the one in the file, which is made if it is not there.
pub(super) fn admin_token(config: &Config) -> Result<SecretString> {
    if let Some(token) = &config.token {
        return Ok(token.clone());
    }
    let file = config.token_file();
    let token = load_or_create(&file).with_context(|| format!("cannot use the token file {}", file.display()))?;
    if token.trim().is_empty() {
        bail!(
            "the token file {} is empty; delete it, and a new one is made at the next start",
            file.display()
        );
    }
    Ok(SecretString::from(token.trim()))
}

fn load_or_create(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(file)?;
            fs::read_to_string(file)
        }
        read => read,
    }
}

/// Writes a new token beside the path and links it there, which fails if another process was faster: its token holds.
fn create(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut rng = rand::rng();
    let draft = folder.join(format!(".token-{}-{:016x}", std::process::id(), rng.random::<u64>()));
    let token = format!("fd_{:032x}{:032x}\n", rng.random::<u128>(), rng.random::<u128>());
    let mut written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    written.write_all(token.as_bytes())?;
    written.sync_all()?;
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("admin.token");
        let token = load_or_create(&file).unwrap();
        assert_eq!(token.trim().len(), 67);
        assert_eq!(load_or_create(&file).unwrap(), token);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(file.parent().unwrap()).unwrap().count(),
            1,
            "no draft is left"
        );
    }
}
