//! Deliveries: staples on their way to the servers, beside everything else.
//!
//! Those that go to files alone go together, in one visit to a thread that may wait for the disk: of a
//! hundred thousand at a start nearly all are there already, and to see that takes less than a visit.

use std::sync::Arc;

use certstatus::VerifiedResponse;

use super::unit::Given;
use crate::agent::certificates::Location;
use crate::agent::config::Hook;
use crate::agent::outputs::{Announcement, Delivered, Targets, Written};
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
    /// A command that is to be told of it.
    pub(super) announcement: Option<(Hook, Announcement)>,
}

/// Does these jobs: of all of them the files, and then the sockets.
pub(super) async fn deliver(jobs: Vec<Job>) -> Vec<Done> {
    let jobs = Arc::new(jobs);
    let shared = Arc::clone(&jobs);
    let write = move || shared.iter().map(|one| one.targets.write(one.der())).collect();
    let written: Vec<Written> = match tokio::task::spawn_blocking(write).await {
        Ok(written) => written,
        Err(error) => jobs.iter().map(|one| one.failed(&error.to_string())).collect(),
    };
    let mut done = Vec::with_capacity(jobs.len());
    for (one, written) in jobs.iter().zip(written) {
        let delivered = one.targets.tell(one.der(), written).await;
        done.push(one.done(delivered));
    }
    done
}

impl Job {
    fn der(&self) -> Option<&[u8]> {
        self.staple.as_ref().map(|staple| staple.der())
    }

    fn failed(&self, why: &str) -> Written {
        self.targets.files().iter().map(|_| Err(why.to_owned())).collect()
    }

    fn done(&self, delivered: Delivered) -> Done {
        let hook = self.targets.hook().filter(|_| delivered.changed);
        Done {
            at: self.at.clone(),
            given: self.given,
            announcement: hook.map(|hook| (hook.clone(), self.announcement())),
            delivered,
        }
    }

    fn announcement(&self) -> Announcement {
        let files = self.targets.files().iter();
        let staple = self.staple.as_ref();
        Announcement {
            certificate: self.at.to_string(),
            outputs: files.map(|file| file.display().to_string()).collect(),
            status: staple.map_or("none", |staple| status_name(staple.status())),
            expires: staple.map(|staple| Time(staple.expires())),
        }
    }
}
