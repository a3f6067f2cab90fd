//! What the daemon of this machine answers.
//!
//! Edge: asks where the configuration has it listen, and nobody else: no proxy, no redirect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::redirect;

use crate::config::Listen;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for this path; gives whether all is well there, and what was said.
///
/// # Errors
/// Where nobody answers.
pub async fn ask(listen: &Listen, path: &str) -> Result<(bool, String), String> {
    let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE);
    let (client, address) = match listen {
        Listen::Off => return Err("nothing is served (`serve.listen` is \"\"), so there is nobody to ask".to_owned()),
        Listen::Tcp(listen) => (client, format!("http://{}{path}", within_reach(*listen))),
        Listen::Unix(socket) => (client.unix_socket(socket.as_path()), format!("http://newsfold{path}")),
    };
    let asked = async {
        let answer = client.build()?.get(&address).send().await?;
        Ok::<_, reqwest::Error>((answer.status().is_success(), answer.text().await?))
    };
    asked.await.map_err(|_| match listen {
        Listen::Unix(socket) => format!("nobody answers at {}", socket.display()),
        Listen::Off | Listen::Tcp(_) => format!("nobody answers at {address}"),
    })
}

/// Where something that listens on every address is found from here.
fn within_reach(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_found_here() {
        let check = |listen: &str, expected: &str| {
            assert_eq!(within_reach(listen.parse().unwrap()).to_string(), expected);
        };
        check("0.0.0.0:8080", "127.0.0.1:8080");
        check("[::]:80", "[::1]:80");
        check("192.0.2.1:80", "192.0.2.1:80");
    }
}
