//! Through the cache server.

use std::{fmt, fmt::Write as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use frontdesk_domain::{
    ids::{CallId, CompanyId},
    phone::PhoneNumber,
};
use futures_util::future::BoxFuture;
use redis::{Script, cmd};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, time};
use tracing::debug;

use super::{CallCount, CallLimits, Instances, LlmSwitch, LlmWord, TurnAnswer, TurnClaim, TurnPlace};
use crate::{
    redis::{NoAnswer, Redis},
    seal::Sealer,
    tasks::{Stopping, TaskSet},
};

/// An instance that has taken a turn answers it within its deadline, 3.9 s. Who has not by then is dead.
const CLAIMED: Duration = Duration::from_secs(4);

/// So long an answer is kept (DESIGN 4.15).
const ANSWERED: Duration = Duration::from_hours(24);

/// Calls of one caller are counted over so long.
const HOUR: Duration = Duration::from_hours(1);

/// The LLM's health, key and channel.
const LLM_HEALTH: &str = "production-ai:llm-health";

/// So long a word about the LLM holds: shorter than from one check to the next.
const LLM_HEALTH_TTL: Duration = Duration::from_mins(8);

/// Whether the LLM is switched off, key and channel: not that of its health, which each check writes anew.
const LLM_SWITCH: &str = "production-ai:llm-switch";

/// So long who was out of reach learns of a switch. Who has heard of it keeps to it however long that lasts.
const LLM_SWITCH_TTL: Duration = Duration::from_hours(24);

/// A channel that was lost is tried again so much later.
const AGAIN: Duration = Duration::from_millis(500);

/// What a key has before an answer, and before the name of the instance that is to answer.
const GIVEN: &[u8] = b"given:";
const CLAIM: &[u8] = b"claim:";

/// `KEYS[1]`: the turn's. `ARGV`: this instance's claim, milliseconds that it holds. Gives what is there now.
const CLAIM_TURN: &str = "
local there = false
if redis.call('TYPE', KEYS[1]).ok == 'string' then there = redis.call('GET', KEYS[1]) end
if there and there ~= ARGV[1] then return there end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
";

/// `KEYS[1]`: the turn's. `ARGV`: this instance's claim, the answer, milliseconds that it is kept. Another instance's claim
/// or answer stays.
const GIVE_TURN: &str = "
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
";

/// `KEYS[1]`: the turn's. `ARGV[1]`: this instance's claim.
const LET_GO: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
";

/// `KEYS`: calls of the company, those over a limit, calls of the caller. `ARGV`: the call, seconds that it counts without a
/// sign of it, calls at the same time, calls of a caller, seconds over which these are counted, 1 if there is a caller.
/// Gives 0, 1 for too often, 2 for too many. By the server's clock: those of instances may differ.
const NOTE_CALL: &str = "
local now = tonumber(redis.call('TIME')[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
local others = redis.call('ZCARD', KEYS[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], 86400)
if known then
  local over = redis.call('ZSCORE', KEYS[2], ARGV[1])
  return over and tonumber(over) or 0
end
local over = 0
if tonumber(ARGV[3]) > 0 and others >= tonumber(ARGV[3]) then over = 2 end
if ARGV[6] == '1' and tonumber(ARGV[4]) > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5])
  redis.call('ZADD', KEYS[3], 'NX', now, ARGV[1])
  redis.call('EXPIRE', KEYS[3], ARGV[5])
  if redis.call('ZCARD', KEYS[3]) > tonumber(ARGV[4]) then over = 1 end
end
if over > 0 then
  redis.call('ZADD', KEYS[2], over, ARGV[1])
  redis.call('EXPIRE', KEYS[2], 86400)
end
return over
";

/// `KEYS[1]`: calls of the company. `ARGV`: the call, seconds that it counts.
const KEEP_CALL: &str = "
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], 86400)
return 1
";

/// The other instances, heard and told through a cache server.
pub struct RedisInstances(Arc<Inner>);

struct Inner {
    redis: Arc<Redis>,
    sealer: Arc<Sealer>,
    tasks: TaskSet,
    /// This instance's name, other than any other's.
    name: String,
    claim_turn: Script,
    give_turn: Script,
    let_go: Script,
    note_call: Script,
    keep_call: Script,
    llm: watch::Sender<Option<LlmWord>>,
    llm_switch: watch::Sender<Option<LlmSwitch>>,
}

