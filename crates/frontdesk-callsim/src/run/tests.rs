use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::desk::{Desk, Gives, Got};

const PUBLIC: &str = "https://fd.example";

fn company() -> Company {
    Company {
        id: "c1".into(),
        name: "Test & Sons".into(),
        number: "+12025550199".into(),
        account_sid: "AC1".into(),
        auth_token: Some("token".into()),
    }
}

fn world(desk: &Desk) -> World {
    let network = || Network::new(PUBLIC, &desk.address.to_string());
    World {
        network: network(),
        companies: vec![company()],
        webhook: "/api/twilio/voice/{companyId}".into(),
        status_callback: None,
        fallback_url: None,
        fallback_folder: None,
        shares: Shares::default(),
        seed: 1,
        began: (Timestamp::UNIX_EPOCH, Instant::now()),
        admin: None,
        transcripts: None,
        tells: false,
    }
}

fn drawn(count: usize) -> Calls {
    Calls::Drawn(
        count,
        caller::utterances("{\"company\":\"c1\",\"utterance\":\"are you open\"}").unwrap(),
    )
}

fn written(turns: &str) -> Calls {
    Calls::Scripts(caller::scripts(&format!("[[call]]\nname = \"one\"\n{turns}")).unwrap())
}

/// A desk as it should be: it asks, answers, takes a message of who wants a person, and knows goodbye.
fn good(got: &Got) -> Gives {
    let listens = "<Gather input=\"speech dtmf\" action=\"/api/twilio/voice/c1?s=1\" actionOnEmptyResult=\"true\"><Say>Anything else?</Say></Gather>";
    let words = got.parameter("SpeechResult").unwrap_or_default();
    Gives::Verbs(match got.path() {
        "/status" => String::new(),
        "/m" => "<Say>Thank you.</Say><Hangup/>".into(),
        _ if words.contains("person") || words.contains("message") => {
            "<Say>Please hold.</Say><Dial action=\"/d\"><Number url=\"/w\">+19375550111</Number></Dial>".into()
        }
        "/d" if got.parameter("DialBridged") == Some("true") => "<Say>Goodbye.</Say>".into(),
        "/d" => "<Say>Leave a message.</Say><Record action=\"/m\"/><Say>Goodbye.</Say>".into(),
        "/w" => "<Gather numDigits=\"1\" action=\"/w2\"><Say>Press 1.</Say></Gather><Hangup/>".into(),
        "/w2" if got.parameter("Digits") == Some("1") => String::new(),
        "/w2" => "<Hangup/>".into(),
        _ if words.contains("bye") => "<Say>Goodbye.</Say><Hangup/>".into(),
        _ => listens.into(),
    })
}

async fn hold(world: &World, calls: &Calls) -> Summary {
    run(world, calls, 4, None).await.unwrap()
}

#[tokio::test]
async fn a_good_desk_has_no_problems() {
    let desk = Desk::open(good);
    let summary = hold(&world(&desk), &drawn(60)).await;
    assert!(summary.is_clean(), "{summary}");
    assert_eq!((summary.calls, summary.endings.values().sum::<usize>()), (60, 60));
    for ending in ["answered", "transferred", "message", "caller-hung-up"] {
        assert!(summary.endings.contains_key(ending), "{summary}");
    }
}

#[tokio::test]
async fn the_same_seed_holds_the_same_calls() {
    let desk = Desk::open(good);
    let first = hold(&world(&desk), &drawn(30)).await;
    let second = hold(&world(&desk), &drawn(30)).await;
    assert_eq!((first.turns, &first.endings), (second.turns, &second.endings));
    let other = hold(
        &World {
            seed: 2,
            ..world(&desk)
        },
        &drawn(30),
    )
    .await;
    assert_ne!((first.turns, first.endings), (other.turns, other.endings));
}

fn all_repeats() -> Shares {
    Shares {
        duplicates: 1.0,
        parallel: 1.0,
        reordered: 1.0,
        ..Shares::default()
    }
}

