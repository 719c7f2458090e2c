//! Stacks of libcrypto whose elements live as long as the process: `STACK_OF(SSL_CIPHER)`.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::libcrypto as ffi;

/// An owned stack of pointers to statics: freeing it frees no element.
#[derive(Debug)]
pub(crate) struct StaticStack<T: 'static> {
    stack: NonNull<ffi::OPENSSL_STACK>,
    elements: PhantomData<&'static T>,
}

// SAFETY: the stack is not changed after it was made, and shared statics may be read anywhere.
unsafe impl<T: Sync> Send for StaticStack<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for StaticStack<T> {}

impl<T: 'static> StaticStack<T> {
    /// A stack of these elements. None when memory runs out.
    pub(crate) fn new(elements: impl IntoIterator<Item = &'static T>) -> Option<Self> {
        // SAFETY: takes nothing; the stack that it makes is owned here from now on.
        let stack = NonNull::new(unsafe { ffi::OPENSSL_sk_new_null() })?;
        let stack = Self { stack, elements: PhantomData };
        for element in elements {
            // SAFETY: the stack is valid. It keeps the pointer and does not follow it; libcrypto
            // takes it as mutable, and no function for stacks writes through it.
            let pushed = unsafe {
                ffi::OPENSSL_sk_push(stack.stack.as_ptr(), std::ptr::from_ref(element).cast())
            };
            if pushed <= 0 {
                return None;
            }
        }
        Some(stack)
    }

    /// The stack, still owned here.
    pub(crate) fn as_ptr(&self) -> *mut ffi::OPENSSL_STACK {
        self.stack.as_ptr()
    }

    /// The stack, for C to free with `sk_SSL_CIPHER_free`.
    pub(crate) fn into_raw(self) -> *mut ffi::OPENSSL_STACK {
        std::mem::ManuallyDrop::new(self).stack.as_ptr()
    }
}

impl<T: 'static> Drop for StaticStack<T> {
    fn drop(&mut self) {
        // SAFETY: the stack is owned here and freed once; its elements are not.
        unsafe { ffi::OPENSSL_sk_free(self.stack.as_ptr()) };
    }
}
