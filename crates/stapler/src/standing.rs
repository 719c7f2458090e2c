//! How a staple stands, in few bytes: for those who look at very many of them.

use rustls_pki_types::UnixTime;

use crate::entry::{Entry, holds, is_staple};
use crate::snapshot::{StapleState, at_risk, state_of};

/// How the staple of a certificate stands at one moment, without anything that would have to be
/// copied. The rest is in its [`Snapshot`](crate::Snapshot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// How it stands.
    pub state: StapleState,
    /// Whether the staple ends soon and attempts to renew it have failed, or there is none.
    pub at_risk: bool,
    /// Whether there is a staple that servers are given.
    pub stapled: bool,
    /// Whether the certificate says that its server must staple (RFC 7633).
    pub must_staple: bool,
    /// `thisUpdate` of the newest statement, if there is one.
    pub this_update: Option<UnixTime>,
    /// The first second in which that is not stapled any more.
    pub expires: Option<UnixTime>,
    /// When the next attempt is due; `None` when there will be none.
    pub next_attempt: Option<UnixTime>,
    /// How many attempts have failed since the last that succeeded.
    pub failures: u32,
}

impl Standing {
    pub(crate) fn of(entry: &Entry, any_status: bool, now: UnixTime) -> Self {
        let state = state_of(entry, now);
        let statement = entry.statement();
        let statement = statement.as_ref();
        let fit = if any_status { holds } else { is_staple };
        let kept = entry.state();
        Self {
            state,
            at_risk: at_risk(state, statement, now),
            stapled: statement.is_some_and(|s| fit(s, now)),
            must_staple: entry.must_staple,
            this_update: statement.map(|s| s.this_update()),
            expires: statement.map(|s| s.expires()),
            next_attempt: kept.due(),
            failures: kept.failures,
        }
    }
}
