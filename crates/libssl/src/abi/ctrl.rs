//! `SSL_ctrl`, `SSL_CTX_ctrl` and their callbacks' siblings: one table of commands.
//!
//! A command is a number, with what answers it for a connection and for a context. `exports.toml`
//! says of every command of OpenSSL's headers how it stands: one that is refused gives 0 and an
//! entry in the error queue. One that OpenSSL does not know either, for the object at hand, gives
//! 0 and no more, as there.

use std::ffi::{c_int, c_long, c_void};

use crate::abi::arguments::Handle;
use crate::abi::callbacks::{ExtensionCb, MsgCb, NotResumableCb, ServernameCb, StatusCb};
use crate::abi::certificate::{build, chains, stores};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::ticket_keys::{self, TicketKeyCb};
use crate::abi::{
    absent, client_certificate, context, exchanged, groups, handshake, info, messages,
    not_resumable, preferences, session_cache, session_use, signatures, status, temporary_dh,
};
use crate::sys::error;
use crate::sys::ticket_cipher::MacKind;

type OnSsl = fn(&Ssl, c_long, *mut c_void) -> c_long;
type OnCtx = fn(&Ctx, c_long, *mut c_void) -> c_long;

/// One command.
struct Command {
    number: c_int,
    ssl: Option<OnSsl>,
    ctx: Option<OnCtx>,
}

const fn both(number: c_int, ssl: OnSsl, ctx: OnCtx) -> Command {
    Command { number, ssl: Some(ssl), ctx: Some(ctx) }
}

const fn ssl(number: c_int, ssl: OnSsl) -> Command {
    Command { number, ssl: Some(ssl), ctx: None }
}

const fn ctx(number: c_int, ctx: OnCtx) -> Command {
    Command { number, ssl: None, ctx: Some(ctx) }
}

