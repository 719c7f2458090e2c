//! Stores of a context's or a connection's own: `SSL_CTX_set1_verify_cert_store(3)`.

use std::ffi::c_long;

use super::Holder;
use crate::abi::arguments::Out;
use crate::sys::x509::Store;

/// `SSL_CTRL_SET_VERIFY_CERT_STORE`: takes the store over when `larg` is 0.
pub(crate) fn set_verify_store(
    holder: &impl Holder,
    copy: c_long,
    store: *mut std::ffi::c_void,
) -> c_long {
    // SAFETY: the program passes NULL or a valid store; with 0 it gives a reference away.
    let store = unsafe { taken(copy, store) };
    drop(holder.look(|certificates| std::mem::replace(&mut certificates.verify_store, store)));
    1
}

/// `SSL_CTRL_SET_CHAIN_CERT_STORE`: as for verification.
pub(crate) fn set_chain_store(
    holder: &impl Holder,
    copy: c_long,
    store: *mut std::ffi::c_void,
) -> c_long {
    // SAFETY: the program passes NULL or a valid store; with 0 it gives a reference away.
    let store = unsafe { taken(copy, store) };
    drop(holder.change(|certificates| std::mem::replace(&mut certificates.chain_store, store)));
    1
}

/// `SSL_CTRL_GET_CHAIN_CERT_STORE`: writes the store, NULL for none.
pub(crate) fn chain_store(holder: &impl Holder, _: c_long, out: *mut std::ffi::c_void) -> c_long {
    let store = holder.look(|c| c.chain_store.as_ref().map(Store::as_ptr));
    Out::from_void(out).set(store.unwrap_or(std::ptr::null_mut()));
    1
}

/// A store of the program's.
///
/// # Safety
/// `store` is NULL or a valid store; with `copy` 0 the caller gives a reference away.
unsafe fn taken(copy: c_long, store: *mut std::ffi::c_void) -> Option<Store> {
    // SAFETY: the caller promises it.
    unsafe {
        match copy {
            0 => Store::from_raw(store.cast()),
            _ => Store::from_ref(store.cast()),
        }
    }
}

/// `SSL_CTRL_GET_VERIFY_CERT_STORE`: writes the store, NULL for none.
pub(crate) fn verify_store(holder: &impl Holder, _: c_long, out: *mut std::ffi::c_void) -> c_long {
    let store = holder.look(|c| c.verify_store.as_ref().map(Store::as_ptr));
    Out::from_void(out).set(store.unwrap_or(std::ptr::null_mut()));
    1
}
