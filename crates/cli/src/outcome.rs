//! How a command ends: the one table of exit codes, for the process, the JSON and the help.

use std::process::ExitCode;

use certstatus::message::CertStatus;
use serde::Serialize;

/// How a command ends, in order: of several outcomes the greatest is the worst.
///
/// The order is by what is *known* to be wrong. Nothing stapled is a lack; what could not be done
/// says nothing, and may hide anything; a status *unknown* is the CA's own word against the
/// certificate; a response that is not to be trusted may be an attack; and a revoked certificate is
/// the worst there is to know. A usage error ends the command before anything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// What was asked for is done, and nothing was judged.
    Done,
    /// The certificate is good.
    Good,
    /// The server stapled nothing.
    Missing,
    /// It could not be done: network, file, TLS.
    Failed,
    /// The responder does not know the certificate.
    Unknown,
    /// There is a response, and it is not to be trusted.
    Untrusted,
    /// The certificate is revoked.
    Revoked,
    /// The command line is not understood.
    Usage,
}

impl Outcome {
    /// Every outcome, in the order of the exit codes.
    pub(crate) const BY_CODE: [Self; 7] = [
        Self::Good,
        Self::Failed,
        Self::Usage,
        Self::Revoked,
        Self::Unknown,
        Self::Untrusted,
        Self::Missing,
    ];

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done | Self::Good => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Revoked => 3,
            Self::Unknown => 4,
            Self::Untrusted => 5,
            Self::Missing => 6,
        }
    }

    /// What the exit code means, for help and man pages.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done | Self::Good => "good: the status is good, or what was asked for is done",
            Self::Failed => "could not be done: network, file, TLS",
            Self::Usage => "the command line is not understood",
            Self::Revoked => "the certificate is revoked",
            Self::Unknown => "the responder does not know the certificate",
            Self::Untrusted => "the response is not to be trusted",
            Self::Missing => "nothing is stapled",
        }
    }

    /// The word that stands before a verdict.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Good => "GOOD",
            Self::Failed => "FAILED",
            Self::Usage => "USAGE",
            Self::Revoked => "REVOKED",
            Self::Unknown => "UNKNOWN",
            Self::Untrusted => "NOT TO BE TRUSTED",
            Self::Missing => "NOTHING STAPLED",
        }
    }
}

impl From<CertStatus> for Outcome {
    fn from(status: CertStatus) -> Self {
        match status {
            CertStatus::Good => Self::Good,
            CertStatus::Revoked(_) => Self::Revoked,
            CertStatus::Unknown => Self::Unknown,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_table() {
        let codes = Outcome::BY_CODE.map(Outcome::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_worst_of_several_is_the_greatest() {
        let worst = |all: &[Outcome]| all.iter().max().copied();
        use Outcome::*;
        assert_eq!(worst(&[Good, Revoked, Failed]), Some(Revoked));
        assert_eq!(worst(&[Failed, Missing, Good]), Some(Failed));
        assert_eq!(worst(&[Unknown, Untrusted, Failed]), Some(Untrusted));
    }
}
