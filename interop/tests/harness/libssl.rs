//! Our libssl, built from these sources and laid out under the name that programs ask for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library: in the directory that `CERTSTATUS_LIBSSL_DIR` says, or built now, once for all
/// tests.
pub(crate) fn file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let given = std::env::var_os("CERTSTATUS_LIBSSL_DIR").map(PathBuf::from);
        let directory = given.unwrap_or_else(build).join("libssl.so.3");
        directory.canonicalize().expect("libssl.so.3 is in its directory")
    })
}

fn build() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--offline", "--package", "certstatus-libssl"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "certstatus-libssl does not build");
    // This test is in target/debug/deps, and the library one up.
    let test = std::env::current_exe().expect("this test has a path");
    let built = test.ancestors().nth(2).expect("target/debug").join("libcertstatus_libssl.so");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libssl-of-exec");
    std::fs::create_dir_all(&directory).expect("a directory for the library");
    // Renamed into place: a program of another run may have the old one open.
    let copy = directory.join(format!("libssl.so.3.{}", std::process::id()));
    std::fs::copy(&built, &copy).expect("a copy of the library");
    std::fs::rename(&copy, directory.join("libssl.so.3")).expect("the library in place");
    directory
}
