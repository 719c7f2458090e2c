//! Where our library is meant to differ from OpenSSL 3.0. Each entry says which lines of which cases
//! are others, and why. Besides, an error may say more than OpenSSL's ([`same_line`]). Nothing else may
//! differ.

use crate::transcript::Case;

/// A difference that is meant.
#[derive(Debug)]
pub(crate) struct Difference {
    program: &'static str,
    /// The cases' names; `*` stands for anything.
    cases: &'static str,
    /// Lines of the system's library that follow each other, and what ours says in their place.
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    /// For who reads this table.
    #[allow(dead_code, reason = "printed with the entry when it turns out to be stale")]
    reason: &'static str,
}

/// The man page: the callback is not called when a session is resumed. OpenSSL does so all the same
/// in TLS 1.3, with no response, which makes strict callbacks refuse every resumption.
const RESUMPTION: &str = "the man page says that the callback is not called on resumption";

/// rustls has no error that sends the alert `internal_error` once there are keys.
const ALERT_80: &str = "alert 80 cannot be sent encrypted; 113 is the nearest";

/// As [`ALERT_80`], where status is not what has failed.
const ALERT_80_OTHERWISE: &str = "alert 80 cannot be sent encrypted; 40 is the nearest";

/// rustls sends the alerts that it finds reason for itself, and has none for the end of data.
const END_OF_DATA: &str = "no alert says that data has ended once there are keys";

/// The ChangeCipherSpec of a TLS 1.3 client means nothing to anyone.
const EARLY_CCS: &str = "the engine's client has sent its ChangeCipherSpec before it verifies";

/// Renegotiation is not in TLS 1.3, and its signal (RFC 5746, 3.3) is not needed there.
const NO_SIGNAL: &str = "the engine's client sends the signal only when it speaks TLS 1.2 too";

/// Who has asked sees it fail, and is not left to wait for the peer.
const NO_RENEGOTIATION: &str = "the engine does not renegotiate; it says so and goes on";

/// OpenSSL answers a KeyUpdate when it writes next.
const UPDATE_AT_ONCE: &str = "a KeyUpdate is answered as soon as it is read";

/// libcrypto's providers decrypt nothing for this library.
const NO_PROVIDER: &str = "the engine's cipher leaves no entry of libcrypto's";

/// OpenSSL's client takes 16 KiB of CertificateStatus in TLS 1.2; in TLS 1.3 it takes all.
const SIZE: &str = "a response of up to 64 KiB is taken in both versions";

/// The alerts when a verification callback refuses a certificate that has no fault.
const REFUSED_WITHOUT_A_CAUSE: &[&str] = &[
    "client: alert sent: fatal: internal error",
    "client: handshake returned -1, SSL",
    "client: error: SSL routines: certificate verify failed (134)",
    "server: alert received: fatal: internal error",
    "server: handshake returned -1, SSL",
    "server: error: SSL routines: tlsv1 alert internal error (1080): SSL alert number 80",
];

/// The same with the nearest alert.
const REFUSED_WITHOUT_A_CAUSE_HERE: &[&str] = &[
    "client: alert sent: fatal: handshake failure",
    "client: handshake returned -1, SSL",
    "client: error: SSL routines: certificate verify failed (134)",
    "server: alert received: fatal: handshake failure",
    "server: handshake returned -1, SSL",
    "server: error: SSL routines: sslv3 alert handshake failure (1040): SSL alert number 40",
];

/// rustls chooses the alert for a peer that sends records without data.
const EMPTY_RECORDS: &str = "rustls refuses them with the alert illegal_parameter";

/// OpenSSL keeps a verified chain until the next verification, also past `SSL_clear`.
const STALE_CHAIN: &str = "a verified chain is of the connection that shows it";

/// A connection whose peer has shown no certificate has no verified chain, even if the connection
/// before had one.
macro_rules! stale_chain {
    ($cases:literal, $chain:literal, $length:literal, $first:literal) => {
        Difference {
            program: "second_life",
            cases: $cases,
            theirs: &[
                "  peer: none",
                $chain,
                concat!("  verified chain: ", $length),
                concat!("  it begins with: /O=certstatus lab/CN=", $first, ".test"),
            ],
            ours: &["  peer: none", $chain, "  verified chain: -1"],
            reason: STALE_CHAIN,
        }
    };
}

