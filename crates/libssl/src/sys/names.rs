//! Stacks of names: what libssl calls a list of CAs.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use super::libcrypto as ffi;

/// A `STACK_OF(X509_NAME)` with its names, freed at the end.
#[derive(Debug)]
pub(crate) struct Names(NonNull<ffi::OPENSSL_STACK>);

// SAFETY: the stack is owned, and reached through the lock of the object that has it.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

impl Names {
    /// An empty stack. None when memory is out.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: no argument; the result is owned.
        NonNull::new(unsafe { ffi::OPENSSL_sk_new_null() }).map(Self)
    }

    /// A stack that C gives away. None for NULL.
    ///
    /// # Safety
    /// `raw` is NULL or a stack of names that no one else frees.
    pub(crate) unsafe fn from_raw(raw: *mut ffi::OPENSSL_STACK) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// Names from their DER. None when one is not a name.
    pub(crate) fn from_der(names: &[Vec<u8>]) -> Option<Self> {
        let stack = Self::new()?;
        for der in names {
            let length = der.len().try_into().ok()?;
            let mut cursor = der.as_ptr();
            // SAFETY: the cursor is at `length` readable bytes; the name is owned by the stack.
            unsafe {
                let name = ffi::d2i_X509_NAME(std::ptr::null_mut(), &mut cursor, length);
                if name.is_null() || !push(stack.as_ptr(), name) {
                    return None;
                }
            }
        }
        Some(stack)
    }

    /// The stack, for passing on to C.
    pub(crate) fn as_ptr(&self) -> *mut ffi::OPENSSL_STACK {
        self.0.as_ptr()
    }

    /// Gives the stack to C.
    pub(crate) fn into_raw(self) -> *mut ffi::OPENSSL_STACK {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    /// The names in DER.
    pub(crate) fn to_der(&self) -> Vec<Vec<u8>> {
        // SAFETY: the stack is owned, and has names only.
        unsafe { names(self.as_ptr()).filter_map(|name| der(name)).collect() }
    }

    /// Whether there is no name in it.
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: the stack is owned.
        unsafe { ffi::OPENSSL_sk_num(self.as_ptr()) <= 0 }
    }

    /// A stack of its own with the same names. None when memory is out.
    pub(crate) fn copy(&self) -> Option<Self> {
        // SAFETY: the stack is owned, and has names only.
        unsafe { duplicate(self.as_ptr()) }
    }

    /// Adds a copy of a certificate's subject. False when it has none, or memory is out.
    ///
    /// # Safety
    /// `certificate` is NULL or a valid certificate.
    pub(crate) unsafe fn push_subject(&self, certificate: *const ffi::X509) -> bool {
        // SAFETY: the caller promises the certificate; the stack is owned.
        !certificate.is_null()
            && unsafe {
                push(self.as_ptr(), ffi::X509_NAME_dup(ffi::X509_get_subject_name(certificate)))
            }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: the stack and its names are owned here and freed once.
        unsafe { ffi::OPENSSL_sk_pop_free(self.0.as_ptr(), Some(free)) };
    }
}

unsafe extern "C" fn free(name: *mut c_void) {
    // SAFETY: libcrypto passes the elements of a stack of names.
    unsafe { ffi::X509_NAME_free(name.cast()) };
}

/// Adds a name that is given away. False when it is NULL or memory is out.
///
/// # Safety
/// `stack` is a stack of names, `name` NULL or a name that no one else frees.
unsafe fn push(stack: *mut ffi::OPENSSL_STACK, name: *mut ffi::X509_NAME) -> bool {
    // SAFETY: the caller promises it; a name that was not taken is freed.
    unsafe {
        if name.is_null() {
            return false;
        }
        let pushed = ffi::OPENSSL_sk_push(stack, name.cast()) > 0;
        if !pushed {
            ffi::X509_NAME_free(name);
        }
        pushed
    }
}

/// The names of a stack, which may be NULL.
///
/// # Safety
/// `stack` is NULL or a stack of names, valid for as long as the iterator is used.
unsafe fn names(stack: *const ffi::OPENSSL_STACK) -> impl Iterator<Item = *mut ffi::X509_NAME> {
    // SAFETY: the caller promises it; NULL has -1 elements. The index is one of the stack's.
    let count = unsafe { ffi::OPENSSL_sk_num(stack) };
    // SAFETY: as above.
    (0..count).map(move |at| unsafe { ffi::OPENSSL_sk_value(stack, at) }.cast())
}

