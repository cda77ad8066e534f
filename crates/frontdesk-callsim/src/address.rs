//! URLs as documents write them.

/// The whole URL that a document means; an empty one is the document's own.
#[must_use]
pub fn resolve(base: &str, written: &str) -> String {
    let base = base.split('#').next().unwrap_or(base);
    let written = written.trim();
    if written.is_empty() {
        return base.to_owned();
    }
    let has_scheme = written
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    if has_scheme {
        return written.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(elsewhere) = written.strip_prefix("//") {
        return format!("{scheme}://{elsewhere}");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let path = target.split('?').next().unwrap_or_default();
    if written.starts_with('?') {
        return format!("{scheme}://{authority}{path}{written}");
    }
    if written.starts_with('/') {
        return format!("{scheme}://{authority}{written}");
    }
    let mut folder: Vec<&str> = path.split('/').collect();
    folder.pop();
    let mut rest = written;
    loop {
        if let Some(deeper) = rest.strip_prefix("./") {
            rest = deeper;
        } else if let Some(higher) = rest.strip_prefix("../") {
            if folder.len() > 1 {
                folder.pop();
            }
            rest = higher;
        } else {
            break;
        }
    }
    let folder = folder.join("/");
    format!("{scheme}://{authority}{folder}/{rest}")
}

/// The URL's path, without host and query.
#[must_use]
pub fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let from = rest.find('/').unwrap_or(rest.len());
    let path = rest.get(from..).unwrap_or_default();
    path.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, want: &str) {
        assert_eq!(resolve("https://a.example:8/x/y?q=1#rc=2", written), want, "{written}");
    }

    #[test]
    fn a_url_is_read_as_a_browser_would() {
        check("", "https://a.example:8/x/y?q=1");
        check("http://b.example/z", "http://b.example/z");
        check("//b.example/z", "https://b.example/z");
        check("/z?s=%20#rt=1", "https://a.example:8/z?s=%20#rt=1");
        check("?s=2", "https://a.example:8/x/y?s=2");
        check("z", "https://a.example:8/x/z");
        check("../z?u=http://c", "https://a.example:8/z?u=http://c");
    }

    #[test]
    fn a_path_has_neither_host_nor_query() {
        assert_eq!(path("https://a.example/x/y?q=/1#f"), "/x/y");
        assert_eq!(path("https://a.example"), "");
    }
}