#[tokio::test]
async fn repeats_that_are_answered_alike_are_no_problem() {
    let desk = Desk::open(good);
    let summary = hold(
        &World {
            shares: all_repeats(),
            ..world(&desk)
        },
        &drawn(20),
    )
    .await;
    assert!(summary.is_clean(), "{summary}");
    assert!(summary.repeats > summary.turns * 2, "{summary}");
}

/// Which repeats a desk answers otherwise when it tells how often it was asked the same.
async fn unequal(shares: Shares) -> (usize, String) {
    let seen: Mutex<HashMap<String, usize>> = Mutex::default();
    let desk = Desk::open(move |got| {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(format!("{} {}", got.target, got.body)).or_default();
        *count += 1;
        Gives::Verbs(format!("<Say>{count}</Say>"))
    });
    let summary = hold(
        &World { shares, ..world(&desk) },
        &written("[[call.turn]]\nsilence = true"),
    )
    .await;
    (summary.unequal_answers, summary.problems.into_keys().collect())
}

#[tokio::test]
async fn a_webhook_that_is_answered_otherwise_the_second_time_is_found() {
    let (count, problem) = unequal(Shares {
        duplicates: 1.0,
        ..Shares::default()
    })
    .await;
    assert!(count > 0 && problem.contains("sent again"), "{problem}");
    let (count, problem) = unequal(Shares {
        parallel: 1.0,
        ..Shares::default()
    })
    .await;
    assert!(count > 0 && problem.contains("at the same time"), "{problem}");
    let (count, _) = unequal(Shares {
        reordered: 1.0,
        ..Shares::default()
    })
    .await;
    assert_eq!(count, 1);
    assert_eq!(unequal(Shares::default()).await.0, 0);
}

#[tokio::test]
async fn a_late_repeat_comes_after_later_turns() {
    let desk = Desk::open(good);
    let shares = Shares {
        reordered: 1.0,
        ..Shares::default()
    };
    hold(
        &World { shares, ..world(&desk) },
        &written("[[call.turn]]\nsay = \"bye\""),
    )
    .await;
    let targets: Vec<_> = desk.log().iter().map(|got| got.target.clone()).collect();
    let (first, second) = ("/api/twilio/voice/c1", "/api/twilio/voice/c1?s=1");
    assert_eq!(targets, [first, second, first, second]);
}

#[tokio::test]
async fn a_desk_that_fails_is_found_and_its_fallback_helps() {
    let desk = Desk::open(|got| match got.path() {
        "/fallback/c1" => Gives::Verbs("<Say>One moment.</Say><Dial>+19375550111</Dial>".into()),
        _ => Gives::Status(500, None),
    });
    let calls = written("");
    let alone = hold(&world(&desk), &calls).await;
    assert_eq!((alone.bad_answers, alone.illegal_endings, alone.rescues), (1, 1, 0));
    assert_eq!(alone.endings.keys().collect::<Vec<_>>(), ["application-error"]);
    assert_eq!(alone.codes.keys().collect::<Vec<_>>(), ["11200 HTTP retrieval failure"]);
    let fallback_url = Some("/fallback/{companyId}".to_owned());
    let helped = hold(
        &World {
            fallback_url,
            ..world(&desk)
        },
        &calls,
    )
    .await;
    assert_eq!((helped.bad_answers, helped.illegal_endings, helped.rescues), (1, 0, 1));
    assert!(!helped.is_clean());
}

#[tokio::test]
async fn a_warning_of_twilios_is_a_problem() {
    let desk = Desk::open(|_| Gives::Verbs("<Say>a</Say><Gather input=\"speech\" speechTimeout=\"auto\"/>".into()));
    let summary = hold(&world(&desk), &written("")).await;
    assert_eq!(summary.codes.values().sum::<usize>(), 1, "{summary}");
    assert!(!summary.is_clean());
}

#[tokio::test]
async fn a_call_that_nobody_answers_with_words_is_found() {
    let desk = Desk::open(|_| Gives::Verbs("<Pause/>".into()));
    let summary = hold(&world(&desk), &written("")).await;
    assert_eq!((summary.illegal_endings, summary.unspoken), (1, 1));
}

