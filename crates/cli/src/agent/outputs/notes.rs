//! Notes of changes that a command of `on_change` has yet to be told of, on disk.
//!
//! A command runs some time after the files that it is about were written, and what is right already
//! is told to nobody: without a word on disk, a kill in between would leave a server with its old
//! staple until the next one. So a note is written before the files are, and goes when the command
//! has run well. Who finds one at the start has the command told again: each change is told at least
//! once, and seldom twice.
//!
//! Notes are in the directory of the store, in one of their own with a hidden name, and never beside
//! the staples: some servers read whatever is there. One stands for all changes that are made
//! together, however many. What a note holds is a line of JSON for each change, as the command gets
//! it; its name begins with a digest of the command, whose text may have passwords in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use certstatus_stapler::Fingerprint;
use rustix::fs::OFlags;

use super::hook::{Announcement, MAX_TOLD};
use crate::agent::config::Hook;
use crate::failure::reason;

/// The directory of the notes within that of the store.
const DIRECTORY: &str = ".on_change";

/// More than a note of [`MAX_TOLD`] changes takes, each of which has some paths.
const MAX_NOTE: u64 = 64 * 1024 * 1024;

/// A note of this age, about a command that is not configured, is of nobody. A younger one may be of
/// another configuration with the same store.
const ABANDONED: Duration = Duration::from_secs(7 * 86_400);

/// Where notes are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Notes(Option<Arc<Path>>);

/// A note on disk. It stays there until each of those who hold it has [settled](Note::settle) it: one
/// that is only dropped is for the next start.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Note(Arc<PathBuf>);

/// What an earlier process has left.
#[derive(Debug)]
pub(in crate::agent) struct Left {
    pub(in crate::agent) hook: Hook,
    pub(in crate::agent) changes: Vec<Announcement>,
    pub(in crate::agent) note: Note,
}

impl Notes {
    /// Keeps notes in the directory of the store; without one there are none.
    pub(in crate::agent) fn new(store: Option<&Path>) -> Self {
        Self(store.map(|store| store.join(DIRECTORY).into()))
    }

    /// Notes changes that are about to be made: one note for each command, which all its changes
    /// share. Gives each change its note. This waits for the disk.
    ///
    /// What cannot be noted is logged and done all the same: a staple is worth more than a note.
    pub(in crate::agent) fn put(
        &self,
        changes: &[Option<(&Hook, Announcement)>],
    ) -> Vec<Option<Note>> {
        let mut told: BTreeMap<&Hook, Vec<&Announcement>> = BTreeMap::new();
        for (hook, change) in changes.iter().flatten() {
            told.entry(hook).or_default().push(change);
        }
        let notes =
            told.into_iter().filter_map(|(hook, told)| Some((hook, self.note(hook, told)?)));
        let notes: BTreeMap<&Hook, Note> = notes.collect();
        let note = |change: &Option<(&Hook, _)>| notes.get(change.as_ref()?.0).cloned();
        changes.iter().map(note).collect()
    }

    /// One note in place of many about the same changes. This waits for the disk.
    pub(super) fn merge(&self, hook: &Hook, told: &[Announcement], notes: Vec<Note>) -> Vec<Note> {
        if notes.len() < 2 {
            return notes;
        }
        match self.note(hook, told) {
            Some(merged) => {
                notes.into_iter().for_each(Note::settle);
                vec![merged]
            }
            None => notes,
        }
    }

    /// What an earlier process has left about these commands. This waits for the disk.
    pub(in crate::agent) fn left(&self, hooks: &BTreeSet<Hook>) -> Vec<Left> {
        let Some(directory) = &self.0 else { return Vec::new() };
        let hooks: BTreeMap<String, &Hook> =
            hooks.iter().map(|hook| (digest(hook), hook)).collect();
        find(directory, &hooks).unwrap_or_else(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                let (path, why) = (directory.display(), reason(&e));
                tracing::warn!(
                    "what commands have yet to be told of cannot be read in {path}: {why}"
                );
            }
            Vec::new()
        })
    }

    fn note<'a>(
        &self,
        hook: &Hook,
        told: impl IntoIterator<Item = &'a Announcement>,
    ) -> Option<Note> {
        let directory = self.0.as_deref()?;
        match write(directory, hook, &lines(told)) {
            Ok(path) => Some(Note(Arc::new(path))),
            Err(e) => {
                let (path, why) = (directory.display(), reason(&e));
                tracing::warn!(
                    command = %hook,
                    "it cannot be noted in {path} that the command is to run: {why}"
                );
                None
            }
        }
    }
}

