//! `frontdesk doctor`: the servers that instances share, asked before anybody calls.

use std::{sync::Arc, time::Duration};

use frontdesk_domain::clock::Clock;
#[cfg(feature = "mongo")]
use frontdesk_store::{
    mongo::{self, MongoExamination},
    mongo_url::MongoUrl,
};
use frontdesk_store::{
    redis::{self, BUDGET, RedisExamination},
    redis_url::RedisUrl,
    system::SystemClock,
};

use crate::{
    health::{CLOCK_APART, CLOCK_FAR_APART},
    readiness::{Finding, Severity},
};

/// What a turn waits for a write at most.
#[cfg(feature = "mongo")]
const TURN_WAITS: Duration = Duration::from_secs(1);

/// The oldest series of `MongoDB` that its makers maintain (end of 2026).
#[cfg(feature = "mongo")]
const MAINTAINED: u32 = 7;

/// Whether the cache server can be used, and how well.
pub(super) async fn cache(url: &RedisUrl) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match redis::examine(url, &clock).await {
        Ok(examined) => of_cache(url, &examined),
        Err(unusable) => vec![no_cache(url, &unusable)],
    }
}

fn no_cache(url: &RedisUrl, unusable: &redis::Unusable) -> Finding {
    use redis::Unusable;

    let remedy = match unusable {
        Unusable::Away(_) => "start it, or correct host and port in FRONTDESK_CACHE__URL",
        Unusable::Silent(_) => {
            "restart it; if it hangs again, look at its machine: a disk that does not answer, a command that runs for seconds"
        }
        Unusable::Credentials => {
            "correct user and password in FRONTDESK_CACHE__URL, such as redis://user:password@host:6379/0"
        }
        Unusable::NotAllowed(_) => {
            "give its user all commands on keys company:*, templates:*, production-ai:*, turn:* and limits:*, on a server that takes writes"
        }
    };
    // Callers are answered all the same.
    Finding::warning(
        format!("the cache server {url} does not serve: {unusable}; each instance would keep to itself"),
        remedy,
    )
}

fn of_cache(url: &RedisUrl, examined: &RedisExamination) -> Vec<Finding> {
    let RedisExamination {
        version,
        takes_writes,
        is_cluster,
        evicts,
        answer,
        clock_ahead,
    } = examined;
    let mut found = vec![Finding::fine(format!(
        "the cache server {url} answers: Redis {version}, {} an answer",
        lasts(*answer)
    ))];
    if !takes_writes {
        found.push(Finding::warning(
            "it is a replica and takes no writes: each instance keeps to itself",
            "name the primary in FRONTDESK_CACHE__URL",
        ));
    }
    if *is_cluster {
        found.push(Finding::warning(
            "it is part of a Redis Cluster, which Frontdesk does not use: scripts need all their keys on one server",
            "name one server, or a primary behind one name",
        ));
    }
    match evicts {
        Some(true) => {}
        Some(false) => found.push(Finding::warning(
            "when its memory is full it refuses writes instead of forgetting what was used least",
            "set maxmemory-policy to allkeys-lru",
        )),
        None => found.push(Finding::warning(
            "it has no limit of memory, so that it may take all of its machine's",
            "set maxmemory, and maxmemory-policy to allkeys-lru",
        )),
    }
    if *answer > BUDGET / 4 {
        found.push(Finding::warning(
            format!(
                "an answer takes {}, and a turn waits {} at most before it goes on without",
                lasts(*answer),
                lasts(BUDGET)
            ),
            "bring it nearer: the same machine or the same zone",
        ));
    }
    found.extend(clock(*clock_ahead, "the cache server"));
    found
}

/// Whether the database server can be used, and how well; a failure if not.
#[cfg(feature = "mongo")]
pub(super) async fn database(url: &MongoUrl) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match mongo::examine(url, &clock).await {
        Ok(examined) => of_database(url, &examined),
        Err(unusable) => vec![no_database(url, &unusable)],
    }
}

/// Whether the database can be opened after that.
pub(super) fn is_usable(found: &[Finding]) -> bool {
    found.iter().all(|finding| finding.severity < Severity::Failure)
}

