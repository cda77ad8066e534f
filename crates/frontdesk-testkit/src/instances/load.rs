//! Many calls at once, over instances that may end at any moment.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use futures_util::future::join_all;
use http::Method;

use crate::{
    connection::Connection,
    money::{self, Client},
    twilio::{Call, Caller, Twilio},
    twiml::Document,
    world::{self, Company},
};

/// How often the balancer asks each instance whether calls may come.
const ASKED: Duration = Duration::from_millis(500);

/// A webhook that is not answered so long is repeated elsewhere: what a turn may take, and a little for the way.
pub const PATIENCE: Duration = Duration::from_millis(4_500);

/// So often a webhook is repeated, as a balancer and Twilio do together.
const ATTEMPTS: usize = 4;

/// How calls are made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So many calls are in progress at once.
    pub calls: usize,
    /// What a caller takes to speak.
    pub thinks: Duration,
}

/// One turn, as its caller saw it.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// When the caller had spoken, since the run began.
    pub at: Duration,
    /// How long the answer took, repeated webhooks included.
    pub took: Duration,
    /// So often its webhook was sent.
    pub attempts: usize,
}

/// A call that ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Twilio's id of it.
    pub sid: String,
    /// Its company.
    pub company: String,
    /// So many turns of it were answered, its beginning included.
    pub turns: usize,
    /// What was wrong with it, if anything was: a turn without an answer, or with another one than is right.
    pub wrong: Option<String>,
}

/// What a run saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every turn, in the order in which they were answered.
    pub turns: Vec<Turn>,
    /// Every call.
    pub calls: Vec<Ended>,
}

/// Where webhooks go: to those instances that say that calls may come.
struct Balancer {
    instances: Vec<(SocketAddr, AtomicBool)>,
    next: AtomicUsize,
}

impl Balancer {
    /// The instance that is next, and is not the one that has just failed.
    fn choose(&self, not: Option<SocketAddr>) -> SocketAddr {
        let count = self.instances.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let at = |offset: usize| self.instances.get((first + offset) % count.max(1));
        let well = (0..count)
            .filter_map(at)
            .find(|(address, is_well)| is_well.load(Ordering::Relaxed) && Some(*address) != not);
        // If none is, somebody must be asked all the same.
        let anyone = (0..count).filter_map(at).find(|(address, _)| Some(*address) != not);
        well.or(anyone)
            .map_or(SocketAddr::from(([127, 0, 0, 1], 1)), |(address, _)| *address)
    }

    fn failed(&self, address: SocketAddr) {
        for (instance, is_well) in &self.instances {
            if *instance == address {
                is_well.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Asks every instance again and again.
    async fn watch(&self) {
        let watched = self.instances.iter().map(async |(address, is_well)| {
            let mut connection = Connection::new(*address);
            loop {
                let asked = connection.send(&Method::GET, "/readyz", &[], Vec::new());
                let ready = tokio::time::timeout(ASKED, asked).await;
                if ready.is_err() {
                    connection = Connection::new(*address);
                }
                is_well.store(matches!(ready, Ok(Ok(reply)) if reply.status == 200), Ordering::Relaxed);
                tokio::time::sleep(ASKED).await;
            }
        });
        join_all(watched).await;
    }
}

/// What a caller says, and how the right answer begins; any sentence is right where that is not known.
#[derive(Clone, Copy)]
enum Line {
    Known(&'static str, &'static str),
    Open,
}

/// Whom callers call, and which instances answer.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Where the instances listen.
    pub instances: Vec<SocketAddr>,
    /// Companies whose callers are answered for free.
    pub companies: Vec<Company>,
    /// A company whose callers ask the LLM.
    pub client: Client,
}

/// Calls that go on in a thread of their own, whatever else this process waits for.
#[derive(Debug)]
pub struct Running {
    is_over: Arc<AtomicBool>,
    began: Instant,
    thread: JoinHandle<Result<Seen>>,
}

impl Running {
    /// Starts to call.
    #[must_use]
    pub fn start(targets: Targets, pace: Pace) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let until = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(Box::pin(call_until(&targets, pace, began, &until))))
        });
        Self { is_over, began, thread }
    }

    /// So long it goes on by now.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.began.elapsed()
    }

    /// No further call is begun; what was seen when the last one has ended.
    ///
    /// # Errors
    /// The thread did not start or panicked.
    pub fn end(self) -> Result<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the thread of the callers panicked"))?
    }
}

