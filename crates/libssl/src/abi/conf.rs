//! Settings by name: `SSL_CONF_cmd(3)`, and `SSL_CTX_config(3)`, which takes them from the section
//! `ssl_conf` of libcrypto's configuration. The names are [`crate::core::conf`]'s.

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::abi::arguments::{Handle, Out, Text, int};
use crate::abi::certificate::{self, Certificates, Holder};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::{cipher_list, client_ca, groups, signatures};
use crate::core::conf::{self, Action, Command};
use crate::core::settings::{Settings, TLS1_3};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::names::{self, Names};
use crate::sys::reasons;
use crate::sys::x509::Store;

/// What a call returns for a name that is no command, or not one for these flags.
const UNKNOWN: c_int = -2;
/// What it returns for a value that is missing.
const NO_VALUE: c_int = -3;

/// An `SSL_CONF_CTX`.
#[derive(Debug, Default)]
pub(crate) struct Conf(Mutex<ConfState>);

#[derive(Debug, Default)]
struct ConfState {
    flags: u32,
    prefix: Option<String>,
    target: Target,
    /// The files of certificates, with the slots that they went to: a key may be in them.
    files: Vec<(usize, CString)>,
    /// The names of CAs, for the end.
    names: Option<Names>,
}

/// What the commands are for. As in OpenSSL the object is not kept alive.
#[derive(Clone, Debug, Default)]
enum Target {
    /// Nothing: values are checked only.
    #[default]
    Nothing,
    Ctx(Weak<Ctx>),
    Ssl(Weak<Ssl>),
}

/// A [`Target`], held for a call.
enum Held {
    Nothing,
    Ctx(Arc<Ctx>),
    Ssl(Arc<Ssl>),
}

impl Target {
    fn hold(&self) -> Held {
        match self {
            Self::Ctx(ctx) => ctx.upgrade().map_or(Held::Nothing, Held::Ctx),
            Self::Ssl(ssl) => ssl.upgrade().map_or(Held::Nothing, Held::Ssl),
            Self::Nothing => Held::Nothing,
        }
    }
}

impl HasSettings for Held {
    fn settings(&self) -> Arc<Settings> {
        match self {
            Self::Nothing => Arc::default(),
            Self::Ctx(ctx) => ctx.settings(),
            Self::Ssl(ssl) => ssl.settings(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        match self {
            Self::Nothing => {}
            Self::Ctx(ctx) => HasSettings::change(&**ctx, change),
            Self::Ssl(ssl) => HasSettings::change(&**ssl, change),
        }
    }
}

impl Held {
    fn certificates<T>(&self, run: impl FnOnce(&mut Certificates) -> T) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Ctx(ctx) => Some(Holder::change(&**ctx, run)),
            Self::Ssl(ssl) => Some(Holder::change(&**ssl, run)),
        }
    }
}

