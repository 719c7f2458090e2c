//! Apache with its mod_ssl on our libssl: hosts chosen by name, staples that it fetches, clients
//! verified, sessions of all its processes, and TLS towards the servers behind it.

use std::fmt::Write as _;

use certstatus_lab::{KeyKind, LeafRequest};
use tempfile::TempDir;

use super::authority::Authority;
use super::web::{self, Nginx};
use super::{Library, curl, only};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, eventually, free_port, run};
use crate::harness::server::{GREETING, Server};
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    apache_chooses_the_host_by_name,
    apache_staples_what_it_has_fetched,
    apache_verifies_the_server_behind_it,
);

/// What is loaded: nothing else is needed, and Debian's apache2-bin has all of it.
const MODULES: [&str; 8] =
    ["mpm_event", "authz_core", "alias", "socache_shmcb", "ssl", "http2", "proxy", "proxy_http"];

/// A running Apache with two processes.
struct Apache {
    daemon: Daemon,
    port: u16,
    // Goes away after Apache.
    _directory: TempDir,
}

impl Apache {
    /// Starts it on ours with these lines: of all hosts, and its hosts by [`host`], in which `PORT`
    /// is the port.
    fn start(lines: &str, hosts: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let port = free_port();
        let root = directory.path().to_str().expect("a plain name");
        let mut configuration = String::new();
        for module in MODULES {
            let path = format!("/usr/lib/apache2/modules/mod_{module}.so");
            writeln!(configuration, "LoadModule {module}_module {path}").unwrap();
        }
        write!(
            configuration,
            "ServerRoot {root}
PidFile {root}/pid
DocumentRoot {root}
ServerName {NAME}
Listen 127.0.0.1:{port}
User www-data
Group www-data
ErrorLog /dev/stderr
LogLevel info
StartServers 2
ServerLimit 2
ThreadsPerChild 8
MaxRequestWorkers 16
MinSpareThreads 1
MaxSpareThreads 16
Protocols h2 http/1.1
SSLProtocol -all +TLSv1.2 +TLSv1.3
{lines}
{hosts}
",
            lines = lines.replace("PREFIX", root),
            hosts = hosts.replace("PORT", &port.to_string()),
        )
        .unwrap();
        let path = directory.path().join("httpd.conf");
        std::fs::write(&path, configuration).expect("a file");
        let mut call = Library::Ours.call(&Program::find("apache2", "apache2-bin"));
        call.args(["-DFOREGROUND", "-f"]).arg(&path);
        let mut daemon = Daemon::start(call);
        daemon.wait_for_words("resuming normal operations");
        daemon.wait_for_port(port);
        Self { daemon, port, _directory: directory }
    }

    /// What the system's curl gets of that name, with these options.
    fn fetch(&self, files: &Files, name: &str, more: &[&str]) -> Finished {
        curl(Library::System, &files.root(), &format!("{name}:{}", self.port), more)
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // One that is killed leaves its processes behind.
        self.daemon.terminate();
    }
}

/// A host with a certificate and these lines.
fn host(name: &str, files: &Files, lines: &str) -> String {
    format!(
        "<VirtualHost 127.0.0.1:PORT>
ServerName {name}
SSLEngine on
SSLCertificateFile {}
SSLCertificateKeyFile {}
{lines}
</VirtualHost>
",
        files.chain(),
        files.key()
    )
}

/// The lines of a host that answers every request with Apache's own facts.
fn saying(what: &str) -> String {
    format!("Redirect 404 /\nErrorDocument 404 \"{what}\"\n")
}

fn apache_chooses_the_host_by_name(kind: KeyKind) {
    const OTHER: &str = "other.example";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let others = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(OTHER)).unwrap());
    let says = saying("%{SERVER_NAME} %{SSL_PROTOCOL} %{SERVER_PROTOCOL} %{SSL_TLS_SNI}");
    let hosts =
        host(NAME, &files, &says) + &host(OTHER, &others, &(says + "SSLProtocol -all +TLSv1.3"));
    let apache = Apache::start("", &hosts);
    for version in Version::ALL {
        let number = version.number();
        for (option, protocol) in [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1")] {
            let done = apache.fetch(&files, NAME, &[&only(version)[..], &[option]].concat());
            assert_eq!(done.exits(0).text(), format!("{NAME} TLSv{number} {protocol} {NAME}"));
        }
        command::check(&files, apache.port, version, Case::Missing);
    }
    let done = apache.fetch(&files, OTHER, &only(Version::Tls13));
    assert_eq!(done.exits(0).text(), format!("{OTHER} TLSv1.3 HTTP/2.0 {OTHER}"));
    apache.fetch(&files, OTHER, &only(Version::Tls12)).exits(35).says("protocol version");
}

