//! What the operating system knows of this process, under the names that every Prometheus client uses.

use std::{fs, sync::OnceLock};

/// Memory that the process has in use.
const MEMORY: &str = "process_resident_memory_bytes";
/// Files and connections that are open.
const OPEN_FILES: &str = "process_open_fds";
/// So many may be open.
const MAX_FILES: &str = "process_max_fds";
/// Threads.
const THREADS: &str = "process_threads";
/// When it was started, in seconds since 1970.
const START: &str = "process_start_time_seconds";

pub(super) fn describe() {
    metrics::describe_gauge!(MEMORY, "memory in use");
    metrics::describe_gauge!(OPEN_FILES, "files and connections that are open");
    metrics::describe_gauge!(MAX_FILES, "files and connections that may be open");
    metrics::describe_gauge!(THREADS, "threads");
    metrics::describe_gauge!(START, "when the process was started, in seconds since 1970");
}

/// Reads them. Where the system does not tell, as elsewhere than on Linux, they are left out.
pub(super) fn publish(now: f64) {
    static STARTED: OnceLock<f64> = OnceLock::new();
    metrics::gauge!(START).set(*STARTED.get_or_init(|| now));
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        if let Some(kilobytes) = number(&status, "VmRSS:") {
            metrics::gauge!(MEMORY).set(kilobytes * 1_024.0);
        }
        if let Some(threads) = number(&status, "Threads:") {
            metrics::gauge!(THREADS).set(threads);
        }
        // Since Linux 6.2 the folder's size is the number of its entries: counting thousands would take milliseconds.
        if let Ok(folder) = fs::metadata("/proc/self/fd") {
            let open = match folder.len() {
                0 => fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
                open => open,
            };
            metrics::gauge!(OPEN_FILES).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
        }
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits")
        && let Some(most) = number(&limits, "Max open files")
    {
        metrics::gauge!(MAX_FILES).set(most);
    }
}

/// The first number behind a name.
fn number(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_behind_its_name() {
        let status = "Name:\tfrontdesk\nVmRSS:\t  20488 kB\nThreads:\t12\n";
        assert_eq!(number(status, "VmRSS:"), Some(20_488.0));
        assert_eq!(number(status, "Threads:"), Some(12.0));
        assert_eq!(number(status, "VmSwap:"), None);
        let limits = "Max open files            1024                 524288               files     \n";
        assert_eq!(number(limits, "Max open files"), Some(1_024.0));
        assert_eq!(number("Max open files unlimited", "Max open files"), None);
    }
}