impl fmt::Debug for RedisInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisInstances")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl RedisInstances {
    /// Begins to hear the other instances on this server. Answers are sealed with `sealer`, which all instances have.
    #[must_use]
    pub fn start(redis: Arc<Redis>, sealer: Arc<Sealer>, tasks: &TaskSet) -> Arc<Self> {
        let inner = Arc::new(Inner {
            redis,
            sealer,
            tasks: tasks.clone(),
            name: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
            claim_turn: Script::new(CLAIM_TURN),
            give_turn: Script::new(GIVE_TURN),
            let_go: Script::new(LET_GO),
            note_call: Script::new(NOTE_CALL),
            keep_call: Script::new(KEEP_CALL),
            llm: watch::Sender::new(None),
            llm_switch: watch::Sender::new(None),
        });
        tasks.spawn(
            "hear how others find the LLM",
            Arc::clone(&inner).hear(tasks.stopping()),
        );
        Arc::new(Self(inner))
    }

    /// Does what nobody waits for.
    fn behind<F>(&self, name: &'static str, work: impl FnOnce(Arc<Inner>) -> F)
    where
        F: Future<Output = Result<(), NoAnswer>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.0));
        self.0.tasks.spawn(name, async move {
            if let Err(failure) = work.await {
                let error = &failure as &dyn std::error::Error;
                debug!(error, "the other instances were not told something: `{name}`");
            }
        });
    }
}

impl Inner {
    fn claim(&self) -> Vec<u8> {
        [CLAIM, self.name.as_bytes()].concat()
    }

    /// What a value says of a turn.
    fn read(&self, key: &str, value: &[u8]) -> TurnClaim {
        if value == self.claim() {
            return TurnClaim::Mine;
        }
        if value.starts_with(CLAIM) {
            return TurnClaim::UnderWay;
        }
        let answer = value
            .strip_prefix(GIVEN)
            .and_then(|sealed| self.sealer.open(key, sealed).ok())
            .and_then(|plain| serde_json::from_slice(&plain).ok());
        // What cannot be read was written by another version, or with another key.
        answer.map_or(TurnClaim::Unknown, TurnClaim::Answered)
    }

    /// Hears what other instances say of the LLM, and what they said before this one was there.
    async fn hear(self: Arc<Self>, mut stopping: Stopping) {
        loop {
            tokio::select! {
                () = stopping.wait() => return,
                () = self.hear_until_lost() => {}
            }
            tokio::select! {
                () = stopping.wait() => return,
                () = time::sleep(AGAIN) => {}
            }
        }
    }

    async fn hear_until_lost(&self) {
        let channels = [LLM_HEALTH, LLM_SWITCH];
        let Ok(mut subscription) = self.redis.subscribe(&channels.map(str::to_owned)).await else {
            return;
        };
        for key in channels {
            if let Ok(Some(said)) = self.redis.ask::<Option<Vec<u8>>>(cmd("GET").arg(key)).await {
                self.note_llm(key, &said);
            }
        }
        while let Some((channel, said)) = subscription.next().await {
            self.note_llm(&channel, &said);
        }
    }

    fn note_llm(&self, channel: &str, said: &[u8]) {
        match channel {
            LLM_HEALTH => self.note(&self.llm, said, |word| &word.by),
            LLM_SWITCH => self.note(&self.llm_switch, said, |switch| &switch.by),
            _ => {}
        }
    }

    /// Takes what another instance has said; what cannot be read was written by another version.
    fn note<T: DeserializeOwned>(&self, heard: &watch::Sender<Option<T>>, said: &[u8], by: impl Fn(&T) -> &Arc<str>) {
        let Ok(word) = serde_json::from_slice::<T>(said) else {
            return;
        };
        if **by(&word) != *self.name {
            heard.send_replace(Some(word));
        }
    }

    /// Keeps a word for those who come later, and tells those who are there.
    async fn say(&self, key: &str, word: &(impl Serialize + Sync), lasts: Duration) -> Result<(), NoAnswer> {
        // Texts can always be written; what is empty is not understood.
        let said = serde_json::to_vec(word).unwrap_or_default();
        let mut set = cmd("SET");
        set.arg(key).arg(&said).arg("PX").arg(millis(lasts));
        self.redis.ask::<()>(&set).await?;
        self.redis.ask(cmd("PUBLISH").arg(key).arg(&said)).await
    }
}

