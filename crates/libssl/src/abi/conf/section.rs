//! Settings from libcrypto's configuration: `SSL_CTX_config(3)` applies a section below `ssl_conf`,
//! and every new context gets `system_default`.

use std::ffi::{CStr, c_int};
use std::sync::{Arc, Mutex};

use super::target::Target;
use super::{Conf, ConfState};
use crate::abi::arguments::{Handle, Text, int};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::owner::Owners;
use crate::core::conf;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;

/// Runs the commands of a name in the configuration. The system's default is applied to every
/// context, as far as it can be, and need not exist.
fn apply_section(function: &'static CStr, conf: &Conf, name: &CStr, is_system: bool) -> bool {
    let mut index = 0;
    // SAFETY: the name is a string of C. What is found belongs to libcrypto's configuration, which
    // a program does not unload while it makes contexts.
    let commands: Vec<(Text, Text)> = unsafe {
        if ffi::conf_ssl_name_find(name.as_ptr(), &mut index) == 0 {
            if !is_system {
                let text = format!("name={}", name.to_string_lossy());
                error::raise(function, reasons::INVALID_CONFIGURATION_NAME, Some(&text));
            }
            return is_system;
        }
        let (mut found, mut count) = (std::ptr::null(), 0);
        let section = ffi::conf_ssl_get(index, &mut found, &mut count);
        (0..count)
            .map(|at| {
                let (mut command, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
                ffi::conf_ssl_get_cmd(section, at, &mut command, &mut value);
                (Text::from_raw(command), Text::from_raw(value))
            })
            .collect()
    };
    let run = |(command, value): (Text, Text)| {
        command.utf8().is_some_and(|command| conf.run(command, value) > 0)
    };
    // Every command has its turn, whatever becomes of the others.
    let failures = commands.into_iter().filter(|command| !run(*command)).count();
    conf.finish() && failures == 0
}

fn flags_of(side: Option<Side>, is_system: bool) -> u32 {
    let side = match side {
        Some(Side::Client) => conf::CLIENT,
        Some(Side::Server) => conf::SERVER,
        None => conf::CLIENT | conf::SERVER,
    };
    let more = if is_system { 0 } else { conf::CERTIFICATE | conf::REQUIRE_PRIVATE };
    conf::FILE | side | more
}

fn configure(
    function: &'static CStr,
    target: Target,
    side: Option<Side>,
    name: Option<&CStr>,
) -> bool {
    let is_system = name.is_none();
    let flags = flags_of(side, is_system);
    let state = ConfState { flags, target, ..ConfState::default() };
    let conf = Conf(Mutex::new(state), Owners::default());
    apply_section(function, &conf, name.unwrap_or(c"system_default"), is_system)
}

/// Applies the system's default to a new context. What is wrong in it is not the program's fault.
pub(crate) fn apply_system_default(ctx: &Arc<Ctx>) {
    const LOAD_CONFIG: u64 = 0x40;
    let side = ctx.lock().method.side;
    // SAFETY: no settings are passed. The configuration is loaded once, whoever asks first.
    unsafe { ffi::OPENSSL_init_crypto(LOAD_CONFIG, std::ptr::null()) };
    configure(c"SSL_CTX_new", Target::Ctx(Arc::downgrade(ctx)), side, None);
}

exported! {
    fn SSL_CTX_config(ctx: Handle<Ctx>, name: Text) -> c_int => 0, {
        let (Some(ctx), Some(name)) = (ctx.hold(), name.get()) else {
            error::raise(c"SSL_CTX_config", error::PASSED_NULL_PARAMETER, None);
            return 0;
        };
        let side = ctx.lock().method.side;
        let target = Target::Ctx(Arc::downgrade(&ctx));
        int(configure(c"SSL_CTX_config", target, side, Some(name)))
    }

    fn SSL_config(ssl: Handle<Ssl>, name: Text) -> c_int => 0, {
        let (Some(ssl), Some(name)) = (ssl.hold(), name.get()) else {
            error::raise(c"SSL_config", error::PASSED_NULL_PARAMETER, None);
            return 0;
        };
        let side = ssl.lock().method.side;
        let target = Target::Ssl(Arc::downgrade(&ssl));
        int(configure(c"SSL_config", target, side, Some(name)))
    }

    /// libcrypto knows the section by itself.
    fn SSL_add_ssl_module() -> () => (), {}
}
