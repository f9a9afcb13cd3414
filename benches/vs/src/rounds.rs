//! Who is compared takes turns, each round in another order, so that a busy moment or a cold cache meets all alike.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Failure;

/// Does its work once and says how long that took.
pub(crate) type Contestant<'a> = &'a mut dyn FnMut() -> Result<Duration, Failure>;

/// So many rounds; returns the median of each. A few rounds before do not count.
pub(crate) fn take_turns<const N: usize>(
    rounds: usize,
    contestants: [Contestant<'_>; N],
) -> Result<[Duration; N], Failure> {
    let mut taken = [const { Vec::new() }; N];
    let mut order: [usize; N] = std::array::from_fn(|index| index);
    let mut dice = Dice::new();
    let warm_up = rounds.min(5);
    for round in 0..warm_up + rounds {
        dice.shuffle(&mut order);
        for &turn in &order {
            let time = contestants[turn]()?;
            if round >= warm_up {
                taken[turn].push(time);
            }
        }
    }
    Ok(taken.each_mut().map(|times| median(times)))
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let half = times.len() / 2;
    if times.len().is_multiple_of(2) { (times[half - 1] + times[half]) / 2 } else { times[half] }
}

/// Marsaglia's xorshift64.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::from(now.subsec_nanos()) | 1 << 40)
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            order.swap(last, (self.0 % (last as u64 + 1)) as usize);
        }
    }
}
