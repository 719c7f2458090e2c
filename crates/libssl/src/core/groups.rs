//! Groups for key exchange: OpenSSL's names and numbers, and the lists of
//! `SSL_CTX_set1_groups_list(3)` and `SSL_CTX_set1_groups`.
//!
//! OpenSSL knows more groups than the engine has. A list may name them, as it may name suites that
//! are not built in; the engine leaves them out. The hybrids with ML-KEM are the other way round:
//! the engine has them, and OpenSSL 3.0 takes their names when a provider brings them.

use std::ffi::{CStr, c_int};
use std::fmt;

use rustls::crypto::kx::{NamedGroup, SupportedKxGroup};

use super::ciphers::security_bits;
use super::tap::provider::PROVIDER;

/// A group that a list may name.
#[derive(Debug)]
pub(crate) struct Group {
    /// The group in the hello (RFC 8446, 4.2.7).
    pub(crate) id: NamedGroup,
    /// What `SSL_group_to_name` says.
    pub(crate) name: &'static CStr,
    /// The other names a list may use.
    aliases: &'static [&'static str],
    /// `NID_*` of `openssl/obj_mac.h`; for a group without one, [`NID_UNKNOWN`] and its number.
    pub(crate) nid: c_int,
    /// Bits of security, as OpenSSL counts them.
    bits: c_int,
}

/// `TLSEXT_nid_unknown`: set beside the number of a group that has no NID.
pub(crate) const NID_UNKNOWN: c_int = 0x100_0000;

/// The groups offered when the program selects none: OpenSSL 3.0's, as far as the engine has them.
pub(crate) static DEFAULT_GROUPS: [NamedGroup; 4] =
    [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp521r1, NamedGroup::secp384r1];

/// Names longer than this, in bytes, are none to OpenSSL.
const NAME_LIMIT: usize = 63;

const fn group(
    id: u16,
    name: &'static CStr,
    aliases: &'static [&'static str],
    nid: c_int,
    bits: c_int,
) -> Group {
    Group { id: NamedGroup(id), name, aliases, nid, bits }
}

static GROUPS: [Group; 37] = [
    group(29, c"x25519", &["X25519"], 1034, 128),
    group(23, c"secp256r1", &["P-256", "prime256v1"], 415, 128),
    group(24, c"secp384r1", &["P-384"], 715, 192),
    group(25, c"secp521r1", &["P-521"], 716, 256),
    group(30, c"x448", &["X448"], 1035, 224),
    group(0x11EC, c"X25519MLKEM768", &[], NID_UNKNOWN | 0x11EC, 192),
    group(0x11EB, c"SecP256r1MLKEM768", &[], NID_UNKNOWN | 0x11EB, 192),
    group(0x100, c"ffdhe2048", &[], 1126, 112),
    group(0x101, c"ffdhe3072", &[], 1127, 128),
    group(0x102, c"ffdhe4096", &[], 1128, 128),
    group(0x103, c"ffdhe6144", &[], 1129, 128),
    group(0x104, c"ffdhe8192", &[], 1130, 192),
    group(26, c"brainpoolP256r1", &[], 927, 128),
    group(27, c"brainpoolP384r1", &[], 931, 192),
    group(28, c"brainpoolP512r1", &[], 933, 256),
    group(22, c"secp256k1", &[], 714, 128),
    group(1, c"sect163k1", &["K-163"], 721, 80),
    group(2, c"sect163r1", &[], 722, 80),
    group(3, c"sect163r2", &["B-163"], 723, 80),
    group(4, c"sect193r1", &[], 724, 80),
    group(5, c"sect193r2", &[], 725, 80),
    group(6, c"sect233k1", &["K-233"], 726, 112),
    group(7, c"sect233r1", &["B-233"], 727, 112),
    group(8, c"sect239k1", &[], 728, 112),
    group(9, c"sect283k1", &["K-283"], 729, 128),
    group(10, c"sect283r1", &["B-283"], 730, 128),
    group(11, c"sect409k1", &["K-409"], 731, 192),
    group(12, c"sect409r1", &["B-409"], 732, 192),
    group(13, c"sect571k1", &["K-571"], 733, 256),
    group(14, c"sect571r1", &["B-571"], 734, 256),
    group(15, c"secp160k1", &[], 708, 80),
    group(16, c"secp160r1", &[], 709, 80),
    group(17, c"secp160r2", &[], 710, 80),
    group(18, c"secp192k1", &[], 711, 80),
    group(19, c"secp192r1", &["P-192", "prime192v1"], 409, 80),
    group(20, c"secp224k1", &[], 712, 112),
    group(21, c"secp224r1", &["P-224"], 713, 112),
];

