//! The values of a configuration that have a form of their own.
//!
//! Each is read from a string and refuses what it cannot be, so that the reader of TOML knows where
//! the wrong value stands.

use std::fmt;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{DeserializeOwned, Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use certstatus::message::HashAlgorithm;
use certstatus_stapler::fetch::NonceMode;

use crate::shell;

/// A duration as people write it: `30s`, `1h 30m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    match humantime::parse_duration(&text) {
        Ok(Duration::ZERO) => Err(D::Error::custom("a time of zero has no meaning here")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(D::Error::custom(format!(
            "{text:?} is no time such as \"30s\", \"15m\" or \"12h\": {error}"
        ))),
    }
}

/// A count, with a sentence where it is none.
pub(super) fn at_least_one<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let count = i64::deserialize(from)?;
    match u32::try_from(count) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(D::Error::custom(format!("{count} is not a count of 1 or more"))),
    }
}

/// Whether a nonce is sent.
pub(super) fn nonce<'de, D: Deserializer<'de>>(from: D) -> Result<NonceMode, D::Error> {
    match String::deserialize(from)?.as_str() {
        "off" => Ok(NonceMode::Off),
        "if-present" => Ok(NonceMode::IfPresent),
        "required" => Ok(NonceMode::Required),
        other => Err(D::Error::custom(format!(
            "{other:?} is none of \"off\", \"if-present\" and \"required\""
        ))),
    }
}

/// The hash by which a request names the issuer.
pub(super) fn hash<'de, D: Deserializer<'de>>(from: D) -> Result<HashAlgorithm, D::Error> {
    match String::deserialize(from)?.as_str() {
        "sha1" => Ok(HashAlgorithm::Sha1),
        "sha256" => Ok(HashAlgorithm::Sha256),
        other => Err(D::Error::custom(format!("{other:?} is neither \"sha1\" nor \"sha256\""))),
    }
}

/// One value or a list of them: `output = "a"`, `output = ["a", "b"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Many<T>(pub(in crate::agent) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ManyVisitor(PhantomData)).map(Self)
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::deserialize(text.into_deserializer()).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = all.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// The path of a certificate, or of several by the wildcards of a shell. Absolute once the
/// configuration is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty path names no certificate".to_owned());
        }
        // No wildcard goes over a slash.
        for part in text.split('/') {
            glob::Pattern::new(part)
                .map_err(|e| format!("{text:?} has wildcards that do not close: {}", e.msg))?;
        }
        Ok(Self(text))
    }
}

impl Pattern {
    /// Whether it has wildcards.
    pub(in crate::agent) fn is_glob(&self) -> bool {
        self.0.contains(['*', '?', '['])
    }

    /// The text of it.
    pub(in crate::agent) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn resolve(&mut self, directory: &Path) {
        if Path::new(&self.0).is_absolute() {
            return;
        }
        let directory = directory.to_string_lossy();
        // The name of the directory has no wildcards, whatever is in it.
        let directory = match self.is_glob() {
            true => glob::Pattern::escape(&directory),
            false => directory.into_owned(),
        };
        self.0 = format!("{directory}/{}", self.0);
    }
}

/// Where a staple is written: a path with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct Output {
    template: String,
    /// Where a relative path begins.
    directory: PathBuf,
}

/// What can stand in braces in an [`Output`].
const PLACEHOLDERS: [&str; 4] = ["path", "dir", "file", "stem"];

impl TryFrom<String> for Output {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.ends_with('/') {
            return Err(format!("{text:?} is no path of a file"));
        }
        let mut rest = text.as_str();
        while let Some((_, inside)) = rest.split_once('{') {
            let Some((name, after)) = inside.split_once('}') else {
                return Err(format!("the brace in {text:?} does not close"));
            };
            if !PLACEHOLDERS.contains(&name) {
                return Err(format!(
                    "{{{name}}} is none of {{path}}, {{dir}}, {{file}} and {{stem}}"
                ));
            }
            rest = after;
        }
        Ok(Self { template: text, directory: PathBuf::new() })
    }
}

impl Output {
    pub(super) fn has_placeholder(&self) -> bool {
        self.template.contains('{')
    }

    pub(super) fn resolve(&mut self, directory: &Path) {
        directory.clone_into(&mut self.directory);
    }

    /// The path for the certificate at that path.
    pub(in crate::agent) fn path_for(&self, certificate: &Path) -> PathBuf {
        let name = |part: Option<&std::ffi::OsStr>| {
            part.unwrap_or_default().to_string_lossy().into_owned()
        };
        let mut path = String::with_capacity(self.template.len() + 64);
        let mut rest = self.template.as_str();
        while let Some((before, inside)) = rest.split_once('{') {
            let (placeholder, after) = inside.split_once('}').unwrap_or((inside, ""));
            path.push_str(before);
            path.push_str(&match placeholder {
                "path" => certificate.to_string_lossy().into_owned(),
                "dir" => name(certificate.parent().and_then(Path::file_name)),
                "file" => name(certificate.file_name()),
                _ => name(certificate.file_stem()),
            });
            rest = after;
        }
        path.push_str(rest);
        self.directory.join(path)
    }
}

