//! What an ELF file says of itself, as far as it matters for the library that it runs on.
//!
//! Only the parts that are asked for are read, so that the size of a program does not matter. Which
//! file a needed library becomes is the loader's to say: [`super::loader`].

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::elf::{self, DT_NEEDED, DT_SONAME, FileHeader32, FileHeader64};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, Object, ObjectSymbol, ReadCache};

use crate::failure::{Failure, reason};

/// The functions by which a program loads a library while it runs, or starts another program.
const LATER: [&[u8]; 17] = [
    b"dlopen",
    b"dlmopen",
    b"execl",
    b"execle",
    b"execlp",
    b"execv",
    b"execve",
    b"execveat",
    b"execvp",
    b"execvpe",
    b"fexecve",
    b"popen",
    b"posix_spawn",
    b"posix_spawnp",
    b"syscall",
    b"system",
    b"wordexp",
];

/// A function without which no libssl does anything, OpenSSL's or one that was made from it.
const OF_LIBSSL: &[u8] = b"SSL_CTX_new";

/// A program or a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    pub(crate) machine: Machine,
    /// The loader that the program asks for (PT_INTERP); `None` for a library and for a program
    /// that is linked statically.
    pub(crate) interpreter: Option<PathBuf>,
    /// The libraries that it needs, by the names that it needs them by.
    pub(crate) needed: Vec<String>,
    /// A library's own name.
    pub(crate) soname: Option<String>,
    /// Whether it defines the functions of libssl itself. A program that was stripped tells of
    /// those only that it exports.
    pub(crate) defines_libssl: bool,
    /// The functions that it calls by which a library may come later.
    pub(crate) later: BTreeSet<String>,
}

/// What a processor has to be to run it. A loader passes over libraries for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    processor: elf::Machine,
    is_64: bool,
    is_little_endian: bool,
}

impl Elf {
    /// Reads it.
    ///
    /// # Errors
    /// When the file cannot be read, or is no ELF file, or contradicts itself.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|e| {
            Failure::failed("file", format!("{} cannot be read: {}.", path.display(), reason(&e)))
        })?;
        let data = ReadCache::new(file);
        let facts = match FileKind::parse(&data) {
            Ok(FileKind::Elf32) => facts::<FileHeader32<Endianness>>(&data),
            Ok(FileKind::Elf64) => facts::<FileHeader64<Endianness>>(&data),
            Ok(_) => return Err(no_elf(path)),
            Err(error) => Err(error),
        };
        facts.map_err(|e| {
            let message = format!("{} is damaged as an ELF file: {e}.", path.display());
            Failure::failed("program", message)
        })
    }
}

fn no_elf(path: &Path) -> Failure {
    Failure::failed("program", format!("{} is not an ELF file.", path.display()))
}

fn facts<E: FileHeader<Endian = Endianness>>(data: &ReadCache<File>) -> object::Result<Elf> {
    let file = ElfFile::<E, _>::parse(data)?;
    let (header, endian) = (file.elf_header(), file.endian());
    let mut facts = Elf {
        machine: Machine {
            processor: header.e_machine(endian),
            is_64: header.is_class_64(),
            is_little_endian: header.is_little_endian(),
        },
        interpreter: None,
        needed: Vec::new(),
        soname: None,
        defines_libssl: false,
        later: BTreeSet::new(),
    };
    for segment in file.elf_program_headers() {
        if let Some(path) = segment.interpreter(endian, data)? {
            facts.interpreter = Some(PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    let dynamic = file.elf_dynamic_table()?;
    for entry in &dynamic {
        match entry.tag {
            DT_NEEDED => facts.needed.push(text(dynamic.string(entry)?)),
            DT_SONAME => facts.soname = Some(text(dynamic.string(entry)?)),
            _ => {}
        }
    }
    for symbol in file.dynamic_symbols().chain(file.symbols()) {
        let name = symbol.name_bytes()?;
        if symbol.is_undefined() {
            if LATER.contains(&name) {
                facts.later.insert(text(name));
            }
        } else if name == OF_LIBSSL {
            facts.defines_libssl = true;
        }
    }
    Ok(facts)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.processor {
            elf::EM_X86_64 => f.write_str("x86-64")?,
            elf::EM_386 => f.write_str("x86")?,
            elf::EM_AARCH64 => f.write_str("AArch64")?,
            elf::EM_ARM => f.write_str("ARM")?,
            elf::EM_RISCV => f.write_str("RISC-V")?,
            elf::EM_PPC64 => f.write_str("PowerPC")?,
            elf::EM_S390 => f.write_str("S/390")?,
            other => write!(f, "ELF machine {}", other.0)?,
        }
        f.write_str(if self.is_64 { ", 64 bits" } else { ", 32 bits" })?;
        // Both orders of bytes exist where the name of the processor does not tell.
        if self.processor == elf::EM_PPC64 {
            f.write_str(if self.is_little_endian { ", little-endian" } else { ", big-endian" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn own() -> PathBuf {
        std::env::current_exe().unwrap()
    }

    #[test]
    fn this_very_program_is_read() {
        let elf = Elf::read(&own()).unwrap();
        assert!(elf.interpreter.unwrap().is_absolute());
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.so")), "{:?}", elf.needed);
        assert!(!elf.defines_libssl);
        assert_eq!(elf.soname, None);
    }

    #[test]
    fn what_is_no_elf_file_is_said_to_be_none() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"MZ nothing that runs here").unwrap();
        assert!(Elf::read(file.path()).is_err());
        assert!(Elf::read(Path::new("/nonexistent")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The first pages hold the headers; whatever they say, reading ends with a sentence.
        #[test]
        fn damaged_headers_are_survived(
            length in 4_usize..8192,
            edits in proptest::collection::vec((4_usize..1024, any::<u8>()), 1..8),
        ) {
            let mut bytes = vec![0; length];
            let mut source = File::open(own()).unwrap();
            std::io::Read::read_exact(&mut source, &mut bytes).unwrap();
            for (at, byte) in edits {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes).unwrap();
            let _ = Elf::read(file.path());
        }
    }
}