/// Why a list of groups is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupsError {
    /// No group has this name: `ERR_R_PASSED_INVALID_ARGUMENT` in OpenSSL, with this text.
    UnknownName(String),
    /// An element is empty or too long, a group stands twice, or no group has a NID; OpenSSL
    /// leaves nothing in the error queue.
    Malformed,
    /// A list of NIDs is empty: `SSL_R_BAD_LENGTH`.
    Empty,
    /// The engine has none of the groups.
    Absent,
}

impl fmt::Display for GroupsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName(name) => write!(f, "group '{name}' cannot be set"),
            Self::Malformed => f.write_str("the list of groups is malformed or names one twice"),
            Self::Empty => f.write_str("the list of groups is empty"),
            Self::Absent => f.write_str(
                "none of these groups is in the TLS engine, which has X25519, P-256, P-384, \
                 P-521, X25519MLKEM768 and SecP256r1MLKEM768",
            ),
        }
    }
}

/// Reads a list of names, as `X25519:P-256`: the groups in order of preference, those that the
/// engine lacks included.
pub(crate) fn parse_groups(list: &[u8]) -> Result<Vec<NamedGroup>, GroupsError> {
    let groups = list.split(|byte| *byte == b':').map(|element| {
        let name = element.trim_ascii();
        match name.len() {
            1..=NAME_LIMIT => by_name(name).ok_or_else(|| {
                GroupsError::UnknownName(String::from_utf8_lossy(name).into_owned())
            }),
            _ => Err(GroupsError::Malformed),
        }
    });
    collect(groups)
}

/// The groups with these NIDs.
pub(crate) fn groups_of_nids(nids: &[c_int]) -> Result<Vec<NamedGroup>, GroupsError> {
    if nids.is_empty() {
        return Err(GroupsError::Empty);
    }
    collect(nids.iter().map(|nid| by_nid(*nid).ok_or(GroupsError::Malformed)))
}

fn collect(
    groups: impl Iterator<Item = Result<&'static Group, GroupsError>>,
) -> Result<Vec<NamedGroup>, GroupsError> {
    let mut ids = Vec::new();
    for group in groups {
        let id = group?.id;
        if ids.contains(&id) {
            return Err(GroupsError::Malformed);
        }
        ids.push(id);
    }
    match ids.iter().any(|id| key_exchange(*id).is_some()) {
        true => Ok(ids),
        false => Err(GroupsError::Absent),
    }
}

fn by_name(name: &[u8]) -> Option<&'static Group> {
    GROUPS.iter().find(|group| {
        group.name.to_bytes() == name || group.aliases.iter().any(|a| a.as_bytes() == name)
    })
}

/// The group with this NID.
fn by_nid(nid: c_int) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.nid == nid)
}

fn by_id(id: NamedGroup) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.id == id)
}

/// What `SSL_group_to_name` says of a NID, or of [`NID_UNKNOWN`] and a number.
pub(crate) fn name(nid: c_int) -> Option<&'static CStr> {
    let by_number = || by_id(NamedGroup(u16::try_from(nid ^ NID_UNKNOWN).ok()?));
    by_nid(nid).or_else(by_number).map(|group| group.name)
}

