//! The drop-in libssl beside the system's: one C program on both, and nginx on both.
//!
//! `benches/libssl/bench.c` is compiled once against the system's headers. Every case runs in
//! processes of its own, one on each library, that are alive at the same time and measure in turn,
//! a few milliseconds of CPU time each, so that what disturbs one disturbs all. A figure is the
//! median of its rounds and a ratio the median of the ratios within each round.
//!
//! The system's library must do all that is asked here. What ours does not do is said in its row, in
//! the words of the program that found out.

mod cases;
mod nginx;
mod program;
mod rounds;
mod sample;
mod table;

use std::path::PathBuf;

use crate::side_by_side::Effort;

use program::{Library, Program};
use rounds::Contest;

/// Which libraries are put side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sides {
    /// Ours and the system's.
    OursAndSystem,
    /// The system's twice. Ratios far from 1 then say how far this machine is to be trusted.
    SystemTwice,
}

/// Measures and prints the tables; or says that our library is not there to be measured.
pub(crate) fn run(effort: Effort, sides: Sides) {
    let first = match (sides, laid_out()) {
        (Sides::SystemTwice, _) => Library::System,
        (Sides::OursAndSystem, Some(directory)) => Library::In(directory),
        (Sides::OursAndSystem, None) => {
            println!("libssl: not measured, for there is none: `make libssl` builds it.\n");
            return;
        }
    };
    let libraries = [first, Library::System];
    let program = Program::compile();
    match sides {
        Sides::OursAndSystem => println!("libssl: ours is {}\n", libraries[0]),
        Sides::SystemTwice => println!(
            "libssl: a self-check, in which \"ours\" is the system's too: the ratios are to be \
             about 1.00\n"
        ),
    }
    let contest = Contest { program: &program, libraries: &libraries, effort };
    cases::full_handshakes(&contest);
    cases::resumptions(&contest);
    cases::bulk(&contest);
    cases::memory(&contest);
    nginx::run(&libraries, effort);
}

/// The directory with our `libssl.so.3`: what `CERTSTATUS_LIBSSL_DIR` says, or where `make libssl`
/// puts it, beside the directory of this very program.
fn laid_out() -> Option<PathBuf> {
    let directory = match std::env::var_os("CERTSTATUS_LIBSSL_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => std::env::current_exe().ok()?.ancestors().nth(2)?.join("libssl"),
    };
    directory.join("libssl.so.3").is_file().then_some(directory)
}
