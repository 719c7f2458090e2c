//! Tickets sealed with libcrypto's contexts, as a program's callback has set them up.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::{self, NonNull};

use super::libcrypto as ffi;

/// The size of the name of a key, in bytes.
pub(crate) const NAME_LENGTH: usize = 16;
/// `EVP_MAX_IV_LENGTH`.
pub(crate) const VECTOR_LENGTH: usize = 16;
/// `EVP_MAX_MD_SIZE`.
const LONGEST_MAC: usize = 64;
/// `EVP_MAX_BLOCK_LENGTH`.
const LONGEST_BLOCK: usize = 32;

unsafe extern "C" {
    fn EVP_MAC_fetch(
        library: *mut c_void,
        name: *const std::ffi::c_char,
        properties: *const std::ffi::c_char,
    ) -> *mut c_void;
    fn EVP_MAC_free(mac: *mut c_void);
    fn EVP_MAC_CTX_new(mac: *mut c_void) -> *mut c_void;
    fn EVP_MAC_CTX_free(ctx: *mut c_void);
    fn EVP_MAC_update(ctx: *mut c_void, data: *const u8, length: usize) -> c_int;
    fn EVP_MAC_final(ctx: *mut c_void, out: *mut u8, length: *mut usize, size: usize) -> c_int;
    fn HMAC_CTX_new() -> *mut c_void;
    fn HMAC_CTX_free(ctx: *mut c_void);
    fn HMAC_Update(ctx: *mut c_void, data: *const u8, length: usize) -> c_int;
    fn HMAC_Final(ctx: *mut c_void, out: *mut u8, length: *mut c_uint) -> c_int;
    fn CRYPTO_memcmp(one: *const c_void, other: *const c_void, length: usize) -> c_int;
    fn EVP_CIPHER_CTX_get_iv_length(ctx: *const ffi::EVP_CIPHER_CTX) -> c_int;
}

/// Which kind of MAC the program's callback sets up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacKind {
    /// `HMAC_CTX`.
    Hmac,
    /// `EVP_MAC_CTX`.
    Evp,
}

/// A cipher and a MAC for one ticket.
#[derive(Debug)]
pub(crate) struct TicketCipher {
    cipher: NonNull<ffi::EVP_CIPHER_CTX>,
    mac: NonNull<c_void>,
    kind: MacKind,
}

// SAFETY: both contexts are owned here alone and are used through `self` by value.
unsafe impl Send for TicketCipher {}

impl TicketCipher {
    /// Contexts for the callback to set up.
    pub(crate) fn new(kind: MacKind) -> Option<Self> {
        // SAFETY: what is made here is checked and owned; the context of a MAC holds its MAC.
        unsafe {
            let mac = match kind {
                MacKind::Hmac => HMAC_CTX_new(),
                MacKind::Evp => {
                    let mac = EVP_MAC_fetch(ptr::null_mut(), c"HMAC".as_ptr(), ptr::null());
                    let context = EVP_MAC_CTX_new(mac);
                    EVP_MAC_free(mac);
                    context
                }
            };
            let mac = NonNull::new(mac)?;
            match NonNull::new(ffi::EVP_CIPHER_CTX_new()) {
                Some(cipher) => Some(Self { cipher, mac, kind }),
                None => {
                    free_mac(mac, kind);
                    None
                }
            }
        }
    }

    /// The cipher's context, still owned here.
    pub(crate) fn cipher(&self) -> *mut ffi::EVP_CIPHER_CTX {
        self.cipher.as_ptr()
    }

    /// The MAC's context, still owned here.
    pub(crate) fn mac(&self) -> *mut c_void {
        self.mac.as_ptr()
    }

    fn vector_length(&self) -> Option<usize> {
        // SAFETY: the context is valid; one that was not set up has no length.
        let length = unsafe { EVP_CIPHER_CTX_get_iv_length(self.cipher()) };
        usize::try_from(length).ok().filter(|length| *length <= VECTOR_LENGTH)
    }

    /// Seals `plain`: name, initialization vector, ciphertext, MAC.
    pub(crate) fn seal(
        self,
        name: &[u8; NAME_LENGTH],
        vector: &[u8; VECTOR_LENGTH],
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let mut ticket = [&name[..], vector.get(..self.vector_length()?)?].concat();
        ticket.extend(self.run(plain, ffi::EVP_EncryptUpdate, ffi::EVP_EncryptFinal_ex)?);
        let mac = self.authenticate(&ticket)?;
        ticket.extend(mac);
        Some(ticket)
    }

