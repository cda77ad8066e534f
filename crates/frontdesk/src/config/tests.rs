use std::fs;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Origins {
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Origins {
        environment,
        ..Origins::default()
    }
}

#[track_caller]
fn check_refused(origins: &Origins, says: &[&str]) {
    let message = Config::load(origins).unwrap_err().to_string();
    for part in says {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn the_embedded_default_is_a_whole_configuration() {
    let config = Config::load(&Origins::default()).unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store, StoreUrl::Sqlite("frontdesk-data/frontdesk.db".into()));
    assert!(config.twilio.verify);
    assert!(config.http.public_url.is_none() && config.token.is_none() && config.log_format.is_none());
    assert_eq!(config.token_file(), Path::new("frontdesk-data/admin.token"));
}

#[test]
fn the_embedded_default_documents_every_key() {
    for key in keys::KEYS {
        let (section, name) = key.split_once('.').unwrap();
        let from_section = DEFAULT.split(&format!("\n[{section}]\n")).nth(1).unwrap();
        let section = from_section.split("\n[").next().unwrap();
        let mut lines = section.lines();
        assert!(
            lines.any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = "))),
            "{key} is not in the default"
        );
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    fs::write(
        &file,
        "[http]\nlisten = \"127.0.0.1:1\"\n[twilio]\nverify = false\n[log]\nformat = \"json\"\n",
    )
    .unwrap();
    let mut origins = Origins {
        file: Some(file),
        ..environment(&[("FRONTDESK_HTTP__LISTEN", "127.0.0.1:2")])
    };
    let config = Config::load(&origins).unwrap();
    assert_eq!(config.http.listen.port(), 2);
    assert!(!config.twilio.verify, "the file wins over the default");
    assert_eq!(config.log_format, Some(LogFormat::Json));
    origins.flags = vec![Flag {
        key: "http.listen",
        name: "--listen",
        value: "127.0.0.1:3".into(),
    }];
    assert_eq!(Config::load(&origins).unwrap().http.listen.port(), 3);
}

#[test]
fn a_wrong_value_is_refused_with_its_name_and_what_would_be_right() {
    let check = |name: &str, value: &str, says: &str| check_refused(&environment(&[(name, value)]), &[name, says]);
    check("FRONTDESK_HTTP__LISTEN", "8080", "such as 127.0.0.1:8080");
    check("FRONTDESK_HTTP__PUBLIC_URL", "https://a.example/path", "without a path");
    check("FRONTDESK_HTTP__PUBLIC_URL", "a.example", "https://");
    check("FRONTDESK_STORE__URL", "frontdesk.db", "sqlite:");
    check("FRONTDESK_STORE__URL", "mongodb://localhost", "names no database");
    check("FRONTDESK_CACHE__URL", "memcached://localhost", "redis:// or rediss://");
    check("FRONTDESK_CACHE__URL", "redis://localhost:port", "redis://host:6379/0");
    check("FRONTDESK_TWILIO__VERIFY", "no", "true or false");
    check("FRONTDESK_LOG__FORMAT", "xml", "text or json");
    check("FRONTDESK_ADMIN__TOKEN", " ", "empty");
    check("FRONTDESK_LIMITS__LLM_CALLS_PER_CALL", "-1", "whole number");
    check("FRONTDESK_LLM__BASE_URL", "api.openai.com/v1", "https://");
    check(
        "FRONTDESK_LLM__BASE_URL",
        "http://10.0.0.5:8000/v1",
        "FRONTDESK_LLM__ALLOW_PLAIN_HTTP",
    );
    check("FRONTDESK_LLM__PRICES", "gpt", "JSON");
    check("FRONTDESK_LLM__LEASE_SECONDS", "4", "at least 5");
    check("FRONTDESK_LLM__REASONING_EFFORT", "some", "none, minimal");
    check("FRONTDESK_LLM__PLATFORM_BUDGET", "-1", "less than 0");
    check("FRONTDESK_LLM__MODELS", "x", "FRONTDESK_LLM__MODEL?");
    check("FRONTDESK_LIMITS__TURNS_PER_CALL", "many", "whole number");
    check("FRONTDESK_HTTP__LISTN", "127.0.0.1:1", "FRONTDESK_HTTP__LISTEN?");
}

#[test]
fn every_fault_is_named_at_once() {
    let both = environment(&[("FRONTDESK_HTTP__LISTEN", "x"), ("FRONTDESK_LLM__LEASE_SECONDS", "y")]);
    check_refused(&both, &["FRONTDESK_HTTP__LISTEN", "FRONTDESK_LLM__LEASE_SECONDS"]);
}

#[test]
fn a_secret_is_not_shown() {
    let origins = environment(&[("FRONTDESK_SECRETS__KEY", "hunter2")]);
    let message = Config::load(&origins).unwrap_err().to_string();
    assert!(
        message.contains("32 characters") && !message.contains("hunter2"),
        "{message}"
    );
    let origins = environment(&[
        ("FRONTDESK_ADMIN__TOKEN", "hunter2"),
        ("FRONTDESK_TWILIO__AUTH_TOKEN", "hunter2"),
        ("FRONTDESK_LLM__API_KEY", "hunter2"),
    ]);
    assert!(!format!("{:?}", Config::load(&origins).unwrap()).contains("hunter2"));
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let hides = |origins: &Origins, says: &[&str]| {
        check_refused(origins, says);
        let error = Config::load(origins).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    };
    for (wrong, says) in [
        ("mongodb://me:hunter2@host", "names no database"),
        ("mongo://me:hunter2@host/desk", "sqlite:"),
        ("postgres://me:hunter2@host/desk", "mongodb://"),
        ("me:hunter2@host", "sqlite:"),
    ] {
        hides(
            &environment(&[("FRONTDESK_STORE__URL", wrong)]),
            &["FRONTDESK_STORE__URL", says],
        );
        let flags = vec![Flag {
            key: "store.url",
            name: "--store",
            value: wrong.to_owned(),
        }];
        let on_the_command_line = Origins {
            flags,
            ..Origins::default()
        };
        hides(&on_the_command_line, &["--store", says]);
    }
    hides(
        &environment(&[("FRONTDESK_CACHE__URL", "redis://me:hunter2@host:port")]),
        &["FRONTDESK_CACHE__URL", "redis://host:6379/0"],
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    for (text, says) in [
        ("[store]\nurl = \"mongodb://me:hunter2@host/desk\n", "line 2"),
        ("[store]\nurl = mongodb://me:hunter2@host/desk\n", "line 2"),
        (
            "[store]\nurl = [\"mongodb://me:hunter2@host/desk\"]\n",
            "text in quotes",
        ),
        ("[store]\nurl = \"mongodb://me:hunter2@host\"\n", "`store.url`"),
        (
            "[store]\nurls = \"mongodb://me:hunter2@host/desk\"\n",
            "did you mean `store.url`?",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let origins = Origins {
            file: Some(file.clone()),
            ..Origins::default()
        };
        hides(&origins, &["own.toml", says]);
    }
}

#[test]
fn a_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let origins = Origins {
        file: Some(path.clone()),
        ..Origins::default()
    };
    check_refused(&origins, &["own.toml", "cannot be read"]);
    for (text, says) in [
        ("[http\n", "is no TOML"),
        ("listen = 1\n", "outside of a [section]"),
        ("[http]\nlisten = 1\n", "text in quotes"),
        ("[http]\nlistn = \"x\"\n", "did you mean `http.listen`?"),
        ("[limits]\nllm_calls_per_call = -3\n", "whole number"),
        ("[limits]\nturns_per_call = -3\n", "whole number"),
    ] {
        fs::write(&path, text).unwrap();
        check_refused(&origins, &["own.toml", says]);
    }
}

#[test]
fn an_llm_is_asked_with_a_key_or_where_none_is_needed() {
    let usable = |variables: &[(&str, &str)]| Config::load(&environment(variables)).unwrap().llm.is_usable();
    assert!(!usable(&[]));
    assert!(usable(&[("OPENAI_API_KEY", "sk-x\n")]));
    assert!(!usable(&[("OPENAI_API_KEY", "")]), "an empty variable is none");
    assert!(usable(&[("FRONTDESK_LLM__API_KEY", "sk-x")]));
    let origin = |variables: &[(&str, &str)]| Config::load(&environment(variables)).unwrap().llm.key_origin;
    let (own, others) = (("FRONTDESK_LLM__API_KEY", "sk-x"), ("OPENAI_API_KEY", "sk-y"));
    assert_eq!(origin(&[others]).as_deref(), Some("OPENAI_API_KEY"));
    assert_eq!(origin(&[others, own]).as_deref(), Some("FRONTDESK_LLM__API_KEY"));
    assert_eq!(origin(&[]), None);
    assert!(usable(&[("FRONTDESK_LLM__BASE_URL", "http://127.0.0.1:11434/v1")]));
    check_refused(&environment(&[("OPENAI_API_KEY", "two words")]), &["OPENAI_API_KEY"]);
    let refused = environment(&[("FRONTDESK_LLM__BASE_URL", "https://user:hunter2@api.example/v1")]);
    check_refused(&refused, &["FRONTDESK_LLM__BASE_URL"]);
    assert!(!Config::load(&refused).unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn a_slash_at_the_end_of_the_public_url_is_no_path() {
    let config = Config::load(&environment(&[("FRONTDESK_HTTP__PUBLIC_URL", "https://a.example/")])).unwrap();
    assert_eq!(config.http.public_url.as_deref(), Some("https://a.example"));
}