/// What OpenSSL's client says to a response of more than 16 KiB in TLS 1.2.
const TOO_LARGE: &[&str] = &[
    "client: alert sent: fatal: illegal parameter",
    "client: handshake returned -1, SSL",
    "client: error: SSL routines: excessive message size (152)",
    "server: alert received: fatal: illegal parameter",
    "server: handshake returned -1, SSL",
    "server: error: SSL routines: sslv3 alert illegal parameter (1047): SSL alert number 47",
];

/// rustls takes the kinds of keys of a suite of TLS 1.2 from its own list, without RSASSA-PSS.
const NO_PSS_IN_TLS12: &str = "RSASSA-PSS keys do not sign in TLS 1.2";

/// OpenSSL's client signs with such a key, which no server takes.
const ODD_CURVE: &str = "a certificate on a curve that is no group of TLS is not shown";

/// What both ends say when a client's certificate callback fails.
const CALLBACK_FAILED: &[&str] = &[
    "client: alert sent: fatal: internal error",
    "client: handshake returned -1, SSL",
    "client: error: SSL routines: callback failed (234)",
    "server: alert received: fatal: internal error",
    "server: handshake returned -1, SSL",
    "server: error: SSL routines: tlsv1 alert internal error (1080): SSL alert number 80",
];

/// The same with the nearest alert.
const CALLBACK_FAILED_HERE: &[&str] = &[
    "client: alert sent: fatal: handshake failure",
    "client: handshake returned -1, SSL",
    "client: error: SSL routines: callback failed (234)",
    "server: alert received: fatal: handshake failure",
    "server: handshake returned -1, SSL",
    "server: error: SSL routines: sslv3 alert handshake failure (1040): SSL alert number 40",
];

/// A response of that size is taken in TLS 1.2 as it is in TLS 1.3.
macro_rules! taken {
    ($case:literal, $response:literal) => {
        Difference {
            program: "status_response",
            cases: $case,
            theirs: TOO_LARGE,
            ours: &[
                "client: status callback, argument NULL",
                concat!("client: response in the callback: ", $response),
                "client: done, TLSv1.2, full, verify result 0",
                "server: done, TLSv1.2, full, verify result 0",
            ],
            reason: SIZE,
        }
    };
}

/// rustls's bound for a handshake message, whatever it is about. In TLS 1.3 the response stands in
/// the message of the certificates.
const MESSAGE: &str = "certificates and response together are at most 65,535 bytes in TLS 1.3";

/// A response that leaves no room for the certificates in TLS 1.3.
macro_rules! too_large_with_certificates {
    ($case:literal, $response:literal) => {
        Difference {
            program: "status_response",
            cases: $case,
            theirs: &[
                "client: status callback, argument NULL",
                concat!("client: response in the callback: ", $response),
                "client: done, TLSv1.3, full, verify result 0",
                "server: done, TLSv1.3, full, verify result 0",
            ],
            ours: &[
                "client: alert sent: fatal: decode error",
                "client: handshake returned -1, SSL",
                "client: error: SSL routines: excessive message size (152)",
                "server: alert received: fatal: decode error",
                "server: handshake returned -1, SSL",
                "server: error: SSL routines: tlsv1 alert decode error (1050): SSL alert number 50",
            ],
            reason: MESSAGE,
        }
    };
}

/// What a server of TLS 1.3 says of renegotiation at some time.
macro_rules! no_signal {
    ($when:literal) => {
        Difference {
            program: "extensions",
            cases: "TLSv1.3, what the hellos agree on",
            theirs: &[concat!(
                "server, ",
                $when,
                ": client's version 0303, secure renegotiation 1, extended master secret 0, flags 0"
            )],
            ours: &[concat!(
                "server, ",
                $when,
                ": client's version 0303, secure renegotiation 0, extended master secret 0, flags 0"
            )],
            reason: NO_SIGNAL,
        }
    };
}

