"""One experiment with a Python library: `experiment.py PEER CALL`, with what is to happen in the environment.

It says what happens, a line each: `workers PID PID`, and waits for a line then; `results COUNT`, `error NAME COUNT`,
`ended SECONDS` or `hangs`; `after yes`, `after no` or `after another`: whether the pool takes work afterwards, or another
one that the library gives. `../vs/src/bin/sigkill.rs` does the same with multiprocess.
"""

import collections
import os
import sys
import threading
import time

import work
from peers import PEERS


class Seen:
    """What came back."""

    def __init__(self):
        self.results, self.errors = [], collections.Counter()

    def all(self, get):
        """All results at once, or an error."""
        self.trying(lambda: self.results.extend(get()))

    def next(self, get):
        """One result or error; whether there was one."""
        try:
            self.trying(lambda: self.results.append(get()))
            return True
        except StopIteration:
            return False

    def trying(self, do):
        try:
            do()
        except StopIteration:
            raise
        except Exception as error:
            self.errors[type(error).__name__] += 1


def say(*words):
    print(*words, flush=True)


def in_time(seconds, do):
    """Whether it is done by then; else it goes on, and does not keep the program."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def experiment(call, peer, pool, patience):
    seen = Seen()
    # On a busy machine one worker may do the first tasks alone.
    while len(set(seen.results)) < 2:
        call(pool, work.task, range(-16, 0), seen)
    say("workers", *set(seen.results))
    sys.stdin.readline()
    seen, start, ended = Seen(), time.monotonic(), []

    def run():
        call(pool, work.task, range(work.ITEMS), seen)
        ended.append(time.monotonic() - start)

    in_time(patience, run)
    assert set(seen.results) <= {item * item for item in range(work.ITEMS)}
    say("results", len(seen.results))
    for name, count in seen.errors.items():
        say("error", name, count)
    say(*(("ended", ended[0]) if ended else ("hangs",)))
    if takes_work(call, pool, patience):
        return "yes"
    another = peer.again()
    return "another" if another not in (None, pool) and takes_work(call, another, patience) else "no"


def takes_work(call, pool, patience):
    seen = Seen()
    return in_time(patience / 4, lambda: call(pool, work.task, range(100, 104), seen)) and len(seen.results) == 4


if __name__ == "__main__":
    peer = PEERS[sys.argv[1]]
    with peer.open() as pool:
        say("after", experiment(peer.calls[sys.argv[2]], peer, pool, float(os.environ["SIGKILL_PATIENCE"])))
