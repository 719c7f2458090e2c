//! `SSL_CIPHER_get_name(3)`: what there is to know of a cipher suite, and ways to find one.
//!
//! The lists of suites that contexts and connections have are [`crate::abi::cipher_list`]'s.

use std::ffi::{CStr, c_char, c_int, c_uchar};

use crate::abi::arguments::{Handle, Out, Text, int};
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::core::ciphers::{self, Cipher, Hash, rules};
use crate::sys::libcrypto as ffi;

/// A `const SSL_CIPHER *`: NULL, or an entry of [`crate::core::ciphers`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct CipherRef(*const Cipher);

impl CipherRef {
    /// NULL.
    pub(crate) const NULL: Self = Self(std::ptr::null());

    /// The suite. None for NULL.
    pub(crate) fn get(self) -> Option<&'static Cipher> {
        // SAFETY: C has no other way to a SSL_CIPHER than this library's functions, which give
        // entries of static tables.
        unsafe { self.0.as_ref() }
    }
}

impl From<Option<&'static Cipher>> for CipherRef {
    fn from(cipher: Option<&'static Cipher>) -> Self {
        cipher.map_or(Self::NULL, |cipher| Self(cipher))
    }
}

/// What OpenSSL calls the suite that is not there.
const NONE: &CStr = c"(NONE)";

/// `SSL3_CK_CIPHERSUITE_FLAG`: what OpenSSL's ids have above the two bytes of the protocol.
const ID_BASE: u32 = 0x0300_0000;

/// Room that `SSL_CIPHER_description` asks for, in bytes.
const DESCRIPTION_ROOM: usize = 128;

/// The suite of the two bytes in a hello.
fn of_bytes(bytes: [u8; 2]) -> Option<&'static Cipher> {
    ciphers::suite_or_signal(u16::from_be_bytes(bytes))
}

