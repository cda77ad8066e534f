//! What the kernel knows of a process: processor time by thread, memory.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context as _, Result};

/// Processor time of a process, by the names of its threads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(BTreeMap<String, Duration>);

impl Times {
    /// All of a process so far. Threads that have ended are missed, so take the difference of two looks.
    pub(super) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}/task");
        let mut times = BTreeMap::<String, Duration>::new();
        for task in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            let path = task?.path();
            let (Ok(name), Ok(statistics)) = (
                fs::read_to_string(path.join("comm")),
                fs::read_to_string(path.join("schedstat")),
            ) else {
                continue;
            };
            let nanos = statistics
                .split(' ')
                .next()
                .and_then(|nanos| nanos.parse().ok())
                .unwrap_or_default();
            *times.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(nanos);
        }
        Ok(Self(times))
    }

    /// What came after an earlier look.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let later = |(name, time): (&String, &Duration)| {
            let before = earlier.0.get(name).copied().unwrap_or_default();
            (name.clone(), time.saturating_sub(before))
        };
        Self(self.0.iter().map(later).collect())
    }

    /// Of all threads.
    pub(super) fn total(&self) -> Duration {
        self.0.values().sum()
    }

    /// Of the thread with this name.
    pub(super) fn of_thread(&self, name: &str) -> Duration {
        self.0.get(name).copied().unwrap_or_default()
    }
}

/// A number of kB in `/proc/…/status`, such as `VmRSS`, in bytes.
pub(super) fn memory(process: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    Ok(kilobytes.with_context(|| format!("{path} has no {name}"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let process = std::process::id();
        assert!(Times::of(process).unwrap().total() > Duration::ZERO);
        assert!(memory(process, "VmRSS").unwrap() > 1024 * 1024);
        assert!(memory(process, "VmNothing").is_err());
    }

    #[test]
    fn only_what_came_later_counts() {
        let times = |millis: u64| Times(BTreeMap::from([("a".to_owned(), Duration::from_millis(millis))]));
        let later = times(30).since(&times(10));
        assert_eq!(
            (later.total(), later.of_thread("a")),
            (Duration::from_millis(20), Duration::from_millis(20))
        );
    }
}
