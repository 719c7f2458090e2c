//! `CRYPTO_EX_DATA`: what programs hang onto objects, with callbacks that free it.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
/// libcrypto works on the data in place, as in OpenSSL: a callback that runs for a new, copied or
/// freed object sees the values of the object, and may set values on it. No lock is held while
/// callbacks run. The lock orders [`ExData::set`] and [`ExData::get`] of several threads.
pub(crate) struct ExData {
    class: Class,
    lock: Mutex<()>,
    data: UnsafeCell<ffi::CRYPTO_EX_DATA>,
}

// SAFETY: the pointers inside are libcrypto's, allocated for this object; the program is responsible
// for the pointers that it stores there, as with every pointer that it passes in.
unsafe impl Send for ExData {}
// SAFETY: as above. `set` and `get` hold the lock. The functions that run callbacks are called while
// an object is made, copied or freed, when the program may use it on one thread only.
unsafe impl Sync for ExData {}

impl ExData {
    /// Data for an object of `class`. The callbacks of new objects run in [`Self::initialize`].
    pub(crate) fn new(class: Class) -> Self {
        let empty = ffi::CRYPTO_EX_DATA { ctx: std::ptr::null_mut(), sk: std::ptr::null_mut() };
        Self { class, lock: Mutex::new(()), data: UnsafeCell::new(empty) }
    }

    /// Runs the callbacks for new objects.
    pub(crate) fn initialize(&self, object: *mut c_void) {
        // SAFETY: the data is empty and in place; `object` is only passed on. No reference into the
        // cell exists, so a callback may set and get values meanwhile.
        unsafe { ffi::CRYPTO_new_ex_data(self.class as c_int, object, self.data.get()) };
    }

    /// Runs the callbacks that copy, from an object of the same class, which lives meanwhile. False
    /// when one of them fails.
    pub(crate) fn copy_from(&self, other: &Self) -> bool {
        // SAFETY: both values were filled by libcrypto for objects of this class.
        unsafe {
            ffi::CRYPTO_dup_ex_data(self.class as c_int, self.data.get(), other.data.get()) == 1
        }
    }

    /// Stores a pointer under an index from `CRYPTO_get_ex_new_index`.
    pub(crate) fn set(&self, index: c_int, value: *mut c_void) -> bool {
        let _locked = self.locked();
        // SAFETY: the data is valid, and no other thread sets or gets while the lock is held.
        unsafe { ffi::CRYPTO_set_ex_data(self.data.get(), index, value) == 1 }
    }

    /// The pointer under an index, NULL for none.
    pub(crate) fn get(&self, index: c_int) -> *mut c_void {
        let _locked = self.locked();
        // SAFETY: as in `set`.
        unsafe { ffi::CRYPTO_get_ex_data(self.data.get(), index) }
    }

    /// Runs the callbacks that free. The values are there until the last of them returns; after
    /// that the data is empty, and a second call finds nothing to free.
    pub(crate) fn free(&self, object: *mut c_void) {
        // SAFETY: the data was filled by CRYPTO_new_ex_data for an object of this class, or is
        // empty; libcrypto leaves it empty.
        unsafe { ffi::CRYPTO_free_ex_data(self.class as c_int, object, self.data.get()) };
    }

    fn locked(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
