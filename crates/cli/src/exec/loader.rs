//! The dynamic loader: how it is told of the library, and what it would load.
//!
//! Only the loader knows what it loads: it goes by DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, its cache
//! and its hardware's subdirectories. So it is asked itself, as ldd(1) asks it, in the environment
//! that the program is to have: started with the program as its argument, it maps the program and
//! its libraries and runs none of them. The loader that is asked is the program's own, and only if it
//! is one of the system's; another could be anything.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::library::Library;
use crate::failure::Failure;

/// The variables that bring a program to the library (ld.so(8)).
///
/// LD_LIBRARY_PATH by default: its directory holds nothing but `libssl.so.3`, so it changes what
/// that name stands for and nothing else, in the program and in all that it starts: workers,
/// scripts' commands, libraries that are loaded later. Programs without libssl are left as they are,
/// and those for another machine pass over it. LD_PRELOAD would load the library into every one of
/// them, and a program for another machine or C library would complain or fail.
///
/// But DT_RPATH goes before LD_LIBRARY_PATH. Only LD_PRELOAD wins over that, as what is already
/// loaded answers to its name; so it is added where it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Environment {
    #[serde(rename = "LD_LIBRARY_PATH")]
    pub(crate) library_path: String,
    #[serde(rename = "LD_PRELOAD", skip_serializing_if = "Option::is_none")]
    pub(crate) preload: Option<String>,
    #[serde(skip)]
    variables: Vec<(&'static str, OsString)>,
}

impl Environment {
    /// The environment for the library, with what this process has in the same variables behind it.
    ///
    /// # Errors
    /// When LD_PRELOAD is wanted and cannot hold the path.
    pub(crate) fn new(library: &Library, preload: bool) -> Result<Self, Failure> {
        let inherited = |name| env::var_os(name).filter(|value| !value.is_empty());
        let path =
            before(library.directory().as_os_str(), inherited("LD_LIBRARY_PATH"), b":;", ":");
        let mut variables = vec![("LD_LIBRARY_PATH", path.clone())];
        let mut shown = None;
        if preload {
            if library.path.to_string_lossy().contains(char::is_whitespace) {
                let path = library.path.display();
                let message = format!("LD_PRELOAD cannot hold {path}: a space ends a path there.");
                return Err(Failure::failed("library", message)
                    .advise("Put the library where the path has no space."));
            }
            let files = before(library.path.as_os_str(), inherited("LD_PRELOAD"), b": ", ":");
            shown = Some(files.to_string_lossy().into_owned());
            variables.push(("LD_PRELOAD", files));
        }
        let library_path = path.to_string_lossy().into_owned();
        Ok(Self { library_path, preload: shown, variables })
    }

    /// Gives the environment to a program.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}

/// A list that begins with `first`, and has it once there. Nothing is behind it where nothing was:
/// an empty element would be the working directory.
fn before(first: &OsStr, rest: Option<OsString>, separators: &[u8], separator: &str) -> OsString {
    let mut list = first.to_owned();
    if let Some(rest) = rest {
        let bytes = rest.as_encoded_bytes();
        let head = bytes.split(|byte| separators.contains(byte)).next();
        if head == Some(first.as_encoded_bytes()) {
            return rest;
        }
        list.push(separator);
        list.push(rest);
    }
    list
}

/// What the loader would load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) objects: Vec<Loaded>,
    /// What it said of symbols' versions that are not there.
    pub(crate) complaints: Vec<String>,
}

/// One library of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The name by which it is needed.
    pub(crate) name: String,
    /// Where it is; `None` when it is nowhere.
    pub(crate) path: Option<PathBuf>,
}

/// Whether this is a loader of the system, by name and place.
pub(crate) fn is_known(interpreter: &Path) -> bool {
    const NAMES: [&str; 3] = ["ld-linux", "ld64.so", "ld-musl-"];
    const PLACES: [&str; 6] =
        ["/lib/", "/lib64/", "/lib32/", "/libx32/", "/usr/lib/", "/usr/lib64/"];
    let Some(path) = interpreter.to_str() else { return false };
    let name = path.rsplit('/').next().unwrap_or_default();
    NAMES.iter().any(|known| name.starts_with(known))
        && PLACES.iter().any(|place| path.starts_with(place))
        && !path.contains("/../")
}

