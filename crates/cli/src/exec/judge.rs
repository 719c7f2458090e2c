//! Whether a program runs on the library, before it is started.
//!
//! A program is refused only where it is certain that the library could do nothing for it. One that
//! loads libraries while it runs, or starts other programs, may find the library then; and so may
//! what a script runs.

use std::path::Path;

use serde::Serialize;

use super::elf::Elf;
use super::library::{Library, SONAME};
use super::loader::{self, Environment, Loaded, Trace};
use super::program::{self, Form, Program};
use crate::failure::Failure;

/// What is known of a program that is not refused.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) usage: Usage,
    pub(crate) environment: Environment,
    /// The program or its libraries that need libssl.so.3.
    pub(crate) needed_by: Vec<String>,
    /// Another TLS library that it loads.
    pub(crate) beside: Option<&'static str>,
}

/// When the program loads the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Usage {
    /// As it starts: the loader has said so.
    AtStart,
    /// Not as it starts; it, or what it starts, may do so later.
    Later,
    /// The loader cannot be asked.
    NotKnown,
}

/// Judges; with `preload`, LD_PRELOAD is used in any case.
///
/// # Errors
/// When the program certainly does not run on the library, with the reason.
pub(crate) fn judge(
    program: &Program,
    library: &Library,
    preload: bool,
) -> Result<Judgement, Failure> {
    if let Some(why) = program::gains(&program.runs) {
        return Err(refusal(format!(
            "The loader does not let others choose the libraries of {}: {why}.",
            program.runs.display()
        ))
        .advise("Start it as the user that it becomes, for example: sudo certstatus exec -- ..."));
    }
    let case = Case { program, library };
    let environment = Environment::new(library, preload)?;
    if program.form != Form::Elf {
        return Ok(without_trace(environment, Usage::NotKnown));
    }
    let elf = Elf::read(&program.runs)?;
    let interpreter = match case.loader(&elf) {
        Ok(interpreter) => interpreter,
        // The script's interpreter is not for this library; the commands in the script may be.
        Err(_) if program.is_script() => return Ok(without_trace(environment, Usage::Later)),
        Err(refusal) => return Err(refusal),
    };
    if !loader::is_known(interpreter) {
        return Ok(without_trace(environment, Usage::NotKnown));
    }
    case.by_trace(&elf, interpreter, environment)
}

fn without_trace(environment: Environment, usage: Usage) -> Judgement {
    Judgement { usage, environment, needed_by: Vec::new(), beside: None }
}

fn refusal(message: String) -> Failure {
    Failure::failed("program", message)
}

/// The program and the library that it is to run on.
struct Case<'a> {
    program: &'a Program,
    library: &'a Library,
}