/// Every command that is answered, by number.
static COMMANDS: &[Command] = &[
    both(3, temporary_dh::set, temporary_dh::set),
    both(4, groups::set_temporary, groups::set_temporary),
    ssl(9, absent::not_shown),
    ssl(10, preferences::renegotiations),
    ssl(11, preferences::renegotiations),
    ssl(12, preferences::renegotiations),
    ssl(13, info::flags),
    ctx(14, chains::add_extra_chain),
    both(16, messages::set_argument, messages::set_context_argument),
    ctx(20, session_cache::number),
    ctx(21, session_cache::connect),
    ctx(22, session_cache::connect_good),
    ctx(23, session_cache::renegotiations),
    ctx(24, session_cache::accept),
    ctx(25, session_cache::accept_good),
    ctx(26, session_cache::renegotiations),
    ctx(27, session_cache::hits),
    ctx(28, session_cache::callback_hits),
    ctx(29, session_cache::misses),
    ctx(30, session_cache::timeouts),
    ctx(31, session_cache::full),
    both(33, context::mode, context::mode),
    ctx(40, context::read_ahead),
    ctx(41, context::set_read_ahead),
    ctx(42, session_cache::set_size),
    ctx(43, session_cache::size),
    ctx(44, context::set_session_cache_mode),
    ctx(45, context::session_cache_mode),
    both(50, preferences::max_cert_list, preferences::max_cert_list),
    both(51, preferences::set_max_cert_list, preferences::set_max_cert_list),
    both(52, preferences::set_max_send_fragment, preferences::set_max_send_fragment),
    ctx(54, context::set_servername_arg),
    ssl(55, context::set_hostname),
    ctx(58, session_cache::ticket_keys),
    ctx(59, session_cache::set_ticket_keys),
    ctx(64, status::set_argument),
    both(65, status::set_type, status::set_context_type),
    ssl(66, status::exts),
    ssl(67, status::set_exts),
    ssl(68, status::ids),
    ssl(69, status::set_ids),
    ssl(70, status::response),
    ssl(71, status::set_response),
    ssl(57, messages::set_extension_argument),
    ssl(76, info::secure_renegotiation),
    both(78, context::clear_mode, context::clear_mode),
    ctx(82, chains::extra_chain),
    ctx(83, chains::clear_extra_chain),
    both(88, chains::set_chain, chains::set_chain),
    both(89, chains::add_chain_cert, chains::add_chain_cert),
    ssl(90, groups::of_peer),
    both(91, groups::set, groups::set),
    both(92, groups::set_list, groups::set_list),
    ssl(93, groups::shared),
    both(97, signatures::set, signatures::set),
    both(98, signatures::set_list, signatures::set_list),
    both(101, signatures::set_client, signatures::set_client),
    both(102, signatures::set_client_list, signatures::set_client_list),
    ssl(103, client_certificate::types),
    both(104, client_certificate::set_types, client_certificate::set_types_of_context),
    both(105, build::set, build::set),
    both(106, stores::set_verify_store, stores::set_verify_store),
    both(107, stores::set_chain_store, stores::set_chain_store),
    ssl(108, signatures::peer_hash),
    ssl(109, exchanged::peer_key),
    ssl(110, groups::raw_suites),
    ssl(111, groups::point_formats),
    both(115, chains::chain, chains::chain),
    both(116, chains::select, chains::select),
    both(117, chains::set_current, chains::set_current),
    both(118, temporary_dh::set_auto, temporary_dh::set_auto),
    ssl(122, session_use::extends_master_secret),
    both(123, context::set_min_version, context::set_min_version),
    both(124, context::set_max_version, context::set_max_version),
    both(125, preferences::set_split_send_fragment, preferences::set_split_send_fragment),
    both(126, preferences::set_max_pipelines, preferences::set_max_pipelines),
    both(127, status::kind, status::context_type),
    ctx(128, status::callback),
    ctx(129, status::argument),
    both(130, context::min_version, context::min_version),
    both(131, context::max_version, context::max_version),
    ssl(132, signatures::own_hash),
    ssl(133, exchanged::own_key),
    ssl(134, groups::negotiated),
    ssl(136, handshake::set_retry_verify),
    both(137, stores::verify_store, stores::verify_store),
    both(138, stores::chain_store, stores::chain_store),
];

/// Commands whose argument is a function: `SSL_CTX_callback_ctrl`.
const SET_TMP_DH_CB: c_int = 6;
const SET_MSG_CB: c_int = 15;
const SET_SERVERNAME_CB: c_int = 53;
const SET_EXTENSION_CB: c_int = 56;
const SET_STATUS_CB: c_int = 63;
const SET_TICKET_KEY_CB: c_int = 72;
const SET_NOT_RESUMABLE_CB: c_int = 79;

fn find(number: c_int) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.number == number)
}

/// The commands in state `refused` of `exports.toml`: number, for connections, for contexts, why.
static REFUSED: &[(c_int, bool, bool, &str)] =
    include!(concat!(env!("OUT_DIR"), "/refused_commands.rs"));

fn refuse(function: &'static std::ffi::CStr, number: c_int, on_ctx: bool) -> c_long {
    let known =
        |row: &&(c_int, bool, bool, &str)| row.0 == number && if on_ctx { row.2 } else { row.1 };
    if let Some((_, _, _, why)) = REFUSED.iter().find(known) {
        error::raise(function, error::UNSUPPORTED, Some(why));
    }
    0
}

/// A function of C of whatever type: `void (*)(void)`.
type AnyFunction = Option<unsafe extern "C" fn()>;

