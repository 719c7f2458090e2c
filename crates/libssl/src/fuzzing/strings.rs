//! What programs and files say in words: lists of ciphers, groups and schemes, and the commands of
//! `SSL_CONF_cmd(3)`.

use crate::core::ciphers::rules::{parse_cipher_list, parse_ciphersuites};
use crate::core::{ciphers, conf, groups, signatures};

/// The first byte says what the rest is.
pub fn settings(input: &[u8]) {
    let Some((kind, list)) = input.split_first() else { return };
    match kind % 5 {
        0 => cipher_list(list),
        1 => {
            let suites = parse_ciphersuites(list).unwrap_or_default();
            assert!(suites.iter().all(|suite| ciphers::suite_or_signal(*suite).is_some()));
        }
        2 => {
            let Ok(groups) = groups::parse_groups(list) else { return };
            assert!(groups.iter().any(|group| groups::key_exchange(*group).is_some()));
            assert!(are_distinct(&groups));
            let nids: Vec<_> = groups.iter().map(|group| groups::nid(*group)).collect();
            assert_eq!(groups::groups_of_nids(&nids).ok(), Some(groups));
        }
        3 => {
            let Some(schemes) = signatures::parse_schemes(list) else { return };
            assert!(!schemes.is_empty() && are_distinct(&schemes));
            assert!(schemes.iter().all(|scheme| signatures::by_id(*scheme).is_some()));
        }
        _ => command(list),
    }
}

fn cipher_list(list: &[u8]) {
    let (level, suites) = match parse_cipher_list(list) {
        Ok(list) => (list.security_level, list.suites),
        Err(invalid) => (invalid.security_level, Vec::new()),
    };
    assert!(level.is_none_or(|level| (0..=5).contains(&level)));
    assert!(are_distinct(&suites));
    assert!(suites.iter().all(|suite| ciphers::by_id(*suite).is_some_and(|cipher| !cipher.tls13)));
}

fn are_distinct<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().all(|(at, one)| !list.iter().take(at).any(|earlier| earlier == one))
}

/// A name and a value, with `=` between them.
fn command(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    for flags in [conf::CMDLINE, conf::FILE, conf::CMDLINE | conf::FILE] {
        let flags = flags | conf::CLIENT | conf::SERVER | conf::CERTIFICATE;
        for prefix in [None, Some("ssl_"), Some("\u{17f}")] {
            if let Some(rest) = conf::without_prefix(flags, prefix, name) {
                assert!(name.ends_with(rest) && (!rest.is_empty() || name.is_empty()));
                let _ = conf::lookup(flags, rest);
            }
        }
        for table in [conf::PROTOCOLS, conf::OPTIONS, conf::VERIFY_MODES] {
            let mut bits = 0;
            let valid = conf::apply(table, flags, value, &mut bits);
            let mut again = bits;
            assert_eq!(conf::apply(table, flags, value, &mut again), valid);
        }
    }
    let _ = (conf::version(value), conf::count(value));
}
