//! Private keys of this side: `SSL_CTX_use_PrivateKey(3)`, in every form a program may have one.

use std::ffi::{CStr, c_int, c_long};

use crate::abi::arguments::{Bytes, Handle, Text};
use crate::abi::certificate::{Holder, Refusal, answer, use_file};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::pem;
use crate::sys::pkey::Key;

fn use_key(function: &'static CStr, holder: Option<&impl Holder>, key: Option<Key>) -> c_int {
    take(function, holder, key.ok_or(error::PASSED_NULL_PARAMETER.into()))
}

/// A key from bytes: libcrypto queues what is wrong with them.
fn use_bytes(function: &'static CStr, holder: Option<&impl Holder>, key: Option<Key>) -> c_int {
    take(function, holder, key.ok_or(error::ASN1_LIB.into()))
}

fn take(function: &'static CStr, holder: Option<&impl Holder>, key: Result<Key, Refusal>) -> c_int {
    let Some(holder) = holder else {
        return answer(function, Err(error::PASSED_NULL_PARAMETER.into()));
    };
    answer(function, key.and_then(|key| put(holder, key)))
}

fn put(holder: &impl Holder, key: Key) -> Result<(), Refusal> {
    holder.change(|certificates| certificates.use_key(key))
}

fn key_file(
    function: &'static CStr,
    holder: Option<&impl Holder>,
    file: Text,
    kind: c_int,
) -> c_int {
    use_file(function, holder, (file, kind), pem::private_key, put)
}

fn rsa_file(
    function: &'static CStr,
    holder: Option<&impl Holder>,
    file: Text,
    kind: c_int,
) -> c_int {
    use_file(function, holder, (file, kind), pem::rsa_private_key, put)
}

exported! {
    fn SSL_CTX_use_PrivateKey(ctx: Handle<Ctx>, key: *mut ffi::EVP_PKEY) -> c_int => 0, {
        // SAFETY: the program passes NULL or a valid key.
        let key = unsafe { Key::from_ref(key) };
        use_key(c"SSL_CTX_use_PrivateKey", ctx.get(), key)
    }

    fn SSL_use_PrivateKey(ssl: Handle<Ssl>, key: *mut ffi::EVP_PKEY) -> c_int => 0, {
        // SAFETY: as above.
        let key = unsafe { Key::from_ref(key) };
        use_key(c"SSL_use_PrivateKey", ssl.get(), key)
    }

    fn SSL_CTX_use_PrivateKey_file(ctx: Handle<Ctx>, file: Text, kind: c_int) -> c_int => 0, {
        key_file(c"SSL_CTX_use_PrivateKey_file", ctx.get(), file, kind)
    }

    fn SSL_use_PrivateKey_file(ssl: Handle<Ssl>, file: Text, kind: c_int) -> c_int => 0, {
        key_file(c"SSL_use_PrivateKey_file", ssl.get(), file, kind)
    }

    /// `kind` is an `EVP_PKEY_*`.
    fn SSL_CTX_use_PrivateKey_ASN1(kind: c_int, ctx: Handle<Ctx>, der: Bytes, length: c_long)
        -> c_int => 0,
    {
        let key = Key::from_der(kind, der.get(length));
        use_bytes(c"SSL_CTX_use_PrivateKey_ASN1", ctx.get(), key)
    }

    fn SSL_use_PrivateKey_ASN1(kind: c_int, ssl: Handle<Ssl>, der: Bytes, length: c_long)
        -> c_int => 0,
    {
        let key = Key::from_der(kind, der.get(length));
        use_bytes(c"SSL_use_PrivateKey_ASN1", ssl.get(), key)
    }

    fn SSL_CTX_use_RSAPrivateKey(ctx: Handle<Ctx>, rsa: *mut ffi::RSA) -> c_int => 0, {
        // SAFETY: the program passes NULL or a valid key.
        let key = unsafe { Key::from_rsa(rsa) };
        use_key(c"SSL_CTX_use_RSAPrivateKey", ctx.get(), key)
    }

    fn SSL_use_RSAPrivateKey(ssl: Handle<Ssl>, rsa: *mut ffi::RSA) -> c_int => 0, {
        // SAFETY: as above.
        let key = unsafe { Key::from_rsa(rsa) };
        use_key(c"SSL_use_RSAPrivateKey", ssl.get(), key)
    }

    fn SSL_CTX_use_RSAPrivateKey_file(ctx: Handle<Ctx>, file: Text, kind: c_int) -> c_int => 0, {
        rsa_file(c"SSL_CTX_use_RSAPrivateKey_file", ctx.get(), file, kind)
    }

    fn SSL_use_RSAPrivateKey_file(ssl: Handle<Ssl>, file: Text, kind: c_int) -> c_int => 0, {
        rsa_file(c"SSL_use_RSAPrivateKey_file", ssl.get(), file, kind)
    }

    fn SSL_CTX_use_RSAPrivateKey_ASN1(ctx: Handle<Ctx>, der: Bytes, length: c_long) -> c_int => 0,
    {
        let key = Key::rsa_from_der(der.get(length));
        use_bytes(c"SSL_CTX_use_RSAPrivateKey_ASN1", ctx.get(), key)
    }

    fn SSL_use_RSAPrivateKey_ASN1(ssl: Handle<Ssl>, der: Bytes, length: c_long) -> c_int => 0, {
        let key = Key::rsa_from_der(der.get(length));
        use_bytes(c"SSL_use_RSAPrivateKey_ASN1", ssl.get(), key)
    }
}
