//! Sessions are taken up again: by ticket and by id, across workers, by curl and by nginx, with our
//! libssl on either side.

use certstatus_lab::KeyKind;

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version};
use crate::harness::process::{Program, free_port, run};

/// What nginx says of the first and the later connections of one curl.
const RESUMED: &str = ".rrr";

/// Asserts that a curl on `client` takes its session up again at an nginx on `library`, which closes
/// each connection after one answer.
fn resumes(client: Library, library: Library, version: Version, sessions: &str) {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let port = free_port();
    let lines = format!(
        "{}{sessions} keepalive_timeout 0; return 200 $ssl_session_reused;",
        certificate(&files)
    );
    let http = server(port, NAME, &lines).replace(" http2", "");
    let nginx = Nginx::start(library, 2, port, &http);
    let address = format!("{NAME}:{port}");
    let url = format!("https://{address}");
    let minimum = format!("--tlsv{}", version.number());
    let more = ["--tls-max", version.number(), &minimum, &url, &url, &url];
    let done = curl(client, &files.root(), &address, &more);
    assert_eq!(
        done.exits(0).text(),
        RESUMED,
        "curl on {client:?}, nginx on {library:?}, {version:?}, {sessions}"
    );
    nginx.is_content();
}

/// The pairs of a client and a server of which one at least is on ours.
const PAIRS: [(Library, Library); 3] = [
    (Library::System, Library::Ours),
    (Library::Ours, Library::System),
    (Library::Ours, Library::Ours),
];

#[test]
fn curl_resumes_by_ticket() {
    // In TLS 1.2 curl wants no tickets.
    for (client, library) in PAIRS {
        resumes(client, library, Version::Tls13, "ssl_session_cache none;");
    }
}

#[test]
fn s_client_resumes_by_ticket() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    for (client, library) in PAIRS {
        reconnects(client, library, &files, "ssl_session_cache none;");
    }
}

/// Asserts that `openssl s_client -reconnect` on `client`, which connects five times more with its first
/// session, has it taken up each time, in TLS 1.2.
fn reconnects(client: Library, library: Library, files: &Files, sessions: &str) {
    let port = free_port();
    let lines = format!("{}{sessions} return 204;", certificate(files));
    let nginx = Nginx::start(library, 2, port, &server(port, NAME, &lines));
    let mut command = client.call(&Program::find("openssl", "openssl"));
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME]);
    command.args(["-CAfile", &files.root(), "-tls1_2", "-reconnect"]);
    let done = run(command);
    assert_eq!(done.exits(0).text().matches("Reused, TLSv1.2").count(), 5, "{done}");
    nginx.is_content();
}

#[test]
fn curl_resumes_from_the_cache_of_all_workers() {
    const CACHE: &str = "ssl_session_cache shared:all:1m; ssl_session_tickets off;";
    for (client, library) in [(Library::System, Library::Ours), (Library::Ours, Library::System)] {
        resumes(client, library, Version::Tls12, CACHE);
    }
}

/// Keys of AES-128 and of AES-256, as `ssl_session_ticket_key` has them.
#[test]
fn nginx_takes_the_ticket_keys_of_a_file() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    for length in [48_u8, 80] {
        let keys: Vec<u8> = (0..length).collect();
        let sessions = format!("ssl_session_ticket_key {};", files.write("ticket.key", &keys));
        resumes(Library::System, Library::Ours, Version::Tls13, &sessions);
        reconnects(Library::System, Library::Ours, &files, &sessions);
    }
}
