//! Which network addresses a feed may live at.
//!
//! Pure. An aggregator fetches whatever address a stranger's redirect names, from inside our network; so everything that is
//! not the public internet is refused unless the configuration allows it. `fetch` asks here before a request to a literal
//! address, with each address that a name resolves to, which is the address then connected to, and with each name that a proxy
//! resolves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// Why an address is refused: the kind of network it belongs to. `None` when it may be asked.
#[must_use]
pub(crate) fn refused(address: IpAddr, allowed: &[IpNet]) -> Option<&'static str> {
    let address = embedded(address);
    if allowed.iter().any(|network| network.contains(&address)) {
        return None;
    }
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

/// Why a name is refused that nobody here resolves, because a proxy does. `None` when it may be asked.
///
/// What the proxy finds under a name of the public internet cannot be seen from here. Names that no name server of the internet
/// answers for (RFC 6761, RFC 6762, RFC 8375) lead to whatever stands beside the proxy, and are for those who allowed a network.
#[must_use]
pub(crate) fn refused_name(name: &str, allowed: &[IpNet]) -> Option<&'static str> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if is_below("localhost") {
        return refused(Ipv4Addr::LOCALHOST.into(), allowed);
    }
    let is_private = !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| is_below(suffix));
    (is_private && allowed.is_empty()).then_some("a name of a private network")
}

/// Whether an address stands in a private network, as far as it says so itself.
#[must_use]
pub(crate) fn is_private(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(literal)) => refused(literal.into(), &[]).is_some(),
        Some(Host::Ipv6(literal)) => refused(literal.into(), &[]).is_some(),
        Some(Host::Domain(name)) => refused_name(name, &[]).is_some(),
        None => true,
    }
}

/// What names of private networks end in.
const PRIVATE_SUFFIXES: [&str; 9] =
    ["local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private", "localdomain"];

/// The IPv4 address inside an IPv6 one that only wraps it: mapped, compatible, translated (RFC 2765), NAT64 (RFC 6052) and 6to4
/// (RFC 3056).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if (g, h) != (0, 0) && (g, h) != (0, 1) => v4(g, h),
        (0x2002, high, low, ..) => v4(high, low),
        _ => address,
    }
}

/// The blocks of RFC 6890 and its updates that are not the public internet.
fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        _ if address.is_loopback() => Some("the machine itself"),
        _ if address.is_private() => Some("a private network"),
        _ if address.is_link_local() => Some("a link-local network"),
        _ if address.is_multicast() => Some("a multicast group"),
        (0, ..) | (240..=255, ..) => Some("no address of the internet"),
        (100, 64..=127, _) => Some("a provider's internal network"),
        (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => {
            Some("a network for documentation and tests")
        }
        _ => None,
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    match (first, second) {
        _ if address.is_loopback() => Some("the machine itself"),
        _ if address.is_unspecified() => Some("no address of the internet"),
        _ if address.is_unique_local() => Some("a private network"),
        _ if address.is_unicast_link_local() => Some("a link-local network"),
        _ if address.is_multicast() => Some("a multicast group"),
        (0xfec0..=0xfeff, _) => Some("a private network"),
        (0x64, 0xff9b) => Some("a private network"),
        (0x100, 0) | (0x2001, 0xdb8) | (0x2001, 0x2) | (0x3fff, 0..=0xfff) => {
            Some("a network for documentation and tests")
        }
        // Teredo carries an IPv4 address in a form that can hide any.
        (0x2001, 0) => Some("a tunnel"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: bool) {
        assert_eq!(refused(address.parse().unwrap(), &[]).is_some(), expected, "{address}");
    }

    #[test]
    fn what_is_not_the_public_internet_is_refused() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
        ] {
            check(address, true);
        }
    }

    #[test]
    fn an_address_hidden_in_another_is_refused_too() {
        for address in [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
        ] {
            check(address, true);
        }
    }

    #[test]
    fn a_name_that_a_proxy_resolves_has_to_be_one_of_the_internet() {
        let home: IpNet = "192.168.1.0/24".parse().unwrap();
        let own: IpNet = "127.0.0.1/32".parse().unwrap();
        let check = |name: &str, allowed: &[IpNet], expected: bool| {
            assert_eq!(refused_name(name, allowed).is_some(), expected, "{name}");
        };
        for name in
            ["localhost", "LOCALHOST.", "a.localhost", "router", "nas.local", "metadata.google.internal", "a.lan"]
        {
            check(name, &[], true);
        }
        for name in ["news.example", "notlocalhost.org", "lan.example.org", "abcdef.onion"] {
            check(name, &[], false);
        }
        check("router", &[home], false);
        check("localhost", &[home], true);
        check("localhost", &[own], false);
    }

    #[test]
    fn an_address_says_whether_it_is_of_a_private_network() {
        let check = |address: &str, expected: bool| {
            assert_eq!(is_private(&Url::parse(address).unwrap()), expected, "{address}");
        };
        for private in ["http://127.0.0.1:1/", "http://[::1]/", "http://nas.local/", "http://router/", "file:///srv/a"]
        {
            check(private, true);
        }
        for public in ["http://news.example/", "http://1.1.1.1/", "http://[2606:4700::1]/"] {
            check(public, false);
        }
    }

    #[test]
    fn the_public_internet_is_not() {
        for address in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "::ffff:1.1.1.1",
            "::ffff:0:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            check(address, false);
        }
    }

    #[test]
    fn a_configured_network_is_allowed_and_no_other() {
        let allowed = ["192.168.1.0/24".parse().unwrap(), "::1/128".parse().unwrap()];
        assert_eq!(refused("192.168.1.7".parse().unwrap(), &allowed), None);
        assert_eq!(refused("::ffff:192.168.1.7".parse().unwrap(), &allowed), None);
        assert!(refused("192.168.2.7".parse().unwrap(), &allowed).is_some());
        assert_eq!(refused("::1".parse().unwrap(), &allowed), None);
    }
}
