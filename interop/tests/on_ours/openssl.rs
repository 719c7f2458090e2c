//! `openssl s_client` and `openssl s_server` on our libssl: the programs that show everything.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, free_port, run};
use crate::harness::server::Server;
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    s_client_reads_staples,
    s_client_shows_what_was_agreed,
    s_client_shows_messages_steps_and_extensions,
    s_server_staples_what_a_file_holds,
    s_server_verifies_its_clients,
);

/// `openssl s_client` on ours, which verifies, of that version of TLS and no other.
fn s_client(files: &Files, port: u16, version: Version, more: &[&str]) -> Finished {
    let mut command = Library::Ours.call(&Program::find("openssl", "openssl"));
    let version = format!("-tls{}", version.number().replace('.', "_"));
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME]);
    command.args(["-CAfile", &files.root(), "-verify_return_error", &version]);
    command.args(["-verify_hostname", NAME]).args(more);
    run(command)
}

fn s_client_reads_staples(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let peer = Server::start(pki, case, version);
        let done = s_client(&files, peer.port(), version, &["-status"]);
        done.exits(0).says("Verify return code: 0 (ok)").says(match case {
            Case::Good | Case::Expired => "Cert Status: good",
            Case::Revoked => "Cert Status: revoked",
            Case::Missing => "OCSP response: no response sent",
        });
        if case != Case::Missing {
            let serial = certstatus::hex(pki.leaf(case).serial()).to_uppercase();
            done.says(&format!("Serial Number: {serial}"));
        }
        let unasked = s_client(&files, peer.port(), version, &[]);
        unasked.exits(0).does_not_say("OCSP");
    }
}

fn s_client_shows_what_was_agreed(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    let port = free_port();
    let lines = format!(
        "{}ssl_client_certificate {}; ssl_verify_client optional; ssl_verify_depth 2; return 204;",
        certificate(&files),
        files.authorities()
    );
    let mut nginx = Nginx::start(Library::System, 1, port, &server(port, NAME, &lines));
    let signed = if kind.is_rsa() { "RSA-PSS" } else { "ECDSA" };
    for version in Version::ALL {
        let certificate = ["-cert", &own.leaf(), "-cert_chain", &own.issuer(), "-key", &own.key()];
        let more = [&["-alpn", "h2,http/1.1", "-showcerts"], &certificate[..]].concat();
        let done = s_client(&files, port, version, &more);
        done.exits(0)
            .says(&format!("New, TLSv{}, Cipher is ", version.number()))
            .says("ALPN protocol: h2")
            .says("Acceptable client certificate CA names")
            .says(&format!("Peer signature type: {signed}"))
            .says("Verification: OK");
        let more = ["-verify_hostname", "other.example"];
        s_client(&files, port, version, &more).exits(1).says("hostname mismatch");
        let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
        s_client(&strangers, port, version, &[]).exits(1).says("verify error:num=");
    }
    let suite = [
        "-cipher",
        if kind.is_rsa() { "ECDHE-RSA-CHACHA20-POLY1305" } else { "ECDHE-ECDSA-CHACHA20-POLY1305" },
    ];
    s_client(&files, port, Version::Tls12, &suite)
        .exits(0)
        .says(&format!("Cipher is {}", suite[1]));
    let suite = ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"];
    s_client(&files, port, Version::Tls13, &suite)
        .exits(0)
        .says(&format!("Cipher is {}", suite[1]));
    nginx.wait_for_words("alert unknown ca");
    nginx.is_content();
}

fn s_client_shows_messages_steps_and_extensions(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Good);
    for version in Version::ALL {
        let peer = Server::start(pki, Case::Good, version);
        let more = ["-msg", "-state", "-tlsextdebug", "-status"];
        let done = s_client(&files, peer.port(), version, &more);
        let spoken = format!("TLS {}", version.number());
        done.exits(0)
            .says(&format!(">>> {spoken}, Handshake [length "))
            .says(", ClientHello")
            .says(&format!("<<< {spoken}, Handshake [length "))
            .says(", ServerHello")
            .says(&format!(">>> {spoken}, ChangeCipherSpec [length 0001]"))
            .says(&format!(">>> {spoken}, Alert [length 0002], warning close_notify"))
            .says("SSL_connect:before SSL initialization")
            .says("SSL_connect:SSLv3/TLS read server certificate")
            .says("SSL_connect:SSLv3/TLS write finished")
            .says("SSL3 alert write:warning:close notify")
            .says("Server Temp Key: X25519, 253 bits");
        match version {
            Version::Tls12 => done
                .says("<<< TLS 1.2, Handshake [length 0010], Finished")
                .says("SSL_connect:SSLv3/TLS read certificate status")
                .says("TLS server extension \"renegotiation info\" (id=65281), len=1")
                .says("Secure Renegotiation IS supported"),
            Version::Tls13 => done
                .says(", EncryptedExtensions")
                .says("<<< TLS 1.3, InnerContent [length 0001]")
                .says("SSL_connect:TLSv1.3 read server certificate verify")
                .says("TLS server extension \"supported versions\" (id=43), len=2")
                .says("TLS server extension \"status request\" (id=5), len="),
        };
    }
}

/// `openssl s_server` on ours, as a web server, and its port.
fn s_server(files: &Files, more: &[&str]) -> (Daemon, u16) {
    let mut command = Library::Ours.call(&Program::find("openssl", "openssl"));
    command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &files.leaf()]);
    command.args(["-key", &files.key(), "-cert_chain", &files.issuer()]).args(more);
    let mut server = Daemon::start(command);
    let port = server.accept_port();
    (server, port)
}

fn s_server_staples_what_a_file_holds(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for case in Case::ALL {
        let files = Files::of_case(pki, case);
        let staple = files.staple();
        let more = staple.as_ref().map(|staple| ["-status_file", staple]);
        let (mut server, port) =
            s_server(&files, more.as_ref().map_or(&[], |more| more.as_slice()));
        for version in Version::ALL {
            command::check(&files, port, version, case);
            client::connect(pki.lab(), port, version).is_as_told(case);
            let minimum = format!("--tlsv{}", version.number());
            let tls = ["--tls-max", version.number(), &minimum];
            let address = format!("{NAME}:{port}");
            let done = curl(Library::System, &files.root(), &address, &tls);
            done.exits(0).says(&format!("Protocol  : TLSv{}", version.number()));
            let strict = [&tls[..], &["--cert-status"]].concat();
            let done = curl(Library::System, &files.root(), &address, &strict);
            done.exits(if case == Case::Good { 0 } else { 91 });
        }
        if let Some(alert) = case.alert() {
            server.wait_for_words(&format!("SSL alert number {alert}"));
        }
    }
}

fn s_server_verifies_its_clients(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let leaf = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &leaf);
    let authorities = files.authorities();
    let (_server, port) =
        s_server(&files, &["-Verify", "2", "-verify_return_error", "-CAfile", &authorities]);
    let address = format!("{NAME}:{port}");
    for version in Version::ALL {
        let minimum = format!("--tlsv{}", version.number());
        let tls = ["--tls-max", version.number(), &minimum];
        let (chain, key) = (own.chain(), own.key());
        let known = [&tls[..], &["--cert", &chain, "--key", &key]].concat();
        curl(Library::System, &files.root(), &address, &known)
            .exits(0)
            .says("Client certificate")
            .says("CN=client.example");
        curl(Library::System, &files.root(), &address, &tls).fails().says("alert");
    }
}
