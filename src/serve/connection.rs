//! Connections: how many there are, and how patient we are with each.
//!
//! Edge. A client that sends its request slowly, holds an idle connection or takes its answer in sips costs a place among
//! [`MOST_CONNECTIONS`] for a while, and no memory but its own buffers: answers are shared bytes.

use std::convert::Infallible;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::{Audience, Listener, Served, answer};

/// The most connections at a time; who comes then waits in line.
const MOST_CONNECTIONS: usize = 512;
/// How long a request may take to arrive, and a connection may wait for one.
const FOR_A_REQUEST: Duration = Duration::from_secs(10);
/// How long a connection without a request so far may wait for one when we stop: it may be on its way.
const FOR_THE_FIRST: Duration = Duration::from_millis(500);
/// How long a client may take none of its answer.
const FOR_A_SIP: Duration = Duration::from_secs(10);
/// How long a connection may stay at all.
const FOR_ALL: Duration = Duration::from_secs(300);
/// The largest head of a request, in bytes, and the most fields in it.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_FIELDS: usize = 64;
/// How long nobody is let in after the system refused, as it does when it has no more files to open.
const AFTER_TROUBLE: Duration = Duration::from_millis(100);

/// Takes connections until `stop` is cancelled, then waits for those that are being answered. Aborted, it drops them.
pub(super) async fn serve(listener: Arc<Listener>, audience: Audience, served: Arc<Served>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((accept(&listener).await, place))
        };
        let Some(Some((accepted, place))) = stop.run_until_cancelled(next).await else { break };
        while let Some(ended) = open.try_join_next() {
            if let Err(panicked) = ended {
                tracing::error!(
                    name: "serve.panicked",
                    "a request failed in a way that is a fault of newsfold; please report it: {panicked}"
                );
            }
        }
        match accepted {
            Ok(Accepted::Tcp(stream)) => {
                let _ = stream.set_nodelay(true);
                open.spawn(converse(stream, audience, served.clone(), stop.clone(), place));
            }
            Ok(Accepted::Unix(stream)) => {
                open.spawn(converse(stream, audience, served.clone(), stop.clone(), place));
            }
            Err(error) => {
                tracing::debug!(name: "serve.not_taken", %error, "a connection was not taken");
                tokio::time::sleep(AFTER_TROUBLE).await;
            }
        }
    }
    if let Listener::Unix(_, Some(path)) = &*listener {
        let _ = std::fs::remove_file(path);
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

enum Accepted {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> std::io::Result<Accepted> {
    match listener {
        Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Accepted::Tcp(stream)),
        Listener::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
    }
}

/// Requests and answers on one connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    audience: Audience,
    served: Arc<Served>,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    let asked = CancellationToken::new();
    let was_asked = asked.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        was_asked.cancel();
        let served = served.clone();
        async move { Ok::<_, Infallible>(answer::answer(&served, audience, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(FOR_A_REQUEST)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(Patient::new(stream)), answer);
    let mut connection = pin!(connection);
    // Who went away, or was too slow, is no news.
    let ended = tokio::select! {
        _ = connection.as_mut() => true,
        () = stop.cancelled() => false,
        () = tokio::time::sleep(FOR_ALL) => false,
    };
    if !ended {
        // Nobody who was let in is sent away without an answer.
        tokio::select! {
            _ = connection.as_mut(), if !asked.is_cancelled() => return,
            () = asked.cancelled() => {}
            () = tokio::time::sleep(FOR_THE_FIRST) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(FOR_A_SIP, connection).await;
    }
    drop(place);
}

/// A connection that is given up when the client takes nothing for [`FOR_A_SIP`].
struct Patient<S> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Self {
        Self { stream, deadline: Box::pin(tokio::time::sleep(FOR_A_SIP)), is_waiting: false }
    }

    /// Passes on what came of writing; when nothing could be written for too long, that is an error.
    fn paced<T>(&mut self, came: Poll<std::io::Result<T>>, context: &mut Context<'_>) -> Poll<std::io::Result<T>> {
        if came.is_ready() {
            self.is_waiting = false;
            return came;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.deadline.as_mut().reset(Instant::now() + FOR_A_SIP);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(came, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.paced(came, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_flush(context);
        self.paced(came, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_shutdown(context);
        self.paced(came, context)
    }
}