impl Conf {
    /// What a panic leaves behind is still in order: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, ConfState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retarget(&self, target: Target) {
        let old = std::mem::replace(&mut self.lock().target, target);
        drop(old);
    }

    fn find(&self, name: &str) -> (u32, Option<String>, Option<&'static Command>) {
        let state = self.lock();
        let rest = conf::without_prefix(state.flags, state.prefix.as_deref(), name);
        let command = rest.and_then(|rest| conf::lookup(state.flags, rest));
        (state.flags, rest.map(str::to_owned), command)
    }

    /// Runs a command; returns what `SSL_CONF_cmd` does.
    fn run(&self, name: &str, value: Text) -> c_int {
        let (flags, rest, command) = self.find(name);
        let complain = |reason, text: String| {
            if flags & conf::SHOW_ERRORS != 0 {
                error::raise(c"SSL_CONF_cmd", reason, Some(&text));
            }
        };
        let (Some(command), Some(name)) = (command, &rest) else {
            let name = rest.as_deref().unwrap_or(name);
            complain(reasons::UNKNOWN_CMD_NAME, format!("cmd={name}"));
            return UNKNOWN;
        };
        let target = self.lock().target.hold();
        if let Action::Switch(bits, on) = command.action {
            target.change(|s| if on { s.options |= bits } else { s.options &= !bits });
            return 1;
        }
        if let Action::Refused(why) = command.action {
            error::raise(c"SSL_CONF_cmd", error::UNSUPPORTED, Some(&format!("{name}: {why}")));
        }
        let Some(text) = value.get() else {
            complain(reasons::BAD_VALUE, format!("cmd={name}, value=<EMPTY>"));
            return NO_VALUE;
        };
        match self.set(&target, flags, command.action, value) {
            true => 2,
            false => {
                let value = text.to_string_lossy();
                complain(reasons::BAD_VALUE, format!("cmd={name}, value={value}"));
                0
            }
        }
    }

    fn set(&self, target: &Held, flags: u32, action: Action, value: Text) -> bool {
        let pointer = value.as_ptr().cast_mut().cast();
        let text = value.utf8().unwrap_or_default();
        match action {
            Action::SignatureAlgorithms => signatures::set_list(target, 0, pointer) > 0,
            Action::ClientSignatureAlgorithms => {
                signatures::set_client_list(target, 0, pointer) > 0
            }
            Action::Groups => groups::set_list(target, 0, pointer) > 0,
            Action::EcdhParameters => {
                let automatic = ["automatic", "+automatic"];
                let by_itself = match flags & conf::FILE != 0 {
                    true => automatic.iter().any(|word| text.eq_ignore_ascii_case(word)),
                    false => text == "auto",
                };
                by_itself || (!text.contains(':') && groups::set_list(target, 0, pointer) > 0)
            }
            Action::CipherString | Action::Ciphersuites => set_suites(target, action, value),
            Action::Protocol => change_options(target, conf::PROTOCOLS, flags, text),
            Action::Options => change_options(target, conf::OPTIONS, flags, text),
            Action::VerifyMode => {
                let mut bits = target.settings().verify_mode as u64;
                let known = conf::apply(conf::VERIFY_MODES, flags, text, &mut bits);
                target.change(|settings| settings.verify_mode = bits as c_int);
                known
            }
            Action::MinProtocol => set_bound(target, text, |s| &mut s.min_version),
            Action::MaxProtocol => set_bound(target, text, |s| &mut s.max_version),
            Action::NumTickets => {
                let Some(count) = conf::count(text) else { return false };
                target.change(|settings| settings.tickets = count);
                !matches!(target, Held::Nothing)
            }
            Action::Certificate => self.set_certificate(target, flags, value),
            Action::PrivateKey => set_key(target, value),
            Action::VerifyCaFile | Action::VerifyCaPath | Action::VerifyCaStore => {
                load_store(target, action, value)
            }
            Action::RequestCaFile | Action::RequestCaPath => self.add_names(action, value),
            Action::Switch(..) | Action::Refused(_) => false,
        }
    }

    fn set_certificate(&self, target: &Held, flags: u32, file: Text) -> bool {
        // SAFETY: the arguments are valid: the objects are held here, the file is the program's.
        let set = unsafe {
            match target {
                Held::Nothing => 1,
                Held::Ctx(ctx) => {
                    certificate::SSL_CTX_use_certificate_chain_file(Handle::borrowed(ctx), file)
                }
                Held::Ssl(ssl) => {
                    certificate::SSL_use_certificate_chain_file(Handle::borrowed(ssl), file)
                }
            }
        };
        let slot = target.certificates(|certificates| certificates.current_index());
        if let (1, Some(slot), Some(file)) = (set, slot, file.get())
            && flags & conf::REQUIRE_PRIVATE != 0
        {
            let mut state = self.lock();
            state.files.retain(|(other, _)| *other != slot);
            state.files.push((slot, file.to_owned()));
        }
        set > 0
    }

    fn add_names(&self, action: Action, path: Text) -> bool {
        let Some(path) = path.get() else { return false };
        let mut state = self.lock();
        if state.names.is_none() {
            state.names = Names::new();
        }
        let Some(stack) = state.names.as_ref().map(Names::as_ptr) else { return false };
        // SAFETY: the stack is owned by the locked state.
        unsafe {
            match action {
                Action::RequestCaPath => client_ca::add_dir(stack, path),
                _ => names::add_file(stack, path),
            }
        }
    }

    /// Loads the keys that are missing from the certificates' files, and sets the names of CAs.
    fn finish(&self) -> bool {
        let (target, flags, files, names) = {
            let mut state = self.lock();
            (state.target.hold(), state.flags, state.files.clone(), state.names.take())
        };
        if flags & conf::REQUIRE_PRIVATE != 0 {
            for (slot, file) in &files {
                let missing = target.certificates(|certificates| certificates.lacks_key(*slot));
                if missing == Some(true)
                    && !(flags & conf::CERTIFICATE != 0 && set_key(&target, Text::of(file)))
                {
                    return false;
                }
            }
        }
        if let Some(names) = names {
            // SAFETY: the objects are held here; the stack is given away.
            unsafe {
                match &target {
                    Held::Nothing => drop(names),
                    Held::Ctx(ctx) => {
                        client_ca::SSL_CTX_set0_CA_list(Handle::borrowed(ctx), names.into_raw());
                    }
                    Held::Ssl(ssl) => {
                        client_ca::SSL_set0_CA_list(Handle::borrowed(ssl), names.into_raw());
                    }
                }
            }
        }
        true
    }
}

