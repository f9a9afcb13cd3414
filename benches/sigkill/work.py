"""The tasks: each says that it runs, and one of them kills its own worker. Those below zero only say who runs them."""

import os
import signal
import time

ITEMS = 40
VICTIM = 13
HALF = 0.01


def task(item):
    if item < 0:
        time.sleep(HALF)
        return os.getpid()
    runs = os.open(os.environ["SIGKILL_RUNS"], os.O_WRONLY | os.O_APPEND)
    os.write(runs, b"%d\n" % item)
    os.close(runs)
    time.sleep(HALF)
    if item == VICTIM and os.environ["SIGKILL_WHEN"] == "task" and is_first():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(HALF)
    return item * item


def is_first():
    """Whoever runs the item again shall have a chance."""
    try:
        os.close(os.open(os.environ["SIGKILL_RUNS"] + ".dead", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False
