//! The search: all states that can be reached, breadth first.

use std::{
    collections::{HashMap, VecDeque},
    fmt::{self, Debug},
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// An algorithm, with a number of processes that run it.
pub(crate) trait Model {
    type State: Clone + Eq + Hash + Debug;

    fn start(&self) -> Self::State;

    /// Everything that can happen next.
    fn steps(&self, state: &Self::State, steps: &mut Steps<Self::State>);

    /// What must never be so.
    fn wrong(&self, state: &Self::State) -> Option<&'static str>;

    /// Whether all who live have what they waited for, or wait with good reason.
    fn is_settled(&self, state: &Self::State) -> bool;
}

/// What can happen next.
pub(crate) struct Steps<S>(Vec<Step<S>>);

struct Step<S> {
    process: usize,
    what: &'static str,
    /// Whether it happens if one waits long enough. A kill, a signal or the end of somebody's time only may.
    will: bool,
    then: S,
}

impl<S: Clone> Steps<S> {
    /// What that process will do if it goes on.
    pub(crate) fn will(&mut self, process: usize, what: &'static str, then: S) {
        self.0.push(Step { process, what, will: true, then });
    }

    /// What may happen to that process, or never.
    pub(crate) fn may(&mut self, process: usize, what: &'static str, then: S) {
        self.0.push(Step { process, what, will: false, then });
    }
}

/// The size of what was searched.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) states: usize,
    steps: usize,
}

/// How to get to a state that must not be.
pub(crate) struct Trace {
    pub(crate) wrong: &'static str,
    steps: Vec<String>,
}

impl Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after {} steps:", self.wrong, self.steps.len())?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

/// Somebody waits in vain: without another kill there is no way from here to where all have what they wait for.
pub(crate) const STUCK: &str = "somebody waits for ever";

/// Goes through all states. A model is right if no state is wrong, and from each state all *may* still end well by steps that *will* happen.
pub(crate) fn search<M: Model>(model: &M) -> Result<Searched, Trace> {
    let mut known: HashMap<M::State, u32, BuildHasherDefault<Fast>> = HashMap::default();
    // For each state: from where, by whom, by what.
    let mut origins: Vec<(u32, usize, &'static str)> = vec![(0, 0, "")];
    // For each state: from which ones one will get there.
    let mut before: Vec<Vec<u32>> = vec![Vec::new()];
    let mut settled = VecDeque::new();
    let mut searched = Searched { states: 0, steps: 0 };
    let mut next = VecDeque::from([model.start()]);
    known.insert(model.start(), 0);
    let mut steps = Steps(Vec::new());
    for number in 0.. {
        let Some(state) = next.pop_front() else { break };
        if let Some(wrong) = model.wrong(&state) {
            return Err(trace(model, &origins, number, wrong));
        }
        let mut goes_on = model.is_settled(&state);
        if goes_on {
            settled.push_back(number);
        }
        model.steps(&state, &mut steps);
        for step in steps.0.drain(..) {
            searched.steps += 1;
            let then = *known.entry(step.then).or_insert_with_key(|then| {
                origins.push((number, step.process, step.what));
                before.push(Vec::new());
                next.push_back(then.clone());
                origins.len() as u32 - 1
            });
            if step.will && then != number {
                before[then as usize].push(number);
                goes_on = true;
            }
        }
        if !goes_on {
            return Err(trace(model, &origins, number, STUCK));
        }
    }
    searched.states = origins.len();
    let mut ends_well = vec![false; origins.len()];
    while let Some(state) = settled.pop_front() {
        if !std::mem::replace(&mut ends_well[state as usize], true) {
            settled.extend(&before[state as usize]);
        }
    }
    match (0..).zip(&ends_well).find(|(_, ends_well)| !**ends_well) {
        Some((state, _)) => Err(trace(model, &origins, state, STUCK)),
        None => Ok(searched),
    }
}

/// The way to that state, and the states on it: they are found again by going it.
fn trace<M: Model>(model: &M, origins: &[(u32, usize, &'static str)], mut last: u32, wrong: &'static str) -> Trace {
    let mut way = Vec::new();
    while last != 0 {
        let (from, process, what) = origins[last as usize];
        way.push((process, what));
        last = from;
    }
    let mut state = model.start();
    let mut steps = Vec::new();
    for (process, what) in way.into_iter().rev() {
        let mut possible = Steps(Vec::new());
        model.steps(&state, &mut possible);
        if let Some(step) = possible.0.into_iter().find(|step| step.process == process && step.what == what) {
            state = step.then;
        }
        steps.push(format!("process {process} {what}"));
    }
    steps.push(format!("{state:?}"));
    Trace { wrong, steps }
}

/// Searches, says how much that was, and fails with the way to what is wrong.
pub(crate) fn holds<M: Model>(name: &str, model: &M) {
    let begun = std::time::Instant::now();
    let found = search(model);
    assert!(found.is_ok(), "{name}: {:?}", found.err());
    if let Ok(Searched { states, steps }) = found {
        println!("{name}: {states} states, {steps} steps, {:.1?}", begun.elapsed());
    }
}

/// The same for what takes too long in a debug build: there it is left out.
pub(crate) fn holds_wide<M: Model>(name: &str, model: &M) {
    if !cfg!(debug_assertions) {
        holds(name, model);
    }
}

/// Searches, and wants to find something wrong.
pub(crate) fn fails<M: Model>(name: &str, model: &M, wrong: &str) -> Option<Trace> {
    let found = search(model);
    assert!(
        found.as_ref().is_err_and(|trace| trace.wrong == wrong),
        "{name}: wanted to find that {wrong}, found {found:?}"
    );
    println!("{name}: {wrong}, as it should be found");
    found.err()
}

/// A hash without protection from attacks: most of the time goes there. Multiplications as in rustc's own tables.
#[derive(Default)]
struct Fast(u64);

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}