fn change_options(target: &Held, table: &[conf::Element], flags: u32, list: &str) -> bool {
    let mut bits = target.settings().options;
    let known = conf::apply(table, flags, list, &mut bits);
    target.change(|settings| settings.options = bits);
    known
}

/// Sets a bound of the versions; those of DTLS are known, and are none of ours.
fn set_bound(target: &Held, name: &str, bound: fn(&mut Settings) -> &mut c_int) -> bool {
    let Some(version) = conf::version(name).filter(|_| !matches!(target, Held::Nothing)) else {
        return false;
    };
    if version <= TLS1_3 {
        target.change(|settings| settings.set_bound(bound, version));
    }
    true
}

fn set_suites(target: &Held, action: Action, list: Text) -> bool {
    // SAFETY: the arguments are valid: the objects are held here, the list is the program's.
    let set = unsafe {
        match (target, action) {
            (Held::Nothing, _) => 1,
            (Held::Ctx(ctx), Action::CipherString) => {
                cipher_list::SSL_CTX_set_cipher_list(Handle::borrowed(ctx), list)
            }
            (Held::Ctx(ctx), _) => {
                cipher_list::SSL_CTX_set_ciphersuites(Handle::borrowed(ctx), list)
            }
            (Held::Ssl(ssl), Action::CipherString) => {
                cipher_list::SSL_set_cipher_list(Handle::borrowed(ssl), list)
            }
            (Held::Ssl(ssl), _) => cipher_list::SSL_set_ciphersuites(Handle::borrowed(ssl), list),
        }
    };
    set > 0
}

fn set_key(target: &Held, file: Text) -> bool {
    /// `SSL_FILETYPE_PEM`.
    const PEM: c_int = 1;
    // SAFETY: as in `set_suites`.
    let set = unsafe {
        match target {
            Held::Nothing => 1,
            Held::Ctx(ctx) => {
                certificate::keys::SSL_CTX_use_PrivateKey_file(Handle::borrowed(ctx), file, PEM)
            }
            Held::Ssl(ssl) => {
                certificate::keys::SSL_use_PrivateKey_file(Handle::borrowed(ssl), file, PEM)
            }
        }
    };
    set > 0
}

/// Adds to the store that the peer's certificates are verified with, in place of the context's.
fn load_store(target: &Held, action: Action, path: Text) -> bool {
    let store = target.certificates(|certificates| {
        if certificates.verify_store.is_none() {
            certificates.verify_store = Store::new();
        }
        certificates.verify_store.clone()
    });
    let Some(store) = store else { return true };
    let Some(store) = store else { return false };
    let (store, path) = (store.as_ptr(), path.as_ptr());
    // SAFETY: the store is held here; the path is a string of C.
    unsafe {
        match action {
            Action::VerifyCaPath => ffi::X509_STORE_load_path(store, path) > 0,
            Action::VerifyCaStore => ffi::X509_STORE_load_store(store, path) > 0,
            _ => ffi::X509_STORE_load_file(store, path) > 0,
        }
    }
}

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
    let conf = Conf(Mutex::new(ConfState { flags, target, ..ConfState::default() }));
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

/// `SSL_CTRL_SET_VERIFY_CERT_STORE`: takes the store over when `larg` is 0.
pub(crate) fn set_verify_store(
    holder: &impl Holder,
    copy: c_long,
    store: *mut std::ffi::c_void,
) -> c_long {
    // SAFETY: the program passes NULL or a valid store; with 0 it gives a reference away.
    let store = unsafe {
        match copy {
            0 => Store::from_raw(store.cast()),
            _ => Store::from_ref(store.cast()),
        }
    };
    drop(holder.change(|certificates| std::mem::replace(&mut certificates.verify_store, store)));
    1
}