/// One call after the other until it is over; those in progress then go on to their ends.
async fn call_until(targets: &Targets, pace: Pace, began: Instant, is_over: &AtomicBool) -> Seen {
    let instances = targets
        .instances
        .iter()
        .map(|address| (*address, AtomicBool::new(true)));
    let balancer = Balancer {
        instances: instances.collect(),
        next: AtomicUsize::new(0),
    };
    let seen = Mutex::new(Seen::default());
    let telephones = (0..pace.calls).map(async |number| {
        // They do not all speak at once.
        let share = u32::try_from(number).unwrap_or_default();
        let calls = u32::try_from(pace.calls.max(1)).unwrap_or(1);
        tokio::time::sleep(pace.thinks * share / calls).await;
        let mut telephone = Telephone::new(targets, &balancer, pace, began);
        while !is_over.load(Ordering::Relaxed) {
            telephone.call(number, &seen).await;
        }
    });
    tokio::select! {
        _ = Box::pin(join_all(telephones)) => {}
        () = balancer.watch() => {}
    }
    seen.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct Telephone<'c> {
    targets: &'c Targets,
    balancer: &'c Balancer,
    pace: Pace,
    began: Instant,
    /// One to each instance that was called so far.
    connections: Vec<(SocketAddr, Caller)>,
}

impl<'c> Telephone<'c> {
    const fn new(targets: &'c Targets, balancer: &'c Balancer, pace: Pace, began: Instant) -> Self {
        Self {
            targets,
            balancer,
            pace,
            began,
            connections: Vec::new(),
        }
    }

    /// One call from its first webhook to the caller's last words.
    async fn call(&mut self, number: usize, seen: &Mutex<Seen>) {
        let (twilio, company, lines) = self.script(number);
        let sid = format!("CA{:032x}", rand::random::<u128>());
        let mut call = Call::new(&twilio, &company, &sid);
        let mut ended = Ended {
            sid,
            company,
            turns: 0,
            wrong: None,
        };
        let lines = lines.iter().map(|line| Some(*line));
        for line in std::iter::once(None).chain(lines) {
            let turn = self.turn(&mut call, line).await;
            match turn {
                Ok(turn) => {
                    ended.turns += 1;
                    seen.lock().unwrap_or_else(PoisonError::into_inner).turns.push(turn);
                }
                Err(wrong) => {
                    ended.wrong = Some(wrong);
                    break;
                }
            }
            tokio::time::sleep(self.pace.thinks).await;
        }
        seen.lock().unwrap_or_else(PoisonError::into_inner).calls.push(ended);
    }

    /// Every fifth telephone asks what only the LLM knows.
    fn script(&self, number: usize) -> (Twilio, String, Vec<Line>) {
        let Targets { companies, client, .. } = self.targets;
        let company = companies
            .get(number % companies.len().max(1))
            .filter(|_| number % 5 != 4);
        let known = |(asked, answer)| Line::Known(asked, answer);
        match company {
            None => (client.twilio.clone(), client.id.clone(), vec![Line::Open, Line::Open]),
            Some(company) => {
                let lines = vec![
                    known(world::PRICE),
                    Line::Open,
                    known(world::VISIT),
                    known(world::PRICE),
                ];
                (company.twilio.clone(), company.id.clone(), lines)
            }
        }
    }

    /// A turn is answered once, by whichever instance lives.
    async fn turn(&mut self, call: &mut Call, line: Option<Line>) -> Result<Turn, String> {
        let spoken = Instant::now();
        let words = match line {
            None => String::new(),
            Some(Line::Known(words, _)) => words.to_owned(),
            Some(Line::Open) => money::nonsense(),
        };
        let mut failed = None;
        let mut why = String::new();
        for attempts in 1..=ATTEMPTS {
            let address = self.balancer.choose(failed);
            let caller = self.caller(address);
            caller.take(call.clone());
            let asked = async {
                match line {
                    None => caller.begin().await.map(|_| ()),
                    Some(_) => caller.say(&words).await.map(|_| ()),
                }
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(())) => {
                    if let Some(answered) = caller.call() {
                        *call = answered.clone();
                    }
                    right(call, line)?;
                    return Ok(Turn {
                        at: spoken.duration_since(self.began),
                        took: spoken.elapsed(),
                        attempts,
                    });
                }
                Ok(Err(error)) => why = format!("{error:#}"),
                Err(_) => why = format!("no answer from {address} within {PATIENCE:?}"),
            }
            self.connections.retain(|(instance, _)| *instance != address);
            self.balancer.failed(address);
            failed = Some(address);
        }
        Err(why)
    }

    fn caller(&mut self, address: SocketAddr) -> &mut Caller {
        let at = self.connections.iter().position(|(instance, _)| *instance == address);
        let at = at.unwrap_or_else(|| {
            self.connections.push((address, Caller::new(Connection::new(address))));
            self.connections.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        &mut self.connections[at].1
    }
}

/// Whether what was heard is right.
fn right(call: &Call, line: Option<Line>) -> Result<(), String> {
    let heard = call.heard.as_ref().map(Document::speech).unwrap_or_default();
    if heard.is_empty() {
        return Err("nothing was said".to_owned());
    }
    match line {
        Some(Line::Known(words, answer)) if !heard.starts_with(answer) => {
            Err(format!("\"{words}\" was answered \"{heard}\""))
        }
        _ => Ok(()),
    }
}
