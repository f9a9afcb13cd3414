"""Runs one experiment in a process of its own, kills from outside where that is asked for, and looks at what is left."""

import collections
import os
import random
import signal
import subprocess
import tempfile
import time
import uuid

from work import HALF, ITEMS

# For a pool to be left, and for what a program leaves behind to end by itself.
TO_LEAVE = 10
TO_END = 1


class Observation:
    def __init__(self):
        self.results, self.errors = 0, collections.Counter()
        self.seconds, self.after = None, "no"
        self.leaves, self.left, self.twice = False, 0, 0


def observe(command, when, patience, run):
    """The number of the run says which worker somebody else kills, and when."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder:
        runs = os.path.join(folder, "runs")
        open(runs, "w").close()
        environment = os.environ | {
            "SIGKILL_MARK": mark, "SIGKILL_RUNS": runs, "SIGKILL_WHEN": when, "SIGKILL_PATIENCE": str(patience),
        }
        # What it says goes to files: a pipe would stay open as long as anything is left.
        said, errors = os.path.join(folder, "said"), os.path.join(folder, "errors")
        with open(said, "w") as stdout, open(errors, "w") as stderr:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, start_new_session=True
            )
        try:
            workers = sorted(map(int, line_of(said, "workers", patience, process)))
            if len(workers) != 2:
                with open(errors) as text:
                    raise RuntimeError(f"{command} has workers {workers}: {text.read()[-2000:]}")
            disturb(process, workers[run % 2], when, random.Random(run))
            line_of(said, "after", 2 * patience, process)
            leaves = ends(process, TO_LEAVE)
        finally:
            process.kill()
            process.wait()
            time.sleep(TO_END)
            left = marked(mark)
            for pid in left:
                kill(pid)
        seen = read(said)
        seen.leaves, seen.left = leaves, len(left)
        if process.returncode > 0:
            with open(errors) as text:
                raise RuntimeError(f"{command} failed: {text.read()[-2000:]}")
        with open(runs) as lines:
            seen.twice = sum(count > 1 for count in collections.Counter(lines).values())
        return seen


def disturb(process, worker, when, dice):
    if when == "idle":
        time.sleep(0.3)
        kill(worker)
        time.sleep(0.3)
    process.stdin.write(b"go\n")
    process.stdin.flush()
    if when == "random":
        whole = ITEMS * 2 * HALF / 2
        time.sleep(dice.uniform(0.1, 0.8) * whole)
        kill(worker)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def line_of(path, word, patience, process):
    """The rest of the line that begins with that word, once it is there; nothing if it does not come."""
    until, has_ended = time.monotonic() + patience, False
    while time.monotonic() < until and not has_ended:
        has_ended = process.poll() is not None
        with open(path) as lines:
            for line in lines:
                if line.startswith(word + " ") and line.endswith("\n"):
                    return line.split()[1:]
        time.sleep(0.005)
    return []


def ends(process, patience):
    try:
        return process.wait(patience) == 0
    except subprocess.TimeoutExpired:
        return False


def read(path):
    seen = Observation()
    with open(path) as lines:
        for word, *rest in map(str.split, lines):
            if word == "results":
                seen.results = int(rest[0])
            elif word == "error":
                seen.errors[rest[0]] += int(rest[1])
            elif word == "ended":
                seen.seconds = float(rest[0])
            elif word == "after":
                seen.after = rest[0]
    return seen


def marked(mark):
    """The processes that have it in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                if mark.encode() in environment.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found
