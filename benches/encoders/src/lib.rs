//! What every runtime is measured by: utterances of twelve tokens, one thread, CPU time of the process.

use std::time::Duration;

/// Utterances that are twelve tokens long, special tokens included.
pub const UTTERANCES: [&str; 8] = [
    "can you send somebody out to look at it today",
    "the water in my kitchen sink drains very slowly again",
    "what time do you open on saturday morning please sir",
    "i would like to change the day we had planned",
    "there is a strange noise from the back yard today",
    "how much would it cost to come and look tomorrow",
    "my neighbour told me you did good work here before",
    "do you also work on the weekend in winter time",
];

/// The CPU time that this process has used.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Loads with `load`, then embeds each utterance 60 times and prints loading time, median and 99th percentile in ms, peak
/// RSS in MB and the first three numbers of the first embedding.
pub fn measure<E: FnMut(&str) -> anyhow::Result<(usize, Vec<f32>)>>(
    name: &str,
    load: impl FnOnce() -> anyhow::Result<E>,
) -> anyhow::Result<()> {
    let begun = cpu_time();
    let mut embed = load()?;
    let loading = cpu_time() - begun;
    for utterance in UTTERANCES {
        let (tokens, _) = embed(utterance)?;
        anyhow::ensure!(tokens == 12, "`{utterance}` has {tokens} tokens");
    }
    let mut times = Vec::new();
    for _ in 0..60 {
        for utterance in UTTERANCES {
            let before = cpu_time();
            std::hint::black_box(embed(utterance)?);
            times.push((cpu_time() - before).as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (_, first) = embed(UTTERANCES[0])?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("")
        .trim();
    let now = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("")
        .trim();
    println!(
        "{name}: p50 {:.2} ms, p99 {:.2} ms, load {:.0} ms, peak {peak}, then {now}, {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        loading.as_secs_f64() * 1e3,
        &first[..3],
    );
    Ok(())
}

/// The official tokenizer of a folder, without padding.
#[cfg(any(feature = "candle", feature = "rten", feature = "tract"))]
pub fn tokenizer(folder: &str) -> anyhow::Result<tokenizers::Tokenizer> {
    let mut tokenizer =
        tokenizers::Tokenizer::from_file(format!("{folder}/tokenizer.json")).map_err(anyhow::Error::msg)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// The token ids of a text, special tokens included.
#[cfg(any(feature = "candle", feature = "rten", feature = "tract"))]
pub fn token_ids(tokenizer: &tokenizers::Tokenizer, text: &str) -> anyhow::Result<Vec<u32>> {
    Ok(tokenizer
        .encode(text, true)
        .map_err(anyhow::Error::msg)?
        .get_ids()
        .to_vec())
}
