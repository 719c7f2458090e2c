//! A server that staples for its whole chain, which TLS 1.3 allows (RFC 8446, 4.4.2.1): `gnutls-serv`
//! does so. rustls reads the staple of the server's own certificate only, and the others do no harm.

use tempfile::TempDir;

use crate::harness::command;
use crate::harness::pki::NAME;
use crate::harness::process::{Daemon, Program, free_port, run};

/// An authority, one below it, a server's certificate, and a response about each of the two, as
/// OpenSSL makes them: the lab has no root that answers.
const MAKE: &str = r#"set -e
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout root.key -out root.pem -days 30 -subj "/CN=root"
openssl req $key -keyout int.key -out int.csr -subj "/CN=intermediate"
openssl req $key -keyout key.pem -out leaf.csr -subj "/CN=server"
printf "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,digitalSignature\n" >int.ext
printf "subjectAltName=DNS:$NAME\nextendedKeyUsage=serverAuth\n" >leaf.ext
openssl x509 -req -in int.csr -CA root.pem -CAkey root.key -set_serial 0x2001 -days 20 -extfile int.ext -out int.pem
openssl x509 -req -in leaf.csr -CA int.pem -CAkey int.key -set_serial 0x3001 -days 10 -extfile leaf.ext -out leaf.pem
cat leaf.pem int.pem >chain.pem
answer() {
    printf "V\t%s\t\t%s\tunknown\t/CN=x\n" "$(date -u -d '+9 days' +%y%m%d%H%M%SZ)" "$2" >$1.txt
    openssl ocsp -no_nonce -issuer $3.pem -cert $1.pem -reqout $1.req
    openssl ocsp -index $1.txt -CA $3.pem -rsigner $3.pem -rkey $3.key -reqin $1.req -respout $1.der -ndays 4
}
answer leaf 3001 int
answer int 2001 root
"#;

#[test]
fn a_second_staple_for_the_intermediate_does_no_harm() {
    let directory = TempDir::new().unwrap();
    let mut make = Program::find("sh", "dash").call();
    make.args(["-c", MAKE]).env("NAME", NAME).current_dir(&directory);
    run(make).exits(0);
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (root, port) = (path("root.pem"), free_port());
    let mut call = Program::find("gnutls-serv", "gnutls-bin").call();
    call.args(["--http", "--disable-client-cert", "--port", &port.to_string()]);
    call.args(["--x509certfile", &path("chain.pem"), "--x509keyfile", &path("key.pem")]);
    call.args(["--ocsp-response", &path("leaf.der"), "--ocsp-response", &path("int.der")]);
    let mut server = Daemon::start(call);
    server.wait_for_port(port);

    // Whoever reads all of them sees two.
    let (all, number) = (path("all.pem"), port.to_string());
    let names = ["--sni-hostname", NAME, "--verify-hostname", NAME, "--x509cafile", &root];
    let more = ["--save-ocsp-multi", &all, "--port", &number, "127.0.0.1"];
    Program::find("gnutls-cli", "gnutls-bin").run(names.iter().chain(&more)).exits(0);
    let saved = std::fs::read_to_string(all).unwrap();
    assert_eq!(saved.matches("BEGIN OCSP RESPONSE").count(), 2, "{saved}");

    // We see that of the server, and its certificate is good.
    let (address, target) = (format!("127.0.0.1:{port}"), format!("{NAME}:{port}"));
    for version in ["1.3", "1.2"] {
        let options = ["check", "--tls", version, "--ca-file", &root, "--connect", &address];
        let done = command::run(&[&options[..], &["--json", &target]].concat());
        let report: serde_json::Value = serde_json::from_slice(done.exits(0).stdout()).unwrap();
        let length = std::fs::metadata(path("leaf.der")).unwrap().len();
        assert_eq!(report["connection"]["stapled_bytes"], length, "{report}");
        assert_eq!(report["certificate"]["serial"], "3001", "{report}");
    }
}
