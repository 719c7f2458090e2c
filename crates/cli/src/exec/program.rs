//! The program that is to run: where it is, and which file the kernel runs when it is a script.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags};

use crate::failure::Failure;
use crate::shell;

/// How many interpreters may be scripts themselves; Linux allows as many (`exec_binprm`).
const SCRIPTS: usize = 5;

/// How much of a first line Linux reads (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// Where programs are looked for without a PATH, as `execvp` does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A program, found and followed.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The file that was named, as it is started.
    pub(crate) path: PathBuf,
    /// The file that runs in the end: the same, or the interpreter of the script that it is.
    pub(crate) runs: PathBuf,
    pub(crate) form: Form,
}

/// What the file that runs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An ELF file: a program for the loader, or one that is linked statically.
    Elf,
    /// Something that the system knows how to run, or not: it is left to it.
    Other,
    /// It may be run, and not be read.
    Unreadable,
}

impl Program {
    /// Finds the program as a shell does, and follows scripts to their interpreter.
    ///
    /// # Errors
    /// When there is none of that name that may be run, or a script has no interpreter.
    pub(crate) fn find(name: &OsStr) -> Result<Self, Failure> {
        let path = search(name)?;
        let (mut runs, mut form) = (path.clone(), Form::Other);
        for _ in 0..=SCRIPTS {
            form = match first_line(&runs) {
                None => Form::Unreadable,
                Some(head) if head.starts_with(b"\x7fELF") => Form::Elf,
                Some(head) => match script(&head) {
                    Some((interpreter, argument)) => {
                        runs = follow(&runs, &interpreter, &argument)?;
                        continue;
                    }
                    None => Form::Other,
                },
            };
            break;
        }
        Ok(Self { path, runs, form })
    }

    /// Whether it is a script, which runs whatever it names.
    pub(crate) fn is_script(&self) -> bool {
        self.path != self.runs
    }
}

/// The file that a name stands for: a path as it is, anything else in the directories of PATH.
fn search(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return may_run(&path).map(|()| path);
    }
    let shown = name.display();
    let directories = env::var_os("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let mut refused = None;
    for directory in env::split_paths(&directories) {
        let here = directory.as_os_str().is_empty();
        let path = if here { Path::new(".").join(name) } else { directory.join(name) };
        if !path.is_file() {
            continue;
        }
        match may_run(&path) {
            Ok(()) => return Ok(path),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let message = format!("There is no program {shown} in the directories of PATH.");
        Failure::failed("program", message).advise("Install it, or give its path.")
    }))
}

fn may_run(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let failed = |message: String| Failure::failed("program", message);
    let metadata =
        fs::metadata(path).map_err(|e| failed(format!("There is no program at {shown}: {e}.")))?;
    if !metadata.is_file() {
        return Err(failed(format!("{shown} is not a file that could be run.")));
    }
    rustix::fs::access(path, Access::EXEC_OK).map_err(|_| {
        failed(format!("{shown} may not be run by you."))
            .advise(format!("If it is a program, permit it: chmod +x {}", shell::path(path)))
    })
}

/// As much of the file as the kernel looks at.
fn first_line(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The interpreter and its argument, if this is the beginning of a script (`execve(2)`).
fn script(head: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|&byte| byte == b'\n' || byte == 0).next()?.trim_ascii();
    let end = line.iter().position(|byte| b" \t".contains(byte)).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    (!interpreter.is_empty()).then(|| (interpreter.to_vec(), argument.trim_ascii().to_vec()))
}

/// The program that a script's first line leads to; through `env`, the one that it looks for.
fn follow(script: &Path, interpreter: &[u8], argument: &[u8]) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(OsStr::from_bytes(interpreter));
    if !path.is_file() {
        let (script, path) = (script.display(), path.display());
        let message = format!("The script {script} is to be run by {path}, which is not there.");
        return Err(Failure::failed("program", message)
            .advise("Install the interpreter, or correct the first line of the script."));
    }
    if !path.ends_with("env") {
        return Ok(path);
    }
    // What env does with other options is env's affair; then env is what runs.
    Ok(looked_for_by_env(argument).and_then(|name| search(&name).ok()).unwrap_or(path))
}

