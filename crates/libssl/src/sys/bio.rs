//! The BIOs of a connection. Reading and writing may run the program's own code: no lock of this
//! crate is held meanwhile.

use std::ffi::{CStr, c_int, c_long, c_void};

use super::libcrypto as ffi;
use super::x509::owned;

const FLAGS_READ: c_int = 0x01;
const FLAGS_WRITE: c_int = 0x02;
const FLAGS_IO_SPECIAL: c_int = 0x04;
const FLAGS_SHOULD_RETRY: c_int = 0x08;
/// `BIO_CTRL_EOF`.
const CTRL_EOF: c_int = 2;
/// `BIO_CTRL_FLUSH`.
const CTRL_FLUSH: c_int = 11;

owned!(
    /// A BIO, or a chain of them: one reference.
    Bio, ffi::BIO, ffi::BIO_up_ref, ffi::BIO_free_all
);

/// What a BIO did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// So many bytes were moved; at least one.
    Moved(usize),
    /// Nothing now; try again later.
    Retry,
    /// The transport has ended.
    End,
    /// The transport has failed; the cause is in the error queue or in errno.
    Failed,
}

impl Bio {
    /// A file, for reading. None, with entries in the error queue, when it cannot be opened.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        const CLOSE: c_long = 1;
        const FOR_READING: c_long = 2;
        const SET_FILENAME: c_int = 108;
        // SAFETY: the BIO is owned; the command copies the path, a string of C.
        unsafe {
            let file = Self::from_raw(ffi::BIO_new(ffi::BIO_s_file()))?;
            let path = path.as_ptr().cast_mut().cast();
            let opened = ffi::BIO_ctrl(file.as_ptr(), SET_FILENAME, CLOSE | FOR_READING, path);
            (opened > 0).then_some(file)
        }
    }

    /// Reads into `buffer`.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Transfer {
        let length = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        // SAFETY: the BIO is valid, and `buffer` has at least `length` writable bytes.
        let count =
            unsafe { ffi::BIO_read(self.as_ptr(), buffer.as_mut_ptr().cast::<c_void>(), length) };
        self.transfer(count)
    }

    /// Writes from `buffer`.
    pub(crate) fn write(&self, buffer: &[u8]) -> Transfer {
        let length = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        // SAFETY: the BIO is valid, and `buffer` has at least `length` readable bytes.
        let count =
            unsafe { ffi::BIO_write(self.as_ptr(), buffer.as_ptr().cast::<c_void>(), length) };
        self.transfer(count)
    }

    /// Passes on what the BIO holds back.
    pub(crate) fn flush(&self) -> bool {
        // SAFETY: the BIO is valid; the command takes no argument.
        unsafe { ffi::BIO_ctrl(self.as_ptr(), CTRL_FLUSH, 0, std::ptr::null_mut()) > 0 }
    }

    /// Whether the transport has ended: `BIO_eof`.
    pub(crate) fn is_at_end(&self) -> bool {
        // SAFETY: the BIO is valid; the command takes no argument.
        unsafe { ffi::BIO_ctrl(self.as_ptr(), CTRL_EOF, 0, std::ptr::null_mut()) == 1 }
    }

    fn transfer(&self, count: c_int) -> Transfer {
        match usize::try_from(count) {
            Ok(0) if !self.has(FLAGS_SHOULD_RETRY) => Transfer::End,
            Ok(moved) if moved > 0 => Transfer::Moved(moved),
            _ if self.has(FLAGS_SHOULD_RETRY) => Transfer::Retry,
            _ => Transfer::Failed,
        }
    }

    fn has(&self, flags: c_int) -> bool {
        // SAFETY: the BIO is valid.
        unsafe { ffi::BIO_test_flags(self.as_ptr(), flags) != 0 }
    }

    /// Has the BIO say that reading is to be retried.
    pub(crate) fn ask_to_read_again(&self) {
        const READ: c_int = 1;
        const ALL: c_int = 0xf;
        const SHOULD_RETRY: c_int = 8;
        // SAFETY: the BIO is valid for as long as this owner is.
        unsafe {
            ffi::BIO_clear_flags(self.as_ptr(), ALL);
            ffi::BIO_set_flags(self.as_ptr(), READ | SHOULD_RETRY);
        }
    }

    /// Whether the last operation has to be tried again after reading became possible.
    pub(crate) fn should_read(&self) -> bool {
        self.has(FLAGS_READ)
    }

    /// Whether the last operation has to be tried again after writing became possible.
    pub(crate) fn should_write(&self) -> bool {
        self.has(FLAGS_WRITE)
    }

    /// Whether the last operation waits for something else: a connection, an accept.
    pub(crate) fn should_io_special(&self) -> bool {
        self.has(FLAGS_IO_SPECIAL)
    }

    /// `BIO_RR_*`: what the BIO waits for when it is something else.
    pub(crate) fn retry_reason(&self) -> c_int {
        // SAFETY: the BIO is valid.
        unsafe { ffi::BIO_get_retry_reason(self.as_ptr()) }
    }
}