#[test]
fn apache_shows_the_certificate_that_the_client_can_read() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    let rsa = LeafRequest::new(NAME).key(KeyKind::Rsa2048);
    let rsa = Files::of(pki.lab(), &pki.lab().issue(rsa).unwrap());
    let second = format!("SSLCertificateFile {}\nSSLCertificateKeyFile {}", rsa.chain(), rsa.key());
    let apache = Apache::start("", &host(NAME, &files, &(saying("%{SSL_CIPHER}") + &second)));
    for cipher in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"] {
        let tls = [&only(Version::Tls12)[..], &["--ciphers", cipher]].concat();
        assert_eq!(apache.fetch(&files, NAME, &tls).exits(0).text(), cipher);
    }
}

/// mod_ssl asks the responder in the handshake, so that the first client has its staple too.
fn apache_staples_what_it_has_fetched(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let lines = "SSLStaplingCache shmcb:PREFIX/staples(128000)\nSSLUseStapling on";
    for (revoked, case) in [(false, Case::Good), (true, Case::Revoked)] {
        let leaf = pki.lab().issue(LeafRequest::new(NAME)).unwrap();
        let files = Files::of(pki.lab(), &leaf);
        if revoked {
            pki.lab().revoke(&leaf, None);
        }
        let apache = Apache::start(lines, &host(NAME, &files, ""));
        for version in Version::ALL {
            command::check(&files, apache.port, version, case);
            client::connect(pki.lab(), apache.port, version).is_as_told(case);
            let strict = [&only(version)[..], &["--cert-status"]].concat();
            let done = apache.fetch(&files, NAME, &strict);
            done.exits(if case == Case::Good { 0 } else { 91 });
        }
    }
    // Without a responder there is no staple, and mod_ssl can be told to say nothing then.
    let nobody = LeafRequest::new(NAME).responder_urls(["http://127.0.0.1:1/"]);
    let files = Files::of(pki.lab(), &pki.lab().issue(nobody).unwrap());
    let silent = format!(
        "{lines}\nSSLStaplingReturnResponderErrors off\nSSLStaplingFakeTryLater off\n\
         SSLStaplingResponderTimeout 1"
    );
    let apache = Apache::start(&silent, &host(NAME, &files, ""));
    command::check(&files, apache.port, Version::Tls13, Case::Missing);
}

#[test]
fn apache_knows_its_clients_and_whom_a_list_revokes() {
    let own = Authority::new(Pki::shared(KeyKind::EcdsaP256));
    let lines = |verify: &str| {
        saying("%{SSL_CLIENT_VERIFY} %{SSL_CLIENT_S_DN}")
            + &format!(
                "SSLVerifyClient {verify}\nSSLCACertificateFile {}\nSSLCARevocationFile {}\n\
             SSLCARevocationCheck chain",
                own.root(),
                own.list()
            )
    };
    let hosts = host(NAME, &own.files, &lines("require"))
        + &host("optional.example", &own.files, &lines("optional"));
    let apache = Apache::start("", &hosts);
    for version in Version::ALL {
        let fetch = |name, client| {
            let options = own.options(version, client);
            let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
            options.push("--insecure");
            apache.fetch(&own.files, name, &options)
        };
        for name in [NAME, "optional.example"] {
            let done = fetch(name, Some("known"));
            assert_eq!(done.exits(0).text(), "SUCCESS CN=known.example");
            fetch(name, Some("revoked")).fails();
        }
        fetch(NAME, None).fails();
        assert_eq!(fetch("optional.example", None).exits(0).text(), "NONE ");
    }
}

/// For a directory alone, mod_ssl asks for the certificate when the request has come: in TLS 1.2 by
/// renegotiation, in TLS 1.3 after the handshake. There is neither, and the client hears so at once.
#[test]
fn apache_forbids_at_once_what_needs_a_renegotiation() {
    let own = Authority::new(Pki::shared(KeyKind::EcdsaP256));
    let location = |path: &str, line: &str| format!("<Location {path}>\n{line}\n</Location>\n");
    let lines = format!("SSLCACertificateFile {}\nErrorDocument 404 open\n", own.root())
        + "ErrorDocument 403 forbidden\n"
        + &location("/require", "SSLVerifyClient require\nSSLVerifyDepth 2")
        + &location("/optional", "SSLVerifyClient optional");
    let apache = Apache::start("", &host(NAME, &own.files, &lines));
    for version in Version::ALL {
        for client in [None, Some("known")] {
            let mut options = own.options(version, client);
            options.extend(["--http1.1", "--max-time", "8"].map(String::from));
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let fetch = |path: &str, more: &[&str]| {
                let all = [&options[..], more].concat();
                let name = format!("{NAME}:{}/{path}", apache.port);
                curl(Library::System, &own.files.root(), &name, &all).exits(0).text()
            };
            assert_eq!(fetch("", &[]), "open", "{version:?}");
            for path in ["require", "optional"] {
                assert_eq!(fetch(path, &[]), "forbidden", "{version:?}, {path}");
                let posted = fetch(path, &["--data", "some words"]);
                assert_eq!(posted, "forbidden", "{version:?}, {path}, posted");
            }
        }
    }
}

