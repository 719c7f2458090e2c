//! Speed beside the peers.
fn main() {}
