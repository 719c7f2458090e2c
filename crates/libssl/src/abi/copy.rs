//! Copies of connections: `SSL_dup(3)`.

use std::sync::Arc;

use crate::abi::arguments::{Handle, give};
use crate::abi::certificate::Holder;
use crate::abi::connection::set_side;
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::abi::owner::Owner;
use crate::core::settings::Settings;
use crate::sys::libcrypto as ffi;

/// Takes over what was chosen on the original. As in OpenSSL its transport, its server name, its
/// groups, its protocols of ALPN and what it asks for in status stay behind.
fn copy(from: &Ssl, to: &Ssl) {
    let (certificates, names, side) = {
        let state = from.lock();
        (state.certificates.clone(), state.ca_names.copy(), state.side)
    };
    to.change(|own| *own = certificates);
    if let Some(side) = side {
        set_side(to, side);
    }
    let original = from.lock();
    let mut state = to.lock();
    Settings::change(&mut state.settings, |own| own.copy_choices(&original.settings));
    state.method = original.method;
    state.supposed_side = original.supposed_side;
    state.ca_names = names;
    state.read_ahead = original.read_ahead;
    state.shutdown = original.shutdown;
    state.sessions.current = original.sessions.current.clone();
    state.callbacks = original.callbacks;
    // SAFETY: both parameters are valid and owned by connections that are locked here.
    unsafe { ffi::X509_VERIFY_PARAM_inherit(state.param.as_ptr(), original.param.as_ptr()) };
}

exported! {
    /// A connection whose handshake has begun is not copied: it gets one more owner.
    fn SSL_dup(ssl: Handle<Ssl>) -> Handle<Ssl> => Handle::NULL, {
        let Some(ssl) = ssl.hold() else { return Handle::NULL };
        if ssl.lock().connection.is_started() {
            return give(Owner::new(ssl));
        }
        let ctx = Arc::clone(&ssl.lock().ctx);
        let Some(new) = Ssl::make(&ctx) else { return Handle::NULL };
        new.ex_data.initialize(Arc::as_ptr(&new).cast_mut().cast());
        copy(&ssl, &new);
        if !new.ex_data.copy_from(&ssl.ex_data) {
            return Handle::NULL;
        }
        give(new)
    }
}
