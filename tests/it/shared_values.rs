//! Values, arrays and raw memory.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering::SeqCst};

use multiprocess as mp;

use super::support::watchdog;

#[mp::process_target]
fn adds(total: mp::Value<u64>, pair: mp::Value<[u64; 2]>, float: mp::Value<f64>, count: u64) -> mp::Result<()> {
    for _ in 0..count {
        total.fetch_add(1)?;
        pair.with(|[a, b]| (*a, *b) = (*a + 1, *b + 2))?;
        float.fetch_add(0.5)?;
    }
    Ok(())
}

#[test]
fn no_increment_is_lost() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (total, pair, float) = (mp::Value::new(0)?, mp::Value::new([0, 0])?, mp::Value::new(0.0)?);
    let start = |_| mp::spawn(adds, (total.clone(), pair.clone(), float.clone(), 50_000));
    let children: Vec<_> = (0..3).map(start).collect::<Result<_, _>>()?;
    for child in children {
        child.join()??;
    }
    assert_eq!((total.get(), pair.get(), float.get()), (150_000, [150_000, 300_000], 75_000.0));
    Ok(())
}

#[test]
fn a_value_of_any_size_comes_back_as_it_was_set() -> mp::Result<()> {
    fn check<const N: usize>() -> mp::Result<()>
    where
        [u8; N]: bytemuck::Pod,
    {
        let value = mp::Value::new([7_u8; N])?;
        assert_eq!(value.get(), [7; N]);
        for x in 0..5 {
            value.set([x; N])?;
            assert_eq!(value.get(), [x; N]);
        }
        Ok(())
    }

    check::<0>()?;
    check::<1>()?;
    check::<3>()?;
    check::<8>()?;
    check::<9>()?;
    check::<16>()?;
    check::<256>()?;
    check::<4096>()?;
    let value = mp::Value::new(u128::MAX)?;
    assert_eq!(value.fetch_add(2)?, u128::MAX);
    assert_eq!(value.get(), 1, "they wrap around");
    let byte = mp::Value::new(250_u8)?;
    byte.fetch_add(10)?;
    assert_eq!((byte.get(), byte.fetch_sub(5)?, byte.get()), (4, 4, 255));
    Ok(())
}

