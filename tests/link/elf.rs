//! A built program's `.init_array`, to look at and to rearrange: what a linker could have done.
//!
//! Only 64-bit little-endian files, by their section headers.

use std::{fs, ops::Range, path::Path};

/// `SHT_SYMTAB`, `SHT_RELA`, `SHT_INIT_ARRAY`.
const SYMTAB: u32 = 2;
const RELA: u32 = 4;
const INIT_ARRAY: u32 = 14;
/// `PT_DYNAMIC`, `PT_INTERP`.
const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;
/// `ET_DYN`.
const POSITION_INDEPENDENT: u16 = 3;

/// A program file in memory.
pub(crate) struct Elf {
    bytes: Vec<u8>,
}

/// An entry of `.init_array`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where in the file the function's address stands: in the array, or in the relocation that fills it.
    at: usize,
    function: u64,
}

struct Section {
    /// Where its name begins among the names of sections.
    name: usize,
    kind: u32,
    address: u64,
    file: Range<usize>,
    link: usize,
}

impl Elf {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(bytes.starts_with(b"\x7fELF\x02\x01"), "{} is no 64-bit little-endian ELF file", path.display());
        Self { bytes }
    }

    /// Makes `path` a program with these bytes.
    pub(crate) fn write(&self, path: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(path, &self.bytes).expect("the test's own directory can be written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the file is the test's own");
    }

    /// Puts the entry of that number into another place; those between move up or down.
    pub(crate) fn move_constructor(&mut self, from: usize, to: usize) {
        let entries = self.constructors();
        let mut functions: Vec<_> = entries.iter().map(|entry| entry.function).collect();
        let moved = functions.remove(from);
        functions.insert(to, moved);
        for (entry, function) in entries.iter().zip(functions) {
            self.put(entry.at, function);
        }
    }

    /// Puts a function in the place of another one.
    pub(crate) fn replace_constructor(&mut self, number: usize, function: u64) {
        let at = self.constructors()[number].at;
        self.put(at, function);
    }

    /// `.init_array`, in its order.
    pub(crate) fn constructors(&self) -> Vec<Entry> {
        let relocations = self.relocations();
        let arrays = self.sections().into_iter().filter(|section| section.kind == INIT_ARRAY);
        let slots = arrays.flat_map(|array| (array.address..).step_by(8).zip(array.file.step_by(8)));
        slots
            .map(|(address, in_array)| {
                let at = relocations.iter().find(|(target, _)| *target == address).map_or(in_array, |(_, at)| *at);
                Entry { at, function: self.u64(at) }
            })
            .collect()
    }

    /// The number of the constructor whose symbol has all these parts.
    pub(crate) fn constructor(&self, parts: &[&str]) -> Option<usize> {
        let named = self.functions(parts);
        self.constructors().iter().position(|entry| named.contains(&entry.function))
    }

    /// The addresses of the symbols whose names have all these parts; none in a stripped program.
    pub(crate) fn functions(&self, parts: &[&str]) -> Vec<u64> {
        let sections = self.sections();
        let tables = sections.iter().filter(|section| section.kind == SYMTAB);
        let symbols = tables.flat_map(|table| {
            let names = sections[table.link].file.start;
            table.file.clone().step_by(24).map(move |at| (names + self.u32(at) as usize, self.u64(at + 8)))
        });
        let is_meant = |name: &str| parts.iter().all(|part| name.contains(part));
        symbols.filter(|&(name, _)| is_meant(self.text(name))).map(|(_, address)| address).collect()
    }

    pub(crate) fn is_position_independent(&self) -> bool {
        self.u16(16) == POSITION_INDEPENDENT
    }

    /// Whether a dynamic linker starts it.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.segments().any(|kind| kind == INTERP)
    }

    pub(crate) fn has_dynamic_section(&self) -> bool {
        self.segments().any(|kind| kind == DYNAMIC)
    }

    pub(crate) fn is_stripped(&self) -> bool {
        !self.sections().iter().any(|section| section.kind == SYMTAB)
    }

    /// What stands in the section of that name.
    pub(crate) fn section(&self, name: &str) -> Option<&[u8]> {
        let sections = self.sections();
        let names = sections[usize::from(self.u16(62))].file.start;
        let found = sections.iter().find(|section| self.text(names + section.name) == name)?;
        Some(&self.bytes[found.file.clone()])
    }

    fn segments(&self) -> impl Iterator<Item = u32> {
        let (start, size, count) = (self.offset(32), self.u16(54), self.u16(56));
        (0..usize::from(count)).map(move |number| self.u32(start + number * usize::from(size)))
    }

    fn sections(&self) -> Vec<Section> {
        let (start, size, count) = (self.offset(40), self.u16(58), self.u16(60));
        let headers = (0..usize::from(count)).map(|number| start + number * usize::from(size));
        headers
            .map(|at| Section {
                name: self.u32(at) as usize,
                kind: self.u32(at + 4),
                address: self.u64(at + 16),
                file: self.offset(at + 24)..self.offset(at + 24) + self.offset(at + 32),
                link: self.u32(at + 40) as usize,
            })
            .collect()
    }

    /// The relocations without a symbol: which address each fills, and where in the file its addend stands.
    fn relocations(&self) -> Vec<(u64, usize)> {
        let tables = self.sections().into_iter().filter(|section| section.kind == RELA);
        let entries = tables.flat_map(|table| table.file.step_by(24));
        entries.filter(|at| self.u64(at + 8) >> 32 == 0).map(|at| (self.u64(at), at + 16)).collect()
    }

    fn put(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..].first_chunk().expect("a whole file")
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    fn offset(&self, at: usize) -> usize {
        usize::try_from(self.u64(at)).expect("it is a 64-bit machine")
    }

    fn text(&self, at: usize) -> &str {
        let rest = &self.bytes[at..];
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
        str::from_utf8(&rest[..end]).unwrap_or_default()
    }
}
