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
    extern "C" fn first_object(info: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr passes a pointer to a filled struct.
        let info = unsafe { &*info };
        // SAFETY: `found` is the pointer that was passed below, to a live Option.
        unsafe { *found.cast::<&'static [usize]>() = init_array(info) };
        1 // the first object is the main program: no need to see the others
    }
    let mut found: &'static [usize] = &[];
    // SAFETY: the callback has the right type and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object), ptr::from_mut(&mut found).cast()) };
    found
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

fn init_array(object: &libc::dl_phdr_info) -> &'static [usize] {
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;

    if object.dlpi_phdr.is_null() {
        return &[];
    }
    // SAFETY: so many headers stand at that address, for as long as the object is loaded.
    let headers = unsafe { slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    let Some(dynamic) = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC) else {
        // Nothing but the program itself can be in such a program.
        return static_init_array();
    };

    let base = object.dlpi_addr as usize;
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
