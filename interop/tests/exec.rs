//! `certstatus exec` with real programs, and `make install`: unmodified programs come to run with
//! our library in their memory, by the loader's own word and by the kernel's.
//!
//! Whether TLS works on it then is for the tests of the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::harness::process::{Finished, Program, run};
use super::harness::{command, libssl};

/// `certstatus exec` with our library.
fn exec(options: &[&str], program: &[&str]) -> Finished {
    let mut call = command::program().call();
    call.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
    call.arg("exec").arg("--lib").arg(libssl::file()).args(options).arg("--").args(program);
    run(call)
}

/// What `--check` says of a program, as JSON.
fn check(program: &[&str]) -> Value {
    let done = exec(&["--check", "--json"], program);
    serde_json::from_slice(done.stdout()).unwrap_or_else(|e| panic!("no JSON: {e}\n{done}"))
}

/// Asserts that a program's memory, which it has printed as `/proc/self/maps`, has our library and
/// no other libssl.
#[track_caller]
fn has_ours(maps: &Finished) {
    let ours = libssl::file().to_str().unwrap();
    let text = maps.text();
    let all: Vec<&str> = text.lines().filter(|line| line.contains("libssl.so")).collect();
    assert!(!all.is_empty(), "no libssl is loaded\n{maps}");
    assert!(all.iter().all(|line| line.contains(ours)), "not {ours}: {all:#?}");
}

#[test]
fn the_loader_takes_ours_for_the_programs_of_the_system() {
    for (name, package) in [("curl", "curl"), ("openssl", "openssl"), ("nginx", "nginx-light")] {
        Program::find(name, package);
    }
    for (program, needed_by) in
        [("curl", "libcurl.so.4"), ("openssl", "openssl"), ("nginx", "nginx")]
    {
        let mut call = command::program().call();
        // Where Debian has nginx is not in everyone's PATH.
        let path = std::env::var("PATH").unwrap_or_default();
        call.env("PATH", format!("{path}:/usr/sbin")).args(["--json", "exec", "--check", "--lib"]);
        call.arg(libssl::file()).arg("--").arg(program);
        let done = run(call);
        done.exits(0);
        let report: Value = serde_json::from_slice(done.stdout()).unwrap();
        assert_eq!(report["usage"], "at_start", "{report}");
        let named = report["needed_by"].as_array().unwrap();
        assert!(named.contains(&needed_by.into()), "{report}");
    }
}

#[test]
fn curl_runs_with_ours_in_its_memory() {
    Program::find("curl", "curl");
    let done = exec(&[], &["curl", "--silent", "file:///proc/self/maps"]);
    has_ours(done.exits(0));
    // And ends as it ends by itself: 3 is a malformed URL.
    exec(&[], &["curl", "--silent", "http://:"]).exits(3);
}

#[test]
fn python_loads_ours_when_it_comes_to_its_ssl_module() {
    Program::find("python3", "python3");
    let script = "import ssl; print(open('/proc/self/maps').read())";
    let done = exec(&[], &["/usr/bin/python3", "-c", script]);
    has_ours(done.exits(0));
    assert_eq!(check(&["/usr/bin/python3"])["usage"], "later");
}

#[test]
fn what_a_script_starts_runs_on_ours() {
    let directory = TempDir::new().unwrap();
    let script = directory.path().join("script");
    std::fs::write(&script, "#!/bin/sh\ncurl --silent file:///proc/self/maps\n").unwrap();
    Program::find("chmod", "coreutils").run([Path::new("755"), &script]).exits(0);
    let script = script.to_str().unwrap();
    has_ours(exec(&[], &[script]).exits(0));
    assert_eq!(check(&[script])["usage"], "later");
}

#[test]
fn a_path_of_its_own_is_no_way_around() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("program.c");
    let text = "#include <stdio.h>\n#include <openssl/ssl.h>\n\
        int main(void) {\n  TLS_method();\n  \
        FILE *maps = fopen(\"/proc/self/maps\", \"r\");\n  \
        for (int c; maps && (c = getc(maps)) != EOF;) putchar(c);\n  return 0;\n}\n";
    std::fs::write(&source, text).unwrap();
    let system = system_directory();
    let rpath = format!("-Wl,--disable-new-dtags,-rpath,{}", system.display());
    let program = directory.path().join("program");
    let arguments = ["-o", program.to_str().unwrap(), source.to_str().unwrap(), &rpath, "-lssl"];
    Program::find("cc", "build-essential").run(arguments).exits(0);
    let report = check(&[program.to_str().unwrap()]);
    assert_eq!(report["environment"]["LD_PRELOAD"], libssl::file().to_str().unwrap(), "{report}");
    has_ours(&exec(&[], &[program.to_str().unwrap()]));
}