impl Note {
    /// The command has been told, or there was nothing to tell. This waits for the disk.
    pub(in crate::agent) fn settle(self) {
        if let Some(path) = Arc::into_inner(self.0) {
            // One that stays is told of again.
            let _ = fs::remove_file(path);
        }
    }
}

/// Each change as a line of JSON.
pub(super) fn lines<'a>(told: impl IntoIterator<Item = &'a Announcement>) -> Vec<u8> {
    let mut lines = Vec::new();
    for announcement in told {
        // Strings always have a JSON form.
        if serde_json::to_writer(&mut lines, announcement).is_ok() {
            lines.push(b'\n');
        }
    }
    lines
}

/// What the names of a command's notes begin with.
fn digest(hook: &Hook) -> String {
    // A command is made of strings, which always have a JSON form.
    Fingerprint::of(&serde_json::to_vec(hook).unwrap_or_default()).to_string()
}

/// Writes a note that is there whatever happens next. What is cut off before that is empty, or ends
/// with half a line, and is of changes that have not begun.
fn write(directory: &Path, hook: &Hook, lines: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let name = format!("{}.", digest(hook));
    let mut file = tempfile::Builder::new().prefix(&name).tempfile_in(directory)?;
    file.write_all(lines)?;
    file.as_file().sync_all()?;
    let (_, path) = file.keep().map_err(|e| e.error)?;
    File::open(directory)?.sync_all()?;
    Ok(path)
}

fn find(directory: &Path, hooks: &BTreeMap<String, &Hook>) -> io::Result<Vec<Left>> {
    let (mut found, now) = (Vec::new(), SystemTime::now());
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        // Another process may settle the same.
        let Ok(metadata) = entry.metadata() else { continue };
        // Nobody else has a command run.
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            continue;
        }
        let Some((digest, _)) = name.to_str().and_then(|name| name.split_once('.')) else {
            continue;
        };
        let note = Note(Arc::new(path));
        let Some(hook) = hooks.get(digest) else {
            let age = metadata.modified().ok().and_then(|at| now.duration_since(at).ok());
            if age.is_some_and(|age| age > ABANDONED) && digest.parse::<Fingerprint>().is_ok() {
                note.settle();
            }
            continue;
        };
        match read(&note.0) {
            Ok(changes) if changes.is_empty() => note.settle(),
            Ok(changes) => found.push(Left { hook: (*hook).clone(), changes, note }),
            Err(e) => tracing::warn!("{} cannot be read: {}", note.0.display(), reason(&e)),
        }
    }
    Ok(found)
}