exported! {
    fn SSL_CIPHER_get_name(cipher: CipherRef) -> *const c_char => NONE.as_ptr(), {
        cipher.get().map_or(NONE, |cipher| cipher.name).as_ptr()
    }

    fn SSL_CIPHER_standard_name(cipher: CipherRef) -> *const c_char => NONE.as_ptr(), {
        cipher.get().map_or(NONE, |cipher| cipher.standard_name).as_ptr()
    }

    fn OPENSSL_cipher_name(standard_name: Text) -> *const c_char => NONE.as_ptr(), {
        let named = |name: &CStr| ciphers::by_standard_name(name.to_bytes());
        standard_name.get().and_then(named).map_or(NONE, |cipher| cipher.name).as_ptr()
    }

    fn SSL_CIPHER_get_version(cipher: CipherRef) -> *const c_char => NONE.as_ptr(), {
        cipher.get().map_or(NONE, |cipher| cipher.version).as_ptr()
    }

    fn SSL_CIPHER_get_bits(cipher: CipherRef, algorithm: Out<c_int>) -> c_int => 0, {
        let Some(cipher) = cipher.get() else { return 0 };
        algorithm.set(cipher.bits);
        cipher.bits
    }

    fn SSL_CIPHER_get_id(cipher: CipherRef) -> u32 => 0, {
        cipher.get().map_or(0, |cipher| ID_BASE | u32::from(cipher.id))
    }

    fn SSL_CIPHER_get_protocol_id(cipher: CipherRef) -> u16 => 0, {
        cipher.get().map_or(0, |cipher| cipher.id)
    }

    fn SSL_CIPHER_get_kx_nid(cipher: CipherRef) -> c_int => 0, {
        cipher.get().map_or(0, |cipher| cipher.key_exchange.nid)
    }

    fn SSL_CIPHER_get_auth_nid(cipher: CipherRef) -> c_int => 0, {
        cipher.get().map_or(0, |cipher| cipher.authentication.nid)
    }

    fn SSL_CIPHER_get_cipher_nid(cipher: CipherRef) -> c_int => 0, {
        cipher.get().map_or(0, |cipher| cipher.encryption.nid)
    }

    fn SSL_CIPHER_get_digest_nid(cipher: CipherRef) -> c_int => 0, {
        cipher.get().map_or(0, |cipher| cipher.mac.nid)
    }

    fn SSL_CIPHER_is_aead(cipher: CipherRef) -> c_int => 0, {
        int(cipher.get().is_some_and(|cipher| cipher.aead))
    }

    fn SSL_CIPHER_get_handshake_digest(cipher: CipherRef) -> *const ffi::EVP_MD
        => std::ptr::null(),
    {
        let Some(cipher) = cipher.get() else { return std::ptr::null() };
        // SAFETY: these functions take nothing and return static objects of libcrypto.
        unsafe {
            match cipher.hash {
                Hash::Md5 => ffi::EVP_md5(),
                Hash::Sha256 => ffi::EVP_sha256(),
                Hash::Sha384 => ffi::EVP_sha384(),
            }
        }
    }

    /// Writes into the program's room, or into new memory that the program frees.
    fn SSL_CIPHER_description(
        cipher: CipherRef,
        room: *mut c_char,
        size: c_int,
    ) -> *mut c_char => std::ptr::null_mut(), {
        let Some(cipher) = cipher.get() else { return std::ptr::null_mut() };
        let room = match usize::try_from(size) {
            // SAFETY: takes a size; the new memory becomes the program's.
            _ if room.is_null() => unsafe {
                ffi::CRYPTO_malloc(DESCRIPTION_ROOM, std::ptr::null(), 0).cast()
            },
            Ok(DESCRIPTION_ROOM..) => room,
            _ => std::ptr::null_mut(),
        };
        if room.is_null() {
            return room;
        }
        let mut text = cipher.description().into_bytes();
        text.truncate(DESCRIPTION_ROOM - 1);
        text.push(0);
        // SAFETY: the room is new memory of DESCRIPTION_ROOM bytes, or the program's, which says
        // that it has no less; the text with its zero is no longer than that.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), room, text.len()) };
        room
    }

    /// The suite of two bytes of a hello. All connections have the same suites.
    fn SSL_CIPHER_find(_ssl: Handle<Ssl>, bytes: *const [c_uchar; 2]) -> CipherRef
        => CipherRef::NULL,
    {
        // SAFETY: the program passes NULL or two readable bytes.
        unsafe { bytes.as_ref() }.and_then(|bytes| of_bytes(*bytes)).into()
    }

    fn OSSL_default_cipher_list() -> *const c_char => std::ptr::null(), {
        rules::DEFAULT_LIST.as_ptr()
    }

    fn OSSL_default_ciphersuites() -> *const c_char => std::ptr::null(), {
        rules::DEFAULT_CIPHERSUITES.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(id: u16) -> CipherRef {
        // SAFETY: the bytes live for the call.
        unsafe { SSL_CIPHER_find(Handle::NULL, &id.to_be_bytes()) }
    }

    fn text<'a>(pointer: *const c_char) -> &'a CStr {
        assert!(!pointer.is_null());
        // SAFETY: the functions under test return static strings or room that lives on.
        unsafe { CStr::from_ptr(pointer) }
    }

    #[test]
    fn facts_of_a_suite() {
        let cipher = find(0xC030);
        // SAFETY: the cipher is one of the table, the places are of this test.
        unsafe {
            assert_eq!(text(SSL_CIPHER_get_name(cipher)), c"ECDHE-RSA-AES256-GCM-SHA384");
            let standard = SSL_CIPHER_standard_name(cipher);
            assert_eq!(text(standard), c"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
            assert_eq!(text(SSL_CIPHER_get_version(cipher)), c"TLSv1.2");
            assert_eq!(SSL_CIPHER_get_id(cipher), 0x0300_C030);
            assert_eq!(SSL_CIPHER_get_protocol_id(cipher), 0xC030);
            assert_eq!(SSL_CIPHER_get_kx_nid(cipher), 1038);
            assert_eq!(SSL_CIPHER_get_auth_nid(cipher), 1046);
            assert_eq!(SSL_CIPHER_get_cipher_nid(cipher), 901);
            assert_eq!(SSL_CIPHER_get_digest_nid(cipher), 0);
            assert_eq!(SSL_CIPHER_is_aead(cipher), 1);
            assert_eq!(SSL_CIPHER_get_handshake_digest(cipher), ffi::EVP_sha384());
        }
    }

    #[test]
    fn the_suite_that_is_not_there() {
        assert!(find(0x002F).get().is_none());
        // SAFETY: the functions take NULL.
        unsafe {
            assert_eq!(text(SSL_CIPHER_get_name(CipherRef::NULL)), NONE);
            assert_eq!(text(SSL_CIPHER_standard_name(CipherRef::NULL)), NONE);
            assert_eq!(text(SSL_CIPHER_get_version(CipherRef::NULL)), NONE);
            assert!(SSL_CIPHER_find(Handle::NULL, std::ptr::null()).get().is_none());
        }
    }

    #[test]
    fn descriptions_fill_the_room_or_new_memory() {
        let cipher = find(0x1301);
        let mut room = [1; DESCRIPTION_ROOM];
        // SAFETY: the room has the size that is said, and new memory is freed once.
        unsafe {
            let short = SSL_CIPHER_description(cipher, room.as_mut_ptr(), 127);
            assert!(short.is_null());
            let filled = SSL_CIPHER_description(cipher, room.as_mut_ptr(), 128);
            assert_eq!(filled, room.as_mut_ptr());
            let made = SSL_CIPHER_description(cipher, std::ptr::null_mut(), 0);
            assert_eq!(text(made), text(filled));
            ffi::CRYPTO_free(made.cast(), std::ptr::null(), 0);
        }
    }

    #[test]
    fn pointers_compare() {
        assert_eq!(find(0x1302).0, find(0x1302).0);
        assert_ne!(find(0x1302).0, find(0x1303).0);
    }
}
