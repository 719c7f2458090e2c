//! `CRYPTO_EX_DATA`: what programs hang onto objects, with callbacks that free it.

use std::ffi::{c_int, c_void};
use std::sync::Mutex;

use super::libcrypto as ffi;

/// The classes of `openssl/crypto.h` that are libssl's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Class {
    Ssl = 0,
    Ctx = 1,
    Session = 2,
}

/// The data of one object.
///
/// It has a lock of its own, which is never held while the program's callbacks run: a callback may
/// set and get data of the very object that is made or freed.
pub(crate) struct ExData {
    class: Class,
    data: Mutex<ffi::CRYPTO_EX_DATA>,
}

// SAFETY: the pointers inside are libcrypto's, allocated for this object and reached only with the
// lock held; the program answers for what it stores there, as with every pointer it hands over.
unsafe impl Send for ExData {}
// SAFETY: as above.
unsafe impl Sync for ExData {}

impl ExData {
    /// Data for an object of `class`. The callbacks of new objects run in [`Self::initialize`].
    pub(crate) fn new(class: Class) -> Self {
        let empty = ffi::CRYPTO_EX_DATA { ctx: std::ptr::null_mut(), sk: std::ptr::null_mut() };
        Self { class, data: Mutex::new(empty) }
    }

    /// Runs the callbacks for new objects.
    pub(crate) fn initialize(&self, object: *mut c_void) {
        let mut fresh = ffi::CRYPTO_EX_DATA { ctx: std::ptr::null_mut(), sk: std::ptr::null_mut() };
        // SAFETY: `fresh` is a local value that libcrypto fills in; `object` is only passed on.
        unsafe { ffi::CRYPTO_new_ex_data(self.class as c_int, object, &mut fresh) };
        if let Ok(mut data) = self.data.lock() {
            *data = fresh;
        }
    }

    /// Runs the callbacks that copy, from an object of the same class, which lives meanwhile. False
    /// when one of them fails.
    pub(crate) fn copy_from(&self, other: &Self) -> bool {
        let empty = || ffi::CRYPTO_EX_DATA { ctx: std::ptr::null_mut(), sk: std::ptr::null_mut() };
        let from = match other.data.lock() {
            Ok(data) => ffi::CRYPTO_EX_DATA { ctx: data.ctx, sk: data.sk },
            Err(_) => return false,
        };
        let Ok(mut to) = self.data.lock().map(|mut data| std::mem::replace(&mut *data, empty()))
        else {
            return false;
        };
        // SAFETY: both values were filled by libcrypto for objects of this class; `to` is ours alone
        // until it is put back, and `from` is only read.
        let copied = unsafe { ffi::CRYPTO_dup_ex_data(self.class as c_int, &mut to, &from) };
        if let Ok(mut data) = self.data.lock() {
            *data = to;
        }
        copied == 1
    }

    /// Stores a pointer under an index from `CRYPTO_get_ex_new_index`.
    pub(crate) fn set(&self, index: c_int, value: *mut c_void) -> bool {
        let Ok(mut data) = self.data.lock() else { return false };
        // SAFETY: `data` is a valid CRYPTO_EX_DATA, ours alone while the lock is held.
        unsafe { ffi::CRYPTO_set_ex_data(&mut *data, index, value) == 1 }
    }

    /// The pointer under an index, NULL for none.
    pub(crate) fn get(&self, index: c_int) -> *mut c_void {
        let Ok(data) = self.data.lock() else { return std::ptr::null_mut() };
        // SAFETY: as in `set`.
        unsafe { ffi::CRYPTO_get_ex_data(&*data, index) }
    }

    /// Runs the callbacks that free; the object is on its way out.
    pub(crate) fn free(&self, object: *mut c_void) {
        let empty = ffi::CRYPTO_EX_DATA { ctx: std::ptr::null_mut(), sk: std::ptr::null_mut() };
        let Ok(mut old) = self.data.lock().map(|mut data| std::mem::replace(&mut *data, empty))
        else {
            return;
        };
        // SAFETY: `old` was filled by CRYPTO_new_ex_data for an object of this class and is freed
        // once, since an empty value has taken its place.
        unsafe { ffi::CRYPTO_free_ex_data(self.class as c_int, object, &mut old) };
    }
}
