//! Lines on their way to the log: whoever logs leaves them here and goes on, one thread writes them.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// So many bytes wait at most, while whoever reads the log does not. More lines are let go and counted.
const CAPACITY: usize = 1 << 20;

/// The lines that wait; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    /// Lines have come.
    filled: Condvar,
    /// All lines are written.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that are just being written.
    writing: bool,
    /// Lines that were let go.
    lost: u64,
}

impl Lines {
    /// Writes what comes, for ever. Calls `say_lost` with the number of lines let go so far whenever that has grown and
    /// something could be written again.
    pub(super) fn write_to(&self, out: &mut impl Write, say_lost: impl Fn(u64)) {
        let mut said = 0;
        loop {
            let (lines, lost) = self.next();
            for line in lines {
                // A log that cannot be written, on a full disk or into a pipe that is gone, has nobody to be told.
                _ = out.write_all(&line);
            }
            _ = out.flush();
            if lost > said {
                say_lost(lost);
                said = lost;
            }
            self.written();
        }
    }

    /// Waits for lines.
    fn next(&self) -> (VecDeque<Vec<u8>>, u64) {
        let waiting = self.lock();
        let filled = self.0.filled.wait_while(waiting, |waiting| waiting.lines.is_empty());
        let mut waiting = filled.unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        waiting.writing = true;
        (std::mem::take(&mut waiting.lines), waiting.lost)
    }

    fn written(&self) {
        let mut waiting = self.lock();
        waiting.writing = false;
        if waiting.lines.is_empty() {
            self.0.drained.notify_all();
        }
    }

    /// Waits until all lines are written, but not longer than this.
    pub(super) fn drain(&self, longest: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        // Who is late loses the rest: a log that nobody reads must not keep the process from ending.
        _ = self.0.drained.wait_timeout_while(self.lock(), longest, is_busy);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one line with each write.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > CAPACITY {
            waiting.lost += 1;
        } else {
            waiting.bytes += line.len();
            waiting.lines.push_back(line.to_vec());
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    /// A pipe into which each write waits for a reader.
    struct Pipe(mpsc::SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // A reader who is gone takes nothing any more.
            let sent = self.0.send(text);
            sent.map(|()| bytes.len()).map_err(io::Error::other)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Lines with a thread that writes them into a pipe.
    fn piped() -> (Lines, mpsc::Receiver<String>) {
        let (sender, reader) = mpsc::sync_channel(0);
        let lines = Lines::default();
        let (written, said) = (lines.clone(), lines.clone());
        let say_lost = move |lost| said.clone().write_all(format!("{lost} lost").as_bytes()).unwrap();
        thread::spawn(move || written.write_to(&mut Pipe(sender), say_lost));
        (lines, reader)
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_lost_is_said() {
        let (mut lines, reader) = piped();
        let line = [b'x'; 1_024];
        for _ in 0..3_000 {
            lines.write_all(&line).unwrap();
        }
        let read: Vec<String> = reader.iter().take_while(|line| line.starts_with('x')).collect();
        assert!((1_024..=2_100).contains(&read.len()), "{}", read.len());
    }

    #[test]
    fn lines_come_in_order_and_the_end_waits_for_the_last_one() {
        let (mut lines, reader) = piped();
        let reading = thread::spawn(move || reader.iter().take(100).collect::<Vec<_>>());
        for number in 0..100 {
            lines.write_all(number.to_string().as_bytes()).unwrap();
        }
        lines.drain(Duration::from_secs(10));
        let expected: Vec<_> = (0..100).map(|number: u32| number.to_string()).collect();
        assert!(reading.is_finished() || !lines.lock().writing);
        assert_eq!(reading.join().unwrap(), expected);
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let (mut lines, _reader) = piped();
        lines.write_all(b"nobody reads this").unwrap();
        lines.drain(Duration::from_millis(50));
        assert!(lines.lock().writing || !lines.lock().lines.is_empty());
    }
}
