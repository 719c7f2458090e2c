//! The secrets of a connection for the program's log: `SSL_CTX_set_keylog_callback(3)`, RFC 9850.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::KeyLog;
use zeroize::Zeroizing;

/// The labels in the order in which OpenSSL's client comes to the secrets.
const OF_CLIENT: [&str; 5] = [
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "EXPORTER_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
    OWN_OF_CLIENT,
    "CLIENT_TRAFFIC_SECRET_0",
];

/// The secret of a client's second flight.
const OWN_OF_CLIENT: &str = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";

/// The labels in the order of OpenSSL's server.
const OF_SERVER: [&str; 5] = [
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "EXPORTER_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
    "CLIENT_TRAFFIC_SECRET_0",
];

/// The secrets of a connection, as lines, until the program's callback takes them.
#[derive(Debug)]
pub(crate) struct CollectedKeys {
    server: bool,
    lines: Mutex<Vec<Zeroizing<String>>>,
}

impl CollectedKeys {
    /// For a server, or for a client.
    pub(crate) fn new(server: bool) -> Self {
        Self { server, lines: Mutex::default() }
    }

    /// Takes the lines collected so far, in OpenSSL's order: programs compare logs.
    ///
    /// The engine's client has the secret of its own flight early. Unless the handshake is `over`,
    /// it is kept for the place that it has in OpenSSL's order.
    pub(crate) fn take(&self, over: bool) -> Vec<Zeroizing<String>> {
        let early =
            |line: &mut Zeroizing<String>| over || self.server || !line.starts_with(OWN_OF_CLIENT);
        let mut lines: Vec<Zeroizing<String>> = self.lines().extract_if(.., early).collect();
        let order = if self.server { OF_SERVER } else { OF_CLIENT };
        let rank =
            |line: &Zeroizing<String>| order.iter().position(|label| line.starts_with(label));
        lines.sort_by_key(rank);
        lines
    }

    /// Forgets the lines of a handshake that is processed again.
    pub(crate) fn forget(&self) {
        self.lines().clear();
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Zeroizing<String>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLog for CollectedKeys {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        // With room for all of it, and for the NUL of C: what grows leaves copies behind.
        let room = label.len() + 2 * (client_random.len() + secret.len()) + 3;
        let mut line = Zeroizing::new(String::with_capacity(room));
        line.push_str(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                let _ = write!(line, "{byte:02x}");
            }
        }
        self.lines().push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_in_openssls_order() {
        let client = CollectedKeys::new(false);
        client.log("EXPORTER_SECRET", &[9], &[9]);
        client.forget();
        for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"] {
            client.log(label, &[1, 0xAB], &[2]);
        }
        let taken = |over| -> Vec<String> {
            client.take(over).iter().map(|line| line.to_string()).collect()
        };
        assert_eq!(taken(false), ["SERVER_HANDSHAKE_TRAFFIC_SECRET 01ab 02"]);
        client.log("SERVER_TRAFFIC_SECRET_0", &[1], &[3]);
        assert_eq!(
            taken(true),
            ["SERVER_TRAFFIC_SECRET_0 01 03", "CLIENT_HANDSHAKE_TRAFFIC_SECRET 01ab 02"]
        );
        assert!(taken(true).is_empty());
    }
}
