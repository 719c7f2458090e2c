//! Certificates and keys of this side: `SSL_CTX_use_certificate(3)`, `SSL_CTX_add1_chain_cert(3)`.
//!
//! As in OpenSSL there is one slot for each kind of key; the slot filled last is the current one,
//! to which chains and keys go. What is complete becomes a credential of the engine.

pub(crate) mod build;
pub(crate) mod chains;
pub(crate) mod check;
pub(crate) mod keys;
pub(crate) mod stores;

use std::ffi::{CStr, c_int};
use std::sync::{Arc, OnceLock};

use rustls::crypto::SigningKey;

use crate::abi::arguments::{Bytes, Handle, Text, int};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::security::{Secured, judge_certificate};
use crate::core::credentials::Credential;
use crate::core::settings::Settings;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::pem::{self, FileType, Password};
use crate::sys::pkey::{Key, Kind};
use crate::sys::reasons;
use crate::sys::stack::{Chain, certificates};
use crate::sys::x509::{Certificate, Store};

/// The certificates and keys of a context or a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    slots: Vec<Slot>,
    /// Index of the slot that was filled last, or selected.
    current: usize,
    /// The chain for slots that have none of their own: `SSL_CTX_add_extra_chain_cert(3)`.
    extra_chain: Vec<Certificate>,
    /// `extra_chain` as C was shown it, until it changes.
    shown_extra: Option<Arc<Chain>>,
    /// What the peer's certificates are verified with, in place of the context's store.
    pub(crate) verify_store: Option<Store>,
    /// What chains are built from, in place of the context's store.
    pub(crate) chain_store: Option<Store>,
}

/// One certificate, its key and its chain.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    kind: Kind,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) key: Option<Key>,
    /// `key` as the engine signs with it. Importing a key takes as long as a handshake, so copies of the
    /// slot share it.
    signing_key: SharedSigningKey,
    chain: Option<Vec<Certificate>>,
    /// `chain` as C was shown it, until it changes.
    shown: Option<Arc<Chain>>,
}

/// A signing key, imported when it is first used; None for a key that cannot be used.
type SharedSigningKey = Arc<OnceLock<Option<Arc<dyn SigningKey>>>>;

impl Slot {
    fn new(kind: Kind) -> Self {
        let signing_key = SharedSigningKey::default();
        Self { kind, certificate: None, key: None, signing_key, chain: None, shown: None }
    }

    fn set_key(&mut self, key: Option<Key>) {
        self.key = key;
        self.signing_key = SharedSigningKey::default();
    }

    fn signing_key(&self) -> Option<Arc<dyn SigningKey>> {
        let key = self.key.as_ref()?;
        self.signing_key.get_or_init(|| key.signing_key()).clone()
    }
}

/// Why a certificate or a key was not taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// A reason for the error queue.
    Reason(c_int),
    /// libcrypto has put its reason into the queue.
    Queued,
}

impl From<c_int> for Refusal {
    fn from(reason: c_int) -> Self {
        Self::Reason(reason)
    }
}

impl Certificates {
    /// The slot filled or selected last.
    pub(crate) fn current(&self) -> Option<&Slot> {
        self.slots.get(self.current)
    }

    /// The index of the slot filled or selected last.
    pub(crate) fn current_index(&self) -> usize {
        self.current
    }

