//! nginx's `stream` and `mail` on our libssl: TLS without HTTP, on both sides and after STARTTLS.

use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use certstatus_lab::KeyKind;

use super::Library;
use super::web::{Nginx, certificate, server};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{PATIENCE, Program, free_port, run};

with_rsa_and_ecdsa!(nginx_streams, nginx_takes_mail);

fn nginx_streams(kind: KeyKind) {
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    let (plain, secret) = (free_port(), free_port());
    let blocks = format!(
        "stream {{
            ssl_protocols TLSv1.2 TLSv1.3;
            server {{
                listen 127.0.0.1:{plain}; proxy_pass 127.0.0.1:{secret}; proxy_ssl on;
                proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_server_name on;
                proxy_ssl_verify on; proxy_ssl_verify_depth 2; proxy_ssl_name {NAME};
                proxy_ssl_trusted_certificate {};
            }}
            server {{
                listen 127.0.0.1:{secret} ssl; {}
                return \"$ssl_protocol $ssl_server_name\";
            }}
        }}",
        files.root(),
        certificate(&files)
    );
    let nginx = Nginx::start_modules(secret, &["stream"], &blocks);
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, plain)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    assert_eq!(said, format!("TLSv1.3 {NAME}"));
    for version in Version::ALL {
        let mut command = Library::System.call(&Program::find("openssl", "openssl"));
        command.args(["s_client", "-connect", &format!("127.0.0.1:{secret}"), "-quiet"]);
        command.args(["-servername", NAME, "-CAfile", &files.root(), "-verify_return_error"]);
        command.arg(format!("-tls{}", version.number().replace('.', "_")));
        run(command).exits(0).says(&format!("TLSv{} {NAME}", version.number()));
    }
    nginx.is_content();
}

/// The server behind it is on OpenSSL.
#[test]
fn nginx_streams_to_openssl() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let (plain, secret) = (free_port(), free_port());
    let lines = "return 200 \"$ssl_protocol $ssl_server_name\";";
    let http = server(secret, NAME, &(certificate(&files) + lines));
    let behind = Nginx::start(Library::System, 1, secret, &http);
    let blocks = format!(
        "stream {{
            server {{
                listen 127.0.0.1:{plain}; proxy_pass 127.0.0.1:{secret}; proxy_ssl on;
                proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_server_name on;
                proxy_ssl_verify on; proxy_ssl_verify_depth 2; proxy_ssl_name {NAME};
                proxy_ssl_trusted_certificate {};
            }}
        }}",
        files.root(),
    );
    let nginx = Nginx::start_modules(plain, &["stream"], &blocks);
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, plain)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    assert!(said.ends_with(&format!("TLSv1.3 {NAME}")), "{said}");
    nginx.is_content();
    behind.is_content();
}

fn nginx_takes_mail(kind: KeyKind) {
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    let (imap, smtp) = (free_port(), free_port());
    let blocks = format!(
        "mail {{
            server_name {NAME}; auth_http 127.0.0.1:1; ssl_protocols TLSv1.2 TLSv1.3; {}
            server {{ listen 127.0.0.1:{imap} ssl; protocol imap; }}
            server {{ listen 127.0.0.1:{smtp}; protocol smtp; starttls on; smtp_auth none; }}
        }}",
        certificate(&files)
    );
    let nginx = Nginx::start_modules(smtp, &["mail"], &blocks);
    for library in [Library::System, Library::Ours] {
        for (port, more) in [(imap, &[][..]), (smtp, &["-starttls", "smtp"])] {
            let mut command = library.call(&Program::find("openssl", "openssl"));
            command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]).args(more);
            command.args(["-servername", NAME, "-CAfile", &files.root(), "-verify_return_error"]);
            run(command).exits(0).says("Verify return code: 0 (ok)");
        }
    }
    nginx.is_content();
}
