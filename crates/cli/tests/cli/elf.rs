//! ELF files for this machine, made in the test: programs and libraries with just the parts that a
//! loader, and `certstatus exec`, look at. They can be loaded, and have no code to run.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{
    DT_HASH, DT_NEEDED, DT_NULL, DT_RPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB,
    EM_AARCH64, EM_X86_64, FileHeader64,
};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

const FILE_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;
const DYNAMIC: usize = 16;

/// What is to be in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipe<'a> {
    pub(crate) interpreter: Option<&'a str>,
    pub(crate) needed: &'a [&'a str],
    pub(crate) soname: Option<&'a str>,
    pub(crate) rpath: Option<&'a Path>,
    pub(crate) imports: &'a [&'a str],
    pub(crate) defines: &'a [&'a str],
    /// For another machine than this one.
    pub(crate) foreign: bool,
}

/// The machine and the loader of this very test.
fn this_machine() -> (u16, String) {
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
    let endian = file.endian();
    let interpreter = file
        .elf_program_headers()
        .iter()
        .find_map(|segment| segment.interpreter(endian, &*bytes).unwrap())
        .unwrap();
    let machine = FileHeader64::e_machine(file.elf_header(), endian).0;
    (machine, String::from_utf8(interpreter.to_vec()).unwrap())
}

/// The loader of programs on this machine.
pub(crate) fn loader() -> String {
    this_machine().1
}

impl Recipe<'_> {
    /// Writes the file, which may be run as far as permissions go.
    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.bytes()).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        path.to_owned()
    }

    /// The file: headers, strings, symbols, hash table, dynamic table and sections, all of it in
    /// one segment at address 0, so that an address is an offset.
    fn bytes(&self) -> Vec<u8> {
        let segments = if self.interpreter.is_some() { 3 } else { 2 };
        let mut strings = Strings(vec![0]);
        let mut dynamic: Vec<(i64, u64)> =
            self.needed.iter().map(|name| (DT_NEEDED.0, strings.add(name))).collect();
        dynamic.extend(self.soname.map(|name| (DT_SONAME.0, strings.add(name))));
        let rpath = self.rpath.map(|path| path.to_str().unwrap());
        dynamic.extend(rpath.map(|path| (DT_RPATH.0, strings.add(path))));
        let symbols: Vec<(u64, bool)> = self
            .imports
            .iter()
            .map(|name| (name, false))
            .chain(self.defines.iter().map(|name| (name, true)))
            .map(|(name, defined)| (strings.add(name), defined))
            .collect();
        let interpreter = strings.add(self.interpreter.unwrap_or(""));

        let at_strings = FILE_HEADER + segments * PROGRAM_HEADER;
        let at_symbols = (at_strings + strings.0.len()).next_multiple_of(8);
        let symbols_size = (symbols.len() + 1) * SYMBOL;
        let at_hash = at_symbols + symbols_size;
        let hash: Vec<u32> =
            [1, u32::try_from(symbols.len()).unwrap() + 1, 0].into_iter().collect();
        let hash_size = (hash.len() + symbols.len() + 1) * 4;
        let at_dynamic = (at_hash + hash_size).next_multiple_of(8);
        dynamic.extend([
            (DT_HASH.0, at_hash as u64),
            (DT_STRTAB.0, at_strings as u64),
            (DT_SYMTAB.0, at_symbols as u64),
            (DT_STRSZ.0, strings.0.len() as u64),
            (DT_SYMENT.0, SYMBOL as u64),
            (DT_NULL.0, 0),
        ]);
        let dynamic_size = dynamic.len() * DYNAMIC;
        let at_sections = at_dynamic + dynamic_size;
        let size = at_sections + 4 * SECTION_HEADER;

        let mut file = Bytes(Vec::new());
        self.header(&mut file, segments, at_sections);
        let whole = size as u64;
        file.segment(1, 0, whole);
        file.segment(2, at_dynamic as u64, dynamic_size as u64);
        if let Some(path) = self.interpreter {
            file.segment(3, at_strings as u64 + interpreter, path.len() as u64 + 1);
        }
        file.0.extend(&strings.0);
        file.0.resize(at_symbols, 0);
        file.0.extend([0; SYMBOL]);
        for (name, defined) in &symbols {
            file.u32(u32::try_from(*name).unwrap());
            file.0.extend([0x12, 0]); // global, a function
            file.u16(u16::from(*defined));
            file.u64(0);
            file.u64(0);
        }
        hash.into_iter().for_each(|word| file.u32(word));
        file.0.resize(at_dynamic, 0);
        for (tag, value) in &dynamic {
            file.u64(u64::try_from(*tag).unwrap());
            file.u64(*value);
        }
        file.section(0, 0, 0, 0, 0);
        file.section(3, at_strings, strings.0.len(), 0, 0);
        file.section(11, at_symbols, symbols_size, 1, SYMBOL);
        file.section(6, at_dynamic, dynamic_size, 1, DYNAMIC);
        assert_eq!(file.0.len(), size);
        file.0
    }

    fn header(&self, file: &mut Bytes, segments: usize, at_sections: usize) {
        let own = this_machine().0;
        let foreign = if own == EM_X86_64.0 { EM_AARCH64.0 } else { EM_X86_64.0 };
        file.0.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.u16(3); // ET_DYN: a library, or a program that may lie anywhere
        file.u16(if self.foreign { foreign } else { own });
        file.u32(1);
        file.u64(0);
        file.u64(FILE_HEADER as u64);
        file.u64(at_sections as u64);
        file.u32(0);
        for word in [FILE_HEADER, PROGRAM_HEADER, segments, SECTION_HEADER, 4, 1] {
            file.u16(u16::try_from(word).unwrap());
        }
    }
}

/// A table of strings.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u64 {
        let at = self.0.len();
        self.0.extend(text.as_bytes());
        self.0.push(0);
        at as u64
    }
}

/// A file in the making, little-endian.
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    /// PT_LOAD 1, PT_DYNAMIC 2, PT_INTERP 3; to be read and written.
    fn segment(&mut self, kind: u32, at: u64, size: u64) {
        self.u32(kind);
        self.u32(6);
        for value in [at, at, at, size, size, if kind == 1 { 0x1_0000 } else { 1 }] {
            self.u64(value);
        }
    }

    /// SHT_STRTAB 3, SHT_DYNAMIC 6, SHT_DYNSYM 11; `link` is the section with the strings.
    fn section(&mut self, kind: u32, at: usize, size: usize, link: u32, entry: usize) {
        self.u32(0);
        self.u32(kind);
        for value in [0, at, at, size] {
            self.u64(value as u64);
        }
        self.u32(link);
        self.u32(1);
        self.u64(1);
        self.u64(entry as u64);
    }
}
