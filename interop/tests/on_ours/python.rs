//! Debian's Python 3 with its `ssl` module on our libssl: as a client and as a server, over sockets
//! and over memory BIOs.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, free_port, run};

with_rsa_and_ecdsa!(
    python_is_a_client,
    python_says_why_it_does_not_trust,
    python_is_a_server,
    asyncio_runs_over_memory,
);

/// A call of Python on ours with a script, which finds what it needs in `sys.argv[1:]`.
fn call(script: &str, arguments: &[&str]) -> std::process::Command {
    call_on(Library::Ours, script, arguments)
}

/// As [`call`], on that library.
pub(crate) fn call_on(library: Library, script: &str, arguments: &[&str]) -> std::process::Command {
    let python = Program::at("/usr/bin/python3".as_ref());
    let mut command = library.call(&python);
    // Nothing of the user's, and no waiting for ever.
    let start = "import faulthandler; faulthandler.dump_traceback_later(12, exit=True)\n";
    command.args(["-I", "-c", &format!("{start}{script}")]).args(arguments);
    command
}

fn python(script: &str, arguments: &[&str]) -> Finished {
    run(call(script, arguments))
}

/// An nginx on the system's OpenSSL that takes client certificates.
fn nginx(files: &Files, versions: &str) -> (Nginx, u16) {
    let port = free_port();
    let lines = format!(
        "{}ssl_protocols {versions}; ssl_client_certificate {}; ssl_verify_client optional;
        ssl_verify_depth 2; return 200 \"$ssl_protocol $ssl_client_verify $ssl_server_name\";",
        certificate(files),
        files.authorities()
    );
    (Nginx::start(Library::System, 1, port, &server(port, NAME, &lines)), port)
}

fn python_is_a_client(kind: KeyKind) {
    const SCRIPT: &str = "
import socket, ssl, sys
root, port, chain, key = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
context.load_cert_chain(chain, key)
context.set_alpn_protocols(['never/1', 'http/1.1'])
with socket.create_connection(('127.0.0.1', int(port))) as plain:
    with context.wrap_socket(plain, server_hostname='server.example') as tls:
        print(tls.version(), tls.selected_alpn_protocol(), tls.cipher()[1])
        certificate = tls.getpeercert()
        print(certificate['subjectAltName'], certificate['OCSP'])
        print(len(tls.getpeercert(binary_form=True)), tls.server_side, tls.server_hostname)
        tls.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        answer = b''
        while more := tls.recv(4096):
            answer += more
        print(answer.partition(b'\\r\\n\\r\\n')[2].decode())
";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    for version in Version::ALL {
        let number = version.number();
        let (nginx, port) = nginx(&files, &format!("TLSv{number}"));
        let port = port.to_string();
        let done = python(SCRIPT, &[&files.root(), &port, &own.chain(), &own.key()]);
        let length = pki.leaf(Case::Missing).certificate().len();
        done.exits(0)
            .says(&format!("TLSv{number} http/1.1 TLSv{number}\n"))
            .says(&format!("(('DNS', '{NAME}'),) ('{}", pki.lab().responder_url()))
            .says(&format!("{length} False {NAME}\n"))
            .says(&format!("TLSv{number} SUCCESS {NAME}\n"));
        nginx.is_content();
    }
}

fn python_says_why_it_does_not_trust(kind: KeyKind) {
    const SCRIPT: &str = "
import socket, ssl, sys, urllib.request
root, strangers_root, port = sys.argv[1:]
def fetch(cafile, name):
    context = ssl.create_default_context(cafile=cafile)
    with socket.create_connection(('127.0.0.1', int(port))) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            return tls.version()
print(fetch(root, 'server.example'))
for cafile, name in [(root, 'other.example'), (strangers_root, 'server.example')]:
    try:
        fetch(cafile, name)
    except ssl.SSLCertVerificationError as error:
        print(error.reason, error.verify_code, error.verify_message)
context = ssl._create_unverified_context()
print(urllib.request.urlopen(f'https://127.0.0.1:{port}', context=context).read().decode())
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.set_ciphers('ECDHE+AES128')
try:
    urllib.request.urlopen(f'https://127.0.0.1:{port}', context=context)
except OSError as error:
    print(error.reason)
";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    let (nginx, port) = nginx(&files, "TLSv1.3");
    let done = python(SCRIPT, &[&files.root(), &strangers.root(), &port.to_string()]);
    done.exits(0)
        .says("TLSv1.3\n")
        .says("CERTIFICATE_VERIFY_FAILED 62 Hostname mismatch, certificate is not valid for")
        .says("TLSv1.3 NONE \n")
        .says("TLSV1_ALERT_PROTOCOL_VERSION");
    assert_eq!(done.text().matches("CERTIFICATE_VERIFY_FAILED").count(), 2, "{done}");
    nginx.is_content();
}

