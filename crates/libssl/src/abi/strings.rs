//! Words for alerts, states and groups: `SSL_alert_type_string(3)`, `SSL_group_to_name(3)`.

use std::ffi::{c_char, c_int};

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::core::{groups, names};

exported! {
    fn SSL_alert_type_string(value: c_int) -> *const c_char => c"U".as_ptr(), {
        names::alert_type(value).0.as_ptr()
    }

    fn SSL_alert_type_string_long(value: c_int) -> *const c_char => c"unknown".as_ptr(), {
        names::alert_type(value).1.as_ptr()
    }

    fn SSL_alert_desc_string(value: c_int) -> *const c_char => c"UK".as_ptr(), {
        names::alert_description(value).0.as_ptr()
    }

    fn SSL_alert_desc_string_long(value: c_int) -> *const c_char => c"unknown".as_ptr(), {
        names::alert_description(value).1.as_ptr()
    }

    /// The groups are the same on every connection.
    fn SSL_group_to_name(_ssl: Handle<Ssl>, nid: c_int) -> *const c_char => std::ptr::null(), {
        groups::name(nid).map_or(std::ptr::null(), |name| name.as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        // SAFETY: the functions take numbers and return NULL or static strings.
        unsafe {
            let text = |pointer| std::ffi::CStr::from_ptr(pointer);
            assert_eq!(text(SSL_alert_type_string(0x0228)), c"F");
            assert_eq!(text(SSL_alert_type_string_long(0x0100)), c"warning");
            assert_eq!(text(SSL_alert_desc_string(0x0200)), c"CN");
            assert_eq!(
                text(SSL_alert_desc_string_long(0x0271)),
                c"bad certificate status response"
            );
            assert_eq!(text(SSL_group_to_name(Handle::NULL, 1034)), c"x25519");
            assert!(SSL_group_to_name(Handle::NULL, 7).is_null());
        }
    }
}
