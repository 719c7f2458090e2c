//! Certificates and keys in files: PEM or DER.

use std::ffi::{CStr, c_int, c_void};

use super::bio::Bio;
use super::error;
use super::libcrypto as ffi;
use super::pkey::Key;
use super::x509::Certificate;

/// The forms of files that libssl reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    /// `SSL_FILETYPE_PEM`.
    Pem,
    /// `SSL_FILETYPE_ASN1`.
    Der,
}

impl FileType {
    /// The form with C's number.
    pub(crate) fn from_c(number: c_int) -> Option<Self> {
        match number {
            1 => Some(Self::Pem),
            2 => Some(Self::Der),
            _ => None,
        }
    }
}

/// The program's function for passwords, and its argument.
pub(crate) type Password = (ffi::pem_password_cb, *mut c_void);

/// Reads a certificate. On failure the cause is in the error queue.
pub(crate) fn certificate(path: &CStr, kind: FileType, password: Password) -> Option<Certificate> {
    let file = Bio::open(path)?;
    let null = std::ptr::null_mut();
    // SAFETY: the BIO is valid; the password callback is the program's, called with its argument.
    unsafe {
        Certificate::from_raw(match kind {
            FileType::Pem => ffi::PEM_read_bio_X509(file.as_ptr(), null, password.0, password.1),
            FileType::Der => ffi::d2i_X509_bio(file.as_ptr(), null),
        })
    }
}

/// Reads a private key. On failure the cause is in the error queue.
pub(crate) fn private_key(path: &CStr, kind: FileType, password: Password) -> Option<Key> {
    let file = Bio::open(path)?;
    let null = std::ptr::null_mut();
    // SAFETY: as in `certificate`.
    unsafe {
        Key::from_raw(match kind {
            FileType::Pem => {
                ffi::PEM_read_bio_PrivateKey(file.as_ptr(), null, password.0, password.1)
            }
            FileType::Der => ffi::d2i_PrivateKey_bio(file.as_ptr(), null),
        })
    }
}

/// Reads a private key for RSA, in DER of its own structure. On failure the cause is in the error
/// queue.
pub(crate) fn rsa_private_key(path: &CStr, kind: FileType, password: Password) -> Option<Key> {
    let file = Bio::open(path)?;
    let null: *mut *mut ffi::RSA = std::ptr::null_mut();
    // SAFETY: as in `certificate`; the RSA key is new and given back after the key has its own
    // reference to it.
    unsafe {
        let rsa = match kind {
            FileType::Pem => {
                ffi::PEM_read_bio_RSAPrivateKey(file.as_ptr(), null, password.0, password.1)
            }
            FileType::Der => ffi::d2i_RSAPrivateKey_bio(file.as_ptr(), null),
        };
        let key = Key::from_rsa(rsa);
        ffi::RSA_free(rsa);
        key
    }
}

/// Reads parameters of keys. On failure the cause is in the error queue.
pub(crate) fn parameters(path: &CStr) -> Option<Key> {
    let file = Bio::open(path)?;
    // SAFETY: the BIO is valid; the result is a new reference, or NULL.
    unsafe { Key::from_raw(ffi::PEM_read_bio_Parameters(file.as_ptr(), std::ptr::null_mut())) }
}

/// Reads a certificate and, after it, its chain. On failure the cause is in the error queue.
pub(crate) fn chain(path: &CStr, password: Password) -> Option<(Certificate, Vec<Certificate>)> {
    /// `PEM_R_NO_START_LINE` of `ERR_LIB_PEM`: the regular end of a file.
    const NO_START_LINE: std::ffi::c_ulong = (9 << 23) | 108;
    let file = Bio::open(path)?;
    let null = std::ptr::null_mut();
    // SAFETY: as in `certificate`.
    unsafe {
        let first = ffi::PEM_read_bio_X509_AUX(file.as_ptr(), null, password.0, password.1);
        let first = Certificate::from_raw(first)?;
        let mut rest = Vec::new();
        ffi::ERR_set_mark();
        while let Some(next) = Certificate::from_raw(ffi::PEM_read_bio_X509(
            file.as_ptr(),
            null,
            password.0,
            password.1,
        )) {
            rest.push(next);
        }
        if ffi::ERR_peek_last_error() != NO_START_LINE {
            ffi::ERR_clear_last_mark();
            return None;
        }
        ffi::ERR_pop_to_mark();
        Some((first, rest))
    }
}

/// Why a file was not taken, for libssl's entry in the error queue: it was not opened, or what is
/// in it is something else. libcrypto has just queued its own.
pub(crate) fn failure(kind: FileType) -> c_int {
    const LIBRARY_OFFSET: u32 = 23;
    const LIB_BIO: std::ffi::c_ulong = 32;
    // SAFETY: no argument; reads the queue of this thread.
    let last = unsafe { ffi::ERR_peek_last_error() };
    match kind {
        _ if last >> LIBRARY_OFFSET == LIB_BIO => error::SYS_LIB,
        FileType::Pem => error::PEM_LIB,
        FileType::Der => error::ASN1_LIB,
    }
}
