//! Memory that more than one process sees.
#![expect(unsafe_code, reason = "a mapping is a promise that the compiler cannot check")]

mod mapping;

pub(crate) use mapping::Mapping;