const TABLE: &[Difference] = &[
    Difference {
        program: "small_getters",
        cases: "TLSv1.3, of a connection",
        theirs: &["suites of 4 bytes, first 1301"],
        ours: &["suites of 2 bytes, first 1301"],
        reason: NO_SIGNAL,
    },
    Difference {
        program: "session_trust",
        cases: "*, a demanding name after *",
        theirs: &["the demand is passed by"],
        ours: &["the demand is met"],
        reason: "RFC 6066, 3: a session is not resumed under another name than its own",
    },
    Difference {
        program: "key_kinds",
        cases: "TLSv1.2, server, RSASSA-PSS beside nothing",
        theirs: &["done 1 1", "client sees RSA-PSS", "signed with 1 UNDEF"],
        ours: &["client: alert received: fatal: handshake failure", "done 0 0"],
        reason: NO_PSS_IN_TLS12,
    },
    Difference {
        program: "key_kinds",
        cases: "TLSv1.2, server, RSASSA-PSS beside rsa",
        theirs: &["client sees RSA-PSS"],
        ours: &["client sees RSA"],
        reason: NO_PSS_IN_TLS12,
    },
    Difference {
        program: "key_kinds",
        cases: "TLSv1.2, client, RSASSA-PSS",
        theirs: &["server sees RSA-PSS", "signed with 1 UNDEF"],
        ours: &["server sees none", "signed with 0 UNDEF"],
        reason: NO_PSS_IN_TLS12,
    },
    Difference {
        program: "key_kinds",
        cases: "TLSv1.2, client, brainpoolP256r1",
        theirs: &[
            "server: alert sent: fatal: illegal parameter",
            "client: alert received: fatal: illegal parameter",
            "done 0 0",
        ],
        ours: &["done 1 1", "server sees none", "signed with 0 UNDEF"],
        reason: ODD_CURVE,
    },
    Difference {
        program: "key_kinds",
        cases: "TLSv1.2, client, secp256k1",
        theirs: &[
            "server: alert sent: fatal: illegal parameter",
            "client: alert received: fatal: illegal parameter",
            "done 0 0",
        ],
        ours: &["done 1 1", "server sees none", "signed with 0 UNDEF"],
        reason: ODD_CURVE,
    },
    Difference {
        program: "status_resumption",
        cases: "TLSv1.3, by *",
        theirs: &["client: status callback, resumed", "client: response in the callback: -1, NULL"],
        ours: &[],
        reason: RESUMPTION,
    },
    Difference {
        program: "status_matrix",
        cases: "TLSv1.3, asked *, client -1, server *",
        theirs: &["client: alert sent: fatal: internal error"],
        ours: &["client: alert sent: fatal: bad certificate status response"],
        reason: ALERT_80,
    },
    Difference {
        program: "status_matrix",
        cases: "TLSv1.3, asked *, client -1, server *",
        theirs: &[
            "server: alert received: fatal: internal error",
            "server: handshake returned -1, SSL",
            "server: error: SSL routines: tlsv1 alert internal error (1080): SSL alert number 80",
        ],
        ours: &[
            "server: alert received: fatal: bad certificate status response",
            "server: handshake returned -1, SSL",
            "server: error: SSL routines: tlsv1 bad certificate status response (1113): SSL alert \
             number 113",
        ],
        reason: ALERT_80,
    },
    Difference {
        program: "io_close",
        cases: "*, the end of data *",
        theirs: &["client: alert sent: fatal: decode error", "client: read returned 0, SSL"],
        ours: &["client: read returned 0, SSL"],
        reason: END_OF_DATA,
    },
    Difference {
        program: "io_close",
        cases: "TLSv1.3, the end of data during a handshake",
        theirs: &["server: alert sent: fatal: decode error"],
        ours: &[],
        reason: END_OF_DATA,
    },
    Difference {
        program: "io_close",
        cases: "TLSv1.2, a corrupted record",
        theirs: &["client: error: Provider routines: cipher operation failed (102)"],
        ours: &[],
        reason: NO_PROVIDER,
    },
    Difference {
        program: "client_certificate",
        cases: "TLSv1.3, * first fails, mode *",
        theirs: CALLBACK_FAILED,
        ours: CALLBACK_FAILED_HERE,
        reason: ALERT_80_OTHERWISE,
    },
    Difference {
        program: "client_certificate",
        cases: "TLSv1.3, the certificate callback fails, mode *",
        theirs: CALLBACK_FAILED,
        ours: CALLBACK_FAILED_HERE,
        reason: ALERT_80_OTHERWISE,
    },
    Difference {
        program: "conf",
        cases: "RecordPadding 128",
        theirs: &["RecordPadding 128: type 1, 2"],
        ours: &[
            "RecordPadding 128: type 1, 0",
            "conf: error: SSL routines: unsupported (524556): record padding is not in the TLS engine",
            "conf: error: SSL routines: bad value (384): cmd=RecordPadding, value=128",
        ],
        reason: "rustls does not pad records; the command says so",
    },
    Difference {
        program: "messages",
        cases: "TLSv1.3, a certificate that is refused",
        theirs: &["client: sent alert 2, 2 bytes (0304)"],
        ours: &[
            "client: sent ChangeCipherSpec 1, 1 bytes (0304)",
            "client: sent alert 2, 2 bytes (0304)",
        ],
        reason: EARLY_CCS,
    },
    Difference {
        program: "steps",
        cases: "TLSv1.3, a certificate that is refused",
        theirs: &[
            "client: alert 4008 560, state 4 SSLERR: error",
            "client: exit 1002 -1, state 4 SSLERR: error",
        ],
        ours: &[
            "client: step 1001 1, state 4 SSLERR: error",
            "client: alert 4008 560, state 16 SSLERR: error",
            "client: exit 1002 -1, state 16 SSLERR: error",
        ],
        reason: EARLY_CCS,
    },
    Difference {
        program: "messages",
        cases: "TLSv1.3, after the handshake",
        theirs: &[
            "server: received header of type 23, 31 bytes (0303)",
            "server: received inner type 23, 1 bytes (0304)",
            "server: read returned 14",
            "server: sent header of type 23, 22 bytes (0303)",
            "server: sent inner type 22, 1 bytes (0303)",
            "server: sent handshake 24, 5 bytes (0304)",
        ],
        ours: &[
            "server: sent header of type 23, 22 bytes (0303)",
            "server: sent inner type 22, 1 bytes (0303)",
            "server: sent handshake 24, 5 bytes (0304)",
            "server: received header of type 23, 31 bytes (0303)",
            "server: received inner type 23, 1 bytes (0304)",
            "server: read returned 14",
        ],
        reason: UPDATE_AT_ONCE,
    },
    Difference {
        program: "steps",
        cases: "TLSv1.3, after the handshake",
        theirs: &[
            "client: read returned 1",
            "client: step 1001 1, state 1 SSLOK: SSL negotiation finished successfully",
            "client: step 1001 1, state 43 TWCKU: TLSv1.3 write client key update",
            "client: exit 1002 1, state 1 SSLOK: SSL negotiation finished successfully",
        ],
        ours: &[
            "client: step 1001 1, state 1 SSLOK: SSL negotiation finished successfully",
            "client: step 1001 1, state 43 TWCKU: TLSv1.3 write client key update",
            "client: exit 1002 1, state 1 SSLOK: SSL negotiation finished successfully",
            "client: read returned 1",
        ],
        reason: UPDATE_AT_ONCE,
    },
    Difference {
        program: "renegotiation",
        cases: "TLSv1.2, the server asks and writes",
        theirs: &["asked: 1", "handshake: 1", "finished: 1"],
        ours: &[
            "asked: 0",
            "handshake: -1",
            "server: error: SSL routines: no renegotiation (339): renegotiation is not in the TLS \
             engine; the connection can go on as it is",
            "finished: 0",
        ],
        reason: NO_RENEGOTIATION,
    },
    no_signal!("after"),
    no_signal!("resumed"),
    taken!("TLSv1.2, size 16384", "16384 bytes, first 00, last ff, sum 61c02000"),
    taken!("TLSv1.2, size 16385", "16385 bytes, first 00, last 00, sum d643e000"),
    Difference {
        program: "status_callbacks",
        cases: "TLSv1.3, the staple of server, verification 0, *",
        theirs: REFUSED_WITHOUT_A_CAUSE,
        ours: REFUSED_WITHOUT_A_CAUSE_HERE,
        reason: ALERT_80_OTHERWISE,
    },
    Difference {
        program: "empty_records",
        cases: "*",
        theirs: &["server: alert sent: fatal: unexpected_message"],
        ours: &["server: alert sent: fatal: illegal parameter"],
        reason: EMPTY_RECORDS,
    },
    Difference {
        program: "empty_records",
        cases: "*, while a close_notify is awaited",
        theirs: &[
            "server: SSL_shutdown returned -1, SSL",
            "server: error: SSL routines: application data after close notify (291)",
        ],
        ours: &["server: SSL_shutdown returned -1, WANT_READ"],
        reason: "a record without data is no data, also for SSL_shutdown",
    },
    stale_chain!("*a server that is *", "  chain: 0", "3", "client"),
    stale_chain!("*a client that is * and changes sides", "  chain: -1", "2", "server"),
    taken!("TLSv1.2, size 32768", "32768 bytes, first 00, last ff, sum c3804000"),
    taken!("TLSv1.2, size 61440", "61440 bytes, first 00, last ff, sum 46907800"),
    taken!("TLSv1.2, size 64000", "64000 bytes, first 00, last ff, sum 0eb67d00"),
    taken!("TLSv1.2, size 65000", "65000 bytes, first 00, last e7, sum 691b36f4"),
    taken!("TLSv1.2, size 65500", "65500 bytes, first 00, last db, sum d2dcebee"),
    too_large_with_certificates!(
        "TLSv1.3, size 65000",
        "65000 bytes, first 00, last e7, sum 691b36f4"
    ),
    too_large_with_certificates!(
        "TLSv1.3, size 65500",
        "65500 bytes, first 00, last db, sum d2dcebee"
    ),
];