/// The stats socket of HAProxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) enum Socket {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl TryFrom<String> for Socket {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(1..))) if !host.is_empty() => Ok(Self::Tcp(text)),
            _ => Err(format!(
                "{text:?} is neither the path of a socket, with a slash in it, nor host:port"
            )),
        }
    }
}

impl Socket {
    pub(super) fn resolve(&mut self, directory: &Path) {
        if let Self::Unix(path) = self {
            *path = directory.join(&*path);
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// A command: a text for the shell, or a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub(in crate::agent) enum Hook {
    /// For `/bin/sh -c`.
    Shell(String),
    /// A program, and its arguments.
    Program(String, Vec<String>),
}

impl<'de> Deserialize<'de> for Hook {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OfHook;
        impl<'de> Visitor<'de> for OfHook {
            type Value = Hook;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command as a string, or a list of a program and its arguments")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hook, E> {
                match text.trim() {
                    "" => Err(E::custom("an empty command does nothing; leave the key out")),
                    _ => Ok(Hook::Shell(text.to_owned())),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Hook, A::Error> {
                let program = all.next_element::<String>()?.filter(|program| !program.is_empty());
                let program = program
                    .ok_or_else(|| A::Error::custom("a list without a program runs nothing"))?;
                let mut arguments = Vec::new();
                while let Some(argument) = all.next_element()? {
                    arguments.push(argument);
                }
                Ok(Hook::Program(program, arguments))
            }
        }
        from.deserialize_any(OfHook)
    }
}

/// As a shell takes it.
impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text),
            Self::Program(program, arguments) => {
                f.write_str(&shell::word(program.as_ref()))?;
                let mut words = arguments.iter().map(|argument| shell::word(argument.as_ref()));
                words.try_for_each(|word| write!(f, " {word}"))
            }
        }
    }
}

/// Permissions of a file, in octal digits: at most 0666, since a staple is never executable and never
/// runs as its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct Mode(pub(in crate::agent) u32);

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let octal = text.strip_prefix("0o").unwrap_or(&text);
        match u32::from_str_radix(octal, 8) {
            Ok(mode) if mode & !0o666 == 0 && !octal.starts_with('+') => Ok(Self(mode)),
            Ok(0..=0o7777) if !octal.starts_with('+') => Err(format!(
                "{text:?} lets a file be executed or has a set-user-ID bit, and a staple needs at \
                 most \"0666\""
            )),
            _ => Err(format!("{text:?} are no permissions in octal digits, such as \"0644\"")),
        }
    }
}

/// Owner and group of a file: `user`, `user:group` or `:group`, by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct Owner {
    pub(in crate::agent) user: Option<u32>,
    pub(in crate::agent) group: Option<u32>,
}

impl TryFrom<String> for Owner {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (user, group) = text.split_once(':').unwrap_or((&text, ""));
        if user.is_empty() && group.is_empty() {
            return Err(format!("{text:?} names no owner; write \"user\" or \"user:group\""));
        }
        let user = named(user, "user", |name| {
            Ok(nix::unistd::User::from_name(name)?.map(|user| user.uid.as_raw()))
        })?;
        let group = named(group, "group", |name| {
            Ok(nix::unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
        })?;
        Ok(Self { user, group })
    }
}

/// By number, as the system knows them.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.group) {
            (Some(user), Some(group)) => write!(f, "user {user} and group {group}"),
            (Some(user), None) => write!(f, "user {user}"),
            (None, Some(group)) => write!(f, "group {group}"),
            (None, None) => f.write_str("nobody else"),
        }
    }
}

/// The number of a name of this machine; `None` for no name.
fn named(
    name: &str,
    kind: &str,
    find: impl FnOnce(&str) -> nix::Result<Option<u32>>,
) -> Result<Option<u32>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    match find(name) {
        Ok(Some(number)) => Ok(Some(number)),
        Ok(None) => Err(format!("this machine has no {kind} {name:?}")),
        Err(error) => Err(format!("the {kind} {name:?} cannot be looked up: {error}")),
    }
}

/// Where the status page is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) enum Listen {
    /// Nowhere.
    Off,
    /// At that address.
    At(SocketAddr),
}

impl Default for Listen {
    fn default() -> Self {
        Self::At((Ipv4Addr::LOCALHOST, 9880).into())
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| {
                format!("{address:?} is neither \"off\" nor an address such as \"127.0.0.1:9880\"")
            }),
        }
    }
}

/// The address of a responder or a proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct HttpUrl(pub(in crate::agent) String);

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        http_url(text).map(Self)
    }
}

/// The address of a Redis or Valkey.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::agent) struct RedisUrl(pub(in crate::agent) String);

impl TryFrom<String> for RedisUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The address is not repeated in what is said: a password may be in it.
        let known = ["redis://", "rediss://", "unix:"].iter().any(|kind| text.starts_with(kind));
        match known {
            true => Ok(Self(text)),
            false => {
                Err("the address of a Redis begins with redis://, rediss:// or unix:".to_owned())
            }
        }
    }
}

/// The address without who uses it and with what password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once("://") {
            Some((kind, rest)) => {
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(f, "{kind}://{place}")
            }
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn http_url(text: String) -> Result<String, String> {
    match reqwest::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text),
        Ok(url) => Err(format!("{text:?} is a URL of {}, and not of http or https", url.scheme())),
        Err(error) => Err(format!("{text:?} is no URL: {error}")),
    }
}