    /// Whether the slot with this index has no key.
    pub(crate) fn lacks_key(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.key.is_none())
    }

    fn current_mut(&mut self) -> Option<&mut Slot> {
        self.slots.get_mut(self.current)
    }

    /// The current slot; as in OpenSSL that for RSA as long as none has been filled.
    fn current_or_first(&mut self) -> &mut Slot {
        let kind = self.current().map_or(Kind::Rsa, |slot| slot.kind);
        self.slot_of(kind)
    }

    fn slot_of(&mut self, kind: Kind) -> &mut Slot {
        // In the order of kinds, which a program sees by SSL_CTX_set_current_cert.
        self.current = self.slots.partition_point(|slot| slot.kind < kind);
        if self.slots.get(self.current).is_none_or(|slot| slot.kind != kind) {
            self.slots.insert(self.current, Slot::new(kind));
        }
        // The index is that of the slot found, or of the one inserted.
        #[allow(clippy::indexing_slicing)]
        &mut self.slots[self.current]
    }

    /// Sets a certificate. A key in its slot that does not fit is dropped.
    pub(crate) fn use_certificate(&mut self, certificate: Certificate) -> Result<(), Refusal> {
        // SAFETY: the certificate is valid; its public key is borrowed, and up-referenced here.
        let public = unsafe { Key::from_ref(ffi::X509_get0_pubkey(certificate.as_ptr())) };
        let kind =
            public.ok_or(reasons::X509_LIB)?.kind().ok_or(reasons::UNKNOWN_CERTIFICATE_TYPE)?;
        let slot = self.slot_of(kind);
        if slot.key.as_ref().is_some_and(|key| !fits(&certificate, key)) {
            slot.set_key(None);
        }
        slot.certificate = Some(certificate);
        Ok(())
    }

    /// Sets a key, which must fit the certificate of its slot if there is one.
    pub(crate) fn use_key(&mut self, key: Key) -> Result<(), Refusal> {
        let kind = key.kind().ok_or(reasons::UNKNOWN_CERTIFICATE_TYPE)?;
        let slot = self.slot_of(kind);
        if slot.certificate.as_ref().is_some_and(|certificate| !compare(certificate, &key)) {
            return Err(Refusal::Queued);
        }
        slot.set_key(Some(key));
        Ok(())
    }

    /// Whether the current certificate has a key that fits it.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let slot = self.current().ok_or(reasons::NO_CERTIFICATE_ASSIGNED)?;
        let certificate = slot.certificate.as_ref().ok_or(reasons::NO_CERTIFICATE_ASSIGNED)?;
        let key = slot.key.as_ref().ok_or(reasons::NO_PRIVATE_KEY_ASSIGNED)?;
        if compare(certificate, key) { Ok(()) } else { Err(Refusal::Queued) }
    }

    /// Forgets everything: `SSL_certs_clear`.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The engine's credentials: the slots with a certificate and a key.
    pub(crate) fn credentials(&self) -> Arc<[Arc<Credential>]> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| {
                let certificate = slot.certificate.as_ref()?.to_der();
                let chain = slot.chain.as_ref().unwrap_or(&self.extra_chain);
                let chain = chain.iter().map(Certificate::to_der).collect();
                let key = slot.signing_key()?;
                Some(Arc::new(Credential::new(certificate, chain, key, index)))
            })
            .collect()
    }
}

/// Whether the key is that of the certificate. Otherwise libcrypto queues why.
fn compare(certificate: &Certificate, key: &Key) -> bool {
    // SAFETY: both objects are valid.
    unsafe { ffi::X509_check_private_key(certificate.as_ptr(), key.as_ptr()) == 1 }
}

/// As [`compare`], and leaves no error behind.
fn fits(certificate: &Certificate, key: &Key) -> bool {
    // SAFETY: the marks stand in the queue of this thread.
    unsafe { ffi::ERR_set_mark() };
    let fits = compare(certificate, key);
    // SAFETY: as above; the mark was set here.
    unsafe { ffi::ERR_pop_to_mark() };
    fits
}

/// A context or a connection, for functions that exist for both.
pub(crate) trait Holder: Secured {
    /// Looks at the certificates, or changes what the engine's credentials do not depend on.
    fn look<T>(&self, look: impl FnOnce(&mut Certificates) -> T) -> T;
    /// Changes the certificates, and the engine's credentials with them.
    fn change<T>(&self, change: impl FnOnce(&mut Certificates) -> T) -> T;
    /// The callback for passwords of key files, and its argument.
    fn passwd(&self) -> Password;
}

macro_rules! holder {
    ($object:ty) => {
        impl Holder for $object {
            fn look<T>(&self, look: impl FnOnce(&mut Certificates) -> T) -> T {
                look(&mut self.lock().certificates)
            }

            fn change<T>(&self, change: impl FnOnce(&mut Certificates) -> T) -> T {
                let mut state = self.lock();
                let value = change(&mut state.certificates);
                let credentials = state.certificates.credentials();
                Settings::change(&mut state.settings, |settings| {
                    settings.credentials = credentials
                });
                value
            }

            fn passwd(&self) -> Password {
                let state = self.lock();
                (state.callbacks.passwd, state.callbacks.passwd_arg.0)
            }
        }
    };
}
holder!(Ctx);
holder!(Ssl);

/// Queues a refusal, and gives C's answer.
pub(crate) fn answer(function: &'static CStr, outcome: Result<(), Refusal>) -> c_int {
    if let Err(Refusal::Reason(reason)) = outcome {
        error::raise(function, reason, None);
    }
    int(outcome.is_ok())
}

