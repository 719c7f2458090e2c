//! Chains, and which certificate is the current one: `SSL_CTX_add_extra_chain_cert(3)`,
//! `SSL_CTX_add1_chain_cert(3)`. All of them are commands of `SSL_ctrl` and `SSL_CTX_ctrl`.

use std::ffi::{c_long, c_void};
use std::sync::Arc;

use super::{Certificates, Holder};
use crate::abi::arguments::Out;
use crate::abi::objects::Ctx;
use crate::abi::security::judge_certificate;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::stack::{Chain, certificates};
use crate::sys::x509::Certificate;

impl Certificates {
    /// Makes the slot that a handshake uses the current one.
    pub(crate) fn make_current(&mut self, index: usize) {
        if index < self.slots.len() {
            self.current = index;
        }
    }

    /// Selects the first certificate, or the one after the current.
    pub(crate) fn select(&mut self, next: bool) -> bool {
        let from = if next { self.current + 1 } else { 0 };
        let found = self
            .slots
            .iter()
            .enumerate()
            .skip(from)
            .find(|(_, slot)| slot.certificate.is_some() && slot.key.is_some());
        if let Some((index, _)) = found {
            self.current = index;
        }
        found.is_some()
    }

    /// Selects this very certificate, or else an equal one.
    fn select_certificate(&mut self, certificate: &Certificate) -> bool {
        let with_key = |same: &dyn Fn(&Certificate) -> bool| {
            self.slots
                .iter()
                .position(|slot| slot.key.is_some() && slot.certificate.as_ref().is_some_and(same))
        };
        let der = certificate.to_der();
        let found = with_key(&|own| own.as_ptr() == certificate.as_ptr())
            .or_else(|| with_key(&|own| own.to_der() == der));
        self.current = found.unwrap_or(self.current);
        found.is_some()
    }

    /// Sets the chain of the current certificate.
    pub(super) fn set_chain(&mut self, chain: Option<Vec<Certificate>>) {
        let slot = self.current_or_first();
        slot.chain = chain;
        slot.shown = None;
    }

    /// Adds to the chain of the current certificate.
    fn add_to_chain(&mut self, certificate: Certificate) {
        let slot = self.current_or_first();
        slot.chain.get_or_insert_default().push(certificate);
        slot.shown = None;
    }

    /// The chain of the current certificate, for C to look at until it changes; NULL for none.
    fn show_chain(&mut self) -> *mut ffi::stack_st_X509 {
        let Some(slot) = self.current_mut() else { return std::ptr::null_mut() };
        match &slot.chain {
            Some(chain) => show(&mut slot.shown, chain),
            None => std::ptr::null_mut(),
        }
    }

    /// The extra chain, for C to look at until it changes; NULL for none.
    fn show_extra(&mut self) -> *mut ffi::stack_st_X509 {
        match self.extra_chain.is_empty() {
            true => std::ptr::null_mut(),
            false => show(&mut self.shown_extra, &self.extra_chain),
        }
    }
}

fn show(shown: &mut Option<Arc<Chain>>, chain: &[Certificate]) -> *mut ffi::stack_st_X509 {
    if shown.is_none() {
        *shown = Chain::new(chain).map(Arc::new);
    }
    shown.as_ref().map_or(std::ptr::null_mut(), |chain| chain.as_ptr())
}

/// `SSL_CTRL_GET_EXTRA_CHAIN_CERTS`: without extra certificates those of the current certificate,
/// unless `only` is 1.
pub(crate) fn extra_chain(ctx: &Ctx, only: c_long, out: *mut c_void) -> c_long {
    let chain = {
        let mut state = ctx.lock();
        let extra = state.certificates.show_extra();
        if extra.is_null() && only == 0 { state.certificates.show_chain() } else { extra }
    };
    Out::<*mut ffi::stack_st_X509>::from_void(out).set(chain);
    1
}

/// `SSL_CTRL_GET_CHAIN_CERTS`.
pub(crate) fn chain(holder: &impl Holder, _: c_long, out: *mut c_void) -> c_long {
    let chain = holder.look(Certificates::show_chain);
    Out::<*mut ffi::stack_st_X509>::from_void(out).set(chain);
    1
}

/// `SSL_CTRL_SELECT_CURRENT_CERT`.
pub(crate) fn select(holder: &impl Holder, _: c_long, certificate: *mut c_void) -> c_long {
    // SAFETY: the program passes NULL or a valid certificate.
    let Some(certificate) = (unsafe { Certificate::from_ref(certificate.cast()) }) else {
        return 0;
    };
    c_long::from(holder.look(|certificates| certificates.select_certificate(&certificate)))
}

/// `SSL_CTRL_EXTRA_CHAIN_CERT`: takes the certificate over.
pub(crate) fn add_extra_chain(ctx: &Ctx, _: c_long, certificate: *mut c_void) -> c_long {
    // SAFETY: the program gives a reference to a valid certificate away, or passes NULL.
    let Some(certificate) = (unsafe { Certificate::from_raw(certificate.cast()) }) else {
        return 0;
    };
    ctx.change(|certificates| {
        certificates.extra_chain.push(certificate);
        certificates.shown_extra = None;
    });
    1
}

/// `SSL_CTRL_CLEAR_EXTRA_CHAIN_CERTS`.
pub(crate) fn clear_extra_chain(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    ctx.change(|certificates| {
        certificates.extra_chain.clear();
        certificates.shown_extra = None;
    });
    1
}

/// Whether a certificate may be in a chain; otherwise the reason is queued.
fn is_secure(holder: &impl Holder, certificate: &Certificate) -> bool {
    let judged = judge_certificate(holder, certificate, false);
    if let Err(reason) = judged {
        error::raise(c"SSL_ctrl", reason, None);
    }
    judged.is_ok()
}

/// `SSL_CTRL_CHAIN`: takes the stack over when `larg` is 0, copies it when it is 1.
pub(crate) fn set_chain(holder: &impl Holder, copy: c_long, stack: *mut c_void) -> c_long {
    let stack: *mut ffi::stack_st_X509 = stack.cast();
    // SAFETY: the program passes NULL or a valid stack of certificates.
    let chain = (!stack.is_null()).then(|| unsafe { certificates(stack) });
    for certificate in chain.iter().flatten() {
        if !is_secure(holder, certificate) {
            return 0;
        }
    }
    holder.change(|certificates| certificates.set_chain(chain));
    if copy == 0 {
        // SAFETY: the program gives the stack and its references away.
        drop(unsafe { Chain::from_raw(stack) });
    }
    1
}

/// `SSL_CTRL_CHAIN_CERT`: takes the certificate over when `larg` is 0.
pub(crate) fn add_chain_cert(holder: &impl Holder, copy: c_long, cert: *mut c_void) -> c_long {
    // SAFETY: the program passes NULL or a valid certificate.
    let Some(certificate) = (unsafe { Certificate::from_ref(cert.cast()) }) else { return 0 };
    if !is_secure(holder, &certificate) {
        return 0;
    }
    holder.change(|certificates| certificates.add_to_chain(certificate));
    if copy == 0 {
        // SAFETY: the program gives a reference away.
        drop(unsafe { Certificate::from_raw(cert.cast()) });
    }
    1
}

/// `SSL_CTRL_SET_CURRENT_CERT`: `SSL_CERT_SET_FIRST` (1), `SSL_CERT_SET_NEXT` (2).
pub(crate) fn set_current(holder: &impl Holder, which: c_long, _: *mut c_void) -> c_long {
    match which {
        1 | 2 => c_long::from(holder.look(|certificates| certificates.select(which == 2))),
        _ => 0,
    }
}
