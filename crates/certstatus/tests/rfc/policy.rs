//! The policy, as a table: what was stapled × when a staple is required → decision.

use certstatus::message::OcspResponseStatus;
use certstatus::{Acceptance, Decision, Error, Invalid, Policy, Refusal, Require, Staple};

const REQUIRE: [Require; 3] = [Require::Always, Require::MustStaple, Require::Never];

fn required(require: Require, must_staple: bool) -> bool {
    require == Require::Always || (require == Require::MustStaple && must_staple)
}

#[test]
fn a_missing_staple_is_refused_exactly_when_one_is_required() {
    for require in REQUIRE {
        for must_staple in [false, true] {
            let decision = Policy::default().require(require).decide(Staple::Missing, must_staple);
            let expected = if required(require, must_staple) {
                Decision::Refuse(Refusal::Missing { must_staple })
            } else {
                Decision::Accept(Acceptance::NotRequired)
            };
            assert_eq!(decision, expected, "{require:?}, must-staple {must_staple}");
        }
    }
}

#[test]
fn an_invalid_staple_is_refused_unless_the_policy_says_otherwise_and_none_is_required() {
    let error = Error::Unsuccessful(OcspResponseStatus::TryLater);
    for require in REQUIRE {
        for must_staple in [false, true] {
            for invalid in [Invalid::Refuse, Invalid::AsMissing] {
                let policy = Policy::default().require(require).treat_invalid(invalid);
                let refused = matches!(
                    policy.decide(Staple::Invalid(&error), must_staple),
                    Decision::Refuse(Refusal::Invalid(_))
                );
                let expected = required(require, must_staple) || invalid == Invalid::Refuse;
                assert_eq!(refused, expected, "{require:?} {must_staple} {invalid:?}");
            }
        }
    }
}

#[test]
fn the_default_is_the_documented_one() {
    let policy = Policy::default();
    assert_eq!(policy, Policy::default().require(Require::MustStaple));
    assert_eq!(policy.freshness().skew.as_secs(), 300);
    assert_eq!(policy.freshness().max_age.as_secs(), 86_400);
}

#[test]
fn decisions_are_sentences() {
    let missing = Policy::default().decide(Staple::Missing, true).to_string();
    assert_eq!(
        missing,
        "nothing is stapled, and the certificate says that the server must staple (RFC 7633)"
    );
}