    /// Opens a ticket. None when its MAC is another.
    pub(crate) fn open(self, ticket: &[u8]) -> Option<Vec<u8>> {
        // The MAC's length is known once it is made; its place follows from that.
        let length = self.mac_length()?;
        let (signed, mac) = ticket.split_at_checked(ticket.len().checked_sub(length)?)?;
        let own = self.authenticate(signed)?;
        // SAFETY: both have `length` bytes: the first by the split, the second is checked.
        let same = own.len() == mac.len()
            && unsafe { CRYPTO_memcmp(own.as_ptr().cast(), mac.as_ptr().cast(), mac.len()) == 0 };
        let sealed = signed.get(NAME_LENGTH + self.vector_length()?..).filter(|_| same)?;
        self.run(sealed, ffi::EVP_DecryptUpdate, ffi::EVP_DecryptFinal_ex)
    }

    fn run(&self, data: &[u8], update: Update, end: End) -> Option<Vec<u8>> {
        let mut out = vec![0; data.len() + LONGEST_BLOCK];
        let (mut first, mut last): (c_int, c_int) = (0, 0);
        let length = c_int::try_from(data.len()).ok()?;
        // SAFETY: the output has room for the data and a block more, which is what a cipher writes.
        unsafe {
            let context = self.cipher();
            if update(context, out.as_mut_ptr(), &mut first, data.as_ptr(), length) != 1 {
                return None;
            }
            let rest = out.get_mut(usize::try_from(first).ok()?..)?;
            if end(context, rest.as_mut_ptr(), &mut last) != 1 {
                return None;
            }
        }
        out.truncate(usize::try_from(first + last).ok()?);
        Some(out)
    }

    fn mac_length(&self) -> Option<usize> {
        unsafe extern "C" {
            fn HMAC_size(ctx: *const c_void) -> usize;
            fn EVP_MAC_CTX_get_mac_size(ctx: *mut c_void) -> usize;
        }
        // SAFETY: the context is of its kind, and valid.
        let length = unsafe {
            match self.kind {
                MacKind::Hmac => HMAC_size(self.mac()),
                MacKind::Evp => EVP_MAC_CTX_get_mac_size(self.mac()),
            }
        };
        (1..=LONGEST_MAC).contains(&length).then_some(length)
    }

    fn authenticate(&self, data: &[u8]) -> Option<Vec<u8>> {
        self.mac_length()?;
        let mut out = [0; LONGEST_MAC];
        // SAFETY: the context is of its kind, and valid; no MAC is longer than the output.
        let length = unsafe {
            match self.kind {
                MacKind::Hmac => {
                    let mut length: c_uint = 0;
                    let made = HMAC_Update(self.mac(), data.as_ptr(), data.len()) == 1
                        && HMAC_Final(self.mac(), out.as_mut_ptr(), &mut length) == 1;
                    made.then_some(length as usize)?
                }
                MacKind::Evp => {
                    let mut length = 0;
                    let made = EVP_MAC_update(self.mac(), data.as_ptr(), data.len()) == 1
                        && EVP_MAC_final(self.mac(), out.as_mut_ptr(), &mut length, out.len()) == 1;
                    made.then_some(length)?
                }
            }
        };
        out.get(..length).map(<[u8]>::to_vec)
    }
}

type Update =
    unsafe extern "C" fn(*mut ffi::EVP_CIPHER_CTX, *mut u8, *mut c_int, *const u8, c_int) -> c_int;
type End = unsafe extern "C" fn(*mut ffi::EVP_CIPHER_CTX, *mut u8, *mut c_int) -> c_int;

/// # Safety
/// `mac` is a context of that kind, given away by the caller.
unsafe fn free_mac(mac: NonNull<c_void>, kind: MacKind) {
    // SAFETY: as the caller promises.
    unsafe {
        match kind {
            MacKind::Hmac => HMAC_CTX_free(mac.as_ptr()),
            MacKind::Evp => EVP_MAC_CTX_free(mac.as_ptr()),
        }
    }
}

impl Drop for TicketCipher {
    fn drop(&mut self) {
        // SAFETY: both contexts are owned here and freed once.
        unsafe {
            ffi::EVP_CIPHER_CTX_free(self.cipher());
            free_mac(self.mac, self.kind);
        }
    }
}
