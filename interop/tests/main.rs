//! Real programs against certstatus, one file per peer.
