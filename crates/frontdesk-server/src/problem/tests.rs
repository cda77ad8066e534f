use super::*;

/// docs/problems.md, which operators read.
const DOCUMENTED: &str = include_str!("../../../../docs/problems.md");

#[test]
fn each_code_is_documented_with_its_status_and_what_helps() {
    for code in Code::ALL {
        let heading = format!("## `{}` ({})\n", code.as_str(), code.status().as_u16());
        let (_, rest) = DOCUMENTED
            .split_once(&heading)
            .unwrap_or_else(|| panic!("no `{heading}` in docs/problems.md"));
        let section = rest.split("\n## ").next().unwrap();
        for text in [code.title(), code.help()] {
            assert!(
                section.contains(text),
                "the section of {} does not say: {text}",
                code.as_str()
            );
        }
    }
}

#[test]
fn nothing_is_documented_that_does_not_exist() {
    let known: Vec<String> = Code::ALL.iter().map(|code| format!("`{}`", code.as_str())).collect();
    for heading in DOCUMENTED.lines().filter_map(|line| line.strip_prefix("## ")) {
        let code = heading.split(' ').next().unwrap();
        assert!(known.iter().any(|known| known == code), "{heading} is no problem");
    }
}

#[test]
fn codes_are_distinct_and_errors_only() {
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Code::ALL.len());
    assert!(
        Code::ALL
            .iter()
            .all(|code| code.status().is_client_error() || code.status().is_server_error())
    );
}
