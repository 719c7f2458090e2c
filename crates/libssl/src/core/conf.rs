//! The commands of `SSL_CONF_cmd(3)` by name: which there are, who may use them, what they stand
//! for. What they do to a context or a connection is [`crate::abi::conf`]'s.

use crate::core::settings::OP_NO_RENEGOTIATION;
use std::ffi::c_int;

/// `SSL_CONF_FLAG_CMDLINE`: names are those of command lines.
pub(crate) const CMDLINE: u32 = 0x1;
/// `SSL_CONF_FLAG_FILE`: names are those of files.
pub(crate) const FILE: u32 = 0x2;
/// `SSL_CONF_FLAG_CLIENT`.
pub(crate) const CLIENT: u32 = 0x4;
/// `SSL_CONF_FLAG_SERVER`.
pub(crate) const SERVER: u32 = 0x8;
/// `SSL_CONF_FLAG_SHOW_ERRORS`: what is wrong goes to the error queue.
pub(crate) const SHOW_ERRORS: u32 = 0x10;
/// `SSL_CONF_FLAG_CERTIFICATE`: certificates and keys may be set.
pub(crate) const CERTIFICATE: u32 = 0x20;
/// `SSL_CONF_FLAG_REQUIRE_PRIVATE`: a key that is missing is in the certificate's file.
pub(crate) const REQUIRE_PRIVATE: u32 = 0x40;
const BOTH: u32 = CLIENT | SERVER;

/// `SSL_CONF_TYPE_*`: what the value of a command is.
pub(crate) const TYPE_UNKNOWN: c_int = 0;
const TYPE_STRING: c_int = 1;
const TYPE_FILE: c_int = 2;
const TYPE_DIR: c_int = 3;
const TYPE_NONE: c_int = 4;
const TYPE_STORE: c_int = 5;

/// What a command sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Options, without a value: which, and whether on or off.
    Switch(u64, bool),
    SignatureAlgorithms,
    ClientSignatureAlgorithms,
    Groups,
    EcdhParameters,
    CipherString,
    Ciphersuites,
    Protocol,
    MinProtocol,
    MaxProtocol,
    Options,
    VerifyMode,
    Certificate,
    PrivateKey,
    VerifyCaPath,
    VerifyCaFile,
    VerifyCaStore,
    RequestCaFile,
    RequestCaPath,
    NumTickets,
    DhParameters,
    RecordPadding,
    /// What this library does not have: why.
    Refused(&'static str),
}

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    /// Its name in files.
    file: Option<&'static str>,
    /// Its name on command lines, without the dash.
    line: Option<&'static str>,
    /// Those of [`CLIENT`], [`SERVER`] and [`CERTIFICATE`] that it needs.
    needs: u32,
    /// `SSL_CONF_TYPE_*`.
    pub(crate) kind: c_int,
    pub(crate) action: Action,
}

const fn switch(line: &'static str, needs: u32, bits: u64, on: bool) -> Command {
    let action = Action::Switch(bits, on);
    Command { file: None, line: Some(line), needs, kind: TYPE_NONE, action }
}

const fn text(file: &'static str, line: &'static str, needs: u32, action: Action) -> Command {
    value(file, line, needs, TYPE_STRING, action)
}

/// An empty `line` is none.
const fn value(
    file: &'static str,
    line: &'static str,
    needs: u32,
    kind: c_int,
    action: Action,
) -> Command {
    let line = if line.is_empty() { None } else { Some(line) };
    Command { file: Some(file), line, needs, kind, action }
}

const CHAIN: Action = Action::Refused("chains are not built from stores");
const STORE: Action = Action::Refused("names are not read from stores");
const SERVER_INFO: Action = Action::Refused("custom extensions are not in the TLS engine");
const STRICT: Action = Action::Refused("the checks of strict mode are not in the TLS engine");
const SERVERS: u32 = SERVER | CERTIFICATE;

const ALL: u64 = (1 << 31) | (1 << 11) | (1 << 4) | (1 << 6);
const NO_SSL3: u64 = 1 << 25;
const NO_TLS1: u64 = 1 << 26;
const NO_TLS1_1: u64 = 1 << 28;
const NO_TLS1_2: u64 = 1 << 27;
const NO_TLS1_3: u64 = 1 << 29;
const NO_COMPRESSION: u64 = 1 << 17;
const NO_TICKET: u64 = 1 << 14;
const SERVER_PREFERENCE: u64 = 1 << 22;
const UNSAFE_LEGACY_RENEGOTIATION: u64 = 1 << 18;
const CLIENT_RENEGOTIATION: u64 = 1 << 8;
const LEGACY_SERVER_CONNECT: u64 = 1 << 2;
const NO_RESUMPTION_ON_RENEGOTIATION: u64 = 1 << 16;
const ALLOW_NO_DHE_KEX: u64 = 1 << 10;
const PRIORITIZE_CHACHA: u64 = 1 << 21;
const MIDDLEBOX_COMPAT: u64 = 1 << 20;
const NO_ANTI_REPLAY: u64 = 1 << 24;
const NO_ENCRYPT_THEN_MAC: u64 = 1 << 19;
const NO_EXTENDED_MASTER_SECRET: u64 = 1;

