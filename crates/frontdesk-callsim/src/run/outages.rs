//! What happens to the server and its store while calls are under way.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::{task::spawn_blocking, time::sleep};

use super::{Course, World};
use crate::{
    faults::{fill_disk, lock_store},
    server::Server,
};

/// How long the store is locked and its disk full.
const LENGTH: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// What was done to the server.
#[derive(Debug, Default)]
pub(super) struct Disturbances {
    pub(super) locks: usize,
    pub(super) full_disks: usize,
    pub(super) restarts: usize,
    pub(super) kills: usize,
    /// How long the server was away, longest first.
    pub(super) away: Vec<Duration>,
    pub(super) problems: Vec<String>,
}

/// Lets all calls begin when it is dropped, however the disturbances ended.
struct Opened<'a>(&'a Course);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.gate.set(usize::MAX);
    }
}

#[derive(Debug, Clone, Copy)]
enum Disturbance {
    Lock,
    FullDisk,
    Restart,
    Kill,
}

/// Does to the server what the shares ask for: one disturbance meets as many calls as are held at once.
pub(super) async fn disturb(
    world: &World,
    course: &Course,
    calls: usize,
    at_once: usize,
    server: Option<&mut Server>,
) -> Result<Disturbances> {
    let mut done = Disturbances::default();
    if !world.shares.touch_the_server() {
        return Ok(done);
    }
    let Some(server) = server else {
        bail!("restarts, kills, locks and full disks need a server that this run starts: give --server");
    };
    let plan = plan(world, calls, at_once);
    let count = plan.len();
    // Spread over the run, none before the first calls are under way.
    let due_at = |number: usize| calls * (number + 1) / (count + 1);
    let open_until = |number: usize| {
        // The last one holds nothing back.
        let more = if number < count {
            due_at(number) + at_once.max(1)
        } else {
            usize::MAX
        };
        course.gate.set(more);
    };
    open_until(0);
    let opened = Opened(course);
    for (number, disturbance) in plan.into_iter().enumerate() {
        let due = due_at(number);
        while course.running.get() > 0 && course.ended.get() < due {
            sleep(LOOK).await;
        }
        if course.running.get() == 0 {
            break;
        }
        // While the server is away only calls under way meet that: talk takes no time here, and whoever called next
        // would be through with the fallback at once, and the next one after them.
        if matches!(disturbance, Disturbance::Lock | Disturbance::FullDisk) {
            open_until(number + 1);
        }
        match disturbance {
            Disturbance::Lock => {
                let store = server.store();
                course.store_troubles.set(course.store_troubles.get() + 1);
                spawn_blocking(move || lock_store(&store, LENGTH)).await??;
                course.store_troubles.set(course.store_troubles.get() + 1);
                done.locks += 1;
            }
            Disturbance::FullDisk => {
                let folder = server.folder().to_owned();
                course.store_troubles.set(course.store_troubles.get() + 1);
                spawn_blocking(move || fill_disk(&folder, LENGTH)).await??;
                course.store_troubles.set(course.store_troubles.get() + 1);
                done.full_disks += 1;
            }
            Disturbance::Restart => {
                let began = Instant::now();
                course.outages.set(course.outages.get() + 1);
                if let Err(error) = server.stop().await {
                    done.problems.push(format!("orderly end: {error:#}"));
                }
                server.start().await?;
                course.outages.set(course.outages.get() + 1);
                done.restarts += 1;
                done.away.push(began.elapsed());
            }
            Disturbance::Kill => {
                let began = Instant::now();
                course.outages.set(course.outages.get() + 1);
                server.kill().await?;
                // Until it was dead it answered.
                course.kills.borrow_mut().push(Instant::now());
                server.start().await?;
                course.outages.set(course.outages.get() + 1);
                done.kills += 1;
                done.away.push(began.elapsed());
            }
        }
        open_until(number + 1);
    }
    drop(opened);
    done.away.sort_unstable_by(|a, b| b.cmp(a));
    Ok(done)
}

fn plan(world: &World, calls: usize, at_once: usize) -> Vec<Disturbance> {
    let shares = world.shares;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a small number of calls"
    )]
    let count = |share: f64| (share * calls as f64 / at_once.max(1) as f64).ceil() as usize;
    let mut left = [
        (Disturbance::Lock, count(shares.store_locked)),
        (Disturbance::FullDisk, count(shares.disk_full)),
        (Disturbance::Restart, count(shares.restarts)),
        (Disturbance::Kill, count(shares.kills)),
    ];
    // In turn, so that each kind is spread over the run.
    let mut plan = Vec::new();
    while left.iter().any(|(_, count)| *count > 0) {
        for (disturbance, count) in &mut left {
            if *count > 0 {
                *count -= 1;
                plan.push(*disturbance);
            }
        }
    }
    plan
}
