//! What the parent and one worker share, in small, and what the parent knows of it: `mailbox.rs` and `desk.rs`.

/// How many entries a ring has room for.
pub(super) const CELLS: usize = 2;
/// The most tasks of an entry.
pub(super) const EACH: usize = 2;

/// `STATE`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Word {
    pub(super) next: u8,
    pub(super) tail: u8,
    pub(super) generation: u8,
}

/// An entry: how many tasks it says there are, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    pub(super) head: u8,
    pub(super) bytes: [u8; EACH],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Mailbox {
    pub(super) state: Word,
    pub(super) rebase: [(u8, u8); 2],
    pub(super) ring: [Cell; CELLS],
    /// How many results are there.
    pub(super) results: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Desk {
    /// Where the next entry goes.
    pub(super) end: u8,
    pub(super) tail: u8,
    pub(super) answered: u8,
    /// How many results were read.
    pub(super) read: u8,
    free: u8,
    pub(super) entries: Vec<(u8, u8)>,
    /// What it has, the oldest first.
    pub(super) tasks: Vec<u8>,
}

impl Desk {
    pub(super) fn count(&self) -> u8 {
        self.tasks.len() as u8
    }

    pub(super) fn has_room(&self) -> bool {
        usize::from(self.end + 1 - self.free) <= CELLS
    }

    /// The oldest task is answered.
    pub(super) fn answer(&mut self) -> Option<u8> {
        if self.tasks.is_empty() {
            return None;
        }
        self.answered += 1;
        self.forget_answered();
        Some(self.tasks.remove(0))
    }

    fn forget_answered(&mut self) {
        while let Some((tail, end)) = self.entries.first().copied()
            && self.answered >= tail
        {
            self.free = end;
            self.entries.remove(0);
        }
        if self.entries.is_empty() {
            self.free = self.end;
        }
    }

    /// All that it had, but the first `begun`. A mutant frees the places of these too.
    pub(super) fn cut(&mut self, begun: u8, frees_begun: bool) -> Vec<u8> {
        self.tail = self.answered + begun;
        while let Some((tail, _)) = self.entries.last_mut()
            && *tail > self.tail
        {
            *tail = self.tail;
            let before = self.entries.iter().rev().nth(1).map_or(self.answered, |(tail, _)| *tail);
            if before < self.tail && !frees_begun {
                break;
            }
            self.entries.pop();
        }
        self.forget_answered();
        self.tasks.split_off(usize::from(begun).min(self.tasks.len()))
    }
}
