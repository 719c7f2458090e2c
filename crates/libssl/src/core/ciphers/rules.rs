//! The strings that select cipher suites: the cipher list of `openssl-ciphers(1)` for TLS 1.2, and
//! the list of names of `SSL_CTX_set_ciphersuites(3)` for TLS 1.3.
//!
//! A suite that OpenSSL knows and the engine lacks is not there, as in a build of OpenSSL without
//! it. What a list that selects nothing means is left to the caller: OpenSSL stores it and fails.

use std::ffi::{CStr, c_int};

use rustls::crypto::SignatureScheme;
use rustls::crypto::kx::NamedGroup;

use super::{CIPHERS, Cipher, ECDSA, RSA, by_standard_name};

/// `OSSL_default_cipher_list`: what `DEFAULT` at the start of a list stands for.
pub(crate) const DEFAULT_LIST: &CStr = c"ALL:!COMPLEMENTOFDEFAULT:!eNULL";

/// `OSSL_default_ciphersuites`: the suites of TLS 1.3 when the program selects none.
pub(crate) const DEFAULT_CIPHERSUITES: &CStr =
    c"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

/// What a cipher list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CipherList {
    /// The suites of TLS 1.2, in order of preference. May be empty.
    pub(crate) suites: Vec<u16>,
    /// The level of `@SECLEVEL`, 0 to 5. OpenSSL changes the level also when the list fails.
    pub(crate) security_level: Option<c_int>,
    /// The profile that the list starts with.
    pub(crate) suite_b: Option<SuiteB>,
}

/// A cipher list has a character or an `@` command that is none of its syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidCommand {
    /// The level of `@SECLEVEL` that was read nevertheless.
    pub(crate) security_level: Option<c_int>,
}

/// A profile of RFC 6460, which narrows suites, groups and signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuiteB {
    /// 128 bits of security and nothing above.
    Only128,
    /// 128 bits of security or more.
    Least128,
    /// 192 bits of security.
    Least192,
}

impl SuiteB {
    /// The groups of the profile (RFC 6460, 3.1).
    pub(crate) fn groups(self) -> &'static [NamedGroup] {
        match self {
            Self::Only128 => &[NamedGroup::secp256r1],
            Self::Least128 => &[NamedGroup::secp256r1, NamedGroup::secp384r1],
            Self::Least192 => &[NamedGroup::secp384r1],
        }
    }

    /// The signature schemes of the profile (RFC 6460, 3.2).
    pub(crate) fn schemes(self) -> &'static [SignatureScheme] {
        const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        const P384: SignatureScheme = SignatureScheme::ECDSA_NISTP384_SHA384;
        match self {
            Self::Only128 => &[P256],
            Self::Least128 => &[P256, P384],
            Self::Least192 => &[P384],
        }
    }
}

/// Reads a cipher list.
pub(crate) fn parse_cipher_list(list: &[u8]) -> Result<CipherList, InvalidCommand> {
    let (suite_b, list) = suite_b(list);
    let mut selection = Selection::new();
    let mut valid = true;
    let list = match list.strip_prefix(b"DEFAULT") {
        Some(rest) => {
            valid &= selection.apply(DEFAULT_LIST.to_bytes());
            rest.strip_prefix(b":").unwrap_or(rest)
        }
        None => list,
    };
    valid &= selection.apply(list);
    let security_level = selection.security_level;
    match valid {
        true => Ok(CipherList { suites: selection.suites(), security_level, suite_b }),
        false => Err(InvalidCommand { security_level }),
    }
}

/// Reads a list of names of suites. None when it is not empty and no name in it is known.
///
/// As in OpenSSL a name that is not known is passed over, and RFC names of older suites are taken.
pub(crate) fn parse_ciphersuites(list: &[u8]) -> Option<Vec<u16>> {
    let suites: Vec<u16> = list
        .split(|byte| *byte == b':')
        .filter_map(|name| by_standard_name(name.trim_ascii()))
        .map(|cipher| cipher.id)
        .collect();
    (list.is_empty() || !suites.is_empty()).then_some(suites)
}

/// The profile at the start of a list; the rest of such a list does not count.
fn suite_b(list: &[u8]) -> (Option<SuiteB>, &[u8]) {
    const AES128: &[u8] = b"ECDHE-ECDSA-AES128-GCM-SHA256";
    const AES256: &[u8] = b"ECDHE-ECDSA-AES256-GCM-SHA384";
    const BOTH: &[u8] = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    let profiles: [(&[u8], SuiteB, &[u8]); 4] = [
        (b"SUITEB128ONLY", SuiteB::Only128, AES128),
        (b"SUITEB128C2", SuiteB::Least128, AES256),
        (b"SUITEB128", SuiteB::Least128, BOTH),
        (b"SUITEB192", SuiteB::Least192, AES256),
    ];
    match profiles.into_iter().find(|(name, ..)| list.starts_with(name)) {
        Some((_, profile, rules)) => (Some(profile), rules),
        None => (None, list),
    }
}

