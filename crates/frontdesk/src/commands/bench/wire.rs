//! One kept HTTP/1.1 connection, as cheap as it can be: the load shares a machine with the server.

use anyhow::{Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection that is used for one request after the other.
pub(super) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(super) async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(8 * 1024),
        })
    }

    /// Sends a whole request and reads the whole answer; gives its status.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the server closed a connection");
            }
            if let Some((status, length)) = head(&self.received)?
                && self.received.len() >= length
            {
                return Ok(status);
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        let start = end_of_head(&self.received).unwrap_or_default();
        self.received.get(start..).unwrap_or_default()
    }
}

fn end_of_head(received: &[u8]) -> Option<usize> {
    received
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The status and the length of the whole answer, once its head is there.
fn head(received: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = end_of_head(received) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + length))),
        _ => bail!("an answer has no status or no length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
        assert_eq!(
            head(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nab").unwrap(),
            Some((403, 45 + 3))
        );
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