#[test]
fn apache_resumes_by_id_and_by_ticket_in_all_its_processes() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let cache = "SSLSessionCache shmcb:PREFIX/sessions(512000)\nSSLSessionTickets";
    let keys: Vec<u8> = (0..48).collect();
    let keys = files.write("ticket.key", &keys);
    for sessions in [
        format!("{cache} off"),
        format!("{cache} on"),
        format!("SSLSessionCache none\nSSLSessionTicketKeyFile {keys}"),
    ] {
        let apache =
            Apache::start(&sessions, &host(NAME, &files, &saying("%{SSL_SESSION_RESUMED} ")));
        let url = format!("https://{NAME}:{}", apache.port);
        let close = ["--http1.1", "--header", "Connection: close", &url, &url, &url];
        for version in Version::ALL {
            // In TLS 1.2 curl wants no tickets.
            if version == Version::Tls12 && sessions.contains("none") {
                continue;
            }
            let done = apache.fetch(&files, NAME, &[&only(version)[..], &close].concat());
            // Apache's callback says that a ticket of its keys need not be renewed: as with OpenSSL, a
            // resumption of TLS 1.3 then brings no new one, and curl uses each once.
            let said = match sessions.contains("none") {
                true => "Initial Resumed Initial Resumed ",
                false => "Initial Resumed Resumed Resumed ",
            };
            assert_eq!(done.exits(0).text(), said, "{version:?}, {sessions}");
        }
        let mut call = Library::System.call(&Program::find("openssl", "openssl"));
        call.args(["s_client", "-connect", &format!("127.0.0.1:{}", apache.port)]);
        call.args(["-servername", NAME, "-tls1_2", "-reconnect"]);
        let done = run(call);
        assert_eq!(done.exits(0).text().matches("Reused, TLSv1.2").count(), 5, "{done}");
    }
}

fn apache_verifies_the_server_behind_it(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    for version in Version::ALL {
        let behind = Server::start(pki, Case::Missing, version);
        let before = |root: &str, name: &str| {
            let lines = format!(
                "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 2\n\
                 SSLProxyCACertificateFile {root}\nProxyPreserveHost on\n\
                 ProxyPass / https://127.0.0.1:{}/",
                behind.port()
            );
            Apache::start("", &host(name, &files, &lines))
        };
        let apache = before(&files.root(), NAME);
        assert_eq!(apache.fetch(&files, NAME, &[]).exits(0).text(), GREETING);
        let apache = before(&files.root(), "other.example");
        apache.fetch(&files, "other.example", &["--insecure"]).exits(0).says("Proxy Error");
        let apache = before(&strangers.root(), NAME);
        apache.fetch(&files, NAME, &[]).exits(0).says("Proxy Error");
    }
}

/// The server behind it asks for a certificate, and Apache has one to show.
#[test]
fn apache_shows_its_certificate_upstream() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("proxy.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    let read = |path| std::fs::read(path).expect("a file of the lab");
    let pair = own.write("pair.pem", &[read(own.leaf()), read(own.key())].concat());
    for version in Version::ALL {
        let behind = free_port();
        let lines = format!(
            "{}ssl_protocols TLSv{}; ssl_client_certificate {}; ssl_verify_client on;
            ssl_verify_depth 2; return 200 \"$ssl_client_verify $ssl_client_serial\";",
            web::certificate(&files),
            version.number(),
            files.authorities()
        );
        let http = web::server(behind, NAME, &lines);
        let nginx = Nginx::start(Library::System, 1, behind, &http);
        let lines = format!(
            "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 2\n\
             SSLProxyCACertificateFile {}\nProxyPreserveHost on\n\
             SSLProxyMachineCertificateFile {pair}\nSSLProxyMachineCertificateChainFile {}\n\
             ProxyPass / https://127.0.0.1:{behind}/",
            files.root(),
            own.issuer(),
        );
        let apache = Apache::start("", &host(NAME, &files, &lines));
        let serial = certstatus::hex(client.serial()).to_uppercase();
        let done = apache.fetch(&files, NAME, &[]);
        assert_eq!(done.exits(0).text(), format!("SUCCESS {serial}"), "{version:?}");
        nginx.is_content();
    }
}

/// SIGUSR1 replaces the processes, and no request is lost.
#[test]
fn apache_reloads_gracefully() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let apache = Apache::start("", &host(NAME, &files, &saying("%{SSL_PROTOCOL}")));
    let restarts = || apache.daemon.text().matches("resuming normal operations").count();
    for before in 1..3 {
        apache.daemon.signal("USR1");
        eventually("a graceful restart", || {
            assert_eq!(apache.fetch(&files, NAME, &[]).exits(0).text(), "TLSv1.3");
            (restarts() > before).then_some(())
        });
    }
    assert_eq!(apache.fetch(&files, NAME, &[]).exits(0).text(), "TLSv1.3");
}
