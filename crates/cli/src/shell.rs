//! Words of command lines that people are to copy: whatever a file is called, a POSIX shell takes what
//! stands there for that one name.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::report::sanitize;

/// The word as it is to be written for the shell, on one line and without anything that would drive a
/// terminal, or be shown as something else than it is.
pub(crate) fn word(word: &OsStr) -> Cow<'_, str> {
    let plain = word.to_str().filter(|text| matches!(sanitize(text), Cow::Borrowed(_)));
    // It fails for a NUL only, which is no plain text.
    plain
        .and_then(|text| shlex::try_quote(text).ok())
        .unwrap_or_else(|| printed(word.as_bytes()).into())
}

/// A path in the same way, which no command takes for an option.
pub(crate) fn path(path: &Path) -> Cow<'_, str> {
    let name = path.as_os_str().as_bytes();
    match name.starts_with(b"-") && name != b"-" {
        true => word(Path::new(".").join(path).as_os_str()).into_owned().into(),
        false => word(path.as_os_str()),
    }
}

/// The bytes as what `printf` makes of their octal numbers; only line ends at the very end are lost.
fn printed(bytes: &[u8]) -> String {
    let mut command = String::from("\"$(printf '");
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b' ' => {
                command.push(char::from(byte));
            }
            _ => command.push_str(&format!("\\{byte:03o}")),
        }
    }
    command.push_str("')\"");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_needs_no_quotes_has_none() {
        for plain in ["chain.pem", "/etc/letsencrypt/live/www.example.org/fullchain.pem", "-"] {
            assert_eq!(path(Path::new(plain)), plain);
        }
        assert_eq!(path(Path::new("a b.pem")), "'a b.pem'");
        assert_eq!(path(Path::new("-rf")), "./-rf");
        assert_eq!(path(Path::new("a\nb")), "\"$(printf 'a\\012b')\"");
    }

    #[test]
    fn a_shell_takes_every_word_for_itself() {
        let words: [&[u8]; 12] = [
            b"a b",
            b"it's",
            b"say \"$HOME\" `id` $(id) \\ !!",
            b"two\nlines",
            b"\xff not UTF-8 100% %s \\012",
            "\u{202e}turned".as_bytes(),
            "pl\u{e4}in \u{1f600}".as_bytes(),
            b"",
            b"-n",
            b"-x\n.pem",
            b"*?[a];&|<>(){}#~=^",
            b"\x1b[2J'\t",
        ];
        for bytes in words {
            let quoted = word(OsStr::from_bytes(bytes)).into_owned();
            assert_eq!(sanitize(&quoted), quoted);
            let script = format!("printf %s {quoted}");
            let said = Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(said.stdout, bytes, "{quoted}");
            assert!(said.status.success() && said.stderr.is_empty(), "{quoted}");
        }
    }
}
