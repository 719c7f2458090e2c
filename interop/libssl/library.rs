//! The two libraries, and how a program is made to use the one or the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A libssl.
#[derive(Debug)]
pub(crate) enum Library {
    /// The one that the linker finds.
    System,
    /// The `libssl.so.3` in this directory.
    In(PathBuf),
}

impl Library {
    /// Ours: where `CERTSTATUS_LIBSSL_DIR` says, or built now.
    pub(crate) fn ours() -> &'static Self {
        static OURS: OnceLock<Library> = OnceLock::new();
        OURS.get_or_init(|| {
            Self::In(match std::env::var_os("CERTSTATUS_LIBSSL_DIR") {
                Some(directory) => PathBuf::from(directory),
                None => build(),
            })
        })
    }

    /// Has a command use this library.
    pub(crate) fn choose(&self, command: &mut Command) {
        match self {
            Self::System => command.env_remove("LD_LIBRARY_PATH"),
            Self::In(directory) => command.env("LD_LIBRARY_PATH", directory),
        };
    }

    /// Whether this is the library in that file, as the program itself found out.
    pub(crate) fn is(&self, file: &str) -> bool {
        match self {
            Self::System => file.starts_with("/usr/lib/") || file.starts_with("/lib/"),
            Self::In(directory) => Path::new(file) == directory.join("libssl.so.3"),
        }
    }
}

/// Builds the library and lays it out under the name that programs ask for.
fn build() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "certstatus-libssl"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "certstatus-libssl does not build");
    // The directory of this very test is target/debug/deps; the library is one up.
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.ancestors().nth(2).expect("target/debug").join("libcertstatus_libssl.so");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libssl");
    std::fs::create_dir_all(&directory).expect("a directory for the library");
    // Renamed into place: another run may have the old file open.
    let copy = directory.join(format!("libssl.so.3.{}", std::process::id()));
    std::fs::copy(&built, &copy).expect("a copy of the library");
    std::fs::rename(&copy, directory.join("libssl.so.3")).expect("the library in place");
    directory
}