/// The program in the argument of `env`, behind `-S` and assignments.
fn looked_for_by_env(argument: &[u8]) -> Option<OsString> {
    let mut words = argument.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
    let name = words.find(|&word| word != b"-S" && !word.contains(&b'='))?;
    let name = name.strip_prefix(b"-S").unwrap_or(name);
    (!name.starts_with(b"-") && !name.is_empty()).then(|| OsStr::from_bytes(name).to_owned())
}

/// Why the loader does not heed the environment for this program, if it does not: it gains rights
/// that who starts it does not have (`AT_SECURE`, ld.so(8)).
pub(crate) fn gains(path: &Path) -> Option<&'static str> {
    let metadata = fs::metadata(path).ok()?;
    let without_gain = rustix::thread::no_new_privs().unwrap_or(false)
        || rustix::fs::statvfs(path)
            .is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID));
    if without_gain {
        return None;
    }
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let capabilities = rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 64][..])
        .is_ok_and(|length| length > 0);
    gain(
        metadata.mode(),
        metadata.uid() != user.as_raw(),
        metadata.gid() != group.as_raw(),
        capabilities && !user.is_root(),
    )
}

/// Set-group-ID counts only where the group may run the file: else the bit means locking.
fn gain(
    mode: u32,
    other_user: bool,
    other_group: bool,
    capabilities: bool,
) -> Option<&'static str> {
    const SET_UID: u32 = 0o4000;
    const SET_GID: u32 = 0o2000;
    const GROUP_RUNS: u32 = 0o010;
    if mode & SET_UID != 0 && other_user {
        Some("it is set-user-ID")
    } else if mode & SET_GID != 0 && mode & GROUP_RUNS != 0 && other_group {
        Some("it is set-group-ID")
    } else {
        capabilities.then_some("it has file capabilities")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_as_the_kernel_reads_it() {
        let of = |head: &[u8]| {
            script(head).map(|(interpreter, argument)| {
                (String::from_utf8(interpreter).unwrap(), String::from_utf8(argument).unwrap())
            })
        };
        let some = |interpreter: &str, argument: &str| Some((interpreter.into(), argument.into()));
        assert_eq!(of(b"#!/bin/sh\necho"), some("/bin/sh", ""));
        assert_eq!(of(b"#! /bin/sh -e -u \necho"), some("/bin/sh", "-e -u"));
        assert_eq!(of(b"#!\t/usr/bin/env\tpython3"), some("/usr/bin/env", "python3"));
        assert_eq!(of(b"#!\n"), None);
        assert_eq!(of(b"#"), None);
        assert_eq!(of(b"echo"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn what_env_looks_for_is_behind_its_options() {
        let of = |argument: &str| looked_for_by_env(argument.as_bytes());
        assert_eq!(of("python3"), Some("python3".into()));
        assert_eq!(of("-S python3 -u"), Some("python3".into()));
        assert_eq!(of("-Spython3 -u"), Some("python3".into()));
        assert_eq!(of("-S LANG=C python3"), Some("python3".into()));
        assert_eq!(of("-i python3"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn rights_are_gained_only_from_others() {
        assert_eq!(gain(0o4755, true, true, false), Some("it is set-user-ID"));
        assert_eq!(gain(0o4755, false, true, false), None);
        assert_eq!(gain(0o2755, true, true, false), Some("it is set-group-ID"));
        assert_eq!(gain(0o2745, true, true, false), None);
        assert_eq!(gain(0o755, true, true, true), Some("it has file capabilities"));
        assert_eq!(gain(0o755, true, true, false), None);
    }
}