/// Every command of OpenSSL 3.0.
static COMMANDS: &[Command] = &[
    switch("no_ssl3", 0, NO_SSL3, true),
    switch("no_tls1", 0, NO_TLS1, true),
    switch("no_tls1_1", 0, NO_TLS1_1, true),
    switch("no_tls1_2", 0, NO_TLS1_2, true),
    switch("no_tls1_3", 0, NO_TLS1_3, true),
    switch("bugs", 0, ALL, true),
    switch("no_comp", 0, NO_COMPRESSION, true),
    switch("comp", 0, NO_COMPRESSION, false),
    // SSL_OP_SINGLE_ECDH_USE has no bit any more.
    switch("ecdh_single", SERVER, 0, true),
    switch("no_ticket", 0, NO_TICKET, true),
    switch("serverpref", SERVER, SERVER_PREFERENCE, true),
    switch("legacy_renegotiation", 0, UNSAFE_LEGACY_RENEGOTIATION, true),
    switch("client_renegotiation", SERVER, CLIENT_RENEGOTIATION, true),
    switch("legacy_server_connect", CLIENT, LEGACY_SERVER_CONNECT, true),
    switch("no_renegotiation", 0, OP_NO_RENEGOTIATION, true),
    switch("no_resumption_on_reneg", SERVER, NO_RESUMPTION_ON_RENEGOTIATION, true),
    switch("no_legacy_server_connect", CLIENT, LEGACY_SERVER_CONNECT, false),
    switch("allow_no_dhe_kex", 0, ALLOW_NO_DHE_KEX, true),
    switch("prioritize_chacha", SERVER, PRIORITIZE_CHACHA, true),
    Command { file: None, line: Some("strict"), needs: 0, kind: TYPE_NONE, action: STRICT },
    switch("no_middlebox", 0, MIDDLEBOX_COMPAT, false),
    switch("anti_replay", SERVER, NO_ANTI_REPLAY, false),
    switch("no_anti_replay", SERVER, NO_ANTI_REPLAY, true),
    switch("no_etm", 0, NO_ENCRYPT_THEN_MAC, true),
    switch("no_ems", 0, NO_EXTENDED_MASTER_SECRET, true),
    text("SignatureAlgorithms", "sigalgs", 0, Action::SignatureAlgorithms),
    text("ClientSignatureAlgorithms", "client_sigalgs", 0, Action::ClientSignatureAlgorithms),
    text("Curves", "curves", 0, Action::Groups),
    text("Groups", "groups", 0, Action::Groups),
    text("ECDHParameters", "named_curve", SERVER, Action::EcdhParameters),
    text("CipherString", "cipher", 0, Action::CipherString),
    text("Ciphersuites", "ciphersuites", 0, Action::Ciphersuites),
    text("Protocol", "", 0, Action::Protocol),
    text("MinProtocol", "min_protocol", 0, Action::MinProtocol),
    text("MaxProtocol", "max_protocol", 0, Action::MaxProtocol),
    text("Options", "", 0, Action::Options),
    text("VerifyMode", "", 0, Action::VerifyMode),
    value("Certificate", "cert", CERTIFICATE, TYPE_FILE, Action::Certificate),
    value("PrivateKey", "key", CERTIFICATE, TYPE_FILE, Action::PrivateKey),
    value("ServerInfoFile", "", SERVERS, TYPE_FILE, SERVER_INFO),
    value("ChainCAPath", "chainCApath", CERTIFICATE, TYPE_DIR, CHAIN),
    value("ChainCAFile", "chainCAfile", CERTIFICATE, TYPE_FILE, CHAIN),
    value("ChainCAStore", "chainCAstore", CERTIFICATE, TYPE_STORE, CHAIN),
    value("VerifyCAPath", "verifyCApath", CERTIFICATE, TYPE_DIR, Action::VerifyCaPath),
    value("VerifyCAFile", "verifyCAfile", CERTIFICATE, TYPE_FILE, Action::VerifyCaFile),
    value("VerifyCAStore", "verifyCAstore", CERTIFICATE, TYPE_STORE, Action::VerifyCaStore),
    value("RequestCAFile", "requestCAFile", CERTIFICATE, TYPE_FILE, Action::RequestCaFile),
    value("ClientCAFile", "", SERVERS, TYPE_FILE, Action::RequestCaFile),
    value("RequestCAPath", "", CERTIFICATE, TYPE_DIR, Action::RequestCaPath),
    value("ClientCAPath", "", SERVERS, TYPE_DIR, Action::RequestCaPath),
    value("RequestCAStore", "requestCAStore", CERTIFICATE, TYPE_STORE, STORE),
    value("ClientCAStore", "", SERVERS, TYPE_STORE, STORE),
    value("DHParameters", "dhparam", SERVERS, TYPE_FILE, Action::DhParameters),
    text("RecordPadding", "record_padding", 0, Action::RecordPadding),
    text("NumTickets", "num_tickets", SERVER, Action::NumTickets),
];

