//! Chains from stores: a certificate without a chain is sent with the issuers that the trusted store
//! has (`SSL_CTX_add_extra_chain_cert(3)`, NOTES), and `SSL_CTX_build_cert_chain(3)`.
//!
//! libcrypto builds them, and runs the program's callbacks of the store meanwhile: so no lock is held.

use std::ffi::{c_int, c_long, c_void};
use std::sync::Arc;

use super::{Certificates, Holder};
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::security::judge_certificate;
use crate::core::failure::{Failure, alert};
use crate::sys::chain_builder::{self, Built};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;
use crate::sys::stack::Chain;
use crate::sys::x509::{Certificate, Store};

/// `SSL_MODE_NO_AUTO_CHAIN`.
const MODE_NO_AUTO_CHAIN: u32 = 8;

/// `SSL_BUILD_CHAIN_FLAG_*` of `openssl/ssl.h`.
mod flag {
    use std::ffi::c_long;

    pub(super) const UNTRUSTED: c_long = 1;
    pub(super) const NO_ROOT: c_long = 2;
    pub(super) const CHECK: c_long = 4;
    pub(super) const IGNORE_ERROR: c_long = 8;
    pub(super) const CLEAR_ERROR: c_long = 0x10;
}

impl Certificates {
    /// The slots whose certificates are sent with a chain from the store.
    fn without_chain(&self) -> Vec<(usize, Certificate)> {
        if !self.extra_chain.is_empty() {
            return Vec::new();
        }
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| slot.chain.is_none());
        slots.filter_map(|(index, slot)| Some((index, slot.certificate.clone()?))).collect()
    }

    /// The current certificate and its chain.
    fn own_chain(&self) -> Option<(Certificate, Vec<Certificate>)> {
        let slot = self.current()?;
        Some((slot.certificate.clone()?, slot.chain.clone().unwrap_or_default()))
    }
}

/// Gives the credentials of a handshake their chains: those of all slots, or of one.
pub(crate) fn complete(ssl: &Ssl, only: Option<usize>) -> Result<(), Failure> {
    let (store, mut wanting) = {
        let state = ssl.lock();
        if state.settings.mode & MODE_NO_AUTO_CHAIN != 0 || state.settings.credentials.is_empty() {
            return Ok(());
        }
        let wanting = state.certificates.without_chain();
        let own = state.certificates.chain_store.clone();
        (own.unwrap_or_else(|| state.ctx.lock().store.clone()), wanting)
    };
    wanting.retain(|(index, _)| only.is_none_or(|only| only == *index));
    for (index, certificate) in wanting {
        let Some(chain) = issuers(&store, &certificate) else { continue };
        for of_chain in &chain {
            if let Err(reason) = judge_certificate(ssl, of_chain, false) {
                let text = "a certificate of the chain from the trusted store is not secure enough";
                return Err(Failure::new(alert::INTERNAL_ERROR, reason, text));
            }
        }
        let chain: Vec<Vec<u8>> = chain.iter().map(Certificate::to_der).collect();
        let mut state = ssl.lock();
        let credentials = state.settings.credentials.iter().map(|credential| {
            match credential.slot == index && !credential.has_chain() {
                true => Arc::new(credential.with_chain(chain.clone())),
                false => Arc::clone(credential),
            }
        });
        let credentials = credentials.collect();
        // Not `Settings::change`: no configuration depends on the credentials.
        Arc::make_mut(&mut state.settings).credentials = credentials;
    }
    Ok(())
}

/// The issuers of a certificate in a store; None for none. An incomplete chain is sent as far as it
/// goes, and is no error.
fn issuers(store: &Store, certificate: &Certificate) -> Option<Vec<Certificate>> {
    error::unchanged(|| chain_builder::build(store, certificate, None))
        .map(|built| built.chain.into_iter().skip(1).collect::<Vec<_>>())
        .filter(|chain| !chain.is_empty())
}

/// A context or a connection, and the store that its chains come from.
pub(crate) trait HasChainStore: Holder {
    /// The store for chains, or else the context's.
    fn chain_store(&self) -> Store;
}

impl HasChainStore for Ctx {
    fn chain_store(&self) -> Store {
        let state = self.lock();
        state.certificates.chain_store.clone().unwrap_or_else(|| state.store.clone())
    }
}

impl HasChainStore for Ssl {
    fn chain_store(&self) -> Store {
        let state = self.lock();
        let own = state.certificates.chain_store.clone();
        own.unwrap_or_else(|| state.ctx.lock().store.clone())
    }
}

/// `SSL_CTRL_BUILD_CERT_CHAIN`: builds the chain of the current certificate. 2 when it does not
/// verify and that is ignored.
pub(crate) fn set(holder: &impl HasChainStore, flags: c_long, _: *mut c_void) -> c_long {
    match built(holder, flags) {
        Ok(value) => value,
        Err((reason, text)) => {
            error::raise(c"SSL_CTRL_BUILD_CERT_CHAIN", reason, text.as_deref());
            0
        }
    }
}

fn built(holder: &impl HasChainStore, flags: c_long) -> Result<c_long, (c_int, Option<String>)> {
    let has = |flag: c_long| flags & flag != 0;
    let own = holder.look(|certificates| certificates.own_chain());
    let (certificate, known) = own.ok_or((reasons::NO_CERTIFICATE_SET, None))?;
    let (store, untrusted) = match has(flag::CHECK) {
        true => (store_of(known.iter().chain([&certificate])), None),
        false => {
            let known = if has(flag::UNTRUSTED) { Chain::new(&known) } else { None };
            (Some(holder.chain_store()), known)
        }
    };
    let out_of_memory = || (error::INTERNAL_ERROR, None);
    let store = store.ok_or_else(out_of_memory)?;
    let Built { chain, error } =
        chain_builder::build(&store, &certificate, untrusted.as_ref()).ok_or_else(out_of_memory)?;
    let mut value = 1;
    if let Some(error) = error {
        if !has(flag::IGNORE_ERROR) {
            let text = format!("Verify error:{}", chain_builder::words(error));
            return Err((reasons::CERTIFICATE_VERIFY_FAILED, Some(text)));
        }
        if has(flag::CLEAR_ERROR) {
            error::clear();
        }
        value = 2;
    }
    let mut chain: Vec<Certificate> = chain.into_iter().skip(1).collect();
    if has(flag::NO_ROOT) {
        chain.pop_if(|last| last.is_self_signed());
    }
    for of_chain in &chain {
        judge_certificate(holder, of_chain, false).map_err(|reason| (reason, None))?;
        // As in OpenSSL, whose loop overwrites the value.
        value = 1;
    }
    holder.change(|certificates| certificates.set_chain(Some(chain)));
    Ok(value)
}

/// A store that trusts these certificates.
fn store_of<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> Option<Store> {
    let store = Store::new()?;
    for certificate in certificates {
        // SAFETY: both objects are valid; the store takes a reference of its own.
        if unsafe { ffi::X509_STORE_add_cert(store.as_ptr(), certificate.as_ptr()) } != 1 {
            return None;
        }
    }
    Some(store)
}
