//! `SSL_CTX_set_default_verify_file(3)` and its siblings: trust from where OpenSSL keeps it, one
//! source at a time.
//!
//! A source that is not there is no failure, and leaves no error behind.

use std::ffi::{c_int, c_long};
use std::ptr;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::Ctx;
use crate::sys::libcrypto as ffi;

/// `X509_FILETYPE_DEFAULT`: where OpenSSL was built to look, or its environment variables say.
const DEFAULT: c_long = 3;
/// `X509_L_FILE_LOAD`.
const FILE_LOAD: c_int = 1;
/// `X509_L_ADD_DIR`.
const ADD_DIR: c_int = 2;
/// `X509_L_ADD_STORE`.
const ADD_STORE: c_int = 3;

/// Adds a lookup of that method to the context's store, and gives it the default for `command`.
fn add(ctx: Handle<Ctx>, method: *mut ffi::X509_LOOKUP_METHOD, command: c_int) -> c_int {
    let Some(store) = ctx.get().map(|ctx| ctx.lock().store.clone()) else { return 0 };
    // SAFETY: the store is valid and owns the lookup; the method is a static object of libcrypto.
    unsafe {
        let lookup = ffi::X509_STORE_add_lookup(store.as_ptr(), method);
        if lookup.is_null() {
            return 0;
        }
        ffi::ERR_set_mark();
        ffi::X509_LOOKUP_ctrl(lookup, command, ptr::null(), DEFAULT, ptr::null_mut());
        ffi::ERR_pop_to_mark();
    }
    1
}

exported! {
    fn SSL_CTX_set_default_verify_file(ctx: Handle<Ctx>) -> c_int => 0, {
        // SAFETY: gives a static object.
        add(ctx, unsafe { ffi::X509_LOOKUP_file() }, FILE_LOAD)
    }

    fn SSL_CTX_set_default_verify_dir(ctx: Handle<Ctx>) -> c_int => 0, {
        // SAFETY: as above.
        add(ctx, unsafe { ffi::X509_LOOKUP_hash_dir() }, ADD_DIR)
    }

    fn SSL_CTX_set_default_verify_store(ctx: Handle<Ctx>) -> c_int => 0, {
        // SAFETY: as above.
        add(ctx, unsafe { ffi::X509_LOOKUP_store() }, ADD_STORE)
    }
}
