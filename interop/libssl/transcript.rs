//! Transcripts, and what is different between two of them.

use std::fmt;
use std::path::Path;

use crate::justified::{self, same_line};

/// What a program said, by case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    cases: Vec<Case>,
    ended_early: Option<String>,
}

/// A case: its name and its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
}

impl Transcript {
    /// Reads what a program printed, and how it ended.
    pub(crate) fn parse(printed: &str, end: &str) -> Self {
        let mut cases: Vec<Case> = Vec::new();
        for line in printed.lines() {
            match (line.strip_prefix("== "), cases.last_mut()) {
                (Some("end"), _) => return Self { cases, ended_early: None },
                (Some(name), _) => {
                    cases.push(Case { name: name.to_owned(), lines: Vec::new() });
                }
                (None, Some(case)) => case.lines.push(line.to_owned()),
                (None, None) => panic!("a line before the first case: {line}"),
            }
        }
        if let Some(case) = cases.last_mut() {
            case.lines.push(format!("(the process ended: {end})"));
        }
        Self { cases, ended_early: Some(end.to_owned()) }
    }

    /// How the program ended, when it did so before its last case.
    pub(crate) fn ended_early(&self) -> Option<&str> {
        self.ended_early.as_deref()
    }

    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub(crate) fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// Adds the cases of a later run.
    pub(crate) fn append(&mut self, later: Self) {
        self.cases.extend(later.cases);
        self.ended_early = later.ended_early;
    }
}

/// The cases of a program on both libraries.
#[derive(Debug)]
pub(crate) struct Comparison {
    program: String,
    cases: Vec<Pair>,
}

/// A case: what is expected, which is what the system's library says but for justified differences,
/// and what ours says.
#[derive(Debug)]
struct Pair {
    name: String,
    expected: Vec<String>,
    ours: Vec<String>,
}

impl Pair {
    fn is_equal(&self) -> bool {
        let (expected, ours) = (&self.expected, &self.ours);
        expected.len() == ours.len()
            && expected.iter().zip(ours).all(|(expected, ours)| same_line(expected, ours))
    }
}

impl Comparison {
    pub(crate) fn new(program: &str, theirs: &Transcript, ours: &Transcript) -> Self {
        let pair = |case: &Case| Pair {
            name: case.name.clone(),
            expected: justified::expected(program, case),
            ours: ours.case(&case.name).map(|case| case.lines.clone()).unwrap_or_default(),
        };
        Self { program: program.to_owned(), cases: theirs.cases().iter().map(pair).collect() }
    }

    /// How many cases there are.
    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    /// The names of the cases that are not as expected.
    pub(crate) fn different(&self) -> Vec<&str> {
        let different = self.cases.iter().filter(|pair| !pair.is_equal());
        different.map(|pair| pair.name.as_str()).collect()
    }
}

/// The cases that are different, each with the lines expected (`-`) and ours (`+`).
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pair in self.cases.iter().filter(|pair| !pair.is_equal()) {
            writeln!(f, "== {}", pair.name)?;
            for line in difference(&pair.expected, &pair.ours) {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

/// Both lists as one, by the longest common subsequence.
fn difference(expected: &[String], ours: &[String]) -> Vec<String> {
    let mut common = vec![vec![0_usize; ours.len() + 1]; expected.len() + 1];
    for (i, left) in expected.iter().enumerate().rev() {
        for (j, right) in ours.iter().enumerate().rev() {
            common[i][j] = if same_line(left, right) {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < expected.len() || j < ours.len() {
        if i < expected.len() && j < ours.len() && same_line(&expected[i], &ours[j]) {
            lines.push(format!("  {}", expected[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == ours.len() || (i < expected.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", expected[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", ours[j]));
            j += 1;
        }
    }
    lines
}

/// Writes the differences where `CERTSTATUS_LIBSSL_DIFFERENCES` says, for who works on them.
pub(crate) fn report(comparison: &Comparison) {
    let Some(directory) = std::env::var_os("CERTSTATUS_LIBSSL_DIFFERENCES") else { return };
    let (program, different) = (&comparison.program, comparison.different().len());
    let text = format!(
        "## {program}: {different} of {} cases differ\n\nExpected (`-`), ours (`+`):\n\n\
         ```diff\n{comparison}```\n",
        comparison.len()
    );
    let path = Path::new(&directory).join(format!("{program}.md"));
    std::fs::write(path, text).expect("the file of differences");
}

#[test]
fn a_crash_is_a_line_of_its_case() {
    let transcript = Transcript::parse("== one\na\n== two\nb\n", "signal 11");
    assert_eq!(transcript.ended_early(), Some("signal 11"));
    assert_eq!(transcript.cases()[1].lines, ["b", "(the process ended: signal 11)"]);
    let whole = Transcript::parse("== one\na\n== end\n", "exit status: 0");
    assert_eq!((whole.ended_early(), whole.cases().len()), (None, 1));
}

#[test]
fn differences_are_shown_in_their_place() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        difference(&lines("a b c d"), &lines("a x c d e")),
        ["  a", "- b", "+ x", "  c", "  d", "+ e"]
    );
}
