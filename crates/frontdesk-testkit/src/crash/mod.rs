//! Kills a server under load (SIGKILL), again and again on one store, and looks for what it had acknowledged.
//!
//! Held against DESIGN section 8.8: an acknowledged write survives, a turn is on disk a second after its answer. And
//! against the limits of operation: back within two seconds, a SIGTERM ends in six, with every answered turn on disk.
//!
//! The kernel outlives the process, so this shows that nothing acknowledged is still in the process's memory, and that
//! the file recovers from a transaction that was cut. It does not show that the disk would keep it over a power cut.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::future::{join, join_all};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tempfile::TempDir;

use crate::{server::Server, world::World};

mod found;
mod load;
mod promises;

use load::Load;
use promises::Promises;

/// From the start of the process to its first right answer.
pub const BACK_WITHIN: Duration = Duration::from_secs(2);

/// From SIGTERM to the end of the process.
pub const STOPPED_WITHIN: Duration = Duration::from_secs(6);

/// A turn that was answered longer ago is on disk.
const ON_DISK_WITHIN: Duration = Duration::from_secs(1);

/// How long and how hard.
#[derive(Debug, Clone)]
pub struct Options {
    /// The binary.
    pub frontdesk: PathBuf,
    /// How often the server is killed.
    pub rounds: u32,
    /// How long each round's load lasts; the kill comes up to a quarter earlier or later.
    pub load: Duration,
    /// How many call at once.
    pub callers: usize,
    /// Decides who says what and when the kills come. What the server makes of it differs from run to run.
    pub seed: u64,
}

/// What a run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Answered turns.
    pub turns: usize,
    /// Of those: turns that had to be on disk, and were looked for.
    pub due: usize,
    /// Acknowledged writes of operators.
    pub writes: usize,
    /// Acknowledged messages of callers.
    pub messages: usize,
    /// The longest time from the start of the process to its first right answer.
    pub back: Duration,
    /// The time from SIGTERM to the end of the process.
    pub stopped: Duration,
    /// Everything that was not as promised.
    pub faults: Vec<String>,
}

impl Report {
    /// Whether everything was as promised.
    #[must_use]
    pub const fn is_pass(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Runs all rounds. `say` is told what happens, a line at a time.
///
/// # Errors
/// The server cannot be started or asked at all; what it breaks is in the report.
pub async fn run(options: &Options, say: &mut dyn FnMut(&str)) -> Result<Report> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut run = Run::begin(options, &folder).await?;
    for round in 1..=options.rounds {
        let line = Box::pin(run.kill_round(round)).await?;
        say(&format!("round {round}/{}: {line}", options.rounds));
        run.tell_new_faults(say);
    }
    let line = Box::pin(run.stop_round(options.rounds + 1)).await?;
    say(&format!("the last round: {line}"));
    run.tell_new_faults(say);
    if !run.report.is_pass() {
        say(&format!("the end of the server's log:\n{}", run.server.last_lines()));
    }
    Ok(run.report)
}

/// How the load of a round ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Kill,
    Stop,
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    /// How long the load lasted.
    load: Duration,
    /// When the signal was sent.
    at: Instant,
    /// From the signal to the end of the process.
    took: Duration,
}

struct Run<'o> {
    options: &'o Options,
    server: Server,
    world: World,
    promises: RefCell<Promises>,
    rng: StdRng,
    report: Report,
    told: usize,
}

impl<'o> Run<'o> {
    async fn begin(options: &'o Options, folder: &TempDir) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let mut server = Server::new(&options.frontdesk, folder.path())?;
        server.start().await?;
        let world = World::create(&mut server.operator(), &mut rng).await?;
        let promises = RefCell::new(Promises::new(world.companies.len()));
        Ok(Self {
            options,
            server,
            world,
            promises,
            rng,
            report: Report::default(),
            told: 0,
        })
    }

    fn tell_new_faults(&mut self, say: &mut dyn FnMut(&str)) {
        for fault in self.report.faults.iter().skip(self.told) {
            say(&format!("  FAIL {fault}"));
        }
        self.told = self.report.faults.len();
    }

