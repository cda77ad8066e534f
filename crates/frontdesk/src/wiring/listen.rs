//! Takes connections and serves them; who does not ask in time makes room for others.

use std::{io, pin::pin, time::Duration};

use axum::Router;
use frontdesk_store::tasks::TaskSet;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tracing::{debug, info, warn};

/// A connection on which no whole head of a request comes for so long is closed.
pub(super) const HEAD_WAIT: Duration = Duration::from_secs(30);

/// When no connection can be taken, the next try is so much later.
const RETRY: Duration = Duration::from_millis(100);

/// Serves until `closing` is done and the requests that had begun are answered.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    tasks: &TaskSet,
    head_wait: Duration,
    closing: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut closing = pin!(closing);
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut closing => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => {
                if std::mem::take(&mut failing) {
                    info!("connections are taken again");
                }
                stream
            }
            Err(error) => {
                note_failure(&error, &mut failing);
                time::sleep(RETRY).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_wait)
            .serve_connection(answering_at_once(stream), TowerToHyperService::new(routes.clone()));
        let connection = graceful.watch(connection);
        tasks.spawn("serve a connection", async move {
            if let Err(error) = connection.await {
                debug!(error = &error as &dyn std::error::Error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Says once that connections cannot be taken. One that was given up by its sender is no such failure.
fn note_failure(error: &io::Error, failing: &mut bool) {
    let is_senders = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset].contains(&error.kind());
    if !is_senders && !std::mem::replace(failing, true) {
        warn!(
            error = error as &dyn std::error::Error,
            "no connections can be taken: raise the limit of open files (ulimit -n, LimitNOFILE)"
        );
    }
}

/// Answers are small and waited for: they must not wait for more to be sent with them.
fn answering_at_once(stream: TcpStream) -> TokioIo<TcpStream> {
    if let Err(error) = stream.set_nodelay(true) {
        warn!(
            error = &error as &dyn std::error::Error,
            "a connection stays without TCP_NODELAY"
        );
    }
    TokioIo::new(stream)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::oneshot,
    };

    use super::*;

    /// What comes back until the server closes the connection.
    async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let read = time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        _ = read.expect("the server closes the connection");
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn who_does_not_ask_in_time_is_closed_and_others_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", get(|| async { "here" }));
        let tasks = TaskSet::new();
        let (close, closing) = oneshot::channel::<()>();
        let of_server = tasks.clone();
        tasks.spawn("serve HTTP", async move {
            let closing = async { _ = closing.await };
            serve(listener, routes, &of_server, Duration::from_millis(200), closing).await;
        });
        let mut slow = TcpStream::connect(address).await.unwrap();
        let mut other = TcpStream::connect(address).await.unwrap();
        let answer = exchange(&mut other, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"),
            "{answer}"
        );
        let refused = exchange(&mut slow, b"GET / HTTP/1.1\r\nhost: ").await;
        assert!(!refused.contains("200"), "{refused}");
        close.send(()).unwrap();
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, Vec::<&str>::new());
    }
}