impl Case<'_> {
    /// The file that runs.
    fn file(&self) -> &Path {
        &self.program.runs
    }

    /// The program's loader, if that could load the library at all.
    fn loader<'e>(&self, elf: &'e Elf) -> Result<&'e Path, Failure> {
        let shown = self.file().display();
        let Some(interpreter) = elf.interpreter.as_deref() else {
            let own = if elf.defines_libssl { ", with a libssl of its own in it" } else { "" };
            return Err(refusal(format!(
                "{shown} is linked statically{own}: no loader gives it a library."
            ))
            .advise(
                "Use a build that is linked dynamically. If it only starts another program, put \
                 `certstatus exec --` before that one.",
            ));
        };
        if elf.machine != self.library.elf.machine {
            return Err(refusal(format!(
                "{shown} is for another machine than the library: {} and {}.",
                elf.machine, self.library.elf.machine
            ))
            .advise("Build the library for that machine."));
        }
        if !interpreter.is_file() {
            return Err(refusal(format!(
                "{shown} asks for the loader {}, which is not there.",
                interpreter.display()
            ))
            .advise("The program is made for another system, or for another C library."));
        }
        let needs_glibc = self.library.elf.needed.iter().any(|name| name == "libc.so.6");
        if needs_glibc && loader::is_musl(interpreter) {
            return Err(refusal(format!("{shown} is made for musl, and the library for glibc."))
                .advise("Build the library on a system with musl."));
        }
        Ok(interpreter)
    }

    /// Judges by what the loader says that it would load.
    fn by_trace(
        &self,
        elf: &Elf,
        interpreter: &Path,
        environment: Environment,
    ) -> Result<Judgement, Failure> {
        let mut environment = environment;
        let mut trace = loader::trace(interpreter, self.file(), &environment)?;
        let parts = self.parts(elf, &trace);
        let needed_by: Vec<String> = parts
            .iter()
            .filter(|(_, part)| part.needed.iter().any(|name| file_name(name) == SONAME))
            .map(|(name, _)| name.clone())
            .collect();
        if !needed_by.is_empty() && !self.is_ours(&trace) && environment.preload.is_none() {
            environment = Environment::new(self.library, true)?;
            trace = loader::trace(interpreter, self.file(), &environment)?;
        }
        let mut judgement = Judgement {
            usage: Usage::AtStart,
            environment,
            needed_by,
            beside: other_tls(&trace.objects),
        };
        if judgement.needed_by.is_empty() {
            self.may_come_later(&trace, &parts, judgement.beside)?;
            judgement.usage = Usage::Later;
        } else {
            self.runs_on_ours(&trace)?;
        }
        Ok(judgement)
    }

    /// The program and those of its libraries that can be read, each with its name.
    fn parts(&self, elf: &Elf, trace: &Trace) -> Vec<(String, Elf)> {
        let own = file_name(&self.file().to_string_lossy()).to_owned();
        let libraries = trace.objects.iter().filter_map(|object| {
            let path = object.path.as_deref().filter(|path| !self.library.is(path))?;
            Some((object.name.clone(), Elf::read(path).ok()?))
        });
        std::iter::once((own, elf.clone())).chain(libraries).collect()
    }

    /// Whether every libssl.so.3 in the list is this library.
    fn is_ours(&self, trace: &Trace) -> bool {
        let mut all = trace.objects.iter().filter(|object| file_name(&object.name) == SONAME);
        all.clone().next().is_some()
            && all.all(|object| object.path.as_deref().is_some_and(|path| self.library.is(path)))
    }

    /// Every library is there that the program cannot be started without.
    fn nothing_is_missing(&self, trace: &Trace) -> Result<(), Failure> {
        let Some(missing) = trace.objects.iter().find(|object| object.path.is_none()) else {
            return Ok(());
        };
        let (shown, name) = (self.file().display(), &missing.name);
        Err(refusal(format!("{shown} cannot be started: its loader does not find {name}."))
            .advise("Install the library that is missing."))
    }

    /// The loader chose this library, and found all in it that the program needs.
    fn runs_on_ours(&self, trace: &Trace) -> Result<(), Failure> {
        self.nothing_is_missing(trace)?;
        let (shown, library) = (self.file().display(), self.library.path.display());
        if !self.is_ours(trace) {
            let other = trace
                .objects
                .iter()
                .filter(|object| file_name(&object.name) == SONAME)
                .filter_map(|object| object.path.as_deref())
                .find(|path| !self.library.is(path));
            let other = other.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
            return Err(refusal(format!(
                "The loader does not take {library} for {shown}; the libssl.so.3 that it takes: \
                 {other}."
            ))
            .advise("The program names its libssl by a whole path. Link it by its name."));
        }
        let path = self.library.path.to_string_lossy();
        match trace.complaints.iter().find(|words| words.contains(&*path)) {
            None => Ok(()),
            Some(words) => Err(refusal(format!(
                "{shown} needs more of libssl than this library has. The loader says: {words}."
            ))
            .advise("The program is made for a newer OpenSSL than this library stands in for.")),
        }
    }

    /// What does not need libssl.so.3 as it starts may come to it later, unless there is a reason.
    fn may_come_later(
        &self,
        trace: &Trace,
        parts: &[(String, Elf)],
        beside: Option<&str>,
    ) -> Result<(), Failure> {
        let shown = self.file().display();
        let another = |object: &&Loaded| {
            let name = file_name(&object.name);
            name.starts_with("libssl.so") && name != SONAME
        };
        if let Some(object) = trace.objects.iter().find(another) {
            let name = &object.name;
            return Err(refusal(format!(
                "{shown} is made for another libssl: it needs {name}, and this is {SONAME}."
            ))
            .advise("Use a build of the program for OpenSSL 3."));
        }
        self.nothing_is_missing(trace)?;
        if let Some((name, _)) = parts.iter().find(|(_, part)| part.defines_libssl) {
            return Err(refusal(format!(
                "{shown} has a libssl of its own linked in, in {name}: it does not look for another."
            ))
            .advise("Use a build of the program that loads the system's libssl.so.3."));
        }
        let later = parts.iter().any(|(name, part)| !is_of_libc(name) && !part.later.is_empty());
        if later || self.program.is_script() {
            return Ok(());
        }
        let instead = beside.map(|name| format!(" Its TLS is {name}.")).unwrap_or_default();
        Err(refusal(format!(
            "{shown} does not use libssl: neither it nor a library of its needs {SONAME}, and it \
             loads no other and starts no program.{instead}"
        )))
    }
}

/// The part of a name behind the last slash.
fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The C library has every function by which something may be loaded, for those who call them.
fn is_of_libc(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "libc.so",
        "ld-linux",
        "ld64.so",
        "libdl.so",
        "libm.so",
        "libpthread.so",
        "librt.so",
        "libresolv.so",
    ];
    PARTS.iter().any(|part| file_name(name).starts_with(part))
}

/// The TLS library in the list that is not a libssl, by the name that people know.
fn other_tls(objects: &[Loaded]) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 4] = [
        ("libgnutls.so", "GnuTLS"),
        ("libssl3.so", "NSS"),
        ("libmbedtls.so", "Mbed TLS"),
        ("libwolfssl.so", "wolfSSL"),
    ];
    KNOWN
        .into_iter()
        .find(|(start, _)| objects.iter().any(|object| object.name.starts_with(start)))
        .map(|(_, name)| name)
}