#[cfg(feature = "mongo")]
fn no_database(url: &MongoUrl, unusable: &mongo::Unusable) -> Finding {
    use mongo::Unusable;

    let remedy = match unusable {
        Unusable::Address => {
            "correct FRONTDESK_STORE__URL: mongodb://user:password@host:27017/frontdesk; characters such as @ and / in a password are written as %40 and %2F"
        }
        Unusable::Away(_) => {
            "start it, correct hosts and ports in FRONTDESK_STORE__URL, and let this machine through; with replicaSet=NAME the name must be that of the set, and its members must be reachable under the names that they give"
        }
        Unusable::Silent(_) => "restart it; if it hangs again, look at its machine: a disk that does not answer",
        Unusable::Credentials => {
            "correct user and password in FRONTDESK_STORE__URL; a user of the database admin needs ?authSource=admin"
        }
        Unusable::NotAllowed(_) => "give its user the role readWrite on the database",
        Unusable::Failed(..) => "see the reason above; the same address can be tried with mongosh",
    };
    Finding::failure(
        format!("the database server of {url} cannot be used: {unusable}"),
        remedy,
    )
}

#[cfg(feature = "mongo")]
fn of_database(url: &MongoUrl, examined: &MongoExamination) -> Vec<Finding> {
    let MongoExamination {
        version,
        replica_set,
        members,
        takes_writes,
        keeps_on_disk,
        write,
        clock_ahead,
        schema,
    } = examined;
    let mut found = vec![Finding::fine(format!(
        "the database server of {url} answers: MongoDB {version}; a write that a majority has in its journals takes {}",
        lasts(*write)
    ))];
    match replica_set {
        None => found.push(Finding::failure(
            "it is no replica set, so it takes no transactions",
            "start it with --replSet and run rs.initiate() once; one member is enough",
        )),
        Some(name) if *members < 3 => found.push(Finding::warning(
            format!("the replica set {name} has {members} of the three members that it takes to lose one and go on"),
            "add members, or see to it that calls may be answered without the store for as long as it is away",
        )),
        Some(name) => found.push(Finding::fine(format!("the replica set {name} has {members} members"))),
    }
    if replica_set.is_some() && !takes_writes {
        found.push(Finding::fine(
            "the member that answered takes no writes; another one does, and is found",
        ));
    }
    if *keeps_on_disk == Some(false) {
        found.push(Finding::failure(
            "it keeps documents in memory alone: a restart loses every call, and every cent that was spent",
            "start it with the storage engine wiredTiger",
        ));
    }
    let series = version.split('.').next().and_then(|series| series.parse::<u32>().ok());
    if series.is_some_and(|series| series < MAINTAINED) {
        found.push(Finding::warning(
            format!("MongoDB {version} is no longer maintained by its makers"),
            format!("update it to {MAINTAINED}.0 or newer, one series after the other"),
        ));
    }
    if *write > TURN_WAITS / 4 {
        found.push(Finding::warning(
            format!(
                "a write takes {}, and a turn waits {} at most for the store",
                lasts(*write),
                lasts(TURN_WAITS)
            ),
            "look at the disks of its members, and at the way between them",
        ));
    }
    if let Some((stored, known)) = schema
        && stored > known
    {
        found.push(Finding::warning(
            format!(
                "a newer version of Frontdesk writes to it: its schema is version {stored}, this build knows {known}"
            ),
            "update this instance too",
        ));
    }
    found.extend(clock(*clock_ahead, "the database server"));
    found
}

fn clock(ahead: Option<f64>, whose: &str) -> Option<Finding> {
    let ahead = ahead.filter(|ahead| ahead.abs() > CLOCK_APART)?;
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    let text = format!(
        "the clock of {whose} is {:.0} s {direction} this machine's",
        ahead.abs()
    );
    let remedy = "keep both right by NTP: months of budgets and holds of money go by the clock";
    Some(if ahead.abs() > CLOCK_FAR_APART {
        Finding::failure(text, remedy)
    } else {
        Finding::warning(text, remedy)
    })
}

