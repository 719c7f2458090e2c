//! How much memory a reader may take.

/// Bytes for each byte of input. The largest that a few bytes become is a single response of about 80
/// bytes, which is kept in some 400.
const PER_BYTE: u64 = 64;

/// Bytes whatever the input: sentences of errors, tables that are built once.
const BASE: u64 = 64 * 1024;

/// Runs a reader, and holds the memory that it takes at once against the length of its input.
pub(crate) fn bounded<T>(input: &[u8], read: impl FnOnce() -> T) -> T {
    let mut result = None;
    let taken = allocation_counter::measure(|| result = Some(read()));
    let most = BASE + PER_BYTE * input.len() as u64;
    assert!(
        taken.bytes_max <= most,
        "{} bytes of memory for an input of {}, and at most {most} are meant",
        taken.bytes_max,
        input.len()
    );
    result.expect("the closure was run")
}
