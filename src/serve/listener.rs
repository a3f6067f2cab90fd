//! The address at which the server stands ready.
//!
//! Edge.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::config::{Listen, ServeConfig};
use crate::systemd;

/// Where the server stands ready.
pub(crate) enum Listener {
    /// An address of the network.
    Tcp(TcpListener),
    /// A socket in the file system, and where it is if it is ours to remove.
    Unix(UnixListener, Option<PathBuf>),
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}; {cure}")]
pub(crate) struct ListenError {
    address: String,
    error: std::io::Error,
    cure: String,
}

/// Takes the address that operators look at, where they have one of their own.
///
/// # Errors
/// When the address is taken, or not ours to take.
pub(crate) async fn listen_for_operators(serve: &ServeConfig) -> Result<Option<Listener>, ListenError> {
    if serve.admin == serve.listen {
        return Ok(None);
    }
    let of_admin =
        |error: ListenError| ListenError { cure: error.cure.replace("serve.listen", "serve.admin"), ..error };
    listen_at(&serve.admin, serve).await.map_err(of_admin)
}

/// Takes the socket that the service manager passed, else the configured address; `None` when nothing is to be served.
///
/// # Errors
/// When the address is taken, or not ours to take, or what was passed is no socket that listens.
pub(crate) async fn listen(serve: &ServeConfig) -> Result<Option<Listener>, ListenError> {
    let of_the_unit = |error| ListenError {
        address: "the socket that the service manager passed".into(),
        error,
        cure: "`ListenStream=` in the socket unit is what newsfold can serve on".into(),
    };
    if let Some(socket) = systemd::socket().map_err(of_the_unit)? {
        return Listener::of(socket).map(Some).map_err(of_the_unit);
    }
    listen_at(&serve.listen, serve).await
}

async fn listen_at(listen: &Listen, serve: &ServeConfig) -> Result<Option<Listener>, ListenError> {
    match listen {
        Listen::Off => Ok(None),
        Listen::Tcp(address) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(Some(Listener::Tcp(listener))),
            Err(error) => {
                Err(ListenError { address: address.to_string(), cure: cure_for_address(&error).into(), error })
            }
        },
        Listen::Unix(path) => {
            // The socket of a daemon that was killed is still there, and nobody answers on it.
            if UnixStream::connect(path).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
                let _ = std::fs::remove_file(path);
            }
            let in_words = |error, cure| ListenError { address: format!("unix:{}", path.display()), error, cure };
            let listener = UnixListener::bind(path).map_err(|error| {
                let cure = cure_for_socket(&error, path);
                in_words(error, cure)
            })?;
            admit(path, serve).map_err(|(error, cure)| in_words(error, cure))?;
            Ok(Some(Listener::Unix(listener, Some(path.clone()))))
        }
    }
}

/// Gives a socket its group and mode, whatever the umask: a reverse proxy is another user, and connecting is writing.
fn admit(path: &Path, serve: &ServeConfig) -> Result<(), (std::io::Error, String)> {
    if let Some(group) = &serve.socket_group {
        let known = uzers::get_group_by_name(group)
            .ok_or_else(|| std::io::Error::other(format!("there is no group `{group}`")));
        let change = |group: uzers::Group| std::os::unix::fs::chown(path, None, Some(group.gid()));
        known.and_then(change).map_err(|error| (error, cure_for_group(group)))?;
    }
    let mode = std::fs::Permissions::from_mode(serve.socket_mode);
    std::fs::set_permissions(path, mode).map_err(|error| (error, "change `serve.socket_mode`".to_owned()))
}

fn cure_for_group(group: &str) -> String {
    format!(
        "`serve.socket_group` names a group of this machine that newsfold's user is in; under the shipped unit give `{group}` to \
         newsfold.socket instead (`SocketGroup=`), or open the socket to all with `serve.socket_mode = \"0666\"`"
    )
}

fn cure_for_address(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrNotAvailable => "this machine has no such address; change `serve.listen`",
        ErrorKind::PermissionDenied => {
            "a port below 1024 needs CAP_NET_BIND_SERVICE; take a higher one in `serve.listen`, behind a reverse proxy"
        }
        _ => "is another newsfold running, or another program on that address? change `serve.listen`",
    }
}

fn cure_for_socket(error: &std::io::Error, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error.kind() {
        ErrorKind::NotFound => {
            format!(
                "make the folder {folder} (a systemd unit does so with `RuntimeDirectory=`), or change `serve.listen`"
            )
        }
        ErrorKind::PermissionDenied => format!("this user may not write to {folder}; change that, or `serve.listen`"),
        ErrorKind::AddrInUse => {
            "is another newsfold running, or is there a file of that name? change `serve.listen`".to_owned()
        }
        _ => "change `serve.listen`".to_owned(),
    }
}

impl Listener {
    fn of(socket: systemd::Socket) -> std::io::Result<Self> {
        match socket {
            systemd::Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Self::Tcp)
            }
            systemd::Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener).map(|listener| Self::Unix(listener, None))
            }
        }
    }

    /// Whether it is for this machine alone, as far as it says so itself: who may use a socket is its folder's and mode's to say.
    #[must_use]
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.local_addr().is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix(..) => true,
        }
    }

    /// The address that was taken, as it is told to people.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(_, Some(path)) => format!("unix:{}", path.display()),
            Self::Unix(_, None) => "the socket that the service manager passed".to_owned(),
        }
    }
}
