//! Arguments of what measures a server under load.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use clap::Args;

/// Arguments of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArguments {
    /// How many companies
    #[arg(long, default_value_t = 100)]
    pub companies: u32,
    /// How many templates they share
    #[arg(long, default_value_t = 10)]
    pub templates: u32,
    /// How many scenarios each of them has
    #[arg(long, default_value_t = 200)]
    pub scenarios: u32,
    /// How many Q&As each of them has
    #[arg(long, default_value_t = 30)]
    pub questions: u32,
    /// How long each measurement lasts, in seconds
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// The folder of an encoder, for turns that ask meaning as well; or none
    #[arg(long, default_value = "none", value_name = "none|PATH")]
    pub model: BenchModel,
    /// Sends this load to a server and prints what came of it; the command starts itself with it
    #[arg(long, hide = true, value_name = "JSON")]
    pub load: Option<String>,
}

/// With which encoder `bench` measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BenchModel {
    /// Without one: words alone decide.
    None,
    /// The one in this folder.
    In(PathBuf),
}

impl FromStr for BenchModel {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "none" => Self::None,
            path => Self::In(path.into()),
        })
    }
}