/// The suites while a list is read: all that can still be selected, in order, and which are.
struct Selection {
    suites: Vec<(&'static Cipher, bool)>,
    security_level: Option<c_int>,
}

/// What an element of a list does with the suites it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Nothing before the name: select.
    Add,
    /// `-`: deselect, so that they can be selected again.
    Remove,
    /// `!`: deselect for good.
    Ban,
    /// `+`: move those that are selected to the end.
    Move,
    /// `@`: a command.
    Command,
}

impl Selection {
    fn new() -> Self {
        let suites = CIPHERS.iter().filter(|cipher| !cipher.tls13).map(|c| (c, false)).collect();
        Self { suites, security_level: None }
    }

    fn suites(self) -> Vec<u16> {
        self.suites.into_iter().filter(|(_, on)| *on).map(|(cipher, _)| cipher.id).collect()
    }

    /// Carries out a list, to its end or to a character that is none of the syntax. An invalid
    /// command does not keep the others from being carried out.
    fn apply(&mut self, mut list: &[u8]) -> bool {
        let mut valid = true;
        while let Some((first, rest)) = list.split_first() {
            if is_separator(*first) {
                list = rest;
                continue;
            }
            let action = match first {
                b'-' => Action::Remove,
                b'+' => Action::Move,
                b'!' => Action::Ban,
                b'@' => Action::Command,
                _ => Action::Add,
            };
            if action != Action::Add {
                list = rest;
            }
            if action == Action::Command {
                let (command, rest) = split_word(list);
                if command.is_empty() {
                    return false;
                }
                valid &= self.command(command);
                list = skip_element(rest);
                continue;
            }
            match named_suites(list) {
                Err(NoWord) => return false,
                Ok((Some(suites), rest)) => {
                    self.change(action, &suites);
                    list = rest;
                }
                Ok((None, rest)) => list = skip_element(rest),
            }
        }
        valid
    }

    fn command(&mut self, command: &[u8]) -> bool {
        match command {
            b"STRENGTH" => {
                let (mut on, mut suites) = self.split(|_, on| on);
                on.sort_by_key(|(cipher, _)| std::cmp::Reverse(cipher.bits));
                suites.append(&mut on);
                self.suites = suites;
                true
            }
            [b'S', b'E', b'C', b'L', b'E', b'V', b'E', b'L', b'=', level @ b'0'..=b'5'] => {
                self.security_level = Some(c_int::from(*level - b'0'));
                true
            }
            _ => false,
        }
    }

    /// Deselected suites go to the front and selected ones to the end, each among themselves in
    /// the order they had: that decides the order in which they are selected later.
    fn change(&mut self, action: Action, named: &Criteria) {
        let (mut moving, mut others) = match action {
            Action::Add => self.split(|cipher, on| !on && named.select(cipher)),
            Action::Ban => self.split(|cipher, _| named.select(cipher)),
            Action::Remove | Action::Move | Action::Command => {
                self.split(|cipher, on| on && named.select(cipher))
            }
        };
        moving.iter_mut().for_each(|(_, on)| *on = action != Action::Remove);
        self.suites = match action {
            Action::Ban => others,
            Action::Remove => {
                moving.append(&mut others);
                moving
            }
            Action::Add | Action::Move | Action::Command => {
                others.append(&mut moving);
                others
            }
        };
    }

    /// The suites for which `which` holds, and the others, each in order.
    fn split(&mut self, which: impl Fn(&Cipher, bool) -> bool) -> (Suites, Suites) {
        std::mem::take(&mut self.suites).into_iter().partition(|(cipher, on)| which(cipher, *on))
    }
}

