//! Written, sent and read.

use std::{cell::RefCell, convert::Infallible, hint::black_box};

use multiprocess as mp;

use super::{ANSWER, ELEMENTS, NUMBER, WORK, iceoryx2::Iceoryx2, ipc_channel, ours, sum};
use crate::{
    Failure, LARGE,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let kept = ours::start(ours::lent_and_kept, WORK.batch)?;
    let lent = ours::start(ours::lent, WORK.batch)?;
    let sealed = ours::start(ours::sealed, WORK.batch)?;
    let theirs = ipc_channel::start(WORK.batch)?;
    let iceoryx2 = Iceoryx2::start()?;

    let here = RefCell::new(vec![1_u64; ELEMENTS]);
    let pools = [(); 2].map(|()| mp::SlicePool::new(ELEMENTS, 1));
    let [kept_pool, lent_pool] = pools.map(|pool| pool.map(RefCell::new));
    let (kept_pool, lent_pool) = (kept_pool?, lent_pool?);
    let lend = |pool: &RefCell<mp::SlicePool<u64>>| {
        let mut slice = pool.borrow_mut().take()?;
        slice.fill(NUMBER);
        Ok::<_, mp::Error>(slice.lend())
    };
    let write_in_place = || {
        let mut slice = mp::SharedSliceMut::zeroed(ELEMENTS)?;
        slice.fill(NUMBER);
        slice.freeze()
    };
    let write = || {
        here.borrow_mut().fill(black_box(NUMBER));
        Ok::<_, mp::Error>(())
    };
    let write_and_copy = || {
        write()?;
        mp::SharedSlice::from_slice(&here.borrow())
    };
    let answer = ANSWER;
    let region = RefCell::new(ipc_channel::region());

    let there = RefCell::new(vec![1_u64; ELEMENTS]);
    let copy = || {
        there.borrow_mut().copy_from_slice(black_box(&here.borrow()));
        Ok::<_, Infallible>(())
    };

    let [of_copy, of_one, of_kept, of_lent, of_in_place, of_copied, of_their_copy, of_their_region, of_iceoryx2] =
        take_turns(
            rounds,
            [
                &mut || WORK.time(0, copy, || Ok::<_, Infallible>(0)),
                &mut || WORK.time(answer, write, || Ok::<_, Infallible>(sum(black_box(&here.borrow())))),
                &mut || WORK.time(answer, || Ok::<_, mp::Error>(kept.send(&lend(&kept_pool)?)?), || kept.recv()),
                &mut || WORK.time(answer, || Ok::<_, mp::Error>(lent.send(&lend(&lent_pool)?)?), || lent.recv()),
                &mut || WORK.time(answer, || Ok::<_, mp::Error>(sealed.send(&write_in_place()?)?), || sealed.recv()),
                &mut || WORK.time(answer, || Ok::<_, mp::Error>(sealed.send(&write_and_copy()?)?), || sealed.recv()),
                &mut || {
                    let send = || {
                        write()?;
                        Ok::<_, Failure>(theirs.send(ipc_channel::copy(&here.borrow()))?)
                    };
                    WORK.time(answer, send, || theirs.answer())
                },
                &mut || {
                    WORK.time(answer, || theirs.send(ipc_channel::write(&mut region.borrow_mut())), || theirs.answer())
                },
                &mut || WORK.time(answer, || iceoryx2.send(), || iceoryx2.answer()),
            ],
        )?;

    let moved = LARGE * WORK.messages() as usize;
    report.section("64 MiB written, sent, read", rounds, Measure::Bytes(moved), ("one process", of_one));
    report.line("limit: written and read by one process", of_one);
    report.line("copied by one process (memcpy)", of_copy);
    report.line("multiprocess, SlicePool, KeptMappings", of_kept);
    report.line("multiprocess, SlicePool", of_lent);
    report.line("multiprocess, SharedSliceMut, in place", of_in_place);
    report.line("multiprocess, SharedSlice, of a slice", of_copied);
    report.line("ipc-channel 0.23.1, IpcSharedMemory, of a slice", of_their_copy);
    report.line("ipc-channel 0.23.1, one IpcSharedMemory (unsafe)", of_their_region);
    report.line("iceoryx2 0.10.0, publish and subscribe", of_iceoryx2);
    report.verdict(
        Target::AtLeast(0.90),
        "times ipc-channel's best rate, reused",
        of_their_region.min(of_their_copy),
        of_kept,
    );
    report.verdict(Target::AtLeast(1.00), "times iceoryx2's rate, reused: the aim", of_iceoryx2, of_kept);
    report.verdict(Target::AtLeast(1.00), "times ipc-channel's rate, of a slice", of_their_copy, of_copied);
    kept.end()?;
    lent.end()?;
    sealed.end()?;
    theirs.end()?;
    iceoryx2.end()
}
