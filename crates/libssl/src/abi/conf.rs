//! Settings by name: `SSL_CONF_cmd(3)`. The names are [`crate::core::conf`]'s; what a command does
//! to a context or a connection is [`target`]'s, where commands come from in a configuration
//! [`section`]'s.

pub(crate) mod section;
mod target;

use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::arguments::{Handle, Text, int};
use crate::abi::certificate;
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::owner::{Owned, Owner, Owners};
use crate::abi::{client_ca, groups, signatures};
use crate::core::conf::{self, Action, Command};
use crate::sys::error;
use crate::sys::names::{self, Names};
use crate::sys::reasons;
use target::{
    Held, Target, change_options, load_store, set_bound, set_key, set_parameters, set_suites,
    takes_padding,
};

/// What a call returns for a name that is no command, or not one for these flags.
const UNKNOWN: c_int = -2;
/// What it returns for a value that is missing.
const NO_VALUE: c_int = -3;

/// An `SSL_CONF_CTX`.
#[derive(Debug, Default)]
pub(crate) struct Conf(Mutex<ConfState>, Owners);

impl Owned for Conf {
    fn owners(&self) -> &Owners {
        &self.1
    }

    fn end(_: &Arc<Self>) {}
}

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
            Action::DhParameters => set_parameters(target, value),
            Action::RecordPadding => takes_padding(text),
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

exported! {
    fn SSL_CONF_CTX_new() -> Handle<Conf> => Handle::NULL, {
        crate::abi::arguments::give(Owner::new(Arc::new(Conf::default())))
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
}