/// The command of a name, for who has `flags`. Names of files are in any case.
pub(crate) fn lookup(flags: u32, name: &str) -> Option<&'static Command> {
    COMMANDS.iter().filter(|command| command.needs & !flags == 0).find(|command| {
        let on_line = flags & CMDLINE != 0 && command.line == Some(name);
        let in_file = |file: &str| flags & FILE != 0 && file.eq_ignore_ascii_case(name);
        on_line || command.file.is_some_and(in_file)
    })
}

/// What follows the prefix, or the dash of a command line. None when it is not there.
pub(crate) fn without_prefix<'a>(
    flags: u32,
    prefix: Option<&str>,
    name: &'a str,
) -> Option<&'a str> {
    match prefix {
        Some(prefix) => {
            let (start, rest) = name.split_at_checked(prefix.len())?;
            let differs = (flags & CMDLINE != 0 && start != prefix)
                || (flags & FILE != 0 && !start.eq_ignore_ascii_case(prefix));
            (!rest.is_empty() && !differs).then_some(rest)
        }
        None if flags & CMDLINE != 0 => name.strip_prefix('-').filter(|rest| !rest.is_empty()),
        None => Some(name),
    }
}

/// An element of a list of options.
#[derive(Debug)]
pub(crate) struct Element {
    name: &'static str,
    sides: u32,
    bits: u64,
    /// Whether naming it sets the bits, or clears them.
    sets: bool,
}

const fn element(name: &'static str, sides: u32, bits: u64, sets: bool) -> Element {
    Element { name, sides, bits, sets }
}

/// What `Protocol` takes: a version that is on is not one of the options.
pub(crate) static PROTOCOLS: &[Element] = &[
    element("ALL", BOTH, NO_SSL3 | NO_TLS1 | NO_TLS1_1 | NO_TLS1_2 | NO_TLS1_3, false),
    // SSL_OP_NO_SSLv2 has no bit any more.
    element("SSLv2", BOTH, 0, false),
    element("SSLv3", BOTH, NO_SSL3, false),
    element("TLSv1", BOTH, NO_TLS1, false),
    element("TLSv1.1", BOTH, NO_TLS1_1, false),
    element("TLSv1.2", BOTH, NO_TLS1_2, false),
    element("TLSv1.3", BOTH, NO_TLS1_3, false),
    // The options of DTLS share their bits with TLS 1.0 and 1.2.
    element("DTLSv1", BOTH, NO_TLS1, false),
    element("DTLSv1.2", BOTH, NO_TLS1_2, false),
];

/// What `Options` takes.
pub(crate) static OPTIONS: &[Element] = &[
    element("SessionTicket", BOTH, NO_TICKET, false),
    element("EmptyFragments", BOTH, 1 << 11, false),
    element("Bugs", BOTH, ALL, true),
    element("Compression", BOTH, NO_COMPRESSION, false),
    element("ServerPreference", SERVER, SERVER_PREFERENCE, true),
    element("NoResumptionOnRenegotiation", SERVER, NO_RESUMPTION_ON_RENEGOTIATION, true),
    // SSL_OP_SINGLE_DH_USE and SSL_OP_SINGLE_ECDH_USE have no bits any more.
    element("DHSingle", SERVER, 0, true),
    element("ECDHSingle", SERVER, 0, true),
    element("UnsafeLegacyRenegotiation", BOTH, UNSAFE_LEGACY_RENEGOTIATION, true),
    element("UnsafeLegacyServerConnect", BOTH, LEGACY_SERVER_CONNECT, true),
    element("ClientRenegotiation", BOTH, CLIENT_RENEGOTIATION, true),
    element("EncryptThenMac", BOTH, NO_ENCRYPT_THEN_MAC, false),
    element("NoRenegotiation", BOTH, OP_NO_RENEGOTIATION, true),
    element("AllowNoDHEKEX", BOTH, ALLOW_NO_DHE_KEX, true),
    element("PrioritizeChaCha", BOTH, PRIORITIZE_CHACHA, true),
    element("MiddleboxCompat", BOTH, MIDDLEBOX_COMPAT, true),
    element("AntiReplay", BOTH, NO_ANTI_REPLAY, false),
    element("ExtendedMasterSecret", BOTH, NO_EXTENDED_MASTER_SECRET, false),
    element("CANames", BOTH, 1 << 9, false),
    element("KTLS", BOTH, 1 << 3, true),
];