/// Whether this is the loader of musl, and not of glibc.
pub(crate) fn is_musl(interpreter: &Path) -> bool {
    interpreter.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld-musl-"))
}

/// What that loader would load for the program in that environment.
///
/// # Errors
/// When the loader cannot be run, or finds the program or a library that it cannot load.
pub(crate) fn trace(
    interpreter: &Path,
    program: &Path,
    environment: &Environment,
) -> Result<Trace, Failure> {
    // $ORIGIN in a program's paths is where the file is, and not a link to it.
    let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut command = Command::new(interpreter);
    environment.apply(&mut command);
    // These change what is written, or make the loader do more than look.
    for name in ["LD_VERBOSE", "LD_DEBUG", "LD_BIND_NOW", "LD_WARN"] {
        command.env_remove(name);
    }
    if is_musl(interpreter) {
        command.arg("--list");
    } else {
        // glibc has --list as well, but then gives up at the first library that is not there.
        command.env("LD_TRACE_LOADED_OBJECTS", "1");
    }
    let output = command.arg(&program).stdin(Stdio::null()).output().map_err(|e| {
        let (loader, program) = (interpreter.display(), program.display());
        let message = format!("The loader {loader} of {program} cannot be run: {e}.");
        Failure::failed("loader", message)
    })?;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        let words = stderr.lines().chain(stdout.lines()).next().unwrap_or("it says nothing");
        let program = program.display();
        let message =
            format!("The loader cannot load {program} on this library: {}.", words.trim());
        return Err(Failure::failed("loader", message));
    }
    let complaints = stderr.lines().map(|line| line.trim().to_owned()).collect();
    Ok(Trace { objects: stdout.lines().filter_map(object).collect(), complaints })
}

/// A line of the list: `NAME => PATH (ADDRESS)`, `NAME => not found`, or `PATH (ADDRESS)`.
fn object(line: &str) -> Option<Loaded> {
    let place = |text: &str| text.rsplit_once(" (0x").map(|(path, _)| PathBuf::from(path));
    let line = line.trim();
    match line.split_once(" => ") {
        Some((name, rest)) => Some(Loaded { name: name.to_owned(), path: place(rest) }),
        None => {
            let path = place(line)?;
            Some(Loaded {
                name: path.file_name()?.to_string_lossy().into_owned(),
                path: Some(path),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_list_are_told_apart() {
        let loaded = |name: &str, path: Option<&str>| Loaded {
            name: name.into(),
            path: path.map(Into::into),
        };
        let of = |line| object(line).unwrap();
        assert_eq!(
            of("\tlibssl.so.3 => /opt/a b/libssl.so.3 (0x00007f48)"),
            loaded("libssl.so.3", Some("/opt/a b/libssl.so.3"))
        );
        assert_eq!(of("\tlibx.so => not found"), loaded("libx.so", None));
        assert_eq!(
            of("\t/opt/libssl.so.3 (0x7f)"),
            loaded("libssl.so.3", Some("/opt/libssl.so.3"))
        );
        assert_eq!(object("\tstatically linked"), None);
        assert_eq!(object(""), None);
    }

    #[test]
    fn only_loaders_of_the_system_are_asked() {
        for known in ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "/lib64/ld64.so.2"]
        {
            assert!(is_known(Path::new(known)), "{known}");
        }
        for other in ["/home/me/ld-linux-x86-64.so.2", "/lib64/sh", "/lib/../home/ld-linux.so.2"] {
            assert!(!is_known(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn what_was_in_the_variable_stays_behind() {
        let list = |rest: Option<&str>| before("/a".as_ref(), rest.map(Into::into), b":;", ":");
        assert_eq!(list(None), "/a");
        assert_eq!(list(Some("/b:/c")), "/a:/b:/c");
        assert_eq!(list(Some("/a:/c")), "/a:/c");
        assert_eq!(list(Some("/ab")), "/a:/ab");
    }
}
