//! Real programs against certstatus. The tests are in `tests/`, one file per peer.

#![forbid(unsafe_code)]
