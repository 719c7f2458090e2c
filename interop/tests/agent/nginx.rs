//! nginx: a file that it reads when it is reloaded, and a reload at each change.

use std::fmt::Write as _;

use super::{LIFE, Server, Site};
use crate::harness::pki::NAME;
use crate::harness::process::{Program, free_port};

#[test]
fn nginx_is_kept_stapled() {
    let site = Site::new(LIFE);
    let nginx = Program::find("nginx", "nginx-light");
    let port = free_port();
    let config = site.write("nginx.conf", configuration(&site, port).as_bytes());
    // As an administrator would write `systemctl try-reload-or-restart nginx`.
    let mut reload = nginx.call();
    reload.args(["-p", &site.path(""), "-c", &config, "-e", "stderr", "-s", "reload"]);
    let words: Vec<String> = std::iter::once(reload.get_program())
        .chain(reload.get_args())
        .map(|word| format!("{word:?}"))
        .collect();
    let agent = site.agent(&format!(
        "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\non_change = [{}]\n",
        words.join(", ")
    ));
    let mut start = nginx.call();
    start.args(["-p", &site.path(""), "-c", &config, "-e", "stderr"]);
    let _nginx = Server::start(start, port);
    site.is_kept_stapled(port);
    assert!(!agent.text().contains("ERROR"), "{agent}");
    drop(agent);
}

fn configuration(site: &Site, port: u16) -> String {
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(temporary, "    {kind}_temp_path {};", site.path(kind)).unwrap();
    }
    format!(
        "daemon off;
worker_processes 1;
error_log stderr info;
pid {pid};
events {{ worker_connections 64; }}
http {{
    access_log off;
{temporary}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {NAME};
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_stapling on;
        ssl_stapling_file {staple};
        return 204;
    }}
}}
",
        pid = site.path("nginx.pid"),
        chain = site.path("chain.pem"),
        key = site.path("key.pem"),
        staple = site.path("staple.der"),
    )
}