fn use_certificate(
    function: &'static CStr,
    holder: Option<&impl Holder>,
    certificate: Option<Certificate>,
) -> c_int {
    match (holder, certificate) {
        (Some(holder), Some(certificate)) => answer(function, take(holder, certificate)),
        _ => answer(function, Err(error::PASSED_NULL_PARAMETER.into())),
    }
}

/// Takes a certificate that is secure enough.
fn take(holder: &impl Holder, certificate: Certificate) -> Result<(), Refusal> {
    judge_certificate(holder, &certificate, true)?;
    holder.change(|certificates| certificates.use_certificate(certificate))
}

/// What reads an object from a file of a form.
type Reader<T> = fn(&CStr, FileType, Password) -> Option<T>;

/// Reads an object from a file and takes it.
fn use_file<H: Holder, T>(
    function: &'static CStr,
    holder: Option<&H>,
    (file, kind): (Text, c_int),
    read: Reader<T>,
    take: fn(&H, T) -> Result<(), Refusal>,
) -> c_int {
    let (Some(holder), Some(file)) = (holder, file.get()) else {
        return answer(function, Err(error::PASSED_NULL_PARAMETER.into()));
    };
    let Some(kind) = FileType::from_c(kind) else {
        return answer(function, Err(reasons::BAD_SSL_FILETYPE.into()));
    };
    match read(file, kind, holder.passwd()) {
        Some(object) => answer(function, take(holder, object)),
        None => answer(function, Err(pem::failure(kind).into())),
    }
}

fn use_chain_file(function: &'static CStr, holder: Option<&impl Holder>, file: Text) -> c_int {
    let (Some(holder), Some(file)) = (holder, file.get()) else {
        return answer(function, Err(error::PASSED_NULL_PARAMETER.into()));
    };
    let Some((certificate, chain)) = pem::chain(file, holder.passwd()) else {
        return answer(function, Err(pem::failure(FileType::Pem).into()));
    };
    let outcome = take(holder, certificate).and_then(|()| {
        for certificate in &chain {
            judge_certificate(holder, certificate, false)?;
        }
        // A file with one certificate says nothing of a chain.
        let chain = (!chain.is_empty()).then_some(chain);
        holder.change(|certificates| certificates.set_chain(chain));
        Ok(())
    });
    answer(function, outcome)
}

fn use_cert_and_key(
    function: &'static CStr,
    holder: Option<&impl Holder>,
    certificate: Option<Certificate>,
    key: Option<Key>,
    chain: Vec<Certificate>,
    replace: bool,
) -> c_int {
    let (Some(holder), Some(certificate)) = (holder, certificate) else {
        return answer(function, Err(error::PASSED_NULL_PARAMETER.into()));
    };
    let judged = chain.iter().map(|of_chain| (of_chain, false));
    for (certificate, own) in std::iter::once((&certificate, true)).chain(judged) {
        if let Err(reason) = judge_certificate(holder, certificate, own) {
            return answer(function, Err(reason.into()));
        }
    }
    let outcome = holder.change(|certificates| {
        let key = key.ok_or(reasons::NO_PRIVATE_KEY_ASSIGNED)?;
        if !fits(&certificate, &key) {
            return Err(reasons::PRIVATE_KEY_MISMATCH.into());
        }
        let slot = certificates.slot_of(key.kind().ok_or(reasons::UNKNOWN_CERTIFICATE_TYPE)?);
        if !replace && (slot.certificate.is_some() || slot.key.is_some() || slot.chain.is_some()) {
            return Err(reasons::NOT_REPLACING_CERTIFICATE.into());
        }
        slot.certificate = Some(certificate);
        slot.set_key(Some(key));
        slot.chain = Some(chain);
        Ok(())
    });
    answer(function, outcome)
}

