//! The sample is complete and true, and what is wrong is found where it stands.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse(text, "agent.toml", Path::new("/etc/certstatus"))
}

/// The least that a configuration needs, and a line of it.
fn with(lines: &str) -> Result<Config, Failure> {
    parse(&format!("[[certificate]]\npath = \"/a.pem\"\n{lines}\n"))
}

/// The sample with every key that it shows.
fn whole_sample() -> String {
    let shown = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(['[', '"']) || key.starts_with(char::is_lowercase) => {
            key.to_owned()
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = SAMPLE.lines().map(shown).collect();
    // These stand for users of the machine on which it is used.
    lines.join("\n").replace("root:www-data", "root:root")
}

#[test]
fn the_sample_is_understood_as_it_is_and_with_all_that_it_shows() {
    let config = parse(SAMPLE).unwrap();
    assert_eq!(config.store.path.as_deref(), Some(Path::new("/var/lib/certstatus")));
    let whole = parse(&whole_sample()).unwrap();
    let [rule] = whole.rules.as_slice() else { panic!("one certificate: {whole:?}") };
    assert_eq!(rule.mode, Some(Mode(0o644)));
    assert_eq!(whole.fetch.responders.len(), 1);
}

#[test]
fn the_configuration_of_the_readme_is_understood() {
    let readme = include_str!("../../../../../README.md");
    let (_, rest) = readme.split_once("<!-- agent.toml -->\n```toml\n").unwrap();
    let (shown, _) = rest.split_once("```\n<!-- /agent.toml -->").unwrap();
    let config = parse(shown).unwrap();
    let output = config.rules[0].outputs()[0].path_for(Path::new("/live/www.example.org/f.pem"));
    // As nginx is told in the table below it.
    assert!(readme.contains(&format!("ssl_stapling_file {};", output.display())));
}

#[test]
fn the_values_that_the_sample_shows_are_the_defaults() {
    let mut whole = parse(&whole_sample()).unwrap();
    whole.store = Store::default();
    whole.rules.clear();
    whole.fetch.responders.clear();
    whole.fetch.proxy = None;
    whole.fetch.ca = None;
    whole.fetch.trusted_responder = Many::default();
    assert_eq!(whole, Config::default());
}

#[test]
fn the_sample_has_every_key() {
    // A key that nobody knows is refused with a list of those that there are.
    for table in ["store", "fetch", "http", "watch", "hook", "log"] {
        every_key_is_in_the_sample(&format!("[{table}]\nno_such_key = 1"));
    }
    every_key_is_in_the_sample("[[certificate]]\nno_such_key = 1");
    every_key_is_in_the_sample("no_such_key = 1");
}

fn every_key_is_in_the_sample(text: &str) {
    let message = parse(text).unwrap_err().to_string();
    let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    assert!(known.len() >= 2 || text.contains("[watch]"), "{message}");
    let sample = whole_sample();
    for key in known {
        let found = sample.lines().any(|line| {
            line.starts_with(&format!("{key} = "))
                || [format!("[{key}]"), format!("[[{key}]]"), format!("[fetch.{key}]")]
                    .contains(&line.to_owned())
        });
        assert!(found, "the sample lacks {key}");
    }
}

/// The line and column that the failure names, and its words.
fn refused(text: &str) -> (usize, usize, String) {
    let failure = parse(text).unwrap_err();
    let json = serde_json::to_value(&failure).unwrap();
    let place = |name| usize::try_from(json[name].as_u64().unwrap_or(0)).unwrap();
    (place("line"), place("column"), failure.to_string())
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, column, words) in [
        ("[store]\npaht = \"/x\"", 2, 1, "unknown key `paht`, expected one of `path`, `redis`, "),
        ("[store\n", 1, 7, "line 1, column 7"),
        ("\n[watch]\ninterval = \"soon\"", 3, 12, "\"soon\" is no time"),
        ("[watch]\ninterval = \"0s\"", 2, 12, "a time of zero"),
        ("[watch]\ninterval = 3", 2, 12, "integer"),
        ("[store]\nredis = \"http://x\"", 2, 9, "begins with redis://"),
        ("[fetch]\nconcurrent = 0", 2, 14, "0 is not a count"),
        ("[fetch]\nnonce = \"yes\"", 2, 9, "\"yes\" is none of"),
        ("[fetch]\nproxy = \"socks5://x\"", 2, 9, "URL of socks5"),
        ("[fetch.responders]\n\"x\" = \"http://y/\"", 2, 1, "is no URL"),
        ("[http]\nlisten = \"9880\"", 2, 10, "\"9880\" is neither"),
        ("[log]\nlevel = \"loud\"", 2, 9, "`loud`"),
        ("[[certificate]]\npath = \"\"", 2, 8, "empty path"),
        ("[[certificate]]\npath = \"[a\"", 2, 8, "wildcards that do not close"),
        ("[[certificate]]\noutput = \"a\"", 1, 1, "missing key `path`"),
        ("[[certificate]]\npath = \"a\"\noutput = \"{name}\"", 3, 10, "{name} is none of"),
        ("[[certificate]]\npath = \"a\"\noutput = [\"b\", \"{\"]", 3, 10, "does not close"),
        ("[[certificate]]\npath = \"*\"\noutput = \"b\"", 3, 10, "the same file"),
        ("[[certificate]]\npath = \"a\"\nresponder = \"ldap://x\"", 3, 13, "URL of ldap"),
        ("[[certificate]]\npath = \"a\"\nhaproxy_socket = \"x\"", 3, 18, "neither the path"),
        ("[[certificate]]\npath = \"a\"\non_change = \" \"", 3, 13, "an empty command"),
        ("[[certificate]]\npath = \"a\"\non_change = []", 3, 13, "without a program"),
        ("[[certificate]]\npath = \"a\"\nmode = \"999\"", 3, 8, "octal"),
        ("[[certificate]]\npath = \"a\"\nowner = \"no-such-one\"", 3, 9, "no user"),
        ("[[certificate]]\npath = \"a\"\nowner = \"root:no-such-one\"", 3, 9, "no group"),
    ] {
        let (found_line, found_column, message) = refused(text);
        assert!(message.contains(words), "{text:?}: {message}");
        assert_eq!((found_line, found_column), (line, column), "{text:?}: {message}");
    }
    assert!(refused("").2.contains("no [[certificate]]"));
}

