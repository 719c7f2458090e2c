//! lighttpd: a file that it looks at by itself, once a minute, when its staple ends within minutes. A
//! minute is long for a test, so it is restarted gracefully at each change.

use super::{LIFE, Server, Site};
use crate::harness::pki::NAME;
use crate::harness::process::{Program, free_port};

#[test]
fn lighttpd_is_kept_stapled() {
    let site = Site::new(LIFE);
    let port = free_port();
    let pid = site.path("lighttpd.pid");
    let agent = site.agent(&format!(
        "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n\
         on_change = \"test ! -e {pid} || kill -USR1 $(cat {pid})\"\n"
    ));
    let config = site.write("lighttpd.conf", configuration(&site, port).as_bytes());
    let module = std::path::Path::new("/usr/lib/lighttpd/mod_openssl.so");
    assert!(module.is_file(), "run `apt-get install lighttpd-mod-openssl`, or `ci/test`");
    let mut call = Program::find("lighttpd", "lighttpd").call();
    call.args(["-D", "-f", &config]);
    let _lighttpd = Server::start(call, port);
    site.is_kept_stapled(port);
    assert!(!agent.text().contains("ERROR"), "{agent}");
    drop(agent);
}

fn configuration(site: &Site, port: u16) -> String {
    format!(
        "server.document-root = \"{root}\"
server.bind = \"127.0.0.1\"
server.port = {port}
server.pid-file = \"{root}lighttpd.pid\"
server.modules = ( \"mod_openssl\", \"mod_staticfile\" )
server.name = \"{NAME}\"
ssl.engine = \"enable\"
ssl.pemfile = \"{chain}\"
ssl.privkey = \"{key}\"
ssl.stapling-file = \"{staple}\"
",
        root = site.path(""),
        chain = site.path("chain.pem"),
        key = site.path("key.pem"),
        staple = site.path("staple.der"),
    )
}