#[async_trait]
impl Instances for RedisInstances {
    async fn claim_turn(&self, place: &TurnPlace) -> TurnClaim {
        let inner = &*self.0;
        let key = key_of(place);
        let mut script = inner.claim_turn.key(&key);
        script.arg(inner.claim()).arg(millis(CLAIMED));
        match inner.redis.invoke::<Vec<u8>>(&script).await {
            Ok(value) => inner.read(&key, &value),
            Err(_) => TurnClaim::Unknown,
        }
    }

    fn give_turn(&self, place: TurnPlace, answer: TurnAnswer, ready: BoxFuture<'static, ()>) {
        self.behind("share a turn's answer", async move |inner: Arc<Inner>| {
            ready.await;
            let key = key_of(&place);
            // Two texts can always be written.
            let plain = serde_json::to_vec(&answer).unwrap_or_default();
            let value = [GIVEN, &inner.sealer.seal(&key, &plain)].concat();
            let mut script = inner.give_turn.key(&key);
            script.arg(inner.claim()).arg(value).arg(millis(ANSWERED));
            inner.redis.invoke(&script).await
        });
    }

    fn let_turn_go(&self, place: TurnPlace) {
        self.behind("let a turn go", async move |inner: Arc<Inner>| {
            let mut script = inner.let_go.key(key_of(&place));
            script.arg(inner.claim());
            inner.redis.invoke(&script).await
        });
    }

    async fn note_call(
        &self,
        company: CompanyId,
        call: &CallId,
        caller: Option<PhoneNumber>,
        limits: CallLimits,
    ) -> Option<CallCount> {
        let inner = &*self.0;
        let [calls, over] = call_keys(company);
        let mut script = inner.note_call.key(calls);
        script
            .key(over)
            .key(caller.map_or_else(String::new, |caller| caller_key(company, caller)))
            .arg(call.as_str())
            .arg(limits.idle.as_secs())
            .arg(limits.at_once)
            .arg(limits.per_caller)
            .arg(HOUR.as_secs())
            .arg(u8::from(caller.is_some()));
        match inner.redis.invoke::<u8>(&script).await.ok()? {
            0 => Some(CallCount::Within),
            1 => Some(CallCount::TooOften),
            2 => Some(CallCount::TooMany),
            _ => None,
        }
    }

    fn keep_call(&self, company: CompanyId, call: CallId, lasts: Duration) {
        self.behind("tell that a call goes on", async move |inner: Arc<Inner>| {
            let [calls, _] = call_keys(company);
            let mut script = inner.keep_call.key(calls);
            script.arg(call.as_str()).arg(lasts.as_secs());
            inner.redis.invoke(&script).await
        });
    }

    fn end_call(&self, company: CompanyId, call: CallId) {
        self.behind("tell that a call has ended", async move |inner: Arc<Inner>| {
            for key in call_keys(company) {
                inner.redis.ask::<()>(cmd("ZREM").arg(key).arg(call.as_str())).await?;
            }
            Ok(())
        });
    }

    fn say_llm(&self, word: LlmWord) {
        self.behind("tell how the LLM is", async move |inner: Arc<Inner>| {
            let by = inner.name.as_str().into();
            inner.say(LLM_HEALTH, &LlmWord { by, ..word }, LLM_HEALTH_TTL).await
        });
    }

    fn llm_words(&self) -> watch::Receiver<Option<LlmWord>> {
        self.0.llm.subscribe()
    }

    fn say_llm_switch(&self, switch: LlmSwitch) {
        self.behind("tell whether the LLM is off", async move |inner: Arc<Inner>| {
            let by = inner.name.as_str().into();
            inner.say(LLM_SWITCH, &LlmSwitch { by, ..switch }, LLM_SWITCH_TTL).await
        });
    }

    fn llm_switches(&self) -> watch::Receiver<Option<LlmSwitch>> {
        self.0.llm_switch.subscribe()
    }
}

fn key_of(place: &TurnPlace) -> String {
    format!("turn:{}:{}", place.company, place.turn)
}

/// The calls of a company, and those of them that are over a limit.
fn call_keys(company: CompanyId) -> [String; 2] {
    [format!("limits:{company}:calls"), format!("limits:{company}:over")]
}

/// The calls of a caller, whose number is not written there.
fn caller_key(company: CompanyId, caller: PhoneNumber) -> String {
    let digest = Sha256::digest(format!("{company} {caller}"));
    let mut key = format!("limits:{company}:caller:");
    for byte in digest.iter().take(12) {
        // Writing to a text cannot fail.
        _ = write!(key, "{byte:02x}");
    }
    key
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