fn python_is_a_server(kind: KeyKind) {
    const SCRIPT: &str = "
import http.server, ssl, sys
chain, key, authorities = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        tls = self.connection
        peer = tls.getpeercert()
        name = peer['subjectAltName'][0][1] if peer else 'nobody'
        body = f'{tls.version()} {tls.selected_alpn_protocol()} {name}'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_PUT(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
context.load_verify_locations(authorities)
context.verify_mode = ssl.CERT_OPTIONAL
context.set_alpn_protocols(['http/1.1'])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f'ACCEPT 127.0.0.1:{server.server_address[1]}', flush=True)
server.serve_forever()
";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    let mut peer =
        Daemon::start(call(SCRIPT, &[&files.chain(), &files.key(), &files.authorities()]));
    let address = format!("{NAME}:{}/", peer.accept_port());
    let root = files.root();
    for version in Version::ALL {
        let number = version.number();
        let minimum = format!("--tlsv{number}");
        let tls = ["--tls-max", number, &minimum];
        let done = curl(Library::System, &root, &address, &tls);
        assert_eq!(done.exits(0).text(), format!("TLSv{number} http/1.1 nobody"));
        let (chain, key) = (own.chain(), own.key());
        let known = [&tls[..], &["--cert", &chain, "--key", &key]].concat();
        let done = curl(Library::System, &root, &address, &known);
        assert_eq!(done.exits(0).text(), format!("TLSv{number} http/1.1 client.example"));

        let bytes: Vec<u8> = (0..1_000_001).map(|at| (at % 251) as u8).collect();
        let sent = files.write("sent", &bytes);
        let upload = [&tls[..], &["--upload-file", &sent]].concat();
        let done = curl(Library::System, &root, &address, &upload);
        assert!(done.exits(0).stdout() == bytes, "the bytes come back as they went");
    }
}

fn asyncio_runs_over_memory(kind: KeyKind) {
    const SCRIPT: &str = "
import asyncio, ssl, sys
root, chain, key, version = sys.argv[1:]
version = ssl.TLSVersion[version]
def both(purpose, **more):
    context = ssl.create_default_context(purpose, **more)
    context.minimum_version = context.maximum_version = version
    return context
of_server = both(ssl.Purpose.CLIENT_AUTH)
of_server.load_cert_chain(chain, key)
of_client = both(ssl.Purpose.SERVER_AUTH, cafile=root)

async def answer(reader, writer):
    while data := await reader.read(70000):
        writer.write(data)
        await writer.drain()
    writer.close()

async def ask(port, number):
    reader, writer = await asyncio.open_connection(
        '127.0.0.1', port, ssl=of_client, server_hostname='server.example')
    data = bytes([number]) * 300001
    writer.write(data)
    await writer.drain()
    assert await reader.readexactly(len(data)) == data
    name = writer.get_extra_info('ssl_object').version()
    writer.close()
    await writer.wait_closed()
    return name

async def main():
    server = await asyncio.start_server(answer, '127.0.0.1', 0, ssl=of_server)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(ask(port, number) for number in range(4))))
    server.close()

asyncio.run(main())

# The same without a loop: two objects, four BIOs, and a handshake by hand.
to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
client = of_client.wrap_bio(to_client, to_server, server_hostname='server.example')
server = of_server.wrap_bio(to_server, to_client, server_side=True)
waiting, rounds = [client, server], 0
while waiting:
    rounds += 1
    assert rounds < 20
    for side in list(waiting):
        try:
            side.do_handshake()
            waiting.remove(side)
        except ssl.SSLWantReadError:
            pass
server.write(b'hello')
print(client.read(100), client.pending(), client.getpeercert()['subjectAltName'])
# An end without a goodbye counts as an end: that is Python's choice of options.
to_client.write_eof()
print('EOF', client.read(100))
";
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    for (version, name) in [("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")] {
        let done = python(SCRIPT, &[&files.root(), &files.chain(), &files.key(), version]);
        done.exits(0)
            .says(&format!("['{name}', '{name}', '{name}', '{name}']"))
            .says(&format!("b'hello' 0 (('DNS', '{NAME}'),)"))
            .says("EOF b''");
    }
}
