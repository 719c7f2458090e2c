//! The names under which the page on loopback is asked for.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Returns whether a `Host` is an address or `localhost`. Another name may belong to a website that
/// has it resolve to loopback; an address cannot.
pub(super) fn is_expected(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let name = match host.split_once(':') {
        Some((_, port)) if !is_port(port) => return false,
        Some((name, _)) => name,
        None => host,
    };
    name.parse::<Ipv4Addr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_expected() {
        for host in
            ["127.0.0.1", "127.0.0.1:9886", "[::1]", "[::1]:9886", "localhost", "LocalHost:80"]
        {
            assert!(is_expected(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9886",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "user@localhost",
            "localhost:80:evil",
            "[::1",
            "[::1]evil.example",
            "[evil.example]",
        ] {
            assert!(!is_expected(host), "{host}");
        }
    }
}
