//! The functions of libcrypto: those that openssl-sys declares, and those that it lacks.

#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};

pub(crate) use openssl_sys::*;

/// `CRYPTO_EX_DATA` of `openssl/crypto.h`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CRYPTO_EX_DATA {
    pub(crate) ctx: *mut c_void,
    pub(crate) sk: *mut c_void,
}

pub(crate) type X509_STORE_CTX_verify_cb =
    Option<unsafe extern "C" fn(c_int, *mut X509_STORE_CTX) -> c_int>;
pub(crate) type pem_password_cb =
    Option<unsafe extern "C" fn(*mut c_char, c_int, c_int, *mut c_void) -> c_int>;

/// What compares two elements of a stack, by pointers to them.
pub(crate) type stack_compare = Option<unsafe extern "C" fn(*const c_void, *const c_void) -> c_int>;

#[allow(clashing_extern_declarations)]
unsafe extern "C" {
    pub(crate) fn CRYPTO_new_ex_data(
        class: c_int,
        obj: *mut c_void,
        ad: *mut CRYPTO_EX_DATA,
    ) -> c_int;
    pub(crate) fn CRYPTO_free_ex_data(class: c_int, obj: *mut c_void, ad: *mut CRYPTO_EX_DATA);
    pub(crate) fn CRYPTO_set_ex_data(
        ad: *mut CRYPTO_EX_DATA,
        idx: c_int,
        val: *mut c_void,
    ) -> c_int;
    pub(crate) fn CRYPTO_get_ex_data(ad: *const CRYPTO_EX_DATA, idx: c_int) -> *mut c_void;

    pub(crate) fn i2d_X509_AUX(certificate: *const X509, out: *mut *mut c_uchar) -> c_int;
    #[cfg(test)]
    pub(crate) fn X509_add1_trust_object(x: *mut X509, object: *const ASN1_OBJECT) -> c_int;
    pub(crate) fn X509_STORE_up_ref(store: *mut X509_STORE) -> c_int;
    pub(crate) fn X509_STORE_load_locations(
        store: *mut X509_STORE,
        file: *const c_char,
        dir: *const c_char,
    ) -> c_int;
    pub(crate) fn X509_STORE_load_file(store: *mut X509_STORE, file: *const c_char) -> c_int;
    pub(crate) fn X509_STORE_load_path(store: *mut X509_STORE, path: *const c_char) -> c_int;
    pub(crate) fn X509_STORE_load_store(store: *mut X509_STORE, uri: *const c_char) -> c_int;
    pub(crate) fn X509_LOOKUP_store() -> *mut X509_LOOKUP_METHOD;
    pub(crate) fn X509_STORE_CTX_get0_param(ctx: *mut X509_STORE_CTX) -> *mut X509_VERIFY_PARAM;
    pub(crate) fn X509_STORE_CTX_set_default(
        ctx: *mut X509_STORE_CTX,
        name: *const c_char,
    ) -> c_int;
    pub(crate) fn X509_STORE_CTX_set_verify_cb(
        ctx: *mut X509_STORE_CTX,
        callback: X509_STORE_CTX_verify_cb,
    );
    pub(crate) fn X509_STORE_CTX_set_ex_data(
        ctx: *mut X509_STORE_CTX,
        idx: c_int,
        data: *mut c_void,
    ) -> c_int;
    pub(crate) fn X509_STORE_CTX_get1_chain(ctx: *const X509_STORE_CTX) -> *mut stack_st_X509;
    pub(crate) fn EVP_PKEY_get1_encoded_public_key(
        key: *mut EVP_PKEY,
        out: *mut *mut c_uchar,
    ) -> usize;
    pub(crate) fn EVP_PKEY_set1_encoded_public_key(
        key: *mut EVP_PKEY,
        encoded: *const c_uchar,
        length: usize,
    ) -> c_int;
    pub(crate) fn X509_STORE_CTX_free(ctx: *mut X509_STORE_CTX);
    pub(crate) fn X509_VERIFY_PARAM_set1(
        to: *mut X509_VERIFY_PARAM,
        from: *const X509_VERIFY_PARAM,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_inherit(
        to: *mut X509_VERIFY_PARAM,
        from: *const X509_VERIFY_PARAM,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_move_peername(
        to: *mut X509_VERIFY_PARAM,
        from: *mut X509_VERIFY_PARAM,
    );
    pub(crate) fn X509_VERIFY_PARAM_get_depth(param: *const X509_VERIFY_PARAM) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_get0_peername(param: *const X509_VERIFY_PARAM)
    -> *const c_char;
    pub(crate) fn X509_check_private_key(cert: *const X509, key: *const EVP_PKEY) -> c_int;
    pub(crate) fn X509_get0_pubkey(cert: *const X509) -> *mut EVP_PKEY;

    pub(crate) fn BIO_s_socket() -> *const BIO_METHOD;
    pub(crate) fn BIO_method_type(bio: *const BIO) -> c_int;
    pub(crate) fn BIO_up_ref(bio: *mut BIO) -> c_int;
    pub(crate) fn BIO_test_flags(bio: *const BIO, flags: c_int) -> c_int;
    pub(crate) fn BIO_find_type(bio: *mut BIO, kind: c_int) -> *mut BIO;
    pub(crate) fn BIO_get_retry_reason(bio: *mut BIO) -> c_int;

    pub(crate) fn PEM_read_bio_X509_AUX(
        bio: *mut BIO,
        out: *mut *mut X509,
        callback: pem_password_cb,
        arg: *mut c_void,
    ) -> *mut X509;
    pub(crate) fn d2i_X509_bio(bio: *mut BIO, out: *mut *mut X509) -> *mut X509;
    pub(crate) fn d2i_PrivateKey_bio(bio: *mut BIO, out: *mut *mut EVP_PKEY) -> *mut EVP_PKEY;
    pub(crate) fn d2i_RSAPrivateKey_bio(bio: *mut BIO, out: *mut *mut RSA) -> *mut RSA;
    pub(crate) fn d2i_PrivateKey(
        kind: c_int,
        out: *mut *mut EVP_PKEY,
        der: *mut *const c_uchar,
        length: c_long,
    ) -> *mut EVP_PKEY;
    pub(crate) fn COMP_get_name(method: *const COMP_METHOD) -> *const c_char;
    pub(crate) fn CRYPTO_dup_ex_data(
        class: c_int,
        to: *mut CRYPTO_EX_DATA,
        from: *const CRYPTO_EX_DATA,
    ) -> c_int;
    pub(crate) fn X509_get_signature_info(
        cert: *mut X509,
        digest: *mut c_int,
        key: *mut c_int,
        bits: *mut c_int,
        flags: *mut u32,
    ) -> c_int;
    pub(crate) fn EVP_PKEY_get_group_name(
        key: *const EVP_PKEY,
        name: *mut c_char,
        size: usize,
        length: *mut usize,
    ) -> c_int;
    pub(crate) fn PEM_read_bio_Parameters(bio: *mut BIO, out: *mut *mut EVP_PKEY) -> *mut EVP_PKEY;
    pub(crate) fn a2i_IPADDRESS(address: *const c_char) -> *mut ASN1_STRING;
    pub(crate) fn X509_VERIFY_PARAM_add1_host(
        param: *mut X509_VERIFY_PARAM,
        name: *const c_char,
        length: usize,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_set1_ip_asc(
        param: *mut X509_VERIFY_PARAM,
        address: *const c_char,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_get1_ip_asc(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
    pub(crate) fn i2d_PKCS8_PRIV_KEY_INFO(
        info: *const PKCS8_PRIV_KEY_INFO,
        out: *mut *mut c_uchar,
    ) -> c_int;
    pub(crate) fn d2i_OCSP_RESPID(
        out: *mut *mut c_void,
        der: *mut *const c_uchar,
        length: c_long,
    ) -> *mut c_void;
    pub(crate) fn OCSP_RESPID_free(id: *mut c_void);
    pub(crate) fn d2i_X509_EXTENSIONS(
        out: *mut *mut c_void,
        der: *mut *const c_uchar,
        length: c_long,
    ) -> *mut c_void;
    pub(crate) fn ERR_peek_error() -> c_ulong;
    pub(crate) fn ERR_peek_last_error() -> c_ulong;
    pub(crate) fn ERR_clear_last_mark() -> c_int;
    pub(crate) fn ERR_set_mark() -> c_int;
    pub(crate) fn ERR_pop_to_mark() -> c_int;
    pub(crate) fn X509_NAME_dup(name: *const X509_NAME) -> *mut X509_NAME;
    pub(crate) fn EVP_PKEY_get_security_bits(key: *const EVP_PKEY) -> c_int;
    pub(crate) fn EVP_PKEY_set1_DH(key: *mut EVP_PKEY, dh: *mut c_void) -> c_int;
    pub(crate) fn EVP_PKEY_get_base_id(key: *const EVP_PKEY) -> c_int;
    pub(crate) fn OPENSSL_init_crypto(opts: u64, settings: *const c_void) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_set_hostflags(param: *mut X509_VERIFY_PARAM, flags: c_uint);
    pub(crate) fn X509_VERIFY_PARAM_set1_host(
        param: *mut X509_VERIFY_PARAM,
        name: *const c_char,
        length: usize,
    ) -> c_int;
    pub(crate) fn d2i_X509_NAME(
        out: *mut *mut X509_NAME,
        der: *mut *const c_uchar,
        length: c_long,
    ) -> *mut X509_NAME;
    pub(crate) fn OPENSSL_sk_set_cmp_func(
        stack: *mut OPENSSL_STACK,
        compare: stack_compare,
    ) -> stack_compare;
    pub(crate) fn OPENSSL_sk_find(stack: *mut OPENSSL_STACK, element: *const c_void) -> c_int;
    pub(crate) fn conf_ssl_name_find(name: *const c_char, index: *mut usize) -> c_int;
    pub(crate) fn conf_ssl_get(
        index: usize,
        name: *mut *const c_char,
        count: *mut usize,
    ) -> *const c_void;
    pub(crate) fn conf_ssl_get_cmd(
        commands: *const c_void,
        index: usize,
        command: *mut *mut c_char,
        value: *mut *mut c_char,
    );
    pub(crate) fn BIO_s_connect() -> *const BIO_METHOD;
    pub(crate) fn BIO_f_buffer() -> *const BIO_METHOD;
    pub(crate) fn BIO_next(bio: *mut BIO) -> *mut BIO;
    pub(crate) fn BIO_set_next(bio: *mut BIO, next: *mut BIO);
    pub(crate) fn BIO_push(bio: *mut BIO, next: *mut BIO) -> *mut BIO;
    pub(crate) fn BIO_get_shutdown(bio: *mut BIO) -> c_int;
    pub(crate) fn BIO_set_shutdown(bio: *mut BIO, close: c_int);
    pub(crate) fn BIO_set_retry_reason(bio: *mut BIO, reason: c_int);
    pub(crate) fn BIO_copy_next_retry(bio: *mut BIO);
    pub(crate) fn BIO_callback_ctrl(bio: *mut BIO, command: c_int, callback: bio_info_cb)
    -> c_long;
    pub(crate) fn BIO_meth_set_callback_ctrl(
        method: *mut BIO_METHOD,
        callback_ctrl: Option<unsafe extern "C" fn(*mut BIO, c_int, bio_info_cb) -> c_long>,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_set_purpose(
        param: *mut X509_VERIFY_PARAM,
        purpose: c_int,
    ) -> c_int;
    pub(crate) fn X509_VERIFY_PARAM_set_trust(param: *mut X509_VERIFY_PARAM, trust: c_int)
    -> c_int;
}
