//! A line to a server that can be made slow.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Result;

/// Listens on a port of its own and passes on what comes, to a port of this machine and back.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each answer is kept back, in milliseconds.
    delay: AtomicU64,
    is_over: AtomicBool,
}

impl Line {
    /// A line to a port of this machine; answers pass at once.
    ///
    /// # Errors
    /// No port is free.
    pub fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let passing = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming() {
                if passing.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A server that is away is one that breaks the connection.
                if let (Ok(near), Ok(far)) = (near, TcpStream::connect((Ipv4Addr::LOCALHOST, port))) {
                    // A line of which one half cannot be read ends.
                    _ = connect(near, far, &passing);
                }
            }
        });
        Ok(Self { address, state })
    }

    /// Its port on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on each answer is kept back so long.
    pub fn keep_back(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.state.delay.store(milliseconds, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        _ = TcpStream::connect(self.address);
    }
}

fn connect(near: TcpStream, far: TcpStream, state: &Arc<State>) -> Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (questions, server) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || pass(questions, server, None));
    let state = Arc::clone(state);
    thread::spawn(move || pass(far, near, Some(&state)));
    Ok(())
}

/// Passes on what comes until one side ends, then ends both.
fn pass(mut from: TcpStream, mut to: TcpStream, kept_back: Option<&State>) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let delay = kept_back.map_or(0, |state| state.delay.load(Ordering::Relaxed));
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
        let Some(read) = bytes.get(..count) else { break };
        if to.write_all(read).is_err() {
            break;
        }
    }
    // They may have ended already.
    _ = from.shutdown(Shutdown::Both);
    _ = to.shutdown(Shutdown::Both);
}
