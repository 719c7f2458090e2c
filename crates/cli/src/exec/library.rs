//! Where this project's `libssl.so.3` is: as given, as installed, or as built.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::elf::Elf;
use crate::failure::Failure;

/// The name by which programs need it, and the loader finds it.
pub(crate) const SONAME: &str = "libssl.so.3";

/// The library that a program is to run on.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Absolute; its last part is [`SONAME`].
    pub(crate) path: PathBuf,
    pub(crate) found: Found,
    pub(crate) elf: Elf,
}

/// By which of the places it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Found {
    /// By `--lib`.
    Given,
    /// In `PREFIX/lib/certstatus`, this command being `PREFIX/bin/certstatus`.
    Installed,
    /// In `target/libssl`, this command being in `target/debug` or `target/release`.
    Built,
}

impl Found {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Given => "as given by --lib",
            Self::Installed => "installed with this command",
            Self::Built => "built by `make libssl`",
        }
    }
}

impl Library {
    /// The library that was given, else the one that belongs to this command.
    ///
    /// # Errors
    /// When there is none, or when what is there is not a library of that name, or lies where the
    /// loader cannot be pointed to.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self, Failure> {
        let (path, found) = match given {
            Some(path) if path.is_dir() => (path.join(SONAME), Found::Given),
            Some(path) => (path.to_owned(), Found::Given),
            None => beside_this_command()?,
        };
        if path.file_name().is_none_or(|name| name != SONAME) {
            let message = format!("{} is not named {SONAME}.", path.display());
            return Err(Failure::failed("library", message)
                .advise(format!("The loader looks for that name: rename it to {SONAME}.")));
        }
        let absolute = absolute(&path)?;
        let elf = Elf::read(&absolute)?;
        if elf.soname.as_deref() != Some(SONAME) {
            let message = match &elf.soname {
                Some(soname) => format!("{} calls itself {soname}, not {SONAME}.", path.display()),
                None => format!("{} is not a shared library with a name.", path.display()),
            };
            return Err(Failure::failed("library", message).advise(BUILD));
        }
        Ok(Self { path: absolute, found, elf })
    }

    /// The directory that it is in, which is for the loader to search.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Whether that file is this library, under whatever name.
    pub(crate) fn is(&self, path: &Path) -> bool {
        path == self.path
            || matches!((path.canonicalize(), self.path.canonicalize()), (Ok(a), Ok(b)) if a == b)
    }
}

const BUILD: &str =
    "Build it with `make libssl` in the sources, or give one with `--lib PATH/libssl.so.3`.";

/// The library beside this command, by the places where `make libssl` and `make install` put it.
fn beside_this_command() -> Result<(PathBuf, Found), Failure> {
    let command = std::env::current_exe().and_then(|path| path.canonicalize()).map_err(|e| {
        Failure::failed("library", format!("It is not known where this command is: {e}."))
            .advise("Give the library with `--lib PATH/libssl.so.3`.")
    })?;
    let places = places(&command);
    if let Some(place) = places.iter().find(|(path, _)| path.is_file()) {
        return Ok(place.clone());
    }
    let looked: Vec<String> = places.iter().map(|(path, _)| path.display().to_string()).collect();
    let message =
        format!("There is no {SONAME} beside this command: not {}.", looked.join(", not "));
    Err(Failure::failed("library", message).advise(BUILD))
}

/// The places where the library of the command at that path may be.
fn places(command: &Path) -> Vec<(PathBuf, Found)> {
    let Some(directory) = command.parent() else { return Vec::new() };
    let Some(above) = directory.parent() else { return Vec::new() };
    let mut places = vec![(above.join("lib/certstatus").join(SONAME), Found::Installed)];
    if directory.ends_with("debug") || directory.ends_with("release") {
        places.push((above.join("libssl").join(SONAME), Found::Built));
    }
    places
}

/// The path with its directory made absolute and real. The last part is kept: it may be a link that
/// has the name which the loader looks for.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let missing = |e| {
        let message = format!("There is no library at {}: {e}.", path.display());
        Failure::failed("library", message).advise(BUILD)
    };
    let absolute = directory.canonicalize().map_err(missing)?.join(SONAME);
    std::fs::metadata(&absolute).map_err(missing)?;
    let special = [':', ';', '$'];
    let text = absolute.to_string_lossy();
    if let Some(character) = text.chars().find(|character| special.contains(character)) {
        let message = format!(
            "The loader cannot be pointed to {text}: in LD_LIBRARY_PATH {character:?} has a meaning."
        );
        return Err(Failure::failed("library", message)
            .advise("Put the library where the path has no colon, semicolon or dollar sign."));
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_those_of_the_makefile() {
        let places_of = |command: &str| {
            places(Path::new(command))
                .into_iter()
                .map(|(path, found)| (path.display().to_string(), found))
                .collect::<Vec<_>>()
        };
        let installed = |path: &str| (path.to_owned(), Found::Installed);
        assert_eq!(
            places_of("/usr/local/bin/certstatus"),
            [installed("/usr/local/lib/certstatus/libssl.so.3")]
        );
        assert_eq!(
            places_of("/src/target/release/certstatus"),
            [
                installed("/src/target/lib/certstatus/libssl.so.3"),
                ("/src/target/libssl/libssl.so.3".to_owned(), Found::Built)
            ]
        );
    }
}