type Suites = Vec<(&'static Cipher, bool)>;

/// There is no word where one must be.
struct NoWord;

/// Reads the words of an element, joined with `+`, and what of the list follows. The criteria are
/// None when a word is not known or two of them exclude each other.
fn named_suites(mut list: &[u8]) -> Result<(Option<Criteria>, &[u8]), NoWord> {
    let mut all = Criteria::ALL;
    loop {
        let (word, rest) = split_word(list);
        if word.is_empty() {
            return Err(NoWord);
        }
        let after = rest.strip_prefix(b"+");
        list = after.unwrap_or(rest);
        match criteria(word).map(|criteria| all.and(&criteria)) {
            Some(narrowed) if narrowed.possible() => all = narrowed,
            _ => return Ok((None, list)),
        }
        if after.is_none() {
            return Ok((Some(all), list));
        }
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b' ' | b';' | b',')
}

fn skip_element(list: &[u8]) -> &[u8] {
    let end = list.iter().position(|byte| is_separator(*byte)).unwrap_or(list.len());
    list.get(end..).unwrap_or_default()
}

/// The letters, digits, `-`, `_`, `.` and `=` at the start, and the rest.
fn split_word(list: &[u8]) -> (&[u8], &[u8]) {
    let of_a_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(byte);
    let end = list.iter().position(|byte| !of_a_word(byte)).unwrap_or(list.len());
    list.split_at_checked(end).unwrap_or((list, &[]))
}

/// What a suite must have to be selected. Each field is a set of bits of which it must have one.
#[derive(Clone, Copy)]
struct Criteria {
    authentication: u8,
    encryption: u8,
    strength: u8,
    /// Words for what none of the engine's suites has: another key exchange, a MAC, no encryption.
    absent: bool,
}

const BY_RSA: u8 = 1;
const BY_ECDSA: u8 = 2;
const IN_AES128_GCM: u8 = 1;
const IN_AES256_GCM: u8 = 2;
const IN_CHACHA20: u8 = 4;
const HIGH: u8 = 1;
const FIPS: u8 = 2;

impl Criteria {
    const ALL: Self = Self { authentication: !0, encryption: !0, strength: !0, absent: false };

    fn of(cipher: &Cipher) -> Self {
        let authentication = match cipher.authentication {
            ECDSA => BY_ECDSA,
            RSA => BY_RSA,
            _ => 0,
        };
        let encryption = match cipher.encryption {
            super::AES128_GCM => IN_AES128_GCM,
            super::AES256_GCM => IN_AES256_GCM,
            _ => IN_CHACHA20,
        };
        let strength = match encryption {
            IN_CHACHA20 => HIGH,
            _ => HIGH | FIPS,
        };
        Self { authentication, encryption, strength, absent: false }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            authentication: self.authentication & other.authentication,
            encryption: self.encryption & other.encryption,
            strength: self.strength & other.strength,
            absent: self.absent || other.absent,
        }
    }

    /// Whether the words of the engine's suites do not exclude each other.
    fn possible(&self) -> bool {
        self.authentication != 0 && self.encryption != 0 && self.strength != 0
    }

    fn select(&self, cipher: &Cipher) -> bool {
        !self.absent && self.and(&Self::of(cipher)).possible()
    }
}

/// What a word of a cipher list asks for: a suite's name or a keyword. None when it is not known.
fn criteria(word: &[u8]) -> Option<Criteria> {
    let named = CIPHERS.iter().find(|cipher| !cipher.tls13 && cipher.name.to_bytes() == word);
    if let Some(cipher) = named {
        return Some(Criteria::of(cipher));
    }
    let all = Criteria::ALL;
    Some(match word {
        b"ALL" | b"ECDHE" | b"EECDH" | b"ECDH" | b"kECDHE" | b"kEECDH" | b"TLSv1.2" => all,
        b"aRSA" => Criteria { authentication: BY_RSA, ..all },
        b"ECDSA" | b"aECDSA" => Criteria { authentication: BY_ECDSA, ..all },
        b"AES" | b"AESGCM" => Criteria { encryption: IN_AES128_GCM | IN_AES256_GCM, ..all },
        b"AES128" => Criteria { encryption: IN_AES128_GCM, ..all },
        b"AES256" => Criteria { encryption: IN_AES256_GCM, ..all },
        b"CHACHA20" => Criteria { encryption: IN_CHACHA20, ..all },
        b"HIGH" => Criteria { strength: HIGH, ..all },
        b"FIPS" => Criteria { strength: FIPS, ..all },
        _ if ABSENT.contains(&word) => Criteria { absent: true, ..all },
        _ => return None,
    })
}

/// The keywords that OpenSSL knows and that fit none of the engine's suites. They matter where no
/// separator follows: after a word that is not known, OpenSSL passes over all up to the next one.
const ABSENT: [&[u8]; 42] = [
    b"3DES",
    b"ADH",
    b"AECDH",
    b"AESCCM",
    b"AESCCM8",
    b"ARIA",
    b"ARIA128",
    b"ARIA256",
    b"ARIAGCM",
    b"CAMELLIA",
    b"CAMELLIA128",
    b"CAMELLIA256",
    b"CBC",
    b"COMPLEMENTOFALL",
    b"COMPLEMENTOFDEFAULT",
    b"DH",
    b"DHE",
    b"DSS",
    b"EDH",
    b"LOW",
    b"MD5",
    b"MEDIUM",
    b"NULL",
    b"PSK",
    b"RSA",
    b"SHA",
    b"SHA1",
    b"SHA256",
    b"SHA384",
    b"SRP",
    b"SSLv3",
    b"TLSv1",
    b"TLSv1.0",
    b"aDSS",
    b"aNULL",
    b"aPSK",
    b"eNULL",
    b"kDHE",
    b"kEDH",
    b"kPSK",
    b"kRSA",
    b"kSRP",
];

#[cfg(test)]
mod tests;
