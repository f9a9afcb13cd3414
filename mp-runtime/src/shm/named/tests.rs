//! What cannot be seen from outside: the two ways to mark, and what two who remove the same name do.

use std::{fs::File, os::unix::fs::MetadataExt};

use super::{
    Segment, create, lock, marker,
    unlink::{Removal, reclaim, unlink},
};
use crate::sys::{shm_open, xattr::fsetxattr};

fn name(of: &str) -> String {
    format!("mp-unit-{of}-{}", std::process::id())
}

/// While this lives no other test has orphans, or removes them.
fn alone() -> File {
    let directory = File::open(shm_open::DIRECTORY).unwrap();
    directory.lock().unwrap();
    directory
}

/// A segment whose owner is gone without a word.
fn orphan(name: &str) -> File {
    let file = create::unnamed(10, b"content").unwrap();
    create::publish(&file, name).unwrap();
    lock::disown(&file).unwrap();
    file
}

#[test]
fn an_access_list_marks_as_well_and_changes_no_mode() {
    let file = shm_open::unnamed().unwrap();
    let mode = file.metadata().unwrap().mode();
    assert!(!marker::is_set(&file));
    marker::set_access_list(&file).unwrap();
    assert!(marker::is_set(&file) && file.metadata().unwrap().mode() == mode && mode & 0o7777 == 0o600);
    shm_open::reopen(&file).unwrap();
    marker::clear(&file).unwrap();
    assert!(!marker::is_set(&file) && file.metadata().unwrap().mode() == mode);
}

#[test]
fn a_copy_of_the_attribute_is_no_mark() {
    let (original, copy) = (shm_open::unnamed().unwrap(), shm_open::unnamed().unwrap());
    for file in [&original, &copy] {
        fsetxattr(file, marker::ATTRIBUTE, marker::value(&original).unwrap().as_bytes()).unwrap();
    }
    assert!(marker::is_set(&original) && !marker::is_set(&copy));
}

#[test]
fn an_orphan_that_is_marked_by_an_access_list_is_removed() {
    let _alone = alone();
    let name = name("list");
    let file = orphan(&name);
    marker::clear(&file).unwrap();
    assert_eq!(reclaim(&name).unwrap(), Removal::Kept);
    marker::set_access_list(&file).unwrap();
    assert_eq!(reclaim(&name).unwrap(), Removal::Removed);
    assert_eq!(reclaim(&name).unwrap(), Removal::NotThere);
}

#[test]
fn while_one_removes_a_name_another_one_does_not() {
    let _alone = alone();
    let name = name("two");
    let file = orphan(&name);
    let first = lock::Unlinking::begin(&file).unwrap().unwrap();
    assert_eq!(reclaim(&name).unwrap(), Removal::Busy);
    // Who wants the name waits its turn, and not for ever.
    let error = Segment::create(Some(&name), 1, &[]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EEXIST));
    assert_eq!(Segment::open(&name).unwrap().unlink().unwrap_err().raw_os_error(), Some(nix::libc::EBUSY));
    drop(first);
    Segment::create(Some(&name), 1, &[]).unwrap();
}

#[test]
fn the_name_of_another_segment_is_not_removed() {
    let _alone = alone();
    let name = name("other");
    let first = orphan(&name);
    shm_open::unlink(&name).unwrap();
    let second = Segment::create(Some(&name), 1, &[]).unwrap();
    assert_eq!(unlink(&first, &name).unwrap(), Removal::NotThere);
    assert_eq!(reclaim(&name).unwrap(), Removal::Kept);
    assert!(second.is_linked().unwrap());
}

#[test]
fn an_owner_is_seen_through_every_other_description_only() {
    let file = create::unnamed(1, &[]).unwrap();
    assert!(!lock::is_owned_elsewhere(&file).unwrap());
    let other = shm_open::reopen(&file).unwrap();
    assert!(lock::is_owned_elsewhere(&other).unwrap() && !lock::own(&other).unwrap());
    let copy = file.try_clone().unwrap();
    drop(file);
    assert!(lock::is_owned_elsewhere(&other).unwrap());
    drop(copy);
    assert!(!lock::is_owned_elsewhere(&other).unwrap());
}
