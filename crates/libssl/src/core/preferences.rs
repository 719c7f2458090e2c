//! Numbers that a program sets and reads back: what OpenSSL's records and messages may hold.

use std::ffi::c_long;

/// The most data that one record holds (RFC 8446, 5.1).
pub(crate) const RECORD: usize = 16 * 1024;

/// Preferences of a context or a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// The most data that is put into one record, in bytes: 512 to [`RECORD`].
    pub(crate) max_send_fragment: usize,
    /// How data would be divided among the pipelines of a parallel cipher; the engine has one.
    pub(crate) split_send_fragment: usize,
    /// How many pipelines a parallel cipher would get; the engine uses one.
    pub(crate) max_pipelines: c_long,
    /// What the peer's chain may take up. The engine's own bound is 64 KiB.
    pub(crate) max_cert_list: c_long,
    /// The most early data that a server's tickets would allow, in bytes; there is none.
    pub(crate) max_early_data: u32,
    /// The most early data that a server would take, in bytes; it takes none.
    pub(crate) recv_max_early_data: u32,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            max_send_fragment: RECORD,
            split_send_fragment: RECORD,
            max_pipelines: 0,
            max_cert_list: 100 * 1024,
            max_early_data: 0,
            recv_max_early_data: 16 * 1024,
        }
    }
}

impl Preferences {
    /// Sets the most data of a record. False when a record cannot be of that size.
    pub(crate) fn set_max_send_fragment(&mut self, size: c_long) -> bool {
        const LEAST: usize = 512;
        match usize::try_from(size) {
            Ok(size @ LEAST..=RECORD) => {
                self.max_send_fragment = size;
                self.split_send_fragment = self.split_send_fragment.min(size);
                true
            }
            _ => false,
        }
    }

    /// Sets the data of a pipeline. False when it is none, or more than a record's.
    pub(crate) fn set_split_send_fragment(&mut self, size: c_long) -> bool {
        match usize::try_from(size) {
            Ok(size) if size > 0 && size <= self.max_send_fragment => {
                self.split_send_fragment = size;
                true
            }
            _ => false,
        }
    }

    /// Sets how many pipelines there may be: 1 to 32.
    pub(crate) fn set_max_pipelines(&mut self, count: c_long) -> bool {
        let valid = (1..=32).contains(&count);
        if valid {
            self.max_pipelines = count;
        }
        valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_records_are_bounded() {
        let mut preferences = Preferences::default();
        for refused in [-1, 0, 511, 16385] {
            assert!(!preferences.set_max_send_fragment(refused), "{refused}");
        }
        assert!(preferences.set_max_send_fragment(1024));
        assert_eq!(preferences.split_send_fragment, 1024);
        assert!(!preferences.set_split_send_fragment(1025));
        assert!(preferences.set_split_send_fragment(1));
        assert!(!preferences.set_max_pipelines(33));
        assert!(preferences.set_max_pipelines(32));
    }
}
