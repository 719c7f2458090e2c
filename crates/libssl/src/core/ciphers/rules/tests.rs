//! The cipher lists of OpenSSL's command line, and what its library does with odd ones.

use std::process::Command;

use super::*;

fn suites(list: &str) -> Vec<u16> {
    parse_cipher_list(list.as_bytes()).unwrap().suites
}

/// The engine's suites among those that the system's OpenSSL selects; None when it fails.
fn of_openssl(list: &str) -> Option<Vec<u16>> {
    let output = Command::new("openssl").args(["ciphers", "-s", "-tls1_2", list]).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let id = |name: &str| CIPHERS.iter().find(|c| c.name.to_bytes() == name.as_bytes());
    let ids = names.trim().split(':').filter_map(id).map(|cipher| cipher.id);
    output.status.success().then(|| ids.collect())
}

/// Lists from the defaults and the manuals of programs, and lists that try each rule.
const LISTS: [&str; 76] = [
    "DEFAULT",
    "ALL",
    "HIGH:!aNULL:!MD5",
    "HIGH:!aNULL:!kRSA:!PSK:!SRP:!MD5:!RC4",
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
     ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
     DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384",
    "EECDH+ECDSA+AESGCM EECDH+aRSA+AESGCM EECDH+ECDSA+SHA384 EECDH+aRSA+SHA384 EECDH+aRSA+RC4 \
     EECDH EDH+aRSA RC4 !aNULL !eNULL !LOW !3DES !MD5 !EXP !PSK !SRP !DSS",
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!MD5:!DSS",
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM",
    "ECDHE",
    "kEECDH",
    "kECDHE+aRSA",
    "aRSA",
    "aECDSA",
    "ECDSA",
    "AESGCM",
    "AES",
    "AES128",
    "AES256",
    "CHACHA20",
    "TLSv1.2",
    "FIPS",
    "FIPS:HIGH",
    "HIGH+FIPS:ECDSA",
    "HIGH+ECDHE-RSA-AES128-GCM-SHA256",
    "FIPS+ECDHE-RSA-CHACHA20-POLY1305:aECDSA",
    "CHACHA20:AESGCM",
    "CHACHA20,AESGCM",
    "CHACHA20;AES128 AES256",
    "::CHACHA20: :AES128,,",
    "ALL:+AES256",
    "ALL:+CHACHA20:+aECDSA",
    "ALL:-AESGCM",
    "ALL:-AES256:AES256",
    "ALL:-aRSA:-CHACHA20:ALL",
    "ALL:-CHACHA20:-AES128:ALL",
    "ALL:!AES256:AES256",
    "ALL:!ECDSA:ALL",
    "!CHACHA20:ALL",
    ":-CHACHA20:ALL",
    "+CHACHA20:ALL",
    "AES128:ALL",
    "AES128:ALL:@STRENGTH",
    "AES128:CHACHA20:AES256:@STRENGTH",
    "AES128:CHACHA20:@STRENGTH:ALL",
    "@STRENGTH:AES128:ALL",
    "@STRENGTH+X!Y:AES128",
    "ALL:@SECLEVEL=0",
    "ALL:@SECLEVEL=3",
    "DEFAULT:!AESGCM",
    "DEFAULT:+aECDSA",
    "DEFAULT+aECDSA",
    "DEFAULT!AES",
    "DEFAULT@STRENGTH",
    "DEFAULTX",
    "DEFAULT:@SECLEVEL=1",
    "AES128:DEFAULT",
    "AES128:COMPLEMENTOFDEFAULT:COMPLEMENTOFALL",
    "ECDHE+aRSA+AES128",
    "aRSA+aECDSA:CHACHA20",
    "AES128+AES256:CHACHA20",
    "AES+AES256",
    "ECDHE-RSA-AES128-GCM-SHA256+aRSA",
    "ECDHE-RSA-AES128-GCM-SHA256+TLSv1.2",
    "ECDHE-RSA-AES128-GCM-SHA256+ECDHE-ECDSA-AES128-GCM-SHA256:CHACHA20",
    "HIGH!AES",
    "HIGH!AES128+aRSA-CHACHA20:AES128",
    "HIGH@STRENGTH",
    "RC4!AES:ALL",
    "nope!AES:ALL",
    "LOW!AES:ALL",
    "kRSA!AES:ALL",
    "SHA384+ECDHE!AES:ALL",
    "ecdhe:CHACHA20",
    "TLS_AES_128_GCM_SHA256:AES128",
    "SUITEB128",
    "SUITEB192:ALL",
];

#[test]
fn suites_and_their_order_are_openssls() {
    for list in LISTS {
        assert_eq!(Some(suites(list)), of_openssl(list), "{list}");
    }
}

#[test]
fn lists_that_are_no_lists_are_refused_by_both() {
    for list in ["#", "HIGH:#", "HIGH!", "HIGH+", "HIGH+:X", "HIGH:@", "@BAD:HIGH", "@SECLEVEL=6"] {
        assert!(parse_cipher_list(list.as_bytes()).is_err(), "{list}");
        assert_eq!(of_openssl(list), None, "{list}");
    }
    assert!(parse_cipher_list(b"HIGH\xC3\xA9").is_err());
}

#[test]
fn lists_of_what_the_engine_lacks_select_nothing() {
    for list in ["", ":", "nope", "AES128-SHA", "RC4:3DES", "ALL:!ALL", "TLS_AES_128_GCM_SHA256"] {
        assert_eq!(suites(list), [], "{list}");
    }
}

#[test]
fn the_security_level_is_read_also_from_a_list_that_fails() {
    let level = |list: &str| match parse_cipher_list(list.as_bytes()) {
        Ok(list) => (true, list.security_level),
        Err(error) => (false, error.security_level),
    };
    assert_eq!(level("HIGH"), (true, None));
    assert_eq!(level("@SECLEVEL=0:nope"), (true, Some(0)));
    assert_eq!(level("@SECLEVEL=1:HIGH:@SECLEVEL=5"), (true, Some(5)));
    assert_eq!(level("@SECLEVEL=3:@BAD"), (false, Some(3)));
    assert_eq!(level("@BAD:@SECLEVEL=3"), (false, Some(3)));
    assert_eq!(level("#:@SECLEVEL=3"), (false, None));
}

#[test]
fn profiles_of_suite_b_are_told() {
    let profile = |list: &str| parse_cipher_list(list.as_bytes()).unwrap().suite_b;
    assert_eq!(profile("SUITEB128ONLY"), Some(SuiteB::Only128));
    assert_eq!(profile("SUITEB128C2"), Some(SuiteB::Least128));
    assert_eq!(profile("SUITEB128:HIGH"), Some(SuiteB::Least128));
    assert_eq!(profile("SUITEB192"), Some(SuiteB::Least192));
    assert_eq!(profile("HIGH:SUITEB128"), None);
}

#[test]
fn ciphersuites() {
    let ids = |list: &str| parse_ciphersuites(list.as_bytes());
    assert_eq!(ids(""), Some(vec![]));
    assert_eq!(ids("TLS_AES_128_GCM_SHA256"), Some(vec![0x1301]));
    assert_eq!(
        ids(" TLS_CHACHA20_POLY1305_SHA256 :nope::TLS_AES_256_GCM_SHA384:"),
        Some(vec![0x1303, 0x1302])
    );
    assert_eq!(ids("TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256"), Some(vec![0x1301, 0x1301]));
    for refused in ["nope", ":", " ", "ALL", "tls_aes_128_gcm_sha256", "TLS_AES_128_CCM_SHA256"] {
        assert_eq!(ids(refused), None, "{refused}");
    }
}
