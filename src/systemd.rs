//! The service manager: what it is told, and what it hands over.
//!
//! Edge: systemd's notification socket and the descriptors that it passes. Where there is no service manager, as in a shell,
//! nothing here does anything.

use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// How long the store may need before the daemon is ready, in microseconds.
const LONGEST_START: u32 = 15 * 60 * 1_000_000;

/// A listening socket that the service manager opened for us, before we ran.
#[derive(Debug)]
pub(crate) enum Socket {
    /// On an address and port.
    Tcp(std::net::TcpListener),
    /// On a path.
    Unix(std::os::unix::net::UnixListener),
}

/// The first socket passed to us, if there is one (`systemd/newsfold.socket`). It wins over `serve.listen`.
///
/// # Errors
/// When what was passed is no listening stream socket.
pub(crate) fn socket() -> std::io::Result<Option<Socket>> {
    let mut passed = ListenFd::from_env();
    if passed.len() == 0 {
        return Ok(None);
    }
    match passed.take_unix_listener(0) {
        Ok(listener) => Ok(listener.map(Socket::Unix)),
        Err(_) => Ok(passed.take_tcp_listener(0)?.map(Socket::Tcp)),
    }
}

/// The configuration, the store and the listener are up; `status` is shown by `systemctl status`.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Ready will be late, and `why`: a large store is not looked through or brought up to date in a minute.
pub(crate) fn takes_its_time(why: &str) {
    tell(&[NotifyState::Status(why), NotifyState::ExtendTimeoutUsec(LONGEST_START)]);
}

/// What the daemon is at, for `systemctl status`.
pub(crate) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The configuration is being read again. [`ready`] has to follow, whatever comes of it.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The daemon makes progress. To be told only when it does: a manager that hears nothing restarts it.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] has to be told: twice in the time that the manager waits for it; `None` when it does not wait.
#[must_use]
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// A manager that does not listen is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(name: "systemd.not_told", %error, "the service manager could not be told");
    }
}