fn read(path: &Path) -> io::Result<Vec<Announcement>> {
    // It is in nobody else's directory; still, what was put there must not be waited for.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut changes = Vec::new();
    for line in BufReader::new(file.take(MAX_NOTE)).split(b'\n').take(MAX_TOLD) {
        changes.extend(serde_json::from_slice(&line?).ok());
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn change(certificate: &str) -> Announcement {
        Announcement {
            certificate: certificate.to_owned(),
            outputs: vec![format!("{certificate}.der")],
            status: "good".into(),
            expires: None,
        }
    }

    fn shell(text: &str) -> Hook {
        Hook::Shell(text.to_owned())
    }

    /// The names of the notes in a store.
    fn names(store: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(store.join(DIRECTORY)) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_note_is_of_one_command_and_goes_when_all_its_changes_are_settled() {
        let store = tempfile::tempdir().unwrap();
        let notes = Notes::new(Some(store.path()));
        let (one, other) = (shell("one"), Hook::Program("one".into(), Vec::new()));
        let put = notes.put(&[
            Some((&one, change("/a"))),
            None,
            Some((&other, change("/b"))),
            Some((&one, change("/c"))),
        ]);
        let [Some(first), None, Some(second), Some(third)] = <[_; 4]>::try_from(put).unwrap()
        else {
            panic!("a note for each change");
        };
        assert_eq!(names(store.path()).len(), 2);
        let left = notes.left(&[one.clone()].into());
        assert_eq!((left.len(), &left[0].hook), (1, &one));
        assert_eq!(left[0].changes, [change("/a"), change("/c")]);
        first.settle();
        assert_eq!(names(store.path()).len(), 2, "the third is not settled");
        third.settle();
        let names = names(store.path());
        assert_eq!(names.len(), 1);
        assert!(names[0].starts_with(&digest(&other)), "{names:?}");
        drop(second);
        assert_eq!(
            notes.left(&[one.clone(), other.clone()].into()).len(),
            1,
            "dropped is not settled"
        );
        let file = store.path().join(DIRECTORY).join(&names[0]);
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn without_a_command_or_a_store_nothing_is_written() {
        let store = tempfile::tempdir().unwrap();
        assert_eq!(Notes::new(Some(store.path())).put(&[None, None]).len(), 2);
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
        let hook = shell("true");
        let put = Notes::new(None).put(&[Some((&hook, change("/a")))]);
        assert!(put[0].is_none());
        assert!(Notes::new(None).left(&[hook.clone()].into()).is_empty());
        assert!(Notes::new(Some(store.path())).left(&[hook.clone()].into()).is_empty());
    }

    #[test]
    fn what_cannot_be_noted_keeps_nothing_from_being_done() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let hook = shell("true");
        let put = Notes::new(Some(file.path())).put(&[Some((&hook, change("/a")))]);
        assert!(put[0].is_none());
    }

    #[test]
    fn many_notes_become_one() {
        let store = tempfile::tempdir().unwrap();
        let (notes, hook) = (Notes::new(Some(store.path())), shell("false"));
        let told = [change("/a"), change("/b")];
        let put = told.iter().flat_map(|one| notes.put(&[Some((&hook, one.clone()))]));
        let put = put.flatten().collect();
        assert_eq!(names(store.path()).len(), 2);
        let merged = notes.merge(&hook, &told, put);
        assert_eq!((merged.len(), names(store.path()).len()), (1, 1));
        assert_eq!(notes.left(&[hook.clone()].into())[0].changes, told);
        merged.into_iter().for_each(Note::settle);
        assert!(names(store.path()).is_empty());
    }

    /// Half a note is of a change that was not made. What others put there is left alone, and neither
    /// believed nor followed nor waited for.
    #[test]
    fn what_is_no_note_tells_nothing() {
        let store = tempfile::tempdir().unwrap();
        let (notes, hook) = (Notes::new(Some(store.path())), shell("true"));
        let directory = store.path().join(DIRECTORY);
        fs::create_dir(&directory).unwrap();
        let path = |end: &str| directory.join(format!("{}.{end}", digest(&hook)));
        let line = lines([&change("/a")]);
        fs::write(path("half"), &line[..line.len() / 2]).unwrap();
        fs::write(path("empty"), "").unwrap();
        fs::write(store.path().join("elsewhere"), &line).unwrap();
        std::os::unix::fs::symlink(store.path().join("elsewhere"), path("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        fs::write(directory.join("README"), "not of ours").unwrap();
        fs::write(path("theirs"), &line).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(path("theirs"), Some(4242), None).unwrap();
        } else {
            // Who is not root has no file of somebody else.
            fs::remove_file(path("theirs")).unwrap();
        }
        assert!(notes.left(&[hook.clone()].into()).is_empty());
        assert!(!path("half").exists() && !path("empty").exists());
        assert!(path("link").is_symlink() && directory.join("README").exists());
        assert_eq!(fs::read(store.path().join("elsewhere")).unwrap(), line);
    }

    #[test]
    fn notes_of_a_command_that_is_not_configured_go_after_a_week() {
        let store = tempfile::tempdir().unwrap();
        let (notes, hook) = (Notes::new(Some(store.path())), shell("gone"));
        drop(notes.put(&[Some((&hook, change("/a")))]));
        drop(notes.put(&[Some((&hook, change("/b")))]));
        let old = store.path().join(DIRECTORY).join(&names(store.path())[0]);
        let file = File::options().write(true).open(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
        assert!(notes.left(&[shell("another")].into()).is_empty());
        assert!(!old.exists());
        assert_eq!(names(store.path()).len(), 1, "another configuration may have the store too");
        assert_eq!(notes.left(&[hook.clone()].into()).len(), 1);
    }
}