#[test]
fn a_program_for_a_newer_openssl_is_refused() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("newer.c"), "void SSL_newer(void) {}\n").unwrap();
    std::fs::write(at("newer.map"), "OPENSSL_3.9.0 { global: SSL_newer; };\n").unwrap();
    std::fs::write(at("program.c"), "void SSL_newer(void);\nint main(void) { SSL_newer(); }\n")
        .unwrap();
    let cc = Program::find("cc", "build-essential");
    let script = format!("-Wl,-soname,libssl.so.3,--version-script={}", at("newer.map"));
    let (newer, program) = (at("libnewer.so"), at("program"));
    cc.run(["-shared", "-fPIC", "-o", &newer, &at("newer.c"), &script]).exits(0);
    cc.run(["-o", &program, &at("program.c"), &newer]).exits(0);
    let done = exec(&[], &[&program]);
    done.exits(1).says("needs more of libssl than this library has").says("OPENSSL_3.9.0");
}

#[test]
fn a_static_program_is_refused() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("program.c"), "int main(void) { return 0; }\n").unwrap();
    let cc = Program::find("cc", "build-essential");
    cc.run(["-static", "-o", &at("program"), &at("program.c")]).exits(0);
    exec(&[], &[&at("program")]).exits(1).says("is linked statically");
}

/// Where the system's libssl is, as the loader says.
fn system_directory() -> PathBuf {
    let openssl = Program::find("ldd", "libc-bin").run(["/usr/bin/openssl"]);
    let text = openssl.exits(0).text();
    let (_, rest) = text.split_once("libssl.so.3 => ").expect("openssl needs libssl.so.3");
    let path = rest.split_whitespace().next().expect("a path");
    Path::new(path).parent().expect("a directory").to_owned()
}

/// `make`, in the sources, with what was built for these tests.
fn make(target: &str, destination: &Path) -> Finished {
    let mut call = Command::new("make");
    // What a make around the tests wants of its children is nothing for this one.
    call.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    call.arg("-C").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).arg(target);
    call.arg("PREFIX=/opt/certstatus").arg(format!("DESTDIR={}", destination.display()));
    call.arg(format!("BINARY={}", command::file().display()));
    call.arg(format!("LIBSSL={}", libssl::file().display()));
    run(call)
}

#[test]
fn what_is_installed_works_and_goes_away() {
    let directory = TempDir::new().unwrap();
    make("install", directory.path()).exits(0);
    let prefix = directory.path().join("opt/certstatus");
    for file in [
        "bin/certstatus",
        "lib/certstatus/libssl.so.3",
        "share/man/man1/certstatus.1",
        "share/man/man1/certstatus-exec.1",
        "share/man/man1/certstatus-agent.1",
        "share/doc/certstatus/agent.toml",
        "lib/systemd/system/certstatus-agent.service",
        "share/bash-completion/completions/certstatus",
        "share/zsh/site-functions/_certstatus",
        "share/fish/vendor_completions.d/certstatus.fish",
    ] {
        let length = std::fs::metadata(prefix.join(file)).map_or(0, |metadata| metadata.len());
        assert!(length > 0, "{file} is not installed");
    }
    let unit = prefix.join("lib/systemd/system/certstatus-agent.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nExecStart=/opt/certstatus/bin/certstatus agent "), "{unit}");
    let installed = Program::at(&prefix.join("bin/certstatus"));
    installed.run(["--version"]).exits(0).says("certstatus");
    let done = installed.run(["--json", "exec", "--check", "--", "curl"]);
    let report: Value = serde_json::from_slice(done.exits(0).stdout()).unwrap();
    assert_eq!(report["library"]["found"], "installed", "{report}");

    make("uninstall", directory.path()).exits(0);
    let left = files(directory.path());
    assert!(left.is_empty(), "{left:?}");
    assert!(!prefix.join("lib/certstatus").exists());
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