/// How `SSL_get1_groups`, `SSL_get_shared_group` and the like give a group: by its NID, or by
/// [`NID_UNKNOWN`] and its number.
pub(crate) fn nid(id: NamedGroup) -> c_int {
    by_id(id).map_or(NID_UNKNOWN | c_int::from(u16::from(id)), |group| group.nid)
}

/// The bits of security of a group, as OpenSSL counts them.
pub(crate) fn bits(id: NamedGroup) -> Option<c_int> {
    by_id(id).map(|group| group.bits)
}

/// Whether a security level of `SSL_CTX_set_security_level(3)` allows the group.
pub(crate) fn allowed_at(id: NamedGroup, level: c_int) -> bool {
    by_id(id).is_some_and(|group| group.bits >= security_bits(level))
}

/// rustls's key exchange in this group; None when the engine does not have it.
pub(crate) fn key_exchange(id: NamedGroup) -> Option<&'static dyn SupportedKxGroup> {
    PROVIDER.kx_groups.iter().copied().find(|supported| supported.name() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(list: &str) -> Result<Vec<u16>, GroupsError> {
        parse_groups(list.as_bytes()).map(|groups| groups.into_iter().map(u16::from).collect())
    }

    #[test]
    fn names_and_their_order() {
        assert_eq!(numbers("X25519:P-256:secp384r1"), Ok(vec![29, 23, 24]));
        assert_eq!(numbers("prime256v1"), Ok(vec![23]));
        assert_eq!(numbers(" x25519 :\tP-384 "), Ok(vec![29, 24]));
        assert_eq!(numbers("X25519MLKEM768:X25519"), Ok(vec![0x11EC, 29]));
        assert_eq!(numbers("P-521:ffdhe2048:P-256"), Ok(vec![25, 0x100, 23]));
    }

    #[test]
    fn lists_that_openssl_refuses() {
        for malformed in
            ["", " ", "X25519:", ":X25519", "X25519::P-256", "P-256:prime256v1", &"a".repeat(64)]
        {
            assert_eq!(numbers(malformed), Err(GroupsError::Malformed), "{malformed}");
        }
        for (list, name) in
            [("X25519:nope", "nope"), ("p-256", "p-256"), ("SECP256R1", "SECP256R1"), ("?X", "?X")]
        {
            let error = numbers(list).unwrap_err();
            assert_eq!(error.to_string(), format!("group '{name}' cannot be set"));
        }
    }

    #[test]
    fn a_list_of_what_the_engine_lacks_is_refused() {
        assert_eq!(numbers("P-521"), Ok(vec![25]));
        assert_eq!(numbers("X448:ffdhe2048:sect163k1"), Err(GroupsError::Absent));
    }

    #[test]
    fn nids() {
        assert_eq!(groups_of_nids(&[415, 715]).unwrap().len(), 2);
        assert_eq!(groups_of_nids(&[415, 415]), Err(GroupsError::Malformed));
        assert_eq!(groups_of_nids(&[29]), Err(GroupsError::Malformed));
        assert_eq!(groups_of_nids(&[]), Err(GroupsError::Empty));
        assert_eq!(nid(NamedGroup::X25519), 1034);
        assert_eq!(nid(NamedGroup(0x7777)), NID_UNKNOWN | 0x7777);
        assert_eq!(name(415), Some(c"secp256r1"));
        assert_eq!(name(NID_UNKNOWN | 29), Some(c"x25519"));
        assert_eq!(name(NID_UNKNOWN | 99), None);
        assert_eq!([-1, 0, 29, c_int::MAX, c_int::MIN].map(name), [None; 5]);
    }

    #[test]
    fn the_default_is_in_the_engine_and_levels_narrow_it() {
        let allowed = |level| {
            let all = DEFAULT_GROUPS.iter().filter(|id| allowed_at(**id, level));
            all.inspect(|id| assert!(key_exchange(**id).is_some())).count()
        };
        assert_eq!([0, 1, 2, 3, 4, 5].map(allowed), [4, 4, 4, 4, 2, 1]);
    }
}
