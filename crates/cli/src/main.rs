//! The certstatus command.
fn main() {}