#[test]
fn a_closure_that_panics_changes_nothing() -> mp::Result<()> {
    let value = mp::Value::new([1, 2, 3])?;
    let panicking = || {
        value.with(|numbers| {
            *numbers = [0; 3];
            panic!("halfway");
        })
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
    assert_eq!(value.get(), [1, 2, 3]);
    value.with(|numbers| numbers.reverse())?;
    assert_eq!(value.get(), [3, 2, 1]);
    Ok(())
}

#[test]
fn a_value_inside_itself_is_an_error() -> mp::Result<()> {
    let value = mp::Value::new(1)?;
    let inner = value.with(|_| (value.set(5), value.get()))?;
    assert!(inner.0.unwrap_err().is_deadlock());
    assert_eq!(inner.1, 1, "reading takes no lock");
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Particle {
    place: [f64; 3],
    charge: i32,
    kind: u32,
}

#[mp::process_target]
fn moves(particles: mp::Array<Particle>, first: mp::Value<Particle>) -> mp::Result<usize> {
    particles.lock()?.iter_mut().for_each(|particle| particle.place[0] += 1.0);
    first.with(|particle| particle.kind = 9)?;
    Ok(particles.len())
}

#[test]
fn structs_are_values_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    let particle = Particle { place: [1.0, 2.0, 3.0], charge: -1, kind: 7 };
    let (particles, first) = (mp::Array::from_slice(&[particle; 5])?, mp::Value::new(particle)?);
    assert_eq!(mp::spawn(moves, (particles.clone(), first.clone()))?.join()??, 5);
    assert!(particles.to_vec()?.iter().all(|particle| particle.place == [2.0, 2.0, 3.0]));
    assert_eq!(first.get(), Particle { kind: 9, ..particle });
    Ok(())
}

#[test]
fn an_array_is_a_slice_under_a_lock() -> mp::Result<()> {
    let array = mp::Array::<u16>::new(4)?;
    assert_eq!(array.to_vec()?, [0; 4]);
    array.set(2, 5)?;
    assert_eq!(array.get(2)?, 5);
    assert!(array.get(4).unwrap_err().is_invalid_input());
    assert!(array.set(4, 0).unwrap_err().is_invalid_input());
    array.with(|slice| slice.sort_unstable_by(|a, b| b.cmp(a)))?;
    let guard = array.lock()?;
    assert_eq!(*guard, [5, 0, 0, 0]);
    assert!(matches!(array.try_lock(), Err(mp::LockError::WouldDeadlock)));
    drop(guard);
    assert!(mp::Array::<u16>::new(0)?.is_empty());
    assert!(mp::Array::<[u8; 0]>::new(3).unwrap_err().is_invalid_input());
    assert!(mp::Array::<u64>::new(usize::MAX).unwrap_err().is_invalid_input());
    Ok(())
}

#[test]
fn elements_are_aligned_as_they_must_be() -> mp::Result<()> {
    #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C, align(64))]
    struct Line([u64; 8]);

    let array = mp::Array::<Line>::new(9)?;
    assert_eq!(array.len(), 9);
    let guard = array.lock()?;
    assert_eq!(guard.as_ptr().align_offset(64), 0);
    Ok(())
}

#[mp::process_target]
fn dies_in_an_array(array: mp::Array<u32>) {
    let mut guard = array.lock().unwrap();
    guard[0] = 1;
    std::process::abort();
}

#[test]
fn a_death_in_an_array_is_told() -> mp::Result<()> {
    let _watchdog = watchdog();
    let array = mp::Array::<u32>::new(2)?;
    mp::spawn(dies_in_an_array, (array.clone(),))?.join().unwrap_err();
    assert!(array.get(0).unwrap_err().is_owner_died());
    let mut guard = array.lock().or_else(mp::LockError::recover).unwrap();
    assert_eq!(*guard, [1, 0]);
    guard.fill(0);
    drop(guard);
    assert_eq!(array.to_vec()?, [0, 0]);
    Ok(())
}

#[mp::process_target]
fn counts(bins: mp::RawArray<AtomicU32>, sum: mp::RawValue<AtomicI64>) {
    for number in 0..10_000 {
        bins[number % bins.len()].fetch_add(1, SeqCst);
        sum.fetch_sub(1, SeqCst);
    }
}

#[test]
fn raw_memory_is_atomics() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (bins, sum) = (mp::RawArray::<AtomicU32>::new(10)?, mp::RawValue::<AtomicI64>::new(5)?);
    let children = [0; 2].map(|_| mp::spawn(counts, (bins.clone(), sum.clone())));
    for child in children {
        child?.join()?;
    }
    assert!(bins.iter().all(|bin| bin.load(SeqCst) == 2_000));
    assert_eq!(sum.load(SeqCst), 5 - 20_000);
    let bytes = mp::RawArray::<AtomicU8>::from_slice(&[3; 5])?;
    assert!(bytes.len() == 5 && bytes.iter().all(|byte| byte.load(SeqCst) == 3));
    Ok(())
}

#[mp::process_target]
fn fills(array: mp::Array<u64>, raw: mp::RawArray<AtomicU32>) -> mp::Result<(usize, usize)> {
    array.with(|slice| (0..).zip(slice).for_each(|(number, element)| *element = number))?;
    raw.iter().for_each(|atomic| atomic.store(7, SeqCst));
    Ok((array.len(), raw.len()))
}

#[test]
fn large_arrays_have_memory_of_their_own() -> mp::Result<()> {
    let _watchdog = watchdog();
    for length in [8_000, 8_180, 8_190, 8_192, 8_200, 1_000_003] {
        let (array, raw) = (mp::Array::<u64>::new(length)?, mp::RawArray::<AtomicU32>::new(length * 2)?);
        assert!(array.to_vec()?.iter().all(|number| *number == 0));
        let lengths = mp::spawn(fills, (array.clone(), raw.clone()))?.join()??;
        assert_eq!(lengths, (length, length * 2));
        assert!((0..).zip(array.lock()?.iter()).all(|(number, element)| number == *element));
        assert!(raw.iter().all(|atomic| atomic.load(SeqCst) == 7));
    }
    assert!(mp::RawArray::<AtomicU32>::new(usize::MAX / 8).is_err());
    Ok(())
}