/// What `VerifyMode` takes: `SSL_VERIFY_*`.
pub(crate) static VERIFY_MODES: &[Element] = &[
    element("Peer", CLIENT, 1, true),
    element("Request", SERVER, 1, true),
    element("Require", SERVER, 1 | 2, true),
    element("Once", SERVER, 1 | 4, true),
    element("RequestPostHandshake", SERVER, 1 | 8, true),
    element("RequirePostHandshake", SERVER, 1 | 2 | 8, true),
];

/// Applies a list with commas to `bits`: `+` or nothing turns an element on, `-` off. False when
/// an element is unknown or empty; those before it are applied all the same, as in OpenSSL.
pub(crate) fn apply(table: &[Element], flags: u32, list: &str, bits: &mut u64) -> bool {
    list.split(',').map(str::trim_ascii).all(|item| {
        let (name, on) = match item.strip_prefix('-') {
            Some(name) => (name, false),
            None => (item.strip_prefix('+').unwrap_or(item), true),
        };
        let known = table
            .iter()
            .find(|known| known.sides & flags != 0 && known.name.eq_ignore_ascii_case(name));
        if let Some(known) = known {
            if known.sets == on {
                *bits |= known.bits;
            } else {
                *bits &= !known.bits;
            }
        }
        known.is_some()
    })
}

/// The version of a name, 0 for `None`.
pub(crate) fn version(name: &str) -> Option<c_int> {
    Some(match name {
        "None" => 0,
        "SSLv3" => 0x0300,
        "TLSv1" => 0x0301,
        "TLSv1.1" => 0x0302,
        "TLSv1.2" => 0x0303,
        "TLSv1.3" => 0x0304,
        // As bounds for TLS they are taken and mean nothing.
        "DTLSv1" => 0xFEFF,
        "DTLSv1.2" => 0xFEFD,
        _ => return None,
    })
}

/// The number that a value begins with, as `atoi` reads it: 0 when there is none. None when it is
/// negative.
pub(crate) fn count(value: &str) -> Option<usize> {
    let value = value.trim_ascii_start();
    let (digits, negative) = match value.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (value.strip_prefix('+').unwrap_or(value), false),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits.get(..end).unwrap_or_default().parse().unwrap_or(0);
    (number == 0 || !negative).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_the_flags() {
        let all = CLIENT | SERVER | CERTIFICATE;
        let action = |flags, name| lookup(flags, name).map(|command| command.action);
        assert_eq!(action(FILE | all, "minprotocol"), Some(Action::MinProtocol));
        assert_eq!(action(CMDLINE | all, "min_protocol"), Some(Action::MinProtocol));
        assert_eq!(action(FILE | all, "min_protocol"), None);
        assert_eq!(action(CMDLINE | all, "MIN_PROTOCOL"), None);
        assert_eq!(action(FILE | CLIENT, "Certificate"), None);
        assert_eq!(action(CMDLINE | CLIENT, "serverpref"), None);
        assert_eq!(action(all, "MinProtocol"), None);
    }

    #[test]
    fn prefixes() {
        assert_eq!(without_prefix(CMDLINE, None, "-cipher"), Some("cipher"));
        assert_eq!(without_prefix(CMDLINE, None, "cipher"), None);
        assert_eq!(without_prefix(CMDLINE, None, "-"), None);
        assert_eq!(without_prefix(FILE, Some("ssl"), "SSLCipher"), Some("Cipher"));
        assert_eq!(without_prefix(CMDLINE, Some("ssl"), "SSLCipher"), None);
        assert_eq!(without_prefix(FILE, Some("ssl"), "ssl"), None);
    }

    #[test]
    fn lists_change_bits() {
        let mut bits = 0;
        assert!(apply(PROTOCOLS, CLIENT, " -all , tlsv1.2", &mut bits));
        assert_eq!(bits, NO_SSL3 | NO_TLS1 | NO_TLS1_1 | NO_TLS1_3);
        assert!(!apply(OPTIONS, CLIENT, "ServerPreference", &mut bits));
        let mut bits = 0;
        assert!(!apply(OPTIONS, SERVER, "-SessionTicket,,Bugs", &mut bits));
        assert_eq!(bits, NO_TICKET);
    }

    #[test]
    fn numbers_as_atoi_reads_them() {
        assert_eq!(count("3"), Some(3));
        assert_eq!(count(" +3x"), Some(3));
        assert_eq!(count("x"), Some(0));
        assert_eq!(count("-1"), None);
    }
}