#[tokio::test]
async fn the_progress_of_a_call_is_told_in_any_order_and_sometimes_twice() {
    let desk = Desk::open(good);
    let status_callback = Some("/status".to_owned());
    let summary = hold(
        &World {
            status_callback,
            ..world(&desk)
        },
        &drawn(10),
    )
    .await;
    assert!(summary.is_clean(), "{summary}");
    let told: Vec<_> = desk.log().into_iter().filter(|got| got.path() == "/status").collect();
    let numbers: Vec<_> = told
        .iter()
        .map(|got| got.parameter("SequenceNumber").unwrap())
        .collect();
    assert!(numbers.len() > 40, "{numbers:?}");
    assert!(!numbers.is_sorted());
    for status in ["queued", "ringing", "in-progress", "completed"] {
        assert!(
            told.iter().any(|got| got.parameter("CallStatus") == Some(status)),
            "{status}"
        );
    }
}

/// What is found when the desk's record of a call has these turns.
async fn recorded(turns: &'static str, script: &str) -> Vec<String> {
    let asked = AtomicUsize::new(0);
    let desk = Desk::open(move |got| {
        if got.path().starts_with("/api/v1/companies/c1/calls/CA") {
            // Records are written behind the call.
            let is_early = asked.fetch_add(1, Ordering::SeqCst) == 0;
            return Gives::Json(format!(
                "{{\"ending\": \"hangup\", \"turns\": [{}]}}",
                if is_early { "" } else { turns }
            ));
        }
        good(got)
    });
    let admin = Admin {
        token: "t".into(),
        network: Network::new(PUBLIC, &desk.address.to_string()),
    };
    let summary = hold(
        &World {
            admin: Some(admin),
            ..world(&desk)
        },
        &written(script),
    )
    .await;
    summary.problems.into_keys().collect()
}

#[tokio::test]
async fn a_turn_has_one_record() {
    let bye = "[[call.turn]]\nsay = \"bye\"";
    assert_eq!(
        recorded("{\"turnId\":\"a\",\"turn\":1},{\"turnId\":\"b\",\"turn\":2}", bye).await,
        Vec::<String>::new()
    );
    let problems = recorded("{\"turnId\":\"a\",\"turn\":1},{\"turnId\":\"a\",\"turn\":2}", bye).await;
    assert!(problems[0].starts_with("double records"), "{problems:?}");
    let problems = recorded(
        "{\"turnId\":\"a\",\"turn\":1},{\"turnId\":\"b\",\"turn\":2},{\"turnId\":\"c\",\"turn\":3}",
        bye,
    )
    .await;
    assert_eq!(problems, ["double records: 3 for 2 turns"]);
}

#[tokio::test]
async fn a_recording_has_one_message() {
    let left = "people = [\"busy\"]\n[[call.turn]]\nsay = \"a message\"\n[[call.turn]]\nsay = \"call me\"";
    for (stored, want) in [
        (1, None),
        (2, Some("double messages: 2")),
        (0, Some("lost messages: 0")),
    ] {
        let call = Mutex::new(String::new());
        let desk = Desk::open(move |got| {
            let mut call = call.lock().unwrap();
            match got.path() {
                "/api/v1/companies/c1/messages" => {
                    // One a page.
                    let page = got
                        .target
                        .split("cursor=")
                        .nth(1)
                        .map_or(1, |page| page.parse::<usize>().unwrap());
                    let item = format!("{{\"callId\": \"{call}\", \"kind\": \"message\"}}");
                    let item = if page <= stored { &item } else { "" };
                    let next = if page < stored {
                        (page + 1).to_string()
                    } else {
                        String::new()
                    };
                    let next = if next.is_empty() {
                        "null".to_owned()
                    } else {
                        format!("\"{next}\"")
                    };
                    Gives::Json(format!("{{\"items\": [{item}], \"nextCursor\": {next}}}"))
                }
                path if path.starts_with("/api/") && got.method == "GET" => {
                    Gives::Json("{\"turns\": [{\"turnId\":\"a\",\"turn\":1},{\"turnId\":\"b\",\"turn\":2}]}".into())
                }
                _ => {
                    got.parameter("CallSid").unwrap().clone_into(&mut call);
                    good(got)
                }
            }
        });
        let admin = Admin {
            token: "t".into(),
            network: Network::new(PUBLIC, &desk.address.to_string()),
        };
        let world = World {
            admin: Some(admin),
            ..world(&desk)
        };
        let problems = hold(&world, &written(left)).await.problems;
        let found = problems
            .keys()
            .next()
            .map(|problem| problem.split(" for").next().unwrap().to_owned());
        assert_eq!(found.as_deref(), want, "{problems:?}");
    }
}

