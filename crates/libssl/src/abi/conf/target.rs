//! What the commands of `SSL_CONF_cmd(3)` are for, a context or a connection, and how they change
//! it.

use std::ffi::c_int;
use std::sync::{Arc, Weak};

use crate::abi::arguments::{Handle, Text};
use crate::abi::certificate::{Certificates, Holder, keys};
use crate::abi::context::HasSettings;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::{cipher_list, declined, temporary_dh};
use crate::core::conf::{self, Action};
use crate::core::settings::{Settings, TLS1_3};
use crate::sys::libcrypto as ffi;
use crate::sys::pem;
use crate::sys::pkey::Key;
use crate::sys::x509::Store;

/// What the commands are for. As in OpenSSL the object is not kept alive.
#[derive(Clone, Debug, Default)]
pub(super) enum Target {
    /// Nothing: values are checked only.
    #[default]
    Nothing,
    Ctx(Weak<Ctx>),
    Ssl(Weak<Ssl>),
}

/// A [`Target`], held for a call.
pub(super) enum Held {
    Nothing,
    Ctx(Arc<Ctx>),
    Ssl(Arc<Ssl>),
}

impl Target {
    pub(super) fn hold(&self) -> Held {
        match self {
            Self::Ctx(ctx) => ctx.upgrade().map_or(Held::Nothing, Held::Ctx),
            Self::Ssl(ssl) => ssl.upgrade().map_or(Held::Nothing, Held::Ssl),
            Self::Nothing => Held::Nothing,
        }
    }
}

impl HasSettings for Held {
    fn settings(&self) -> Arc<Settings> {
        match self {
            Self::Nothing => Arc::default(),
            Self::Ctx(ctx) => ctx.settings(),
            Self::Ssl(ssl) => ssl.settings(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        match self {
            Self::Nothing => {}
            Self::Ctx(ctx) => HasSettings::change(&**ctx, change),
            Self::Ssl(ssl) => HasSettings::change(&**ssl, change),
        }
    }
}

impl Held {
    pub(super) fn certificates<T>(&self, run: impl FnOnce(&mut Certificates) -> T) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Ctx(ctx) => Some(Holder::change(&**ctx, run)),
            Self::Ssl(ssl) => Some(Holder::change(&**ssl, run)),
        }
    }
}

pub(super) fn change_options(
    target: &Held,
    table: &[conf::Element],
    flags: u32,
    list: &str,
) -> bool {
    let mut bits = target.settings().options;
    let known = conf::apply(table, flags, list, &mut bits);
    target.change(|settings| settings.options = bits);
    known
}

/// Sets a bound of the versions; those of DTLS are known, and are none of ours.
pub(super) fn set_bound(target: &Held, name: &str, bound: fn(&mut Settings) -> &mut c_int) -> bool {
    let Some(version) = conf::version(name).filter(|_| !matches!(target, Held::Nothing)) else {
        return false;
    };
    if version <= TLS1_3 {
        target.change(|settings| settings.set_bound(bound, version));
    }
    true
}

pub(super) fn set_suites(target: &Held, action: Action, list: Text) -> bool {
    // SAFETY: the arguments are valid: the objects are held here, the list is the program's.
    let set = unsafe {
        match (target, action) {
            (Held::Nothing, _) => 1,
            (Held::Ctx(ctx), Action::CipherString) => {
                cipher_list::SSL_CTX_set_cipher_list(Handle::borrowed(ctx), list)
            }
            (Held::Ctx(ctx), _) => {
                cipher_list::SSL_CTX_set_ciphersuites(Handle::borrowed(ctx), list)
            }
            (Held::Ssl(ssl), Action::CipherString) => {
                cipher_list::SSL_set_cipher_list(Handle::borrowed(ssl), list)
            }
            (Held::Ssl(ssl), _) => cipher_list::SSL_set_ciphersuites(Handle::borrowed(ssl), list),
        }
    };
    set > 0
}

pub(super) fn set_key(target: &Held, file: Text) -> bool {
    /// `SSL_FILETYPE_PEM`.
    const PEM: c_int = 1;
    // SAFETY: as in `set_suites`.
    let set = unsafe {
        match target {
            Held::Nothing => 1,
            Held::Ctx(ctx) => keys::SSL_CTX_use_PrivateKey_file(Handle::borrowed(ctx), file, PEM),
            Held::Ssl(ssl) => keys::SSL_use_PrivateKey_file(Handle::borrowed(ssl), file, PEM),
        }
    };
    set > 0
}

/// Adds to the store that the peer's certificates are verified with, in place of the context's.
pub(super) fn load_store(target: &Held, action: Action, path: Text) -> bool {
    let store = target.certificates(|certificates| {
        if certificates.verify_store.is_none() {
            certificates.verify_store = Store::new();
        }
        certificates.verify_store.clone()
    });
    let Some(store) = store else { return true };
    let Some(store) = store else { return false };
    let (store, path) = (store.as_ptr(), path.as_ptr());
    // SAFETY: the store is held here; the path is a string of C.
    unsafe {
        match action {
            Action::VerifyCaPath => ffi::X509_STORE_load_path(store, path) > 0,
            Action::VerifyCaStore => ffi::X509_STORE_load_store(store, path) > 0,
            _ => ffi::X509_STORE_load_file(store, path) > 0,
        }
    }
}

/// Reads parameters for finite field Diffie-Hellman, which are taken and never used.
pub(super) fn set_parameters(target: &Held, file: Text) -> bool {
    let Some(parameters) = file.get().and_then(pem::parameters) else { return false };
    let raw = parameters.to_raw();
    // SAFETY: as in `set_suites`; the reference is given away when it is taken.
    let set = unsafe {
        match target {
            Held::Nothing => 0,
            Held::Ctx(ctx) => temporary_dh::SSL_CTX_set0_tmp_dh_pkey(Handle::borrowed(ctx), raw),
            Held::Ssl(ssl) => temporary_dh::SSL_set0_tmp_dh_pkey(Handle::borrowed(ssl), raw),
        }
    };
    if set == 0 {
        // SAFETY: the reference made above was not taken.
        drop(unsafe { Key::from_raw(raw) });
    }
    set > 0 || matches!(target, Held::Nothing)
}

/// Whether records may be padded to blocks of that size, as with 0 and 1 they are not.
pub(super) fn takes_padding(size: &str) -> bool {
    conf::count(size).is_some_and(|size| declined::block_padding(c"SSL_CONF_cmd", size) == 1)
}
