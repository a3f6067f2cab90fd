//! The addresses that hubs call: `/websub/` and a word that only one hub knows.
//!
//! Edge. What is said there is `websub`'s to judge; here it is read, within limits, and answered. News is answered when it is
//! stored, so that a hub sends again what we could not keep.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::answer::{Response, plain, put};
use crate::clock;
use crate::store;
use crate::websub::callback::{CallbackHandler, Message};

/// The path below which hubs call.
pub(super) const PATH: &str = "/websub/";
/// How long a message may take to arrive, and to find room.
const FOR_A_MESSAGE: Duration = Duration::from_secs(30);
/// How long its body may take once there is room.
const FOR_A_BODY: Duration = Duration::from_secs(10);
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");

/// Answers who calls at `callback`.
pub(super) async fn answer(callbacks: &CallbackHandler, callback: &str, request: Request<Incoming>) -> Response {
    let answered = match *request.method() {
        Method::GET | Method::HEAD => question(callbacks, callback, request.uri().query().unwrap_or_default()).await,
        Method::POST => tokio::time::timeout(FOR_A_MESSAGE, news(callbacks, callback, request))
            .await
            .unwrap_or_else(|_| Ok(plain(StatusCode::REQUEST_TIMEOUT, "that took too long\n"))),
        _ => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are served here\n");
            put(refused.headers_mut(), header::ALLOW, "GET, HEAD, POST");
            Ok(refused)
        }
    };
    let mut response = answered.unwrap_or_else(|error| {
        tracing::error!(name: "hub.not_answered", %error, "a hub could not be answered");
        let mut later = plain(StatusCode::SERVICE_UNAVAILABLE, "this cannot be stored now; send it again later\n");
        put(later.headers_mut(), header::RETRY_AFTER, "60");
        later
    });
    put(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    response
}

/// A hub asks whether we meant it, or says that it will not.
async fn question(callbacks: &CallbackHandler, callback: &str, query: &str) -> store::Result<Response> {
    Ok(match callbacks.reply(callback, query, clock::now()).await? {
        Some(challenge) => {
            let mut meant = plain(StatusCode::OK, "");
            *meant.body_mut() = challenge.into();
            meant
        }
        None => plain(StatusCode::NOT_FOUND, "nobody here asked for this\n"),
    })
}

/// A hub sends news. Nothing of it is read unless it is expected.
async fn news(callbacks: &CallbackHandler, callback: &str, request: Request<Incoming>) -> store::Result<Response> {
    let Some(expected) = callbacks.expected(callback).await? else {
        return Ok(plain(StatusCode::GONE, "nobody here is subscribed to this\n"));
    };
    let room = callbacks.room(&expected).await;
    let (head, body) = request.into_parts();
    let body = Limited::new(body, callbacks.most_bytes()).collect();
    let body = match tokio::time::timeout(FOR_A_BODY, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "this is too large, or broke off\n")),
        Err(_) => return Ok(plain(StatusCode::REQUEST_TIMEOUT, "that took too long\n")),
    };
    let field = |name: HeaderName| text(&head.headers, &name);
    let message = Message {
        signature: field(SIGNATURE),
        content_type: field(header::CONTENT_TYPE),
        coding: field(header::CONTENT_ENCODING).unwrap_or_default(),
        body,
    };
    let callbacks = callbacks.clone();
    // A hub that hangs up before it is answered has told us all the same.
    let heard = tokio::spawn(async move {
        let _room = room;
        callbacks.hear(expected, message, clock::now()).await
    });
    heard.await.map_err(store::Error::from)??;
    Ok(plain(StatusCode::OK, "thank you\n"))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
