//! Callers and an operator who go on while something of a server fails, and what they were promised meanwhile.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use frontdesk_testkit::{
    operator::Operator,
    server::Server,
    twilio::{Call, Caller},
    world::{self, World},
};
use http::Method;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A turn's deadline, with a little for the way.
pub(crate) const DEADLINE: Duration = Duration::from_millis(4_200);

/// What those say who are answered from memory, and those whose answer is counted or kept in the store.
const FAST: [&str; 2] = [world::VISIT.0, world::PRICE.0];
const SLOW: [&str; 2] = ["flurb gazonk wibblesnatch", world::MESSAGE];

/// What callers heard.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) answered: Vec<String>,
    pub(crate) messages: Vec<String>,
    pub(crate) refused_messages: usize,
    pub(crate) slowest: Duration,
    took: Vec<Duration>,
}

impl Calls {
    fn waited(&mut self, took: Duration) {
        self.slowest = self.slowest.max(took);
        self.took.push(took);
    }

    /// How long the one in the middle waited for an answer.
    pub(crate) fn middle(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took[took.len() / 2]
    }
}

/// What an operator wrote.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) taken: Vec<u64>,
    pub(crate) refused: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Promised {
    pub(crate) fast: Calls,
    pub(crate) slow: Calls,
    pub(crate) writes: Writes,
}

/// A server and the business that it answers for.
pub(crate) struct Office {
    pub(crate) server: Server,
    pub(crate) world: World,
    /// Between two calls, and two writes.
    pace: Duration,
    _folder: TempDir,
}

impl Office {
    /// Starts the server, which rests in the folder.
    pub(crate) async fn open(mut server: Server, folder: TempDir, pace: Duration) -> Self {
        server.start().await.unwrap();
        let world = World::create(&mut server.operator(), &mut StdRng::seed_from_u64(1))
            .await
            .unwrap();
        let office = Self {
            server,
            world,
            pace,
            _folder: folder,
        };
        // What callers have not asked for yet is not in memory.
        office.call(world::VISIT.0, &mut Calls::default()).await;
        office
    }

    pub(crate) fn path(&self) -> String {
        format!("/api/v1/companies/{}", self.world.companies[0].id)
    }

    /// A call of one turn, and a message where one is asked for.
    pub(crate) async fn call(&self, words: &str, calls: &mut Calls) {
        let company = &self.world.companies[0];
        let sid = format!("CA{:032x}", rand::random::<u128>());
        let mut caller = Caller::new(self.server.connection());
        caller.take(Call::new(&company.twilio, &company.id, &sid));
        let began = Instant::now();
        let heard = caller.say(words).await.unwrap().clone();
        calls.waited(began.elapsed());
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
            calls.waited(began.elapsed());
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
    pub(crate) async fn work(&self, lasts: Duration, promised: &mut Promised) {
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
            tokio::time::sleep(self.pace).await;
        }
    }

    async fn keep_writing(&self, until: Instant, writes: &mut Writes) {
        let mut operator = self.server.operator();
        while Instant::now() < until {
            let number = (writes.taken.len() + writes.refused) as u64;
            self.write(&mut operator, number, writes).await;
            let ready = operator.send(Method::GET, "/readyz", None).await.unwrap();
            assert_eq!(ready.status, 200, "a process that answers calls stays in service");
            tokio::time::sleep(self.pace).await;
        }
    }

    /// Looks for everything that was promised, with so much patience for what is still to be stored.
    pub(crate) async fn check(&self, promised: &Promised, patience: Duration) {
        let mut operator = self.server.operator();
        let until = Instant::now() + patience;
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
    }

    pub(crate) async fn ids(&self, operator: &mut Operator, list: &str, field: &str) -> HashSet<String> {
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
