//! Memory that crosses the ABI with its ownership: `OPENSSL_malloc`ed buffers.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::NonNull;

use super::libcrypto as ffi;

/// A buffer of `OPENSSL_malloc` with its length as C gave it.
#[derive(Debug)]
pub(crate) struct Buffer {
    start: NonNull<u8>,
    length: c_long,
}

// SAFETY: the buffer is owned here alone.
unsafe impl Send for Buffer {}
// SAFETY: as above, and it is not changed.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Takes a buffer over. None for NULL.
    ///
    /// # Safety
    /// `start` is NULL, or from `OPENSSL_malloc` with at least `length` readable bytes, and given
    /// away by the caller.
    pub(crate) unsafe fn from_raw(start: *mut u8, length: c_long) -> Option<Self> {
        NonNull::new(start).map(|start| Self { start, length })
    }

    /// A copy of `bytes` in a buffer of `OPENSSL_malloc`.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        let length = c_long::try_from(bytes.len()).ok()?;
        // SAFETY: the new buffer has room for all the bytes (at least one byte is asked for).
        unsafe {
            let size = bytes.len().max(1);
            let start: *mut u8 = ffi::CRYPTO_malloc(size, std::ptr::null(), 0 as c_int).cast();
            let start = NonNull::new(start)?;
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.as_ptr(), bytes.len());
            Some(Self { start, length })
        }
    }

    /// The start, for its new owner to free with `OPENSSL_free`.
    pub(crate) fn into_raw(self) -> *mut u8 {
        std::mem::ManuallyDrop::new(self).start.as_ptr()
    }

    /// The start, still owned here.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// The length as it was given.
    pub(crate) fn length(&self) -> c_long {
        self.length
    }

    /// The contents; empty for a negative length.
    pub(crate) fn bytes(&self) -> &[u8] {
        let length = usize::try_from(self.length).unwrap_or(0);
        // SAFETY: the buffer has that many bytes, as whoever made it has promised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the buffer is owned here and freed once.
        unsafe { ffi::CRYPTO_free(self.start.as_ptr().cast::<c_void>(), std::ptr::null(), 0) };
    }
}
