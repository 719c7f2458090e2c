//! Property queries, `property(7)`: what a program asks of implementations of cryptography.
//!
//! The engine's have no properties, as the names of libcrypto's providers are none of theirs. A
//! query fits when it fits such an implementation: `provider!=fips` does, `fips=yes` does not.

/// Whether an implementation without properties fits the query. What cannot be read does not fit.
pub(crate) fn fits(query: &str) -> bool {
    query.trim().is_empty() || query.split(',').all(|clause| clause_fits(clause.trim()))
}

/// What an unknown property is compared as: the Boolean false.
const FALSE: &str = "no";

fn clause_fits(clause: &str) -> bool {
    // Preferred, or a default that is switched off.
    if clause.starts_with(['?', '-']) {
        return true;
    }
    let is_false = |value: &str| value.trim().eq_ignore_ascii_case(FALSE);
    match (clause.split_once("!="), clause.split_once('=')) {
        (Some((_, value)), _) => !is_false(value),
        (None, Some((_, value))) => is_false(value),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn what_is_not_asked_for_fits() {
        for query in ["", " ", "provider!=fips", "fips=no", "?fips=yes", "-fips", "-fips, a!=b"] {
            assert!(fits(query), "{query}");
        }
    }

    #[test]
    fn what_is_asked_for_does_not() {
        for query in ["fips=yes", "fips", "provider=default", "fips!=no", "-fips,fips=yes", ","] {
            assert!(!fits(query), "{query}");
        }
    }
}
