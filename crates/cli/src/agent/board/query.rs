//! Which certificates are asked for, and in which order: the query of `/api/v1/staples`.
//!
//! An answer has [`DEFAULT_LIMIT`] certificates at most when nothing is said, for there may be a hundred
//! thousand. Who wants all of them walks in the order of their paths and gives `next` of an answer as
//! `after` of the next question: certificates that come and go meanwhile make it neither miss one nor
//! tell one twice. Who shows them to people gives `sort` and `offset`.

use std::path::Path;

use serde::Deserialize;

use super::State;

/// How many certificates an answer has when nothing is said.
pub(in crate::agent) const DEFAULT_LIMIT: usize = 1_000;

/// How many certificates an answer has at most.
pub(in crate::agent) const MAX_LIMIT: usize = 10_000;

/// What is asked for. A parameter that is unknown is refused, and not passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::agent) struct Query {
    /// How many at most.
    pub(in crate::agent) limit: usize,
    /// How many are passed over.
    pub(in crate::agent) offset: usize,
    /// Only those whose path comes after this one.
    pub(in crate::agent) after: Option<String>,
    /// Only those in this state.
    pub(in crate::agent) state: Option<State>,
    /// Only those that have all of these words in their path, subject, serial number, responders,
    /// outputs or errors, in any case.
    pub(in crate::agent) q: String,
    pub(in crate::agent) sort: Sort,
    pub(in crate::agent) order: Order,
}

/// By what they are sorted. What is equal is sorted by time left, and then by path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::agent) enum Sort {
    /// The path of the file.
    #[default]
    Path,
    /// The state, with what needs a human first.
    State,
    /// The name of the certificate.
    Name,
    /// The time left; what has no staple has none left.
    Left,
    /// The time of the next refresh.
    Refresh,
}

/// The direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::agent) enum Order {
    /// The least first.
    #[default]
    Asc,
    /// The most first.
    Desc,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            offset: 0,
            after: None,
            state: None,
            q: String::new(),
            sort: Sort::Path,
            order: Order::Asc,
        }
    }
}

impl Query {
    /// What it says, if that has a meaning.
    ///
    /// # Errors
    /// A sentence that says what has none.
    pub(in crate::agent) fn checked(self) -> Result<Self, String> {
        if self.limit > MAX_LIMIT {
            return Err(format!(
                "limit is {MAX_LIMIT} at most. Walk through more with after, and `next` of each answer."
            ));
        }
        if self.after.is_some() && self.is_sorted() {
            return Err("after goes with the order of paths: leave sort and order out.".to_owned());
        }
        Ok(self)
    }

    /// Whether they come in another order than that of their paths.
    pub(in crate::agent) fn is_sorted(&self) -> bool {
        self.sort != Sort::Path || self.order != Order::Asc
    }

    /// The words, in small letters.
    pub(in crate::agent) fn words(&self) -> Vec<String> {
        self.q.split_whitespace().map(str::to_lowercase).collect()
    }
}

/// What people call a certificate: the common name of its subject (RFC 4514), or all of it, or the
/// name of its file.
pub(in crate::agent) fn short_name(subject: &str, path: &Path) -> String {
    common_name(subject).unwrap_or_else(|| match subject {
        "" => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        whole => whole.to_owned(),
    })
}

fn common_name(subject: &str) -> Option<String> {
    let mut begins = subject.match_indices("CN=").map(|(at, _)| at);
    let at = begins.find(|at| {
        let before = subject.get(..*at).unwrap_or_default();
        before.is_empty() || before.ends_with(',') || before.ends_with(", ")
    })?;
    let mut name = String::new();
    let mut letters = subject.get(at + 3..)?.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ',' => break,
            '\\' => name.extend(letters.next()),
            other => name.push(other),
        }
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_called_by_its_common_name() {
        let name = |subject| short_name(subject, Path::new("/live/a.pem"));
        assert_eq!(name("O=certstatus lab, CN=a.example"), "a.example");
        assert_eq!(name("CN=Acme\\, Inc.,O=Acme"), "Acme, Inc.");
        assert_eq!(name("O=xCN=b"), "O=xCN=b");
        assert_eq!(name("serial 01"), "serial 01");
        assert_eq!(name(""), "a.pem");
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let query = Query::default;
        assert_eq!(query().checked(), Ok(query()));
        assert!(Query { limit: MAX_LIMIT + 1, ..query() }.checked().is_err());
        let after = || Query { after: Some("/a".into()), ..query() };
        assert!(after().checked().is_ok());
        assert!(Query { sort: Sort::Left, ..after() }.checked().is_err());
        assert!(Query { order: Order::Desc, ..after() }.checked().is_err());
    }
}
