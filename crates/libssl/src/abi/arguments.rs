//! The arguments of C functions, as types.
//!
//! Every exported function is `unsafe`: its caller, in C, promises what the man page demands of
//! the arguments. These types are where that promise is used, so that the functions themselves
//! need no `unsafe` for it. They have the layout of the pointer in them, and values of them come
//! from C only.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint};
use std::sync::Arc;

use crate::abi::owner::{Owned, Owner};

/// A counted object of this library: NULL, or a pointer from [`give`] with a reference left.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Handle<T>(*const T);

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> Handle<T> {
    /// NULL.
    pub(crate) const NULL: Self = Self(std::ptr::null());

    /// A pointer that was kept outside of Rust.
    ///
    /// # Safety
    /// As for an argument: NULL, or from [`give`] with a reference left while the value is used.
    pub(crate) unsafe fn from_raw(raw: *const T) -> Self {
        Self(raw)
    }

    /// The object. None for NULL.
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: C passes NULL or an object that it holds a reference to for the whole call. A
        // call in which the program's callbacks run, and may free it, uses `hold`.
        unsafe { self.0.as_ref() }
    }

    /// The object with a reference of its own: it outlives a callback that frees it.
    pub(crate) fn hold(&self) -> Option<Arc<T>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: as in `get`, and the pointer came from `Arc::into_raw`, in `give`.
        unsafe {
            Arc::increment_strong_count(self.0);
            Some(Arc::from_raw(self.0))
        }
    }

    /// Takes the reference that C gives back.
    pub(crate) fn take(self) -> Option<Owner<T>>
    where
        T: Owned,
    {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: as in `hold`; C gives one of its references back and does not use it again.
        unsafe { Owner::from_raw(self.0) }
    }

    /// The pointer, for keeping outside of Rust.
    pub(crate) fn as_ptr(self) -> *mut std::ffi::c_void {
        self.0.cast_mut().cast()
    }

    /// A pointer to an object that lives for as long as C uses it; C takes no reference.
    pub(crate) fn passing(object: &T) -> Self {
        Self(object)
    }

    /// A pointer to an object that someone else holds a reference to.
    pub(crate) fn borrowed(object: &Arc<T>) -> Self {
        Self(Arc::as_ptr(object))
    }
}

/// Gives C a reference that owns the object.
pub(crate) fn give<T: Owned>(object: Owner<T>) -> Handle<T> {
    Handle(object.into_raw())
}

/// A string of C: NULL, or one that ends with a zero byte.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text(*const c_char);

impl Text {
    /// A string of libcrypto's, or an argument that came inside of another.
    ///
    /// # Safety
    /// `raw` is NULL, or a terminated string that lives for as long as the value is used.
    pub(crate) unsafe fn from_raw(raw: *const c_char) -> Self {
        Self(raw)
    }

    /// A string of this library's, which outlives the value.
    pub(crate) fn of(text: &CStr) -> Self {
        Self(text.as_ptr())
    }

    /// The string. None for NULL.
    pub(crate) fn get(&self) -> Option<&CStr> {
        // SAFETY: C passes NULL or a terminated string that lives for the whole call.
        (!self.0.is_null()).then(|| unsafe { CStr::from_ptr(self.0) })
    }

    /// The string, when it is UTF-8.
    pub(crate) fn utf8(&self) -> Option<&str> {
        self.get()?.to_str().ok()
    }

    /// The pointer, for passing on to libcrypto.
    pub(crate) fn as_ptr(self) -> *const c_char {
        self.0
    }
}

/// Where C wants a value: NULL, or a place for one.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Writes the value, unless the place is NULL. False for NULL.
    pub(crate) fn set(&self, value: T) -> bool {
        if self.0.is_null() {
            return false;
        }
        // SAFETY: C passes NULL or a writable place for a `T`; what was there is plain data.
        unsafe { self.0.write(value) };
        true
    }

    /// Whether C wants the value.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.is_null()
    }

    /// A place from a `void *`, as `SSL_ctrl` has it.
    pub(crate) fn from_void(pointer: *mut std::ffi::c_void) -> Self {
        Self(pointer.cast())
    }
}

/// The start of bytes of which another argument gives the count.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(*const u8);

impl Bytes {
    /// Bytes that came in another type.
    ///
    /// # Safety
    /// As for an argument: as many bytes are readable as is said where they are used.
    pub(crate) unsafe fn from_raw(start: *const u8) -> Self {
        Self(start)
    }

    /// `count` bytes. None when there is no start for them.
    pub(crate) fn get(&self, count: impl TryInto<usize>) -> Option<&[u8]> {
        match count.try_into().ok()? {
            0 => Some(&[]),
            _ if self.0.is_null() => None,
            // No object is that long: the length is a mistake, and a slice must not have it.
            count if isize::try_from(count).is_err() => None,
            // SAFETY: C passes as many readable bytes as it says, and leaves them for the call.
            count => Some(unsafe { std::slice::from_raw_parts(self.0, count) }),
        }
    }

    /// Bytes from a `void *`, as `SSL_ctrl` has it.
    pub(crate) fn from_void(pointer: *mut std::ffi::c_void) -> Self {
        Self(pointer.cast_const().cast())
    }

    /// The pointer, for passing on to libcrypto.
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.0
    }
}

/// The start of room for bytes, of which another argument gives the size.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Room(*mut u8);

impl Room {
    /// Room that came in another type.
    ///
    /// # Safety
    /// As for an argument: as many bytes are writable as is said where they are used.
    pub(crate) unsafe fn from_raw(start: *mut u8) -> Self {
        Self(start)
    }

    /// Copies what fits of `bytes` into `size` bytes of room. Returns how many were copied.
    pub(crate) fn fill(&self, size: usize, bytes: &[u8]) -> usize {
        let count = bytes.len().min(size);
        if self.0.is_null() {
            return 0;
        }
        // SAFETY: C passes `size` writable bytes, and `count` is no more than that. The source is
        // this library's own memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0, count) };
        count
    }

    /// Room from a `void *`, as `SSL_ctrl` has it.
    pub(crate) fn from_void(pointer: *mut std::ffi::c_void) -> Self {
        Self(pointer.cast())
    }

    /// Whether there is no room at all.
    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }
}

/// A pointer that belongs to the program: kept and given back, never followed.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opaque(pub(crate) *mut std::ffi::c_void);

impl Default for Opaque {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

// SAFETY: the pointer is a value here, like an integer; whoever follows it is the program.
unsafe impl Send for Opaque {}
// SAFETY: as above.
unsafe impl Sync for Opaque {}

/// 1 for true and 0 for false, as most functions of libssl answer.
pub(crate) fn int(value: bool) -> c_int {
    c_int::from(value)
}

/// As [`int`], for `SSL_ctrl`.
pub(crate) fn long(value: bool) -> c_long {
    c_long::from(value)
}

/// A length for an `unsigned int`.
pub(crate) fn uint(length: usize) -> c_uint {
    c_uint::try_from(length).unwrap_or(c_uint::MAX)
}
