//! Makes from `exports.toml` what the linker and the crate need of it:
//!
//! - `libssl.map`, the version script: every symbol under the node `OPENSSL_3.0.0`;
//! - `trampolines.rs`: one symbol of the C name for each function, a jump to its Rust function;
//! - `refused.rs`: the functions that only say no; `refused_commands.rs`: the same for commands;
//! - `functions.rs`: every function with its failure value, for the tests.
//!
//! rustc brings a version script of its own for a cdylib, which would leave `#[no_mangle]` symbols
//! without a version. Symbols defined in assembly are not in rustc's list, so ours decides.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde::Deserialize;

#[derive(Deserialize)]
struct Exports {
    symbols: BTreeMap<String, Symbol>,
    functions: BTreeMap<String, Symbol>,
    ctrl: BTreeMap<String, Command>,
}

#[derive(Deserialize)]
struct Command {
    number: i32,
    on: String,
    state: String,
    why: Option<String>,
}

#[derive(Deserialize)]
struct Symbol {
    fails: String,
    state: String,
    room: Option<String>,
    why: Option<String>,
}

/// Weak symbols of aws-lc, which uses them if the process has them. A process may have them for
/// another allocator than the one that aws-lc's memory is from (`sdallocx` is jemalloc's), so they
/// are defined here, as absent.
const OPTIONAL: [&str; 5] = [
    "OPENSSL_memory_alloc",
    "OPENSSL_memory_free",
    "OPENSSL_memory_get_size",
    "OPENSSL_memory_realloc",
    "sdallocx",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=exports.toml");
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let exports: Exports = toml::from_str(&fs::read_to_string("exports.toml")?)?;
    let all = || exports.symbols.iter().chain(&exports.functions);

    fs::write(out.join("libssl.map"), version_script(all().map(|(name, _)| name.as_str())))?;
    fs::write(out.join("trampolines.rs"), trampolines(all())?)?;
    fs::write(out.join("refused.rs"), refused(all())?)?;

    fs::write(out.join("refused_commands.rs"), refused_commands(&exports.ctrl)?)?;
    fs::write(out.join("functions.rs"), functions(all())?)?;

    let map = out.join("libssl.map");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--version-script={}", map.display());
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libssl.so.3");
    // As OpenSSL's libssl: libcrypto keeps pointers to its error strings, and threads have
    // destructors in it, after a program has closed it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    for name in OPTIONAL {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym={name}=0");
    }
    Ok(())
}

fn version_script<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut script = String::from("OPENSSL_3.0.0 {\n  global:\n");
    for name in names {
        script.push_str("    ");
        script.push_str(name);
        script.push_str(";\n");
    }
    script.push_str("  local: *;\n};\n");
    script
}

fn trampolines<'a>(
    symbols: impl Iterator<Item = (&'a String, &'a Symbol)>,
) -> Result<String, Box<dyn Error>> {
    let jump = match env::var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "x86_64" => "jmp",
        "aarch64" => "b",
        other => return Err(format!("no trampolines are written for {other}").into()),
    };
    let mut code = String::new();
    for (name, symbol) in symbols {
        let room = match (symbol.state.as_str(), &symbol.room) {
            ("works" | "partly", Some(room)) => room,
            ("refused", None) => "refused::functions",
            _ => return Err(format!("{name}: state and room do not fit in exports.toml").into()),
        };
        if symbol.state != "works" && symbol.why.is_none() {
            return Err(format!("{name}: exports.toml does not say why").into());
        }
        writeln!(
            code,
            "core::arch::global_asm!(\".text\", \".globl {name}\", \".type {name}, @function\", \
             \"{name}: {jump} {{f}}\", \".size {name}, . - {name}\", f = sym crate::abi::{room}::{name});"
        )?;
    }
    Ok(code)
}

fn room(symbol: &Symbol) -> &str {
    symbol.room.as_deref().unwrap_or("refused::functions")
}

fn functions<'a>(
    symbols: impl Iterator<Item = (&'a String, &'a Symbol)>,
) -> Result<String, Box<dyn Error>> {
    let mut rows = String::from("[");
    for (name, symbol) in symbols {
        let (fails, room) = (&symbol.fails, room(symbol));
        writeln!(rows, "(c\"{name}\", \"{fails}\", crate::abi::{room}::{name} as *const ()),")?;
    }
    rows.push(']');
    Ok(rows)
}

fn refused_commands(commands: &BTreeMap<String, Command>) -> Result<String, Box<dyn Error>> {
    let mut rows = String::from("&[");
    for (name, command) in commands.iter().filter(|(_, command)| command.state == "refused") {
        let why = command.why.as_deref().ok_or_else(|| format!("{name}: no reason is given"))?;
        let (ssl, ctx) = match command.on.as_str() {
            "ssl" => (true, false),
            "ctx" => (false, true),
            "both" => (true, true),
            other => return Err(format!("{name}: unknown object {other}").into()),
        };
        writeln!(rows, "({}, {ssl}, {ctx}, \"{name}: {why}\"),", command.number)?;
    }
    rows.push(']');
    Ok(rows)
}

fn refused<'a>(
    symbols: impl Iterator<Item = (&'a String, &'a Symbol)>,
) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for (name, symbol) in symbols.filter(|(_, symbol)| symbol.state == "refused") {
        let value = match symbol.fails.as_str() {
            "0" | "null" | "void" => "0",
            "1" => "1",
            "-1" => "-1",
            other => return Err(format!("{name}: unknown failure value {other}").into()),
        };
        let why = symbol.why.as_deref().unwrap_or_default();
        writeln!(
            code,
            "pub(crate) extern \"C\" fn {name}() -> isize {{ super::refuse(c\"{name}\", c\"{why}\", {value}) }}"
        )?;
    }
    Ok(code)
}