    /// Load, SIGKILL in the middle of it, a new start, and a look at everything.
    async fn kill_round(&mut self, round: u32) -> Result<String> {
        let mut waiting = load::begin_call(&self.server, &self.world, &mut self.rng).await?;
        self.promises.get_mut().note_turn(waiting.turn());
        let ended = self.load(round, End::Kill).await?;
        let promises = self.promises.get_mut();
        let due = promises.keep_due(ended.at, ON_DISK_WITHIN);
        let (turns, writes, messages) = promises.counts();
        // An operator's second mistake: the server is killed again while it repairs the file.
        if round.is_multiple_of(2) {
            self.server.spawn()?;
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..150))).await;
            self.server.kill()?;
        }
        let began = Instant::now();
        let ready = self.server.start().await?;
        let answered = waiting.go_on(&self.server).await;
        let back = began.elapsed();
        match answered {
            Ok(turn) => self.promises.get_mut().note_turn(turn),
            Err(error) => self.report.faults.push(format!(
                "the call that was begun before the kill was not answered after it: {error:#}"
            )),
        }
        if back > BACK_WITHIN {
            let (back, limit) = (back.as_secs_f32(), BACK_WITHIN.as_secs_f32());
            self.report.faults.push(format!(
                "the first right answer came {back:.2} s after the start, the limit is {limit} s"
            ));
        }
        self.report.back = self.report.back.max(back);
        self.look_at_everything().await?;
        let new = (
            turns - self.report.turns,
            writes - self.report.writes,
            messages - self.report.messages,
        );
        if due == 0 || new.1 == 0 || new.2 == 0 {
            let fault = format!(
                "the load was too small: {due} turns due, {} writes, {} messages",
                new.1, new.2
            );
            self.report.faults.push(fault);
        }
        self.report.due += due;
        (self.report.turns, self.report.writes, self.report.messages) = (turns, writes, messages);
        Ok(format!(
            "killed after {:.2} s, {} turns answered ({due} of them to be found), {} writes and {} messages \
             acknowledged; ready {:.0} ms after the start, first right answer after {:.0} ms",
            ended.load.as_secs_f32(),
            new.0,
            new.1,
            new.2,
            ready.as_secs_f32() * 1e3,
            back.as_secs_f32() * 1e3,
        ))
    }

    /// Load, SIGTERM in the middle of it, a new start, and a look at everything: now every answered turn is due.
    async fn stop_round(&mut self, round: u32) -> Result<String> {
        let ended = match self.load(round, End::Stop).await {
            Ok(ended) => ended,
            Err(error) => {
                self.report.faults.push(format!("SIGTERM: {error:#}"));
                return Ok("not stopped in order".to_owned());
            }
        };
        self.report.stopped = ended.took;
        let promises = self.promises.get_mut();
        let due = promises.keep_due(Instant::now(), Duration::ZERO);
        let (turns, writes, messages) = promises.counts();
        self.server.start().await?;
        self.look_at_everything().await?;
        let new = turns - self.report.turns;
        self.report.due += due;
        (self.report.turns, self.report.writes, self.report.messages) = (turns, writes, messages);
        Ok(format!(
            "SIGTERM under load, ended after {:.2} s, {new} turns answered, all of them to be found",
            ended.took.as_secs_f32()
        ))
    }

    /// Callers and operators at work until the server has ended.
    async fn load(&mut self, round: u32, end: End) -> Result<Ended> {
        let lasts = self.options.load.mul_f64(self.rng.random_range(0.75..1.25));
        let is_over = Cell::new(false);
        let load = Load {
            world: &self.world,
            promises: &self.promises,
            is_over: &is_over,
        };
        let seed = self.rng.random::<u64>() ^ u64::from(round);
        let seeded = |index: usize| StdRng::seed_from_u64(seed.wrapping_add(index as u64));
        let callers = (0..self.options.callers).map(|index| load.keep_calling(&self.server, seeded(index)));
        let operators = (0..self.world.companies.len()).map(|company| load.keep_writing(&self.server, company));
        let (callers, operators): (Vec<_>, Vec<_>) = (callers.collect(), operators.collect());
        let began = Instant::now();
        let server = &mut self.server;
        let ending = async {
            tokio::time::sleep(lasts).await;
            // From now on an answer that does not come is no fault.
            is_over.set(true);
            let at = Instant::now();
            match end {
                End::Kill => server.kill()?,
                End::Stop => _ = server.stop(STOPPED_WITHIN).await?,
            }
            Ok(Ended {
                load: at - began,
                at,
                took: at.elapsed(),
            })
        };
        let (_, ended) = join(join(join_all(callers), join_all(operators)), ending).await;
        self.report.faults.append(&mut self.promises.get_mut().faults);
        ended
    }

    async fn look_at_everything(&mut self) -> Result<()> {
        let promises = self.promises.get_mut();
        let mut faults = found::documents(&mut self.server.operator(), &self.world, promises).await?;
        faults.extend(found::answers(&self.server, &self.world, promises).await?);
        // The call that went on may have been answered just now; its record may take its second.
        tokio::time::sleep(promises.until_settled(ON_DISK_WITHIN)).await;
        faults.extend(found::records(&mut self.server.operator(), &self.world, promises).await?);
        let store = self.server.store();
        let damage = tokio::task::spawn_blocking(move || crate::store_file::damage(&store)).await??;
        faults.extend(damage.map(|damage| format!("the store's file is damaged: {damage}")));
        self.report.faults.append(&mut faults);
        Ok(())
    }
}
