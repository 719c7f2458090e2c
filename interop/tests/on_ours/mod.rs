//! Debian's programs, unmodified, on our libssl: against the same programs on the system's OpenSSL,
//! and against our rustls sides.

mod apache;
mod authority;
mod channel_binding;
mod curl;
mod haproxy;
mod lighttpd;
mod newcomer;
mod nginx;
mod nginx_clients;
mod nginx_modules;
mod nginx_staples;
mod nginx_upstream;
mod openssl;
mod openssl_options;
mod perl;
mod python;
mod python_contexts;
mod resumption;
mod tunnels;
mod web;

use std::process::Command;

use crate::harness::libssl;
use crate::harness::pki::Version;
use crate::harness::process::{Finished, Program, run};

/// Which libssl a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// The one built from these sources.
    Ours,
    /// The system's OpenSSL.
    System,
}

impl Library {
    /// A call of a program that runs on this library.
    pub(crate) fn call(self, program: &Program) -> Command {
        let mut command = program.call();
        command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
        if self == Self::Ours {
            let directory = libssl::file().parent().expect("a file is in a directory");
            command.env("LD_LIBRARY_PATH", directory);
        }
        command
    }
}

/// curl's call of `https://ADDRESS`, with every name at 127.0.0.1 and these certificates trusted.
pub(crate) fn curl(library: Library, root: &str, address: &str, more: &[&str]) -> Finished {
    let mut command = library.call(&Program::find("curl", "curl"));
    command.args(["--silent", "--show-error", "--max-time", "10", "--connect-to", "::127.0.0.1:"]);
    command.args(["--cacert", root]).args(more).arg(format!("https://{address}"));
    run(command)
}

/// curl's options for one version of TLS.
pub(crate) fn only(version: Version) -> [&'static str; 3] {
    match version {
        Version::Tls12 => ["--tls-max", "1.2", "--tlsv1.2"],
        Version::Tls13 => ["--tls-max", "1.3", "--tlsv1.3"],
    }
}