#[test]
fn the_line_is_shown_with_a_mark_under_what_is_wrong() {
    let failure = parse("# a\n\t[store]\npaht = \"/x\"").unwrap_err();
    let mut page = crate::report::Output::new(false, anstream::ColorChoice::Never).page();
    use crate::report::Report;
    failure.report("agent", certstatus::time::unix(0)).render(&mut page);
    let text = page.as_str().replace(['╷', '│', '╵'], "|");
    assert!(text.contains("\n  3 | paht = \"/x\"\n    | ^^^^\n"), "{text}");
}

#[test]
fn values_mean_what_they_say() {
    let rule = |lines: &str| with(lines).unwrap().rules.remove(0);
    assert_eq!(
        rule("haproxy_socket = [\"/run/h.sock\", \"[::1]:99\"]").haproxy_socket.0,
        [Socket::Unix("/run/h.sock".into()), Socket::Tcp("[::1]:99".into())]
    );
    assert_eq!(
        rule("on_change = [\"systemctl\", \"reload\", \"nginx\"]").on_change.unwrap().to_string(),
        "systemctl reload nginx"
    );
    assert_eq!(
        rule("on_change = [\"/opt/my tool\", \"a b\", \"\"]").on_change.unwrap().to_string(),
        "'/opt/my tool' 'a b' ''",
        "where one word ends is seen"
    );
    assert_eq!(rule("owner = \":7\"").owner, Some(Owner { user: None, group: Some(7) }));
    let config = parse("[http]\nlisten = \"off\"\n[[certificate]]\npath = \"/a\"").unwrap();
    assert_eq!(config.http.listen, Listen::Off);
}

