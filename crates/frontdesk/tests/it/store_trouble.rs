//! A store that fails while calls come in: callers still hear a sentence, and nothing acknowledged is lost.

use std::{
    collections::HashSet,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    operator::Operator,
    server::Server,
    store_file::Lock,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A turn's deadline, with a little for the way.
const DEADLINE: Duration = Duration::from_millis(4_200);

/// So long after the trouble everything that waited is on disk.
const CAUGHT_UP: Duration = Duration::from_secs(4);

/// What those say who are answered from memory, and those whose answer is counted or kept in the store.
const FAST: [&str; 2] = [world::VISIT.0, world::PRICE.0];
const SLOW: [&str; 2] = ["flurb gazonk wibblesnatch", world::MESSAGE];

/// What callers heard while the store failed.
#[derive(Debug, Default)]
struct Calls {
    answered: Vec<String>,
    messages: Vec<String>,
    refused_messages: usize,
    slowest: Duration,
}

/// What an operator wrote while the store failed.
#[derive(Debug, Default)]
struct Writes {
    taken: Vec<u64>,
    refused: usize,
}

#[derive(Debug, Default)]
struct Promised {
    fast: Calls,
    slow: Calls,
    writes: Writes,
}

struct Office {
    server: Server,
    world: World,
    _folder: TempDir,
}

impl Office {
    async fn open(prelude: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(Path::new(env!("CARGO_BIN_EXE_frontdesk")), folder.path()).unwrap();
        if let Some(prelude) = prelude {
            server = server.with_prelude(prelude);
        }
        server.start().await.unwrap();
        let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(1))
            .await
            .unwrap();
        let office = Self {
            server,
            world,
            _folder: folder,
        };
        // What callers have not asked for yet is not in memory.
        office.call(world::VISIT.0, &mut Calls::default()).await;
        office
    }

    fn path(&self) -> String {
        format!("/api/v1/companies/{}", self.world.companies[0].id)
    }

    /// A call of one turn, and a message where one is asked for.
    async fn call(&self, words: &str, calls: &mut Calls) {
        let company = &self.world.companies[0];
        let sid = format!("CA{:032x}", rand::random::<u128>());
        let mut caller = Caller::new(self.server.connection());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        let began = Instant::now();
        let heard = caller.say(words).await.unwrap().clone();
        calls.slowest = calls.slowest.max(began.elapsed());
        calls.answered.push(sid.clone());
        let right = [world::VISIT, world::PRICE].iter().find(|(asked, _)| *asked == words);
        match right {
            Some((_, answer)) => assert!(heard.speech().starts_with(answer), "answered from memory: {heard:?}"),
            None => assert!(!heard.speech().is_empty()),
        }
        if heard.record.is_some() {
            let recording = format!("RE{sid}");
            let began = Instant::now();
            let heard = caller.leave_message(&recording, "please call me back").await.unwrap();
            calls.slowest = calls.slowest.max(began.elapsed());
            assert!(!heard.speech().is_empty());
            // Who was not thanked is asked for it again.
            if heard.record.is_some() {
                calls.refused_messages += 1;
            } else {
                calls.messages.push(recording);
            }
        }
    }

    async fn write(&self, operator: &mut Operator, number: u64, writes: &mut Writes) {
        let document = json!({
            "id": format!("stored-{number}"),
            "question": world::question(number),
            "answer": world::answer(number, number),
        });
        let target = format!("{}/qna", self.path());
        let reply = operator.send(Method::POST, &target, Some(&document)).await.unwrap();
        if reply.is_success() {
            writes.taken.push(number);
        } else {
            assert_eq!(reply.status, 503, "{}", reply.text());
            writes.refused += 1;
        }
    }

    /// Calls and writes for a while, side by side.
    async fn work(&self, lasts: Duration, promised: &mut Promised) {
        let until = Instant::now() + lasts;
        let Promised { fast, slow, writes } = promised;
        tokio::join!(
            Box::pin(self.keep_calling(FAST, until, fast)),
            Box::pin(self.keep_calling(SLOW, until, slow)),
            Box::pin(self.keep_writing(until, writes))
        );
    }

    async fn keep_calling(&self, words: [&str; 2], until: Instant, calls: &mut Calls) {
        while Instant::now() < until {
            for words in words {
                self.call(words, calls).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn keep_writing(&self, until: Instant, writes: &mut Writes) {
        let mut operator = self.server.operator();
        while Instant::now() < until {
            let number = (writes.taken.len() + writes.refused) as u64;
            self.write(&mut operator, number, writes).await;
            let ready = operator.send(Method::GET, "/readyz", None).await.unwrap();
            assert_eq!(ready.status, 200, "a process that answers calls stays in service");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Looks for everything that was promised; the records may take their time.
    async fn check(&self, promised: &Promised) {
        let mut operator = self.server.operator();
        let until = Instant::now() + CAUGHT_UP;
        for calls in [&promised.fast, &promised.slow] {
            let all = calls.answered.len();
            assert!(calls.slowest < DEADLINE, "{:?}", calls.slowest);
            loop {
                let logged = self.ids(&mut operator, "calls", "callId").await;
                let missing = calls.answered.iter().filter(|call| !logged.contains(*call)).count();
                if missing == 0 {
                    break;
                }
                assert!(
                    Instant::now() < until,
                    "{missing} of {all} answered calls are not in the log"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let messages = self.ids(&mut operator, "messages", "recordingSid").await;
            assert!(calls.messages.iter().all(|message| messages.contains(message)));
            println!(
                "{all} calls, the slowest answer after {:?}; {} messages kept, {} asked for again",
                calls.slowest,
                calls.messages.len(),
                calls.refused_messages
            );
        }
        let Writes { taken, refused } = &promised.writes;
        let qnas = self.ids(&mut operator, "qna", "id").await;
        assert!(taken.iter().all(|number| qnas.contains(&format!("stored-{number}"))));
        println!("{} writes taken, {refused} refused", taken.len());
        assert_eq!(
            frontdesk_testkit::store_file::damage(&self.server.store()).unwrap(),
            None
        );
    }

    async fn ids(&self, operator: &mut Operator, list: &str, field: &str) -> HashSet<String> {
        let items = operator.all(&format!("{}/{list}", self.path())).await.unwrap();
        let ids: Vec<String> = items
            .iter()
            .filter_map(|item| item.get(field).and_then(Value::as_str).map(str::to_owned))
            .collect();
        let distinct: HashSet<String> = ids.iter().cloned().collect();
        assert_eq!(distinct.len(), ids.len(), "each of the {list} is there once");
        distinct
    }
}

#[tokio::test]
async fn a_store_that_another_process_has_locked_silences_no_caller_and_loses_no_record() {
    let office = Office::open(None).await;
    let mut promised = Promised::default();
    let lock = Lock::take(&office.server.store()).unwrap();
    office.work(Duration::from_millis(2_500), &mut promised).await;
    assert!(promised.writes.taken.is_empty(), "the lock held: {promised:?}");
    assert!(
        promised.writes.refused > 0 && promised.slow.refused_messages > 0,
        "{promised:?}"
    );
    drop(lock);
    office.work(Duration::from_millis(500), &mut promised).await;
    assert!(
        !promised.writes.taken.is_empty(),
        "writes are taken again: {promised:?}"
    );
    office.check(&promised).await;
}

#[tokio::test]
async fn a_disk_that_takes_no_more_silences_no_caller_and_loses_nothing_acknowledged() {
    // A write beyond the limit fails as one to a full disk does. 512 or 1024 bytes each, as the shell counts.
    let office = Office::open(Some("trap '' XFSZ; ulimit -S -f 1400")).await;
    let mut promised = Promised::default();
    let until = Instant::now() + Duration::from_secs(20);
    while promised.writes.refused < 3 {
        assert!(Instant::now() < until, "the limit is never reached: {promised:?}");
        office.work(Duration::from_millis(200), &mut promised).await;
    }
    assert!(
        !promised.writes.taken.is_empty(),
        "some were taken before: {promised:?}"
    );
    let id = office.server.id().unwrap().to_string();
    let freed = Command::new("prlimit")
        .args(["--pid", &id, "--fsize=unlimited"])
        .status();
    assert!(freed.unwrap().success());
    office.work(Duration::from_millis(500), &mut promised).await;
    office.check(&promised).await;
}

#[tokio::test]
async fn a_store_whose_file_was_taken_away_acknowledges_nothing_and_silences_no_caller() {
    let office = Office::open(None).await;
    std::fs::remove_file(office.server.store()).unwrap();
    let mut promised = Promised::default();
    office.work(Duration::from_millis(1_500), &mut promised).await;
    let (fast, slow, writes) = (&promised.fast, &promised.slow, &promised.writes);
    assert!(!fast.answered.is_empty() && slow.refused_messages > 0, "{promised:?}");
    assert!(
        writes.taken.is_empty() && slow.messages.is_empty() && writes.refused > 0,
        "{promised:?}"
    );
    let told = "file was removed or replaced";
    // Said once it was seen twice.
    let until = Instant::now() + Duration::from_secs(5);
    let mut operator = office.server.operator();
    loop {
        let ready = operator.send(Method::GET, "/readyz", None).await.unwrap().text();
        if ready.contains("degraded") && ready.contains(told) {
            break;
        }
        assert!(Instant::now() < until, "{ready}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(office.server.log()).unwrap();
    let errors = log.lines().filter(|line| line.contains("the store takes no writes"));
    assert!(log.contains(told) && errors.count() == 1, "{log}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_silences_no_caller() {
    // Every write to it fails as on a full disk.
    let office = Office::open(Some("exec 2>/dev/full")).await;
    let mut promised = Promised::default();
    let lock = Lock::take(&office.server.store()).unwrap();
    office.work(Duration::from_millis(1_500), &mut promised).await;
    drop(lock);
    assert!(promised.writes.refused > 0, "there was something to log: {promised:?}");
    office.work(Duration::from_millis(200), &mut promised).await;
    office.check(&promised).await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_silences_no_caller() {
    // A pipe that this process holds open by itself: when it is full, whoever writes waits for ever.
    let mut office = Office::open(Some("mkfifo stuck && exec 2<>stuck")).await;
    let path = format!("/api/twilio/v2-agent-respond/{}", office.world.companies[0].id);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-twilio-signature", "wrong"),
    ];
    let mut connection = office.server.connection();
    for _ in 0..600 {
        let refused = connection.send(&Method::POST, &path, &headers, b"CallSid=CA1".to_vec());
        let refused = tokio::time::timeout(DEADLINE, refused)
            .await
            .expect("an answer in time");
        assert_eq!(refused.unwrap().status, 403);
    }
    let mut promised = Promised::default();
    office.work(Duration::from_millis(300), &mut promised).await;
    assert!(promised.slow.answered.len() > 1 && !promised.writes.taken.is_empty());
    office.check(&promised).await;
    // Nor does it keep the process from ending.
    office.server.stop(Duration::from_secs(6)).await.unwrap();
}

#[tokio::test]
async fn who_is_recorded_in_vain_is_asked_once_more_and_then_not_again() {
    let office = Office::open(None).await;
    let company = &office.world.companies[0];
    let mut caller = Caller::new(office.server.connection());
    caller.take(Call::new(
        &company.twilio,
        &company.id,
        "CA00000000000000000000000000000001",
    ));
    caller.say(world::MESSAGE).await.unwrap();
    let lock = Lock::take(&office.server.store()).unwrap();
    let asked_again = caller.leave_message("RE1", "please call me back").await.unwrap();
    assert!(asked_again.record.is_some() && !asked_again.speech().is_empty());
    let given_up = caller.leave_message("RE2", "please call me back").await.unwrap();
    assert!(
        given_up.record.is_none() && !given_up.speech().is_empty(),
        "{given_up:?}"
    );
    drop(lock);
}

#[tokio::test]
async fn a_second_message_is_kept_when_the_store_takes_writes_again() {
    let office = Office::open(None).await;
    let company = &office.world.companies[0];
    let mut caller = Caller::new(office.server.connection());
    caller.take(Call::new(
        &company.twilio,
        &company.id,
        "CA00000000000000000000000000000002",
    ));
    caller.say(world::MESSAGE).await.unwrap();
    let lock = Lock::take(&office.server.store()).unwrap();
    caller.leave_message("RE3", "please call me back").await.unwrap();
    drop(lock);
    let thanked = caller.leave_message("RE4", "please call me back").await.unwrap();
    assert!(thanked.record.is_none());
    let messages = office
        .server
        .operator()
        .all(&format!("{}/messages", office.path()))
        .await
        .unwrap();
    let kept = messages.iter().any(|message| message["recordingSid"] == "RE4");
    assert!(kept, "{messages:?}");
}

#[tokio::test]
async fn what_is_lost_at_the_end_is_said() {
    let mut office = Office::open(None).await;
    let until = Instant::now() + CAUGHT_UP;
    while office
        .ids(&mut office.server.operator(), "calls", "callId")
        .await
        .is_empty()
    {
        assert!(Instant::now() < until, "the first call is never recorded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lock = Lock::take(&office.server.store()).unwrap();
    for _ in 0..3 {
        office.call(world::VISIT.0, &mut Calls::default()).await;
    }
    office.server.stop(Duration::from_secs(6)).await.unwrap();
    drop(lock);
    let log = std::fs::read_to_string(office.server.log()).unwrap();
    assert!(log.contains("3 turn records and 0 alerts are lost"), "{log}");
}