/// `SSL_CTRL_GET_VERIFY_CERT_STORE`: writes the store, NULL for none.
pub(crate) fn verify_store(holder: &impl Holder, _: c_long, out: *mut std::ffi::c_void) -> c_long {
    let store = holder.change(|c| c.verify_store.as_ref().map(Store::as_ptr));
    Out::from_void(out).set(store.unwrap_or(std::ptr::null_mut()));
    1
}

exported! {
    fn SSL_CONF_CTX_new() -> Handle<Conf> => Handle::NULL, {
        crate::abi::arguments::give(Arc::new(Conf::default()))
    }

    fn SSL_CONF_CTX_free(conf: Handle<Conf>) -> () => (), {
        drop(conf.take());
    }

    fn SSL_CONF_CTX_set_flags(conf: Handle<Conf>, flags: u32) -> u32 => 0, {
        conf.get().map_or(0, |conf| {
            let mut state = conf.lock();
            state.flags |= flags;
            state.flags
        })
    }

    fn SSL_CONF_CTX_clear_flags(conf: Handle<Conf>, flags: u32) -> u32 => 0, {
        conf.get().map_or(0, |conf| {
            let mut state = conf.lock();
            state.flags &= !flags;
            state.flags
        })
    }

    fn SSL_CONF_CTX_set1_prefix(conf: Handle<Conf>, prefix: Text) -> c_int => 0, {
        let Some(conf) = conf.get() else { return 0 };
        conf.lock().prefix = prefix.get().map(|prefix| prefix.to_string_lossy().into_owned());
        1
    }

    fn SSL_CONF_CTX_set_ssl_ctx(conf: Handle<Conf>, ctx: Handle<Ctx>) -> () => (), {
        if let Some(conf) = conf.get() {
            conf.retarget(ctx.hold().map_or(Target::Nothing, |c| Target::Ctx(Arc::downgrade(&c))));
        }
    }

    fn SSL_CONF_CTX_set_ssl(conf: Handle<Conf>, ssl: Handle<Ssl>) -> () => (), {
        if let Some(conf) = conf.get() {
            conf.retarget(ssl.hold().map_or(Target::Nothing, |s| Target::Ssl(Arc::downgrade(&s))));
        }
    }

    fn SSL_CONF_CTX_finish(conf: Handle<Conf>) -> c_int => 0, {
        int(conf.get().is_some_and(Conf::finish))
    }

    fn SSL_CONF_cmd(conf: Handle<Conf>, command: Text, value: Text) -> c_int => 0, {
        if command.get().is_none() {
            error::raise(c"SSL_CONF_cmd", reasons::INVALID_NULL_CMD_NAME, None);
            return 0;
        }
        let Some(conf) = conf.get() else { return 0 };
        conf.run(command.utf8().unwrap_or_default(), value)
    }

    /// Takes a command, and its value if it has one, off the front of the arguments. Without a
    /// count the arguments end with NULL.
    fn SSL_CONF_cmd_argv(
        conf: Handle<Conf>,
        count: *mut c_int,
        arguments: *mut *mut *mut c_char,
    ) -> c_int => -1, {
        let Some(conf) = conf.get() else { return 0 };
        // SAFETY: the program passes NULL or a valid count, and a valid place with arguments, as
        // many as it counts.
        let (command, value) = unsafe {
            let left = if count.is_null() { None } else { Some(*count) };
            if arguments.is_null() || left.is_some_and(|left| left <= 0) {
                return 0;
            }
            let command = Text::from_raw(**arguments);
            let value = match (command.get(), left) {
                (None, _) => return 0,
                (_, Some(1)) => std::ptr::null_mut(),
                _ => *(*arguments).add(1),
            };
            (command, Text::from_raw(value))
        };
        {
            let mut state = conf.lock();
            state.flags = (state.flags & !conf::FILE) | conf::CMDLINE;
        }
        match conf.run(command.utf8().unwrap_or_default(), value) {
            UNKNOWN => 0,
            0 => -1,
            used if used > 0 => {
                // SAFETY: as many arguments were there.
                unsafe {
                    *arguments = (*arguments).offset(used as isize);
                    if !count.is_null() {
                        *count -= used;
                    }
                }
                used
            }
            failure => failure,
        }
    }

    fn SSL_CONF_cmd_value_type(conf: Handle<Conf>, command: Text) -> c_int => 0, {
        let (Some(conf), Some(name)) = (conf.get(), command.utf8()) else {
            return conf::TYPE_UNKNOWN;
        };
        conf.find(name).2.map_or(conf::TYPE_UNKNOWN, |command| command.kind)
    }

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
