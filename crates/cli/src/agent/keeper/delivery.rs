//! Deliveries: staples on their way to the servers, beside everything else.
//!
//! Those that go to files alone go together, in one visit to a thread that may wait for the disk: of a
//! hundred thousand at a start nearly all are there already, and to see that takes less than a visit.
//! Before files are written it is noted that a command is to be told of them, so that a kill in between
//! leaves word of it.

use std::sync::Arc;

use certstatus::VerifiedResponse;

use super::unit::Given;
use crate::agent::certificates::Location;
use crate::agent::config::Hook;
use crate::agent::outputs::{Announcement, Delivered, Note, Notes, Refusal, Targets, Written};
use crate::report::facts::{Time, status_name};

/// What the servers of one certificate are to have.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) at: Location,
    pub(super) targets: Targets,
    pub(super) given: Given,
    /// `None` when what is there is to be taken away.
    pub(super) staple: Option<Arc<VerifiedResponse>>,
}

/// One that has come to its end.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) at: Location,
    pub(super) given: Given,
    pub(super) delivered: Delivered,
    /// A command that is to be told of it, and the note that it is.
    pub(super) announcement: Option<(Hook, Announcement, Option<Note>)>,
}

/// Does these jobs: of all of them the files, and then the sockets.
pub(super) async fn deliver(jobs: Vec<Job>, notes: Notes) -> Vec<Done> {
    let jobs = Arc::new(jobs);
    let shared = Arc::clone(&jobs);
    let written = match tokio::task::spawn_blocking(move || write(&shared, &notes)).await {
        Ok(written) => written,
        Err(error) => jobs.iter().map(|one| (one.failed(&error.to_string()), None)).collect(),
    };
    let mut done = Vec::with_capacity(jobs.len());
    for (one, (written, note)) in jobs.iter().zip(written) {
        let delivered = one.targets.tell(one.der(), written).await;
        done.push(one.done(delivered, note));
    }
    done
}

/// Writes the files of all of them, and gives how that went, with a note where a command is to be told.
fn write(jobs: &[Job], notes: &Notes) -> Vec<(Written, Option<Note>)> {
    let changes: Vec<_> = jobs.iter().map(Job::change).collect();
    let notes = notes.put(&changes);
    let write = |((one, change), note): ((&Job, &Option<_>), Option<Note>)| {
        // What is in place, as it is of nearly all at a start, is not looked at twice.
        let in_place = one.targets.hook().is_some() && change.is_none();
        let written = match in_place {
            true => one.targets.nothing_written(),
            false => one.targets.write(one.der()),
        };
        if written.contains(&Ok(true)) || one.is_revocation() {
            return (written, note);
        }
        note.into_iter().for_each(Note::settle);
        (written, None)
    };
    jobs.iter().zip(&changes).zip(notes).map(write).collect()
}

impl Job {
    fn der(&self) -> Option<&[u8]> {
        self.staple.as_ref().map(|staple| staple.der())
    }

    fn failed(&self, why: &str) -> Written {
        let refusal = || Refusal { why: why.to_owned(), lasting: false };
        self.targets.files().iter().map(|_| Err(refusal())).collect()
    }

    /// What a command will have to be told of, should the files be written.
    fn change(&self) -> Option<(&Hook, Announcement)> {
        let hook = self.targets.hook()?;
        let is_news = self.is_revocation() || !self.targets.is_in_place(self.der());
        is_news.then(|| (hook, self.announcement()))
    }

    /// Whether the certificate is revoked. A command is told of that also where no file changes: the
    /// staple may have ended before, or stays by `keep_stale`.
    fn is_revocation(&self) -> bool {
        self.given == Given::Revoked
    }

    fn done(&self, delivered: Delivered, note: Option<Note>) -> Done {
        if let Some(staple) = self.staple.as_ref().filter(|_| delivered.changed)
            && let Some(why) = self.targets.ignored_by_haproxy(staple)
        {
            tracing::warn!(certificate = %self.at, "{why}");
        }
        let is_news = delivered.changed || self.is_revocation();
        let hook = self.targets.hook().filter(|_| is_news);
        Done {
            at: self.at.clone(),
            given: self.given,
            announcement: hook.map(|hook| (hook.clone(), self.announcement(), note)),
            delivered,
        }
    }

    fn announcement(&self) -> Announcement {
        let files = self.targets.files().iter();
        let staple = self.staple.as_ref();
        Announcement {
            certificate: self.at.to_string(),
            outputs: files.map(|file| file.display().to_string()).collect(),
            status: match staple {
                Some(staple) => status_name(staple.status()).into(),
                None if self.is_revocation() => "revoked".into(),
                None => "none".into(),
            },
            expires: staple.map(|staple| Time(staple.expires()).shown()),
        }
    }
}