/// A time as people read it.
fn lasts(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
    } else {
        format!("{:.0} ms", time.as_secs_f64() * 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(2);

    fn cache_of(change: impl FnOnce(&mut RedisExamination)) -> Vec<Finding> {
        let mut examined = RedisExamination {
            version: "7.0.15".into(),
            takes_writes: true,
            is_cluster: false,
            evicts: Some(true),
            answer: FAST,
            clock_ahead: Some(0.2),
        };
        change(&mut examined);
        of_cache(&RedisUrl::parse("redis://me:secret@cache:6379/0").unwrap(), &examined)
    }

    #[track_caller]
    fn check(found: &[Finding], severity: Severity, words: &str) {
        let worst = found.iter().max_by_key(|finding| finding.severity).unwrap();
        assert_eq!(worst.severity, severity, "{found:?}");
        assert!(
            found.iter().any(|finding| finding.text.contains(words)),
            "{words}: {found:?}"
        );
        assert!(
            found.iter().all(|finding| !finding.text.contains("secret")),
            "{found:?}"
        );
        let helps = |finding: &Finding| finding.severity == Severity::Fine || !finding.remedy.is_empty();
        assert!(found.iter().all(helps), "{found:?}");
    }

    #[test]
    fn what_is_odd_about_a_cache_server_is_said_in_words() {
        check(&cache_of(|_| {}), Severity::Fine, "Redis 7.0.15, 2.0 ms an answer");
        check(
            &cache_of(|it| it.takes_writes = false),
            Severity::Warning,
            "is a replica",
        );
        check(&cache_of(|it| it.is_cluster = true), Severity::Warning, "Redis Cluster");
        check(
            &cache_of(|it| it.evicts = None),
            Severity::Warning,
            "no limit of memory",
        );
        check(
            &cache_of(|it| it.evicts = Some(false)),
            Severity::Warning,
            "refuses writes",
        );
        check(&cache_of(|it| it.answer = BUDGET / 2), Severity::Warning, "25 ms");
        check(
            &cache_of(|it| it.clock_ahead = Some(-12.0)),
            Severity::Warning,
            "12 s behind",
        );
        check(
            &cache_of(|it| it.clock_ahead = Some(600.0)),
            Severity::Failure,
            "600 s ahead",
        );
    }

    #[cfg(feature = "mongo")]
    #[test]
    fn what_is_odd_about_a_database_server_is_said_in_words() {
        let of = |change: &dyn Fn(&mut MongoExamination)| {
            let mut examined = MongoExamination {
                version: "7.0.33".into(),
                replica_set: Some("rs0".into()),
                members: 3,
                takes_writes: true,
                keeps_on_disk: Some(true),
                write: FAST,
                clock_ahead: Some(0.0),
                schema: Some((3, 3)),
            };
            change(&mut examined);
            of_database(&MongoUrl::parse("mongodb://me:secret@a,b,c/desk").unwrap(), &examined)
        };
        check(&of(&|_| {}), Severity::Fine, "MongoDB 7.0.33");
        check(&of(&|it| it.replica_set = None), Severity::Failure, "no replica set");
        check(&of(&|it| it.members = 1), Severity::Warning, "1 of the three members");
        check(&of(&|it| it.takes_writes = false), Severity::Fine, "another one does");
        check(
            &of(&|it| it.keeps_on_disk = Some(false)),
            Severity::Failure,
            "in memory alone",
        );
        check(
            &of(&|it| it.version = "4.4.29".into()),
            Severity::Warning,
            "no longer maintained",
        );
        check(&of(&|it| it.write = TURN_WAITS / 2), Severity::Warning, "500 ms");
        check(
            &of(&|it| it.schema = Some((4, 3))),
            Severity::Warning,
            "schema is version 4",
        );
        check(&of(&|it| it.clock_ahead = Some(31.0)), Severity::Failure, "31 s ahead");
    }

    #[cfg(feature = "mongo")]
    #[test]
    fn each_reason_why_a_server_is_of_no_use_has_a_remedy() {
        use frontdesk_store::mongo::Unusable;

        let url = MongoUrl::parse("mongodb://me:secret@a,b,c/desk").unwrap();
        let wait = Duration::from_secs(2);
        for unusable in [
            Unusable::Address,
            Unusable::Away(wait),
            Unusable::Silent(wait),
            Unusable::Credentials,
            Unusable::NotAllowed("write to the database"),
            Unusable::Failed("be read", "odd".into()),
        ] {
            check(
                &[no_database(&url, &unusable)],
                Severity::Failure,
                "mongodb://a,b,c/desk",
            );
        }
    }
}
