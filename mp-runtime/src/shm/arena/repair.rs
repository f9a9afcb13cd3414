//! After somebody died while it held the arena's lock: everything but the records is made anew from the records.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    heap::Heap,
    holders::{PROCESS, THE_DEAD},
    layout::{CLASSES, GRANULE, MAX_HOLDERS, SLAB, cell_size, slab_offset, split},
};
use crate::error::Result;

impl Heap<'_> {
    /// Makes all lists and counts anew.
    pub(super) fn repair(&self) -> Result<()> {
        for class in 0..CLASSES {
            let list = self.class(class)?;
            for number in [&list.free, &list.fresh, &list.fresh_end] {
                number.store(0, Relaxed);
            }
        }
        let mut used = 0;
        for holder in 0..MAX_HOLDERS as u32 {
            let holder = self.holder(holder)?;
            holder.records.store(0, Relaxed);
            used += u32::from(holder.used.load(Relaxed) != 0);
        }
        let blocks = self.cells_of_blocks()?;
        for at in &blocks {
            self.block(*at)?.first.store(0, Relaxed);
        }
        for at in self.cells_of_records()? {
            let record = self.record(at)?;
            let (block, place) = split(record.word.load(Relaxed));
            // Of a block that was never finished, or by damage of one that never was.
            let named = self.block(block).ok().filter(|named| block != 0 && named.kind.load(Relaxed) != 0);
            match (named, self.holder(place)) {
                (Some(block), Ok(holder)) => {
                    self.link(at, record, block)?;
                    holder.records.store(holder.records.load(Relaxed) + 1, Relaxed);
                    // Its place was about to be taken, or left. A message stays one: its receiver asks.
                    if place != THE_DEAD && holder.used.load(Relaxed) == 0 {
                        holder.used.store(PROCESS, Relaxed);
                        used += 1;
                    }
                }
                _ => {
                    record.word.store(0, Relaxed);
                    self.put_record(at)?;
                }
            }
        }
        for at in blocks {
            if self.block(at)?.first.load(Relaxed) == 0 {
                self.free(at)?;
            }
        }
        self.arena().header()?.holders.store(used, Relaxed);
        Ok(())
    }

    pub(super) fn cells_of_records(&self) -> Result<Vec<u32>> {
        self.cells(|class| class == 0)
    }

    pub(super) fn cells_of_blocks(&self) -> Result<Vec<u32>> {
        self.cells(|class| class != 0)
    }

    fn cells(&self, wanted: impl Fn(usize) -> bool) -> Result<Vec<u32>> {
        let mut cells = Vec::new();
        for slab in 0..self.slabs()? {
            let class = self.slab_class(slab)?;
            if wanted(class) {
                let (start, fresh, end) =
                    (slab_offset(slab), self.class(class)?.fresh.load(Relaxed), slab_offset(slab + 1));
                // Behind `fresh`, in its slab, is what has never been used.
                let used = match fresh as usize * GRANULE {
                    fresh if (start + 1..end).contains(&fresh) => fresh,
                    _ => end,
                };
                cells.extend((start..used).step_by(cell_size(class)).map(|offset| (offset / GRANULE) as u32));
            }
        }
        debug_assert!(cells.len() <= self.slabs()? * (SLAB / GRANULE));
        Ok(cells)
    }
}