exported! {
    fn SSL_CTX_use_certificate(ctx: Handle<Ctx>, certificate: *mut ffi::X509) -> c_int => 0, {
        // SAFETY: the program passes NULL or a valid certificate.
        let certificate = unsafe { Certificate::from_ref(certificate) };
        use_certificate(c"SSL_CTX_use_certificate", ctx.get(), certificate)
    }

    fn SSL_use_certificate(ssl: Handle<Ssl>, certificate: *mut ffi::X509) -> c_int => 0, {
        // SAFETY: as above.
        let certificate = unsafe { Certificate::from_ref(certificate) };
        use_certificate(c"SSL_use_certificate", ssl.get(), certificate)
    }

    fn SSL_CTX_use_certificate_ASN1(ctx: Handle<Ctx>, length: c_int, der: Bytes) -> c_int => 0, {
        let certificate = der.get(length).and_then(Certificate::from_der);
        use_certificate(c"SSL_CTX_use_certificate_ASN1", ctx.get(), certificate)
    }

    fn SSL_use_certificate_ASN1(ssl: Handle<Ssl>, der: Bytes, length: c_int) -> c_int => 0, {
        let certificate = der.get(length).and_then(Certificate::from_der);
        use_certificate(c"SSL_use_certificate_ASN1", ssl.get(), certificate)
    }

    fn SSL_CTX_use_certificate_file(ctx: Handle<Ctx>, file: Text, kind: c_int) -> c_int => 0, {
        let name = c"SSL_CTX_use_certificate_file";
        use_file(name, ctx.get(), (file, kind), pem::certificate, take)
    }

    fn SSL_use_certificate_file(ssl: Handle<Ssl>, file: Text, kind: c_int) -> c_int => 0, {
        let name = c"SSL_use_certificate_file";
        use_file(name, ssl.get(), (file, kind), pem::certificate, take)
    }

    fn SSL_CTX_use_certificate_chain_file(ctx: Handle<Ctx>, file: Text) -> c_int => 0, {
        use_chain_file(c"SSL_CTX_use_certificate_chain_file", ctx.get(), file)
    }

    fn SSL_use_certificate_chain_file(ssl: Handle<Ssl>, file: Text) -> c_int => 0, {
        use_chain_file(c"SSL_use_certificate_chain_file", ssl.get(), file)
    }

    fn SSL_CTX_use_cert_and_key(
        ctx: Handle<Ctx>,
        certificate: *mut ffi::X509,
        key: *mut ffi::EVP_PKEY,
        chain: *mut ffi::stack_st_X509,
        replace: c_int,
    ) -> c_int => 0, {
        // SAFETY: the program passes NULL or valid objects.
        let (certificate, key, chain) = unsafe {
            (Certificate::from_ref(certificate), Key::from_ref(key), certificates(chain))
        };
        let name = c"SSL_CTX_use_cert_and_key";
        use_cert_and_key(name, ctx.get(), certificate, key, chain, replace != 0)
    }

    fn SSL_use_cert_and_key(
        ssl: Handle<Ssl>,
        certificate: *mut ffi::X509,
        key: *mut ffi::EVP_PKEY,
        chain: *mut ffi::stack_st_X509,
        replace: c_int,
    ) -> c_int => 0, {
        // SAFETY: as above.
        let (certificate, key, chain) = unsafe {
            (Certificate::from_ref(certificate), Key::from_ref(key), certificates(chain))
        };
        let name = c"SSL_use_cert_and_key";
        use_cert_and_key(name, ssl.get(), certificate, key, chain, replace != 0)
    }

    fn SSL_CTX_check_private_key(ctx: Handle<Ctx>) -> c_int => 0, {
        let name = c"SSL_CTX_check_private_key";
        ctx.get().map_or(0, |ctx| answer(name, ctx.lock().certificates.check()))
    }

    fn SSL_check_private_key(ssl: Handle<Ssl>) -> c_int => 0, {
        let name = c"SSL_check_private_key";
        ssl.get().map_or(0, |ssl| answer(name, ssl.lock().certificates.check()))
    }

    fn SSL_certs_clear(ssl: Handle<Ssl>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.change(Certificates::clear);
        }
    }

    fn SSL_CTX_get0_certificate(ctx: Handle<Ctx>) -> *mut ffi::X509 => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| of_current(&ctx.lock().certificates))
    }

    /// On a server, from its certificate callback on, the certificate that will be sent.
    fn SSL_get_certificate(ssl: Handle<Ssl>) -> *mut ffi::X509 => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| of_current(&ssl.lock().certificates))
    }

    fn SSL_CTX_get0_privatekey(ctx: Handle<Ctx>) -> *mut ffi::EVP_PKEY => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| key_of_current(&ctx.lock().certificates))
    }

    fn SSL_get_privatekey(ssl: Handle<Ssl>) -> *mut ffi::EVP_PKEY => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| key_of_current(&ssl.lock().certificates))
    }
}

fn of_current(certificates: &Certificates) -> *mut ffi::X509 {
    let certificate = certificates.current().and_then(|slot| slot.certificate.as_ref());
    certificate.map_or(std::ptr::null_mut(), Certificate::as_ptr)
}

fn key_of_current(certificates: &Certificates) -> *mut ffi::EVP_PKEY {
    let key = certificates.current().and_then(|slot| slot.key.as_ref());
    key.map_or(std::ptr::null_mut(), Key::as_ptr)
}
