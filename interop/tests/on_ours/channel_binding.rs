//! Channel bindings (RFC 5929, 3): both ends of a connection find the same, each on its own library.

use certstatus_lab::KeyKind;

use super::Library;
use super::python::call_on;
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version};
use crate::harness::process::{Daemon, run};

const SERVER: &str = "
import socket, ssl, sys
chain, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
with socket.create_server(('127.0.0.1', 0)) as listener:
    print(f'ACCEPT 127.0.0.1:{listener.getsockname()[1]}', flush=True)
    for _ in range(4):
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.sendall(tls.get_channel_binding('tls-unique'))
            tls.recv(1)
";

/// Connects, and once more with the session, and compares.
const CLIENT: &str = "
import socket, ssl, sys
root, port, name, version = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
session = None
for expected in (False, True):
    with socket.create_connection(('127.0.0.1', int(port))) as plain:
        with context.wrap_socket(plain, server_hostname=name, session=session) as tls:
            theirs = tls.recv(100)
            ours = tls.get_channel_binding('tls-unique')
            print(len(ours), ours == theirs, tls.session_reused == expected)
            tls.sendall(b'x')
            session = tls.session
";

#[test]
fn both_ends_find_the_same() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    for (server, client) in [(Library::System, Library::Ours), (Library::Ours, Library::System)] {
        let mut peer = Daemon::start(call_on(server, SERVER, &[&files.chain(), &files.key()]));
        let port = peer.accept_port().to_string();
        for version in Version::ALL {
            let name = format!("TLSv{}", version.number().replace('.', "_"));
            let done = run(call_on(client, CLIENT, &[&files.root(), &port, NAME, &name]));
            let length = if version == Version::Tls12 { 12 } else { 48 };
            let expected = format!("{length} True True\n").repeat(2);
            assert_eq!(done.exits(0).text(), expected, "{server:?} {version:?}");
        }
    }
}