exported! {
    fn SSL_ctrl(ssl: Handle<Ssl>, number: c_int, long: c_long, pointer: *mut c_void) -> c_long
        => 0,
    {
        let Some(ssl) = ssl.get() else { return 0 };
        match find(number).and_then(|command| command.ssl) {
            Some(answer) => answer(ssl, long, pointer),
            None => refuse(c"SSL_ctrl", number, false),
        }
    }

    fn SSL_CTX_ctrl(ctx: Handle<Ctx>, number: c_int, long: c_long, pointer: *mut c_void) -> c_long
        => 0,
    {
        let Some(ctx) = ctx.get() else { return 0 };
        match find(number).and_then(|command| command.ctx) {
            Some(answer) => answer(ctx, long, pointer),
            None => refuse(c"SSL_CTX_ctrl", number, true),
        }
    }

    fn SSL_callback_ctrl(ssl: Handle<Ssl>, number: c_int, callback: AnyFunction) -> c_long
        => 0,
    {
        let Some(ssl) = ssl.get() else { return 0 };
        match number {
            SET_MSG_CB => {
                // SAFETY: with this command the program passes a function of this type.
                let callback: Option<MsgCb> = unsafe { std::mem::transmute(callback) };
                messages::set(ssl, callback)
            }
            SET_NOT_RESUMABLE_CB => {
                // SAFETY: as above.
                let callback: Option<NotResumableCb> = unsafe { std::mem::transmute(callback) };
                not_resumable::set(ssl, callback)
            }
            SET_EXTENSION_CB => {
                // SAFETY: as above.
                let callback: Option<ExtensionCb> = unsafe { std::mem::transmute(callback) };
                messages::set_extension_callback(ssl, callback)
            }
            _ => refuse(c"SSL_callback_ctrl", number, false),
        }
    }

    fn SSL_CTX_callback_ctrl(ctx: Handle<Ctx>, number: c_int, callback: AnyFunction) -> c_long
        => 0,
    {
        let Some(ctx) = ctx.get() else { return 0 };
        match number {
            SET_STATUS_CB => {
                // SAFETY: with this command the program passes a function of this type.
                let callback: Option<StatusCb> = unsafe { std::mem::transmute(callback) };
                status::set_callback(ctx, callback)
            }
            SET_SERVERNAME_CB => {
                // SAFETY: as above.
                let callback: Option<ServernameCb> = unsafe { std::mem::transmute(callback) };
                ctx.lock().callbacks.servername = callback;
                1
            }
            SET_TICKET_KEY_CB => {
                // SAFETY: as above.
                let callback: Option<TicketKeyCb> = unsafe { std::mem::transmute(callback) };
                ticket_keys::set(ctx, callback, MacKind::Hmac).into()
            }
            SET_MSG_CB => {
                // SAFETY: as above.
                let callback: Option<MsgCb> = unsafe { std::mem::transmute(callback) };
                messages::set_on_context(ctx, callback)
            }
            SET_NOT_RESUMABLE_CB => {
                // SAFETY: as above.
                let callback: Option<NotResumableCb> = unsafe { std::mem::transmute(callback) };
                not_resumable::set_on_context(ctx, callback)
            }
            // Never called: see `temporary_dh`.
            SET_TMP_DH_CB => 1,
            _ => refuse(c"SSL_CTX_callback_ctrl", number, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Exports {
        ctrl: BTreeMap<String, Row>,
    }

    #[derive(serde::Deserialize)]
    struct Row {
        number: c_int,
        on: String,
        state: String,
    }

    #[test]
    fn the_table_says_what_is_answered() {
        let exports: Exports = toml::from_str(include_str!("../../exports.toml")).unwrap();
        for (name, row) in &exports.ctrl {
            let answered = match row.number {
                SET_MSG_CB | SET_EXTENSION_CB | SET_STATUS_CB | SET_SERVERNAME_CB
                | SET_TICKET_KEY_CB | SET_TMP_DH_CB | SET_NOT_RESUMABLE_CB => true,
                number => find(number).is_some_and(|command| match row.on.as_str() {
                    "ssl" => command.ssl.is_some(),
                    "ctx" => command.ctx.is_some(),
                    _ => command.ssl.is_some() && command.ctx.is_some(),
                }),
            };
            assert_eq!(answered, row.state != "refused", "{name} ({})", row.number);
        }
        for command in COMMANDS {
            assert!(exports.ctrl.values().any(|row| row.number == command.number));
        }
    }
}
