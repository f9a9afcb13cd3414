//! Locks and values between this process and one that stays: the fourth group.
//!
//! There is a file for each table (`uncontended`, `contended`, `counting`, `wake`, `meeting`, `creation`, `sending`). What
//! two processes do, each of them does a half of, as often as is said: the other half is a [`partner`]'s. The limits, in
//! `bare`, are the C library's own in the same memory; CPython's side is in `python_locks.py`.

pub(crate) mod bare;
mod contended;
mod counters;
mod counting;
mod creation;
pub(crate) mod games;
mod meeting;
pub(crate) mod partner;
mod sending;
mod uncontended;
mod wake;

use crate::{Failure, report::Report};

/// How one half of the work went. In words, so that a child can say it.
pub(crate) type Done = Result<(), String>;

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    uncontended::compare(rounds, report)?;
    counting::alone_and_together(rounds, report)?;
    // Their turns take longer.
    contended::compare(rounds.div_ceil(4), report)?;
    wake::compare(rounds.div_ceil(2), report)?;
    meeting::compare(rounds.div_ceil(2), report)?;
    creation::compare(rounds.div_ceil(4), report)?;
    sending::compare(rounds, report)
}

/// For errors: in words.
pub(crate) fn said(error: impl ToString) -> String {
    error.to_string()
}
