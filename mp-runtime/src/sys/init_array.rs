//! Code before `main`: `.init_array`, and the constructors of the main program that stand behind ours in it.
//!
//! The C library's start-up calls the entries of the main program's `DT_INIT_ARRAY` in order. Ours may stand
//! before those that fill the table of targets, as the linker met them. A child must not return to that loop,
//! for `main` would follow; so it calls the rest of the entries itself.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr, slice,
};

/// An entry of `.init_array`: it is passed what `main` is passed.
pub(crate) type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Has `$function(Hook)` called before `main`, in whatever program this crate is linked into.
macro_rules! before_main {
    ($function:path) => {
        const _: () = {
            extern "C" fn hook(
                argc: std::ffi::c_int,
                argv: *const *const std::ffi::c_char,
                envp: *const *const std::ffi::c_char,
            ) {
                $function($crate::sys::init_array::Hook { this: hook, argc, argv, envp });
            }

            #[expect(unsafe_code, reason = "the section's entries are functions of this very type")]
            #[used]
            #[unsafe(link_section = ".init_array")]
            static HOOK: $crate::sys::init_array::Constructor = hook;
        };
    };
}
pub(crate) use before_main;

/// The running hook: which entry it is, and what it was passed.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    pub(crate) this: Constructor,
    pub(crate) argc: c_int,
    pub(crate) argv: *const *const c_char,
    pub(crate) envp: *const *const c_char,
}

/// Whether `hook` is an entry of the main program, and not of a library that it loads.
pub(crate) fn is_of_main_program(hook: Constructor) -> bool {
    following(hook).is_some()
}

/// Whether somebody ran `ld.so program`: the kernel then saw a loader that needs no loader, and executing
/// `/proc/self/exe` would execute that.
pub(crate) fn is_run_by_explicit_loader() -> bool {
    let wants_loader = main_program(|_, headers| headers.iter().any(|header| header.p_type == libc::PT_INTERP));
    // SAFETY: takes and returns integers.
    let loader = unsafe { libc::getauxval(libc::AT_BASE) };
    wants_loader && loader == 0
}

fn following(hook: Constructor) -> Option<&'static [usize]> {
    let entries = main_program_constructors();
    let own = entries.iter().position(|&entry| entry == hook as usize)?;
    entries.get(own + 1..)
}

impl Hook {
    /// Calls the constructors of the main program that stand behind this one.
    pub(crate) fn run_following(self) {
        for &entry in following(self.this).unwrap_or_default() {
            if entry == 0 || entry == usize::MAX {
                continue;
            }
            // SAFETY: a non-empty entry of `DT_INIT_ARRAY` is a function of this type, which the C
            // library would call next with the same arguments; this process never returns to it.
            let constructor = unsafe { std::mem::transmute::<usize, Constructor>(entry) };
            constructor(self.argc, self.argv, self.envp);
        }
    }
}

/// The main program's `DT_INIT_ARRAY`; empty if it has none.
fn main_program_constructors() -> &'static [usize] {
    main_program(init_array)
}

/// What `look` finds in the main program, given where it is loaded and its program headers.
fn main_program<T: Default>(look: fn(usize, &[libc::Elf64_Phdr]) -> T) -> T {
    struct Search<T> {
        look: fn(usize, &[libc::Elf64_Phdr]) -> T,
        found: T,
    }
    extern "C" fn first_object<T>(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr passes a pointer to a filled struct.
        let info = unsafe { &*info };
        // SAFETY: this is the pointer that was passed below, to a live `Search<T>` that nobody else uses meanwhile.
        let search = unsafe { &mut *search.cast::<Search<T>>() };
        if !info.dlpi_phdr.is_null() {
            // SAFETY: so many headers stand at that address, for as long as the object is loaded.
            let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
            search.found = (search.look)(info.dlpi_addr as usize, headers);
        }
        1 // the first object is the main program: no need to see the others
    }
    let mut search = Search { look, found: T::default() };
    // SAFETY: the callback is of the right type for this search, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object::<T>), ptr::from_mut(&mut search).cast()) };
    search.found
}

// Where the C library's start-up code itself looks in a static program. Weak: a linker defines them for
// programs, not for every library. As data, so that no instruction of any one processor is needed.
std::arch::global_asm!(
    ".pushsection .data.rel.ro.mp_runtime_static_init_array, \"aw\"",
    ".balign 8",
    ".weak __init_array_start",
    ".hidden __init_array_start",
    ".weak __init_array_end",
    ".hidden __init_array_end",
    ".globl mp_runtime_static_init_array",
    ".hidden mp_runtime_static_init_array",
    "mp_runtime_static_init_array: .8byte __init_array_start, __init_array_end",
    ".popsection",
);

/// The array of a static program at a fixed address (`-static -no-pie`), which has no dynamic section.
fn static_init_array() -> &'static [usize] {
    unsafe extern "C" {
        safe static mp_runtime_static_init_array: [usize; 2];
    }
    let [start, end] = mp_runtime_static_init_array;
    if start == 0 {
        return &[];
    }
    // SAFETY: the linker defines both or none, around the array, which is never unloaded.
    unsafe { slice::from_raw_parts(start as *const usize, (end - start) / size_of::<usize>()) }
}

fn init_array(base: usize, headers: &[libc::Elf64_Phdr]) -> &'static [usize] {
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;

    let Some(dynamic) = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC) else {
        // Nothing but the program itself can be in such a program.
        return static_init_array();
    };
    let mut entry = (base + dynamic.p_vaddr as usize) as *const [usize; 2];
    let (mut address, mut bytes) = (0, 0);
    loop {
        // SAFETY: the dynamic section is an array of (tag, value) pairs that ends with DT_NULL.
        let [tag, value] = unsafe { *entry };
        match tag {
            DT_NULL => break,
            DT_INIT_ARRAY => address = base + value,
            DT_INIT_ARRAYSZ => bytes = value,
            _ => {}
        }
        // SAFETY: this entry was not the last.
        entry = unsafe { entry.add(1) };
    }
    if address == 0 {
        return &[];
    }
    // SAFETY: the dynamic section says that an array of so many bytes stands there, and it is never unloaded.
    unsafe { slice::from_raw_parts(address as *const usize, bytes / size_of::<usize>()) }
}
