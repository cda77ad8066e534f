//! Rust files of the project.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Every Rust file below a folder, sorted.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file holds nothing but tests.
pub(super) fn is_test_file(path: &Path) -> bool {
    let names = path.iter().filter_map(|name| name.to_str());
    names
        .into_iter()
        .any(|name| matches!(name, "tests" | "tests.rs" | "benches" | "examples"))
}

/// The lines of a file that are compiled into the crate, each with its number: no comments, no test modules.
pub(super) fn product_lines(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        if code.starts_with("#[cfg(test)]") {
            skip_item(&mut lines, line.len() - code.len());
            continue;
        }
        kept.push((number + 1, code.split(" //").next().unwrap_or(code)));
    }
    kept
}

/// Skips the item that follows an attribute. In formatted code it ends with `;` on its first line, or with a `}` as
/// far in as the attribute.
fn skip_item<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>, indent: usize) {
    let mut opened = false;
    for (_, line) in lines {
        let code = line.trim_start();
        let closes = code.starts_with('}') && line.len() - code.len() == indent;
        if closes || (!opened && (line.trim_end().ends_with(';') || line.trim_end().ends_with("{}"))) {
            return;
        }
        opened |= line.trim_end().ends_with('{');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(usize, &str)]) {
        assert_eq!(product_lines(text), want);
    }

    #[test]
    fn comments_are_no_code() {
        check(
            "//! std::fs\n/// std::net\nlet x = 1; // Instant::now\n",
            &[(3, "let x = 1;")],
        );
    }

    #[test]
    fn test_modules_are_no_code_and_what_follows_them_is() {
        check(
            "#[cfg(test)]\nmod tests {\n    fn f() {\n    }\n}\nfn g() {}\n",
            &[(6, "fn g() {}")],
        );
        check("#[cfg(test)]\nmod tests;\nfn g() {}\n", &[(3, "fn g() {}")]);
        check(
            "impl A {\n    #[cfg(test)]\n    fn f() {\n    }\n    fn g() {}\n}",
            &[(1, "impl A {"), (5, "fn g() {}"), (6, "}")],
        );
    }

    #[test]
    fn test_folders_hold_only_tests() {
        assert!(is_test_file(Path::new("src/time/tests.rs")) && is_test_file(Path::new("src/tests/faults.rs")));
        assert!(!is_test_file(Path::new("src/attests.rs")));
    }
}
