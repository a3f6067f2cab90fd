//! Where operators find what is for them: `/feeds`, `/metrics` and `/readyz`.
//!
//! Pure. Figures and the health of feeds are nobody else's, so that they are not where the whole world reads.

use std::fmt;

use crate::config::{Listen, ServeConfig};
use crate::net::blocklist;

/// Where operators' pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperatorsPages {
    /// Where readers look.
    WithReaders,
    /// At an address of their own.
    Apart,
    /// Nowhere, and why.
    Nowhere(&'static str),
}

impl OperatorsPages {
    /// Where they are when readers look at an address that `is_local`: that belongs to this machine alone.
    #[must_use]
    pub(crate) fn of(serve: &ServeConfig, is_local: bool) -> Self {
        match &serve.admin {
            Listen::Off if serve.listen == Listen::Off => Self::Nowhere("nothing is served"),
            Listen::Off if !is_local => Self::Nowhere("`serve.listen` lets other machines in"),
            Listen::Off if !blocklist::is_private(&serve.public_url) => {
                Self::Nowhere("`serve.public_url` is for the world")
            }
            Listen::Off => Self::WithReaders,
            admin if *admin == serve.listen => Self::WithReaders,
            _ => Self::Apart,
        }
    }

    /// The same as far as the configuration alone tells: a service manager may pass another address.
    #[must_use]
    pub(crate) fn configured(serve: &ServeConfig) -> Self {
        let is_local = match &serve.listen {
            Listen::Tcp(address) => address.ip().is_loopback(),
            Listen::Unix(_) => true,
            Listen::Off => false,
        };
        Self::of(serve, is_local)
    }

    /// What is told to a person, with the address where they are.
    #[must_use]
    pub(crate) fn told(self, at: impl fmt::Display) -> String {
        match self {
            Self::WithReaders | Self::Apart => format!("operators find /feeds, /metrics and /readyz at {at}"),
            Self::Nowhere(why) => format!(
                "/feeds, /metrics and /readyz are served nowhere, because {why}; name an address for operators in `serve.admin`, such as \"127.0.0.1:8081\""
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_operators_is_with_readers_on_this_machine_alone() {
        fn check(listen: &str, admin: &str, public_url: &str, expected: OperatorsPages) {
            let at = |text: &str| match text {
                "" => Listen::Off,
                "socket" => Listen::Unix("/run/a".into()),
                address => Listen::Tcp(address.parse().unwrap()),
            };
            let serve = ServeConfig {
                listen: at(listen),
                admin: at(admin),
                public_url: public_url.parse().unwrap(),
                ..ServeConfig::default()
            };
            assert_eq!(OperatorsPages::configured(&serve), expected, "{listen} {admin} {public_url}");
        }
        let (here, world) = ("http://127.0.0.1:8080/", "https://example.org/planet/");
        let [open, public, off] =
            ["`serve.listen` lets other machines in", "`serve.public_url` is for the world", "nothing is served"]
                .map(OperatorsPages::Nowhere);
        for local in ["127.0.0.1:8080", "[::1]:8080", "socket"] {
            check(local, "", here, OperatorsPages::WithReaders);
            check(local, "", "http://nas.lan/", OperatorsPages::WithReaders);
            check(local, "", world, public);
            check(local, local, world, OperatorsPages::WithReaders);
            check(local, "127.0.0.1:8081", world, OperatorsPages::Apart);
            check(local, "127.0.0.1:8081", here, OperatorsPages::Apart);
        }
        check("0.0.0.0:8080", "", here, open);
        check("192.168.1.2:8080", "", here, open);
        check("0.0.0.0:8080", "0.0.0.0:8080", world, OperatorsPages::WithReaders);
        check("", "", here, off);
        check("", "127.0.0.1:8081", here, OperatorsPages::Apart);
    }
}
