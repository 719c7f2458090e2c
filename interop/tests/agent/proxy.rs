//! Apache as the proxy on the way to a responder of https, which is Apache as well, before the lab's.

use std::time::Duration;

use certstatus_lab::LeafRequest;

use super::{Server, Site};
use crate::harness::command;
use crate::harness::process::{Program, free_port, run};

/// What is loaded; Debian's apache2-bin has all of it.
const MODULES: [&str; 7] =
    ["mpm_event", "authz_core", "socache_shmcb", "ssl", "proxy", "proxy_http", "proxy_connect"];

/// The agent asks for a tunnel, has TLS with the responder within it, and the proxy sees no more than
/// the name.
#[test]
fn a_responder_of_https_is_asked_through_a_proxy() {
    let site = Site::new(Duration::from_secs(4 * 86_400));
    let leaf = site.lab.issue(LeafRequest::new("localhost")).expect("a certificate");
    let files = site.lab.write_files(site.path("responder"), &leaf).expect("files");
    let (proxy, tls) = (free_port(), free_port());
    let mut lines: Vec<_> = MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"))
        .collect();
    lines.push(format!(
        "ServerRoot {root}
PidFile {root}/pid
ServerName localhost
Listen 127.0.0.1:{proxy}
Listen 127.0.0.1:{tls}
User www-data
Group www-data
ErrorLog /dev/stderr
CustomLog {root}/log \"%p %r %>s\"
StartServers 1
<VirtualHost 127.0.0.1:{proxy}>
ProxyRequests On
AllowCONNECT {tls}
</VirtualHost>
<VirtualHost 127.0.0.1:{tls}>
SSLEngine on
SSLCertificateFile {chain}
SSLCertificateKeyFile {key}
AllowEncodedSlashes NoDecode
ProxyPass /ocsp {responder} nocanon
</VirtualHost>
",
        root = site.path(""),
        chain = files.chain_pem.display(),
        key = files.key_pem.display(),
        responder = site.lab.responder_url(),
    ));
    let config = site.write("httpd.conf", lines.join("\n").as_bytes());
    let mut call = Program::find("apache2", "apache2-bin").call();
    call.args(["-DFOREGROUND", "-f", &config]);
    let mut apache = Server::start(call, tls);
    apache.0.wait_for_port(proxy);

    let config = site.configuration(
        "agent",
        "store",
        &format!(
            "fetch.proxy = \"http://127.0.0.1:{proxy}\"\n[[certificate]]\npath = \"chain.pem\"\n\
             responder = \"https://localhost:{tls}/ocsp\"\noutput = \"staple.der\"\n"
        ),
    );
    let mut call = command::program().call();
    call.args(["agent", "--once", "--config", &config]).env("SSL_CERT_FILE", site.path("root.pem"));
    run(call).exits(0).says("1 fresh");
    assert!(std::fs::exists(site.path("staple.der")).expect("a directory"));
    assert_eq!(site.lab.requests(), 1);
    drop(apache);
    let log = std::fs::read_to_string(site.path("log")).expect("a log");
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_by_key(|line| !line.contains("CONNECT"));
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0], format!("{proxy} CONNECT localhost:{tls} HTTP/1.1 200"), "{log}");
    assert!(lines[1].starts_with(&format!("{tls} GET /ocsp/M")), "{log}");
}
