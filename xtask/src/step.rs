//! Steps: a command that is announced, run in the project's folder and must succeed.

use std::{
    fmt::Display,
    io::{BufRead as _, BufReader, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Says what comes next.
pub(crate) fn say(text: impl Display) {
    let (bold, plain) = if std::io::stderr().is_terminal() {
        ("\u{1b}[1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    print_line(format_args!("{bold}==> {text}{plain}"));
}

/// Prints a line that belongs to the step said last.
pub(crate) fn note(text: impl Display) {
    print_line(format_args!("    {text}"));
}

/// Prints why a task failed, with every cause.
pub(crate) fn complain(error: &anyhow::Error) {
    print_line(format_args!("failed: {error:#}"));
}

fn print_line(text: std::fmt::Arguments<'_>) {
    // A terminal that is gone is no reason to stop.
    _ = writeln!(std::io::stderr(), "{text}");
}

/// A command that runs in the project's folder.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// `cargo` with these arguments.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = command("cargo");
    command.args(arguments);
    command
}

/// Says what a command is for, runs it and fails if it does.
pub(crate) fn must(what: &str, command: &mut Command) -> Result<()> {
    say(format_args!("{what}: {}", line(command)));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// As [`must`], and gives what the command printed, which is printed all the same.
pub(crate) fn must_and_keep(what: &str, command: &mut Command) -> Result<String> {
    say(format_args!("{what}: {}", line(command)));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    let mut kept = String::new();
    if let Some(stdout) = child.stdout.take() {
        for printed in BufReader::new(stdout).lines() {
            let printed = printed?;
            note(&printed);
            kept.push_str(&printed);
            kept.push('\n');
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(kept)
}

/// What a command prints to its standard output; it must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let ran = command.stderr(Stdio::inherit()).output();
    let ran = ran.with_context(|| format!("cannot start `{}`", line(command)))?;
    if !ran.status.success() {
        bail!("`{}` ended with {}", line(command), ran.status);
    }
    String::from_utf8(ran.stdout).with_context(|| format!("`{}` printed no UTF-8", line(command)))
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line.replace(&format!("{}/", root().display()), "")
}

/// Builds the release binary of a crate and gives its path.
pub(crate) fn build_release(package: &str, binary: &str) -> Result<PathBuf> {
    must(
        "building, optimised (some minutes the first time)",
        &mut cargo(["build", "--release", "--package", package, "--bin", binary]),
    )?;
    Ok(target_directory()?.join("release").join(binary))
}

/// Builds every program at once, optimised, and gives the folder where they are. One by one, what they share would be
/// built again for each set of its features.
pub(crate) fn build_programs() -> Result<PathBuf> {
    must(
        "building every program, optimised (some minutes the first time)",
        &mut cargo(["build", "--release", "--workspace", "--bins"]),
    )?;
    Ok(target_directory()?.join("release"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = output(&mut cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?;
    let directory = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    directory
        .map(PathBuf::from)
        .context("`cargo metadata` names no target directory")
}
