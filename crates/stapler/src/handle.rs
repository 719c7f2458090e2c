//! What a server holds: the current staple of one certificate.

use std::fmt;
use std::sync::Arc;

use certstatus::VerifiedResponse;
use rustls_pki_types::UnixTime;

use crate::entry::{Entry, holds, is_staple};
use crate::shared::Shared;
use crate::snapshot::StapleState;
use crate::{Fingerprint, Snapshot, Standing, snapshot};

/// The staple of one certificate, kept fresh by its [`Stapler`](crate::Stapler). Cheap to clone.
///
/// Reading takes no lock and waits for nobody. What is handed out has been verified, is about this
/// certificate, holds at this moment for a client without any tolerance, and says *good*, unless
/// [`staple_any_status`](crate::StaplerBuilder::staple_any_status) was called.
///
/// A handle stays readable when the certificate is removed or the stapler is gone; then its staple
/// just expires. Dropping it removes nothing.
#[derive(Clone)]
pub struct StapleHandle {
    pub(crate) entry: Arc<Entry>,
    pub(crate) shared: Arc<Shared>,
}

impl StapleHandle {
    /// The certificate.
    pub fn certificate(&self) -> Fingerprint {
        self.entry.id
    }

    /// Whether the certificate says that its server must staple (RFC 7633).
    pub fn must_staple(&self) -> bool {
        self.entry.must_staple
    }

    /// The staple at this moment, shared.
    pub fn current(&self) -> Option<Arc<VerifiedResponse>> {
        let statement = self.entry.statement();
        statement.as_ref().filter(|s| self.is_fit(s, self.shared.clock.now())).map(Arc::clone)
    }

    /// Looks at the staple at this moment, without counting a reference: many threads that do this
    /// at the same time do not slow each other down. `None` when there is none.
    pub fn read<T>(&self, look: impl FnOnce(&VerifiedResponse) -> T) -> Option<T> {
        let statement = self.entry.statement();
        let statement = statement.as_deref()?;
        self.is_fit(statement, self.shared.clock.now()).then(|| look(statement))
    }

    fn is_fit(&self, statement: &VerifiedResponse, now: UnixTime) -> bool {
        if self.shared.any_status { holds(statement, now) } else { is_staple(statement, now) }
    }

    /// Counts what was put in place of the staple, also when that was nothing. 0 until the first
    /// one. A staple that expires has no version of its own until the stapler has noticed.
    pub fn version(&self) -> u64 {
        self.entry.version()
    }

    /// Waits until the version is another than `seen`, and returns it. Ends with the same version
    /// when the certificate is removed.
    pub async fn changed(&self, seen: u64) -> u64 {
        self.entry.wait_until(|entry| entry.version() != seen || entry.is_removed()).await;
        self.version()
    }

    /// Waits until the first attempt has come to its end, whatever that is: then there is a staple,
    /// or a reason in the [`snapshot`](Self::snapshot).
    pub async fn ready(&self) {
        self.entry.wait_until(Entry::is_settled).await;
    }

    /// How the staple stands.
    pub fn state(&self) -> StapleState {
        snapshot::state_of(&self.entry, self.shared.clock.now())
    }

    /// How the staple stands, in few bytes.
    pub fn standing(&self) -> Standing {
        Standing::of(&self.entry, self.shared.any_status, self.shared.clock.now())
    }

    /// All that there is to know about it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.entry, self.shared.clock.now())
    }
}

impl fmt::Debug for StapleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StapleHandle")
            .field("certificate", &self.entry.id)
            .field("statement", &self.entry.statement().as_ref())
            .finish_non_exhaustive()
    }
}
