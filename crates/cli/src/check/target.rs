//! What is to be checked: `HOST[:PORT]` as people write it, and files with one on each line.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use rustls_pki_types::ServerName;

/// A host and the port on it, if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host,
    port: Option<u16>,
}

/// A name in its ASCII form, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a host cannot be read. Each says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// Nothing is there.
    #[error(
        "a host is missing: write a name or an address, as in example.com or [2001:db8::1]:8443"
    )]
    Empty,
    /// A URL.
    #[error("{0} is a URL: write its host alone, as in example.com:8443")]
    Url(String),
    /// An IPv6 address without brackets, where a port could not be told from it.
    #[error("{0} has several colons: write an IPv6 address in brackets, as in [2001:db8::1]:8443")]
    Brackets(String),
    /// Brackets around something else.
    #[error("{0} is not an IPv6 address, and nothing else stands in brackets")]
    NotIpv6(String),
    /// A port that is none.
    #[error("{0} is not a port: it is a number from 1 to 65535")]
    Port(String),
    /// A name that is none.
    #[error("{0} is not a name that DNS can have")]
    Name(String),
}

impl Target {
    /// Reads `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. A name in another script becomes its
    /// ASCII form (RFC 5891), as in certificates.
    ///
    /// # Errors
    /// Every [`TargetError`].
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        if text.contains('/') {
            return Err(TargetError::Url(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').unwrap_or((rest, ""));
            let address = address
                .parse::<Ipv6Addr>()
                .map_err(|_| TargetError::NotIpv6(address.to_owned()))?;
            let port = match port.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if port.is_empty() => None,
                None => return Err(TargetError::Port(port.to_owned())),
            };
            return Ok(Self { host: Host::Address(address.into()), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(TargetError::Brackets(text.to_owned()));
            }
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        Ok(Self { host: Host::parse(host)?, port })
    }

    /// The port, or `default` if none is given.
    pub(crate) fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }

    /// The same host at that port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port: Some(port) }
    }

    /// The host for a resolver, without brackets.
    pub(crate) fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// The host as the certificate must name it.
    ///
    /// # Errors
    /// [`TargetError::Name`] for what DNS cannot have.
    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, TargetError> {
        match &self.host {
            // The root's dot is for resolvers; certificates have none.
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| TargetError::Name(name.clone())),
            Host::Address(address) => Ok(ServerName::from(*address)),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        let name = match text.is_ascii() {
            true => text.to_ascii_lowercase(),
            false => ascii_form(text).ok_or_else(|| TargetError::Name(text.to_owned()))?,
        };
        match ServerName::try_from(name.trim_end_matches('.')) {
            Ok(_) => Ok(Self::Name(name)),
            Err(_) => Err(TargetError::Name(text.to_owned())),
        }
    }
}

/// The ASCII form of a name in another script.
fn ascii_form(name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("https://{name}/")).ok()?;
    url.domain().map(str::to_owned)
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    match text.parse() {
        Ok(0) | Err(_) => Err(TargetError::Port(text.to_owned())),
        Ok(port) => Ok(port),
    }
}

/// As it is written on a command line, in ASCII.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => address.fmt(f)?,
            Host::Name(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The hosts in a list: one on each line, `#` begins a comment, empty lines count for nothing.
///
/// # Errors
/// The first line that is no host, with its number and `file`, its name for people.
pub(crate) fn parse_list(text: &str, file: &str) -> Result<Vec<Target>, String> {
    let hosts = text.lines().enumerate().filter_map(|(index, line)| {
        let host = line.split('#').next().unwrap_or_default().trim();
        (!host.is_empty()).then_some((index + 1, host))
    });
    hosts
        .map(|(number, host)| {
            Target::parse(host).map_err(|e| format!("{file}, line {number}: {e}."))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_people_write_them() {
        for (text, host, port, shown) in [
            ("example.com", "example.com", 443, "example.com"),
            ("Example.COM:8443", "example.com", 8443, "example.com:8443"),
            ("192.0.2.1", "192.0.2.1", 443, "192.0.2.1"),
            ("192.0.2.1:25", "192.0.2.1", 25, "192.0.2.1:25"),
            ("[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]"),
            ("[::1]:8443", "::1", 8443, "[::1]:8443"),
            ("bücher.example:1", "xn--bcher-kva.example", 1, "xn--bcher-kva.example:1"),
            ("example.com.", "example.com.", 443, "example.com."),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.host().as_str(), target.port_or(443)), (host, port), "{text}");
            assert_eq!(target.to_string(), shown);
            let name = target.server_name().unwrap();
            assert_eq!(name.to_str(), host.trim_end_matches('.'));
        }
    }

    #[test]
    fn what_is_no_host_is_told_what_to_write() {
        for (text, error) in [
            ("", TargetError::Empty),
            (":443", TargetError::Empty),
            ("https://example.com/", TargetError::Url("https://example.com/".into())),
            ("::1", TargetError::Brackets("::1".into())),
            ("[example.com]", TargetError::NotIpv6("example.com".into())),
            ("[::1]443", TargetError::Port("443".into())),
            ("example.com:", TargetError::Port(String::new())),
            ("example.com:0", TargetError::Port("0".into())),
            ("example.com:65536", TargetError::Port("65536".into())),
            ("exa mple", TargetError::Name("exa mple".into())),
            ("-.example", TargetError::Name("-.example".into())),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn lists_have_comments_and_empty_lines() {
        let list = "# ours\nexample.com\n\n  [::1]:8443  # here\n";
        let hosts = parse_list(list, "hosts").unwrap();
        assert_eq!(
            hosts.iter().map(Target::to_string).collect::<Vec<_>>(),
            ["example.com", "[::1]:8443"]
        );
        let error = parse_list("a.example\nb:c\n", "hosts").unwrap_err();
        assert!(error.starts_with("hosts, line 2: c is not a port"), "{error}");
    }
}
