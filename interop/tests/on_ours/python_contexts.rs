//! What a context of Python's `ssl` module decides, with our libssl at one end or at both: sessions,
//! the binding of a channel, names, secrets, tickets; and what is refused.

use certstatus_lab::{KeyKind, LeafRequest};

use super::Library;
use super::python::call_on;
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki};
use crate::harness::process::{Daemon, Finished, run};

/// The pairs of a client and a server of which one at least is on ours.
const PAIRS: [(Library, Library); 3] = [
    (Library::System, Library::Ours),
    (Library::Ours, Library::System),
    (Library::Ours, Library::Ours),
];

const OTHER: &str = "other.example";

/// The server tells each client what it knows of the connection, in a line.
const SERVER: &str = "
import socket, ssl, sys
chain, key, other_chain, other_key, authorities, version, tickets, secrets = sys.argv[1:]
def context(chain, key):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, key)
    made.minimum_version = made.maximum_version = ssl.TLSVersion[version]
    if version == 'TLSv1_3':
        made.num_tickets = int(tickets)
    made.keylog_filename = secrets
    return made
first, other = context(chain, key), context(other_chain, other_key)
def choose(connection, name, at):
    assert at is first
    if name == 'other.example':
        connection.context = other
    elif name != 'server.example':
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    connection.name = name
first.sni_callback = choose
listener = socket.create_server(('127.0.0.1', 0))
print(f'ACCEPT 127.0.0.1:{listener.getsockname()[1]}', flush=True)
while True:
    plain, _ = listener.accept()
    try:
        with first.wrap_socket(plain, server_side=True) as tls:
            binding = tls.get_channel_binding('tls-unique').hex()
            if tls.recv(100) == b'who are you':
                tls.verify_client_post_handshake()
            tls.sendall(f'{tls.version()} {tls.session_reused} {binding} {tls.name}'.encode())
            tls.unwrap().close()
    except OSError as error:
        print(error, flush=True)
";

/// A server on that library with two certificates.
fn server(library: Library, files: &Ends, version: &str, tickets: &str) -> Daemon {
    let arguments = [
        files.own.chain(),
        files.own.key(),
        files.other.chain(),
        files.other.key(),
        files.own.authorities(),
        version.to_owned(),
        tickets.to_owned(),
        files.own.path("secrets-of-server"),
    ];
    Daemon::start(call_on(library, SERVER, &arguments.each_ref().map(String::as_str)))
}

struct Ends {
    own: Files,
    other: Files,
}

impl Ends {
    fn new() -> Self {
        let pki = Pki::shared(KeyKind::EcdsaP256);
        let other = pki.lab().issue(LeafRequest::new(OTHER)).unwrap();
        Self { own: Files::of_case(pki, Case::Missing), other: Files::of(pki.lab(), &other) }
    }
}

/// Runs a client's lines, which have `connect(name, session)` and `talk(tls)`.
fn client(library: Library, files: &Ends, port: u16, version: &str, lines: &str) -> Finished {
    const START: &str = "
import socket, ssl, sys
port, root, version, secrets = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
context.keylog_filename = secrets
def connect(name, session=None):
    plain = socket.create_connection(('127.0.0.1', int(port)))
    return context.wrap_socket(plain, server_hostname=name, session=session)
def talk(tls, question=b'hello'):
    with tls:
        tls.sendall(question)
        answer = tls.recv(1000).decode().split()
        session = tls.session
        tls.unwrap().close()
        return answer, session
";
    let script = format!("{START}{lines}");
    let secrets = files.own.path("secrets-of-client");
    let arguments = [&port.to_string(), &files.own.root(), version, &secrets];
    run(call_on(library, &script, &arguments))
}

/// Runs `lines` for each pair and version.
fn for_all(tickets: &str, lines: &str, check: impl Fn(&Finished, &str, &Ends)) {
    for (client_on, server_on) in PAIRS {
        for version in ["TLSv1_2", "TLSv1_3"] {
            let files = Ends::new();
            let mut peer = server(server_on, &files, version, tickets);
            let port = peer.accept_port();
            let done = client(client_on, &files, port, version, lines);
            eprintln!("client on {client_on:?}, server on {server_on:?}");
            check(&done, &version.replace('_', "."), &files);
        }
    }
}

#[test]
fn python_takes_sessions_up_again_and_binds_to_channels() {
    const LINES: &str = "
session = None
for _ in range(3):
    tls = connect('server.example', session)
    reused, binding = tls.session_reused, tls.get_channel_binding('tls-unique').hex()
    answer, session = talk(tls)
    print(reused, answer[0], answer[1], answer[2] == binding, session.has_ticket)
";
    for_all("2", LINES, |done, version, _| {
        let mut expected = format!("False {version} False True True\n");
        for _ in 0..2 {
            expected += &format!("True {version} True True True\n");
        }
        assert_eq!(done.exits(0).text(), expected);
    });
}

#[test]
fn python_gives_no_tickets_when_told_so() {
    const LINES: &str = "
answer, session = talk(connect('server.example'))
print(version, session.has_ticket, talk(connect('server.example', session))[0][1])
";
    for_all("0", LINES, |done, version, _| {
        // The number of tickets is TLS 1.3's.
        let given = if version == "TLSv1.2" { "True True" } else { "False False" };
        assert_eq!(done.exits(0).text(), format!("{} {given}\n", version.replace('.', "_")));
    });
}

#[test]
fn python_chooses_the_context_by_name() {
    const LINES: &str = "
for name in ['server.example', 'other.example']:
    tls = connect(name)
    print(tls.getpeercert()['subjectAltName'][0][1], talk(tls)[0][3])
try:
    connect('unknown.example')
except ssl.SSLError as error:
    print(error.reason)
";
    for_all("2", LINES, |done, _, _| {
        let expected = format!("{NAME} {NAME}\n{OTHER} {OTHER}\nTLSV1_UNRECOGNIZED_NAME\n");
        assert_eq!(done.exits(0).text(), expected);
    });
}

#[test]
fn python_logs_the_same_secrets_at_both_ends() {
    const LINES: &str = "
talk(connect('server.example'))
";
    for_all("2", LINES, |done, version, files| {
        done.exits(0);
        let read = |name| {
            let text = std::fs::read_to_string(files.own.path(name)).unwrap();
            let mut lines: Vec<String> =
                text.lines().filter(|line| !line.starts_with('#')).map(String::from).collect();
            lines.sort();
            lines
        };
        let secrets = read("secrets-of-server");
        assert_eq!(secrets.len(), if version == "TLSv1.2" { 1 } else { 5 }, "{secrets:#?}");
        assert_eq!(secrets, read("secrets-of-client"));
    });
}

/// Authentication after the handshake is not in the engine. Whoever needs it is told so, by an error
/// at either end, and never has a peer that was not verified.
#[test]
fn python_refuses_authentication_after_the_handshake() {
    const LINES: &str = "
context.post_handshake_auth = True
try:
    print(talk(connect('server.example'), b'who are you')[0] or 'refused')
except (OSError, ValueError) as error:
    print('refused')
";
    for (client_on, server_on) in PAIRS {
        let files = Ends::new();
        let mut peer = server(server_on, &files, "TLSv1_3", "2");
        let port = peer.accept_port();
        let done = client(client_on, &files, port, "TLSv1_3", LINES);
        assert_eq!(done.exits(0).text(), "refused\n", "{client_on:?}, {server_on:?}");
        peer.wait_for_words(match server_on {
            Library::Ours => "unsupported",
            Library::System => "extension not received",
        });
    }
}