#[test]
fn a_password_is_not_shown() {
    let store = parse(
        "[store]\nredis = [\"rediss://me:secret@r.example:6380/2\", \"unix:/r.sock\"]\n\
                       [[certificate]]\npath = \"/a\"",
    )
    .unwrap()
    .store;
    assert!(store.redis.0[0].0.contains("secret"));
    let shown = format!("{store:?} {} {}", store.redis.0[0], store.redis.0[1]);
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.ends_with(" rediss://r.example:6380/2 unix:/r.sock"), "{shown}");
    let error = parse("[store]\nredis = \"http://me:secret@x\"").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn relative_paths_begin_at_the_directory_of_the_file() {
    let text = "[store]\npath = \"state\"\n[[certificate]]\npath = \"live/*/chain.pem\"\n\
                output = [\"{path}.ocsp\", \"out/{dir}-{stem}.der\"]\nissuer = \"ca.pem\"\n\
                haproxy_socket = \"run/h.sock\"";
    let config = Config::parse(text, "agent.toml", Path::new("/etc/[x]")).unwrap();
    let rule = &config.rules[0];
    assert_eq!(config.store.path.as_deref(), Some(Path::new("/etc/[x]/state")));
    assert_eq!(rule.path.as_str(), "/etc/[[]x[]]/live/*/chain.pem");
    assert_eq!(rule.issuer.as_deref(), Some(Path::new("/etc/[x]/ca.pem")));
    assert_eq!(rule.haproxy_socket.0, [Socket::Unix("/etc/[x]/run/h.sock".into())]);
    let certificate = Path::new("/etc/live/example.org/chain.pem");
    let outputs: Vec<_> = rule.outputs().iter().map(|o| o.path_for(certificate)).collect();
    assert_eq!(
        outputs,
        [
            Path::new("/etc/live/example.org/chain.pem.ocsp"),
            Path::new("/etc/[x]/out/example.org-chain.der")
        ]
    );
}

#[test]
fn a_brace_in_the_directory_of_the_file_is_no_placeholder() {
    let text = "[[certificate]]\npath = \"/a.pem\"\noutput = \"b.der\"";
    let config = Config::parse(text, "agent.toml", Path::new("/etc/{x}")).unwrap();
    let output = &config.rules[0].outputs()[0];
    assert_eq!(output.path_for(Path::new("/a.pem")), Path::new("/etc/{x}/b.der"));
}

/// Pieces that mean something in TOML, in paths and in values.
const PIECES: [&str; 24] = [
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\n",
    "\r",
    "\t",
    "\\",
    "\\u00e9",
    "é",
    "\u{202e}",
    "\u{feff}",
    "{path}",
    "*",
    "0x",
    "9999999999999999999999s",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    /// Whatever a file says, it is understood, or what is wrong is told with a line that it has.
    #[test]
    fn a_damaged_sample_is_understood_or_told_where_it_is_wrong(
        edits in proptest::collection::vec((any::<Index>(), 0..40_usize, any::<Index>()), 1..5),
    ) {
        let mut text: Vec<char> = whole_sample().chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, PIECES[piece.index(PIECES.len())].chars());
        }
        let text: String = text.into_iter().collect();
        match parse(&text) {
            Ok(config) => prop_assert!(!config.rules.is_empty()),
            Err(failure) => {
                let told = failure.to_string();
                prop_assert!(told.starts_with("agent.toml"), "{}", told);
                let line = told.strip_prefix("agent.toml, line ").and_then(|rest| {
                    rest.split_once(',').and_then(|(line, _)| line.parse::<usize>().ok())
                });
                let lines = text.matches('\n').count() + 1;
                prop_assert!(line.is_none_or(|line| (1..=lines).contains(&line)), "{}", told);
            }
        }
    }
}

#[test]
fn what_is_nested_without_end_is_refused() {
    for (open, close) in [("[", "]"), ("{a=", "}"), ("[[", "]]")] {
        let text = format!("path = {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(with(&text).is_err());
        assert!(parse(&open.repeat(100_000)).is_err());
    }
}