/// The entries about a program.
pub(crate) fn of(program: &str) -> impl Iterator<Item = &'static Difference> {
    TABLE.iter().filter(move |difference| difference.program == program)
}

/// Whether our line is as good as the one that is expected: it is the same, or it is an entry of the
/// error queue to which ours adds a text (`ERR_get_error_all` gives it as data) that says more.
pub(crate) fn same_line(expected: &str, ours: &str) -> bool {
    match ours.strip_prefix(expected) {
        Some("") => true,
        Some(more) => expected.contains(": error: ") && more.starts_with(": "),
        None => false,
    }
}

/// What our library is to say in a case, given what the system's says.
pub(crate) fn expected(program: &str, case: &Case) -> Vec<String> {
    let start = case.lines.clone();
    of(program)
        .filter(|difference| matches(difference.cases, &case.name))
        .fold(start, |lines, difference| difference.apply(&lines))
}

impl Difference {
    /// Whether the entry makes any difference to a case.
    pub(crate) fn changes(&self, case: &Case) -> bool {
        matches(self.cases, &case.name) && self.apply(&case.lines) != case.lines
    }

    fn apply(&self, lines: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        let mut rest = lines;
        while let Some((first, others)) = rest.split_first() {
            let window = rest.get(..self.theirs.len());
            if window.is_some_and(|window| window == self.theirs) {
                out.extend(self.ours.iter().map(ToString::to_string));
                rest = &rest[self.theirs.len()..];
            } else {
                out.push(first.clone());
                rest = others;
            }
        }
        out
    }
}

/// Whether a name is of a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len())
                .filter(|at| name.is_char_boundary(*at))
                .any(|at| matches(rest, &name[at..]))
        }),
    }
}

#[test]
fn an_error_may_say_more() {
    let entry = "client: error: SSL routines: bad extension (110)";
    assert!(same_line(entry, entry));
    assert!(same_line(entry, &format!("{entry}: it is empty")));
    assert!(!same_line(entry, "client: error: SSL routines: bad extension (1107)"));
    assert!(!same_line("client: done", "client: done: really"));
    assert!(!same_line(&format!("{entry}: it is empty"), entry));
}

#[test]
fn patterns_match_as_they_look() {
    assert!(matches("a*, b", "axx, b"));
    assert!(matches("a*", "a"));
    assert!(!matches("a*, b", "axx, c"));
    assert!(!matches("a", "ab"));
}
