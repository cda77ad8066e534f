//! What is done on the cache server in one step each.

use std::{fmt, time::Duration};

use redis::Script;

use super::{News, Wrapped};
use crate::{
    ports::Seq,
    redis::{NoAnswer, Redis},
};

/// Without a write for so long, floors are forgotten and everything is dropped.
const FLOORS_TTL: Duration = Duration::from_hours(24);

/// Makes sure that the hash of floors is one and has an epoch. `KEYS[1]`: the hash. `ARGV[1]`: an epoch if there is none.
/// `ARGV[2]`: how long the hash is kept, in seconds.
const EPOCH: &str = "
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  epoch = ARGV[1]
end
";

/// `KEYS[2]`: the value's. From `ARGV[3]`: its parts. Gives epoch, highest floor, milliseconds to live, value. A floor that
/// is no number is above everything.
const LOOK: &str = "
local highest = 0
for i = 3, #ARGV do
  local floor = redis.call('HGET', KEYS[1], ARGV[i])
  if floor then highest = math.max(highest, tonumber(floor) or 9007199254740991) end
end
local value = false
if redis.call('TYPE', KEYS[2]).ok == 'string' then value = redis.call('GET', KEYS[2]) end
return {epoch, string.format('%.0f', highest), redis.call('PTTL', KEYS[2]), value}
";

/// `KEYS[2]`: the value's. `ARGV`: epoch, as of, milliseconds to live, value, its parts. Gives 1 if it is kept.
const FILL: &str = "
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
local as_of = tonumber(ARGV[2])
for i = 5, #ARGV do
  local floor = redis.call('HGET', KEYS[1], ARGV[i])
  if floor and (tonumber(floor) or 9007199254740991) > as_of then return 0 end
end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
return 1
";

/// From `KEYS[2]`: the keys to drop. From `ARGV[3]`: how many floors are kept at most, channel, message, then each part and
/// the number of its change.
const WRITE: &str = "
for i = 6, #ARGV, 2 do
  local floor = redis.call('HGET', KEYS[1], ARGV[i])
  if not floor or (tonumber(floor) or 0) < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
";

/// `KEYS[1]`: the hash. `ARGV`: the new epoch, how long the hash is kept, channel, message.
const RENEW: &str = "
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
";

/// The channel on which instances tell each other what they wrote to a store.
pub(super) fn channel(store: &str) -> String {
    format!("production-ai:changes:{store}")
}

fn floors(store: &str) -> String {
    format!("production-ai:floors:{store}")
}

fn new_epoch() -> String {
    format!("{:016x}", rand::random::<u64>())
}

pub(super) struct Scripts {
    look: Script,
    fill: Script,
    write: Script,
    renew: Script,
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            look: Script::new(&format!("{EPOCH}{LOOK}")),
            fill: Script::new(FILL),
            write: Script::new(&format!("{EPOCH}{WRITE}")),
            renew: Script::new(RENEW),
        }
    }
}

/// What the server says of a key.
pub(super) struct Answer {
    pub(super) epoch: String,
    /// The highest floor of the value's parts.
    pub(super) floor: Seq,
    pub(super) fresh_for: Duration,
    pub(super) value: Option<Vec<u8>>,
}

impl Scripts {
    pub(super) async fn look(
        &self,
        redis: &Redis,
        store: &str,
        key: &str,
        parts: &[String],
    ) -> Result<Answer, NoAnswer> {
        let mut script = self.look.key(floors(store));
        script.key(key).arg(new_epoch()).arg(FLOORS_TTL.as_secs()).arg(parts);
        let (epoch, floor, ttl, value): (String, Seq, i64, Option<Vec<u8>>) = redis.invoke(&script).await?;
        Ok(Answer {
            epoch,
            floor,
            fresh_for: Duration::from_millis(u64::try_from(ttl).unwrap_or_default()),
            value,
        })
    }

    /// Whether the value is kept.
    pub(super) async fn fill(&self, redis: &Redis, value: &Wrapped) -> Result<bool, NoAnswer> {
        let mut script = self.fill.key(floors(&value.store));
        script
            .key(&value.key)
            .arg(&value.epoch.0)
            .arg(value.as_of)
            .arg(u64::try_from(value.ttl.as_millis()).unwrap_or(u64::MAX))
            .arg(&value.text)
            .arg(&value.parts);
        redis.invoke(&script).await
    }

    pub(super) async fn write(
        &self,
        redis: &Redis,
        store: &str,
        dropped: &[String],
        parts: &[(String, Seq)],
        news: &News,
        max_floors: usize,
    ) -> Result<(), NoAnswer> {
        let mut script = self.write.key(floors(store));
        script
            .key(dropped)
            .arg(new_epoch())
            .arg(FLOORS_TTL.as_secs())
            .arg(max_floors)
            .arg(channel(store))
            .arg(news.to_text());
        for (part, seq) in parts {
            script.arg(part).arg(*seq);
        }
        redis.invoke(&script).await
    }

    /// Drops everything.
    pub(super) async fn renew_epoch(&self, redis: &Redis, store: &str, news: &News) -> Result<(), NoAnswer> {
        let mut script = self.renew.key(floors(store));
        script
            .arg(new_epoch())
            .arg(FLOORS_TTL.as_secs())
            .arg(channel(store))
            .arg(news.to_text());
        redis.invoke(&script).await
    }
}
