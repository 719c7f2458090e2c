//! Every target over its seeds, over what was once found, and over some mutations of both: so that
//! no target rots, and nothing that was fixed comes back.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use certstatus_fuzz_targets::{TARGETS, Target};

/// Mutations of each input. A run of libFuzzer does in a second what all of them do here.
const MUTATIONS: u64 = 12;

/// What is mutated of the longest inputs of a target with many.
const MOST_INPUTS: usize = 60;

fn room() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(kind: &str, target: &Target) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(room().join(kind).join(target.name)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// A generator of numbers that are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Some bytes changed, cut out, or repeated.
fn mutate(input: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(input.len());
        let end = (at + 1 + numbers.below(16)).min(input.len());
        match numbers.below(6) {
            _ if input.is_empty() => input.push(numbers.next() as u8),
            0 | 1 => input[at] ^= 1 << numbers.below(8),
            2 => input[at] = numbers.next() as u8,
            3 => drop(input.drain(at..end)),
            4 => input.insert(at, numbers.next() as u8),
            _ => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
        }
    }
}

/// Runs an input; a panic is told with where the input came from.
fn run(target: &Target, input: &[u8], what: &str) {
    let ran = std::panic::catch_unwind(|| (target.run)(input));
    assert!(ran.is_ok(), "{}: {what}: {}", target.name, hex(input));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_target_over_its_inputs_and_some_mutations() {
    for target in TARGETS {
        let mut inputs: Vec<_> =
            (target.seeds)().into_iter().map(|der| (String::new(), der)).collect();
        inputs.extend(files("seeds", target));
        inputs.extend(files("regressions", target));
        assert!(!inputs.is_empty(), "{} has no seeds", target.name);
        for (name, input) in &inputs {
            run(target, input, name);
        }
        run(target, &[], "nothing");
        let mut numbers = Numbers(1);
        let step = inputs.len().div_ceil(MOST_INPUTS);
        for (name, input) in inputs.iter().step_by(step) {
            for _ in 0..MUTATIONS {
                let mut input = input.clone();
                mutate(&mut input, &mut numbers);
                run(target, &input, &format!("mutated {name}"));
            }
        }
    }
}

#[test]
fn every_target_has_its_program_and_no_other_is_there() {
    let manifest = std::fs::read_to_string(room().join("Cargo.toml")).unwrap();
    let programs: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(programs, names, "the programs in fuzz/Cargo.toml, and the targets in their order");
    for name in names {
        let file = room().join("fuzz_targets").join(name).with_extension("rs");
        let code = std::fs::read_to_string(file).unwrap();
        assert!(code.contains(&format!("certstatus_fuzz_targets::{name}(data)")), "{name}");
    }
}

#[test]
fn inputs_stand_with_targets_that_exist() {
    for kind in ["seeds", "regressions"] {
        let Ok(entries) = std::fs::read_dir(room().join(kind)) else { continue };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(certstatus_fuzz_targets::target(&name).is_some(), "{kind}/{name}");
        }
    }
}