#[tokio::test]
async fn a_script_calls_whom_it_names_and_leaves_a_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(good);
    let calls = Calls::Scripts(
        caller::scripts("[[call]]\nname = \"A person, please\"\ncompany = \"Test\"\nfrom = \"+12025550111\"\npeople = [\"busy\"]\n[[call.turn]]\nsay = \"a person\"\n[[call.turn]]\nsay = \"call me\"\nhang_up = \"after-words\"").unwrap(),
    );
    let world = World {
        transcripts: Some(folder.path().to_owned()),
        ..world(&desk)
    };
    let summary = hold(&world, &calls).await;
    assert_eq!(summary.endings.keys().collect::<Vec<_>>(), ["message"], "{summary}");
    let text = std::fs::read_to_string(folder.path().join("00001-a-person-please.txt")).unwrap();
    for part in [
        "+12025550111 calls Test & Sons",
        "caller  a person",
        "(rings +19375550111)",
        "(dial: busy)",
        "recorded",
        "the call is over: message",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let nobody = Calls::Scripts(caller::scripts("[[call]]\nname = \"a\"\ncompany = \"Other\"").unwrap());
    assert!(run(&world, &nobody, 1, None).await.is_err());
}

/// Serves as the server of the tests below when they start this program once more; else does nothing.
#[test]
fn serves_where_it_is_told_to() {
    let Some(address) = std::env::var_os("FRONTDESK_HTTP__LISTEN") else {
        return;
    };
    let address = address.to_str().unwrap().parse().unwrap();
    Desk::open_at(address, |got| match got.path() {
        "/readyz" => Gives::Json("{}".into()),
        _ => good(got),
    });
    loop {
        std::thread::park();
    }
}

#[tokio::test]
async fn calls_outlive_a_server_that_is_killed_and_one_that_ends_badly_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let program = std::env::current_exe().unwrap();
    let command = format!(
        "{} --exact run::tests::serves_where_it_is_told_to --nocapture",
        program.display()
    );
    let mut server = Server::new(&command, &store, PUBLIC, "token", &[]).unwrap();
    server.start().await.unwrap();
    let fallback = folder.path().join("c1.xml");
    std::fs::write(fallback, "<Response><Say>One moment.</Say></Response>").unwrap();
    let world = World {
        network: Network::new(PUBLIC, &server.address().to_string()),
        shares: Shares {
            kills: 0.02,
            restarts: 0.02,
            ..Shares::default()
        },
        fallback_folder: Some(folder.path().to_owned()),
        ..world(&Desk::open(good))
    };
    let summary = run(&world, &drawn(200), 4, Some(&mut server)).await.unwrap();
    assert_eq!(
        (summary.disturbances["kills"], summary.disturbances["restarts"]),
        (1, 1),
        "{summary}"
    );
    assert_eq!((summary.bad_answers, summary.illegal_endings), (0, 0), "{summary}");
    assert!(summary.rescues <= summary.bad_answers_in_outages, "{summary}");
    // This one knows no SIGTERM.
    let problems: Vec<_> = summary.problems.keys().collect();
    assert!(
        matches!(problems.as_slice(), [one] if one.starts_with("orderly end")),
        "{summary}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_ours_is_left_alone() {
    let desk = Desk::open(good);
    let shares = Shares {
        kills: 0.5,
        ..Shares::default()
    };
    assert!(
        run(&World { shares, ..world(&desk) }, &drawn(2), 1, None)
            .await
            .is_err()
    );
}