/// # Safety
/// `name` is a valid name.
pub(crate) unsafe fn der(name: *mut ffi::X509_NAME) -> Option<Vec<u8>> {
    // SAFETY: the first call only counts; the second writes what was counted.
    unsafe {
        let size = usize::try_from(ffi::i2d_X509_NAME(name, std::ptr::null_mut())).ok()?;
        let mut der = vec![0; size];
        let mut cursor = der.as_mut_ptr();
        ffi::i2d_X509_NAME(name, &mut cursor);
        Some(der)
    }
}

/// A copy of a stack and its names. None when memory is out.
///
/// # Safety
/// `stack` is NULL, for an empty one, or a valid stack of names.
pub(crate) unsafe fn duplicate(stack: *const ffi::OPENSSL_STACK) -> Option<Names> {
    let copy = Names::new()?;
    // SAFETY: the caller promises the stack; the copy is owned.
    unsafe {
        for name in names(stack) {
            if !push(copy.as_ptr(), ffi::X509_NAME_dup(name)) {
                return None;
            }
        }
    }
    Some(copy)
}

/// Adds the subjects of a file's certificates that are not in the stack yet. As in OpenSSL, the
/// stack is sorted by searching it, and has its order of comparison back afterwards.
///
/// False, with an entry in the error queue, when the file cannot be opened.
///
/// # Safety
/// `stack` is a valid stack of names.
pub(crate) unsafe fn add_file(stack: *mut ffi::OPENSSL_STACK, path: &CStr) -> bool {
    // SAFETY: the caller promises the stack; the function compares the names that are in it.
    unsafe {
        let before = ffi::OPENSSL_sk_set_cmp_func(stack, Some(compare));
        let added = each_subject(path, |name| {
            ffi::OPENSSL_sk_find(stack, name.cast()) >= 0 || push(stack, ffi::X509_NAME_dup(name))
        });
        ffi::OPENSSL_sk_set_cmp_func(stack, before);
        if added.is_some() {
            ffi::ERR_clear_error();
        }
        added.is_some()
    }
}

/// The subjects of a file's certificates, each once, in the order of the file. None, with an entry
/// in the error queue, when the file cannot be opened or has no certificate.
pub(crate) fn load_file(path: &CStr) -> Option<Names> {
    let subjects = Names::new()?;
    // SAFETY: the stack is owned; the names are compared for the call only.
    let count = each_subject(path, |name| unsafe {
        names(subjects.as_ptr()).any(|known| ffi::X509_NAME_cmp(known, name) == 0)
            || push(subjects.as_ptr(), ffi::X509_NAME_dup(name))
    })?;
    if count == 0 {
        return None;
    }
    super::error::clear();
    Some(subjects)
}

/// Calls `take` with each certificate's subject until there is no more, or it says false. Returns
/// how many there were; the error at the end of the file stays in the queue.
fn each_subject(path: &CStr, mut take: impl FnMut(*mut ffi::X509_NAME) -> bool) -> Option<usize> {
    let null = std::ptr::null_mut::<c_void>();
    let file = super::bio::Bio::open(path)?;
    let mut count = 0;
    // SAFETY: the BIO and the certificates are owned here.
    unsafe {
        loop {
            let next = ffi::PEM_read_bio_X509(file.as_ptr(), null.cast(), None, null);
            let Some(certificate) = super::x509::Certificate::from_raw(next) else { break };
            let subject = ffi::X509_get_subject_name(certificate.as_ptr());
            if subject.is_null() || !take(subject) {
                return None;
            }
            count += 1;
        }
    }
    Some(count)
}

/// Compares two elements of a stack of names.
unsafe extern "C" fn compare(left: *const c_void, right: *const c_void) -> c_int {
    let (left, right): (*const *const ffi::X509_NAME, *const *const ffi::X509_NAME) =
        (left.cast(), right.cast());
    // SAFETY: libcrypto passes pointers to two elements of a stack of names.
    unsafe { ffi::X509_NAME_cmp(*left, *right) }
}
