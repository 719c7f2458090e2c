//! Perl's IO::Socket::SSL, which stands on Net::SSLeay, on our libssl.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl, only};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Program, free_port, run};

with_rsa_and_ecdsa!(perl_is_a_client, perl_is_a_server, perl_verifies_staples);

/// A call of Perl on ours with a script, which finds what it needs in `@ARGV`.
fn call(script: &str, arguments: &[&str]) -> std::process::Command {
    let perl = Program::at("/usr/bin/perl".as_ref());
    let module = "/usr/share/perl5/IO/Socket/SSL.pm";
    let installed = std::path::Path::new(module).is_file();
    assert!(installed, "run `apt-get install libio-socket-ssl-perl`, or `ci/test`");
    let mut command = Library::Ours.call(&perl);
    let start = "use strict; use IO::Socket::SSL; alarm 12; $| = 1;\n";
    command.args(["-e", &format!("{start}{script}")]).args(arguments);
    command
}

fn perl_is_a_client(kind: KeyKind) {
    const SCRIPT: &str = r#"
my ($port, $root, $strangers, $chain, $key) = @ARGV;
my $sessions = IO::Socket::SSL::Session_Cache->new(5);
sub connection {
    my %more = @_;
    return IO::Socket::SSL->new(
        PeerAddr => "127.0.0.1:$port", SSL_hostname => 'server.example', SSL_ca_file => $root,
        SSL_verifycn_name => 'server.example', SSL_verifycn_scheme => 'http',
        SSL_cert_file => $chain, SSL_key_file => $key, SSL_alpn_protocols => ['http/1.1'], %more);
}
for my $version ('TLSv1_2', 'TLSv1_3') {
    my $tls = connection(SSL_version => $version) or die $SSL_ERROR;
    print join(' ', $tls->get_sslversion, $tls->alpn_selected, $tls->peer_certificate('cn')), "\n";
    print $tls "GET / HTTP/1.0\r\n\r\n";
    my $answer = do { local $/; <$tls> };
    print $answer =~ /\r\n\r\n(.*)/s, "\n";
}
print connection(SSL_verifycn_name => 'other.example') ? 'connected' : $SSL_ERROR, "\n";
print connection(SSL_ca_file => $strangers) ? 'connected' : $SSL_ERROR, "\n";
"#;
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    let own = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &own);
    let port = free_port();
    let lines = format!(
        "{}ssl_client_certificate {}; ssl_verify_client on; ssl_verify_depth 2;
        return 200 \"$ssl_protocol $ssl_client_verify $ssl_server_name\";",
        certificate(&files),
        files.authorities()
    );
    let nginx = Nginx::start(Library::System, 1, port, &server(port, NAME, &lines));
    let port = port.to_string();
    let arguments = [&port, &files.root(), &strangers.root(), &own.chain(), &own.key()];
    let done = run(call(SCRIPT, &arguments.map(String::as_str)));
    done.exits(0).says("hostname verification failed\n").says("certificate verify failed\n");
    for version in ["1.2", "1.3"] {
        done.says(&format!("TLSv1_{} http/1.1 {NAME}\n", &version[2..]));
        done.says(&format!("TLSv{version} SUCCESS {NAME}\n"));
    }
    nginx.is_content();
}

fn perl_is_a_server(kind: KeyKind) {
    const SCRIPT: &str = r#"
my ($chain, $key, $other_chain, $other_key, $authorities) = @ARGV;
my $server = IO::Socket::SSL->new(
    LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5, SSL_server => 1,
    SSL_cert_file => { '' => $chain, 'other.example' => $other_chain },
    SSL_key_file => { '' => $key, 'other.example' => $other_key },
    SSL_verify_mode => SSL_VERIFY_PEER, SSL_ca_file => $authorities,
    SSL_alpn_protocols => ['http/1.1']) or die $SSL_ERROR;
print 'ACCEPT 127.0.0.1:', $server->sockport, "\n";
while (1) {
    my $tls = $server->accept or next;
    while (my $line = <$tls>) { last if $line eq "\r\n" }
    my $body = join ' ', $tls->get_sslversion, $tls->get_servername, $tls->alpn_selected,
        $tls->peer_certificate('cn') || 'nobody';
    print $tls "HTTP/1.1 200 OK\r\nContent-Length: ", length $body, "\r\n\r\n$body";
    $tls->close;
}
"#;
    const OTHER: &str = "other.example";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let leaf = pki.lab().issue(LeafRequest::new(OTHER)).unwrap();
    let others = Files::of(pki.lab(), &leaf);
    let arguments = [files.chain(), files.key(), others.chain(), others.key(), files.authorities()];
    let mut peer = Daemon::start(call(SCRIPT, &arguments.each_ref().map(String::as_str)));
    let port = peer.accept_port();
    for version in Version::ALL {
        for name in [NAME, OTHER] {
            let address = format!("{name}:{port}");
            let done = curl(Library::System, &files.root(), &address, &only(version));
            let spoken = format!("TLSv1_{} {name} http/1.1", &version.number()[2..]);
            assert_eq!(done.exits(0).text(), format!("{spoken} nobody"));
            let (chain, key) = (others.chain(), others.key());
            let known = [&only(version)[..], &["--cert", &chain, "--key", &key]].concat();
            let done = curl(Library::System, &files.root(), &address, &known);
            assert_eq!(done.exits(0).text(), format!("{spoken} {OTHER}"));
        }
    }
}

/// It sets a status callback of its own, in Perl, that verifies what is stapled.
fn perl_verifies_staples(kind: KeyKind) {
    const SCRIPT: &str = r#"
my ($port, $root, $version) = @ARGV;
my $tls = IO::Socket::SSL->new(
    PeerAddr => "127.0.0.1:$port", SSL_hostname => 'server.example', SSL_ca_file => $root,
    SSL_verifycn_name => 'server.example', SSL_version => $version,
    SSL_ocsp_mode => SSL_OCSP_MUST_STAPLE | SSL_OCSP_FAIL_HARD);
print $tls ? "connected\n" : "refused: $SSL_ERROR\n";
"#;
    let pki = Pki::shared(kind);
    for case in Case::ALL {
        let files = Files::of_case(pki, case);
        let stapling = match files.staple() {
            Some(staple) => format!("ssl_stapling on; ssl_stapling_file {staple};"),
            None => String::new(),
        };
        let port = free_port();
        let lines = format!("{}{stapling} return 204;", certificate(&files));
        let _nginx = Nginx::start(Library::System, 1, port, &server(port, NAME, &lines));
        for version in ["TLSv1_2", "TLSv1_3"] {
            let done = run(call(SCRIPT, &[&port.to_string(), &files.root(), version]));
            done.exits(0).says(match case {
                // To the module one that cannot be verified is no reason to refuse.
                Case::Good | Case::Expired => "connected\n",
                Case::Revoked | Case::Missing => "refused: ",
            });
        }
    }
}
