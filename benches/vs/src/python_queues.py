"""The queues' kinds of work: what they have, and what each side does with it so many times.

Items are tuples of the same numbers as in item.rs, made before their first turn.
"""

import functools
import multiprocessing

CONTEXT = multiprocessing.get_context("spawn")
SPREAD = 0x9E37_79B9_7F4A_7C15
ONES = (1 << 64) - 1
MIB = 1 << 20


def item(number):
    mixed = number * SPREAD & ONES
    return tuple((mixed << turn | mixed >> 64 - turn) & ONES for turn in range(0, 64, 8))


@functools.cache
def items(count):
    return [item(number) for number in range(1, count + 1)]


@functools.cache
def sum_of(count):
    return sum(first for first, *_ in items(count))


@functools.cache
def large(size):
    return bytes([1]) * size


def pass_items(queue, side, count):
    if side == 0:
        for item in items(count):
            queue.put(item)
    elif count:
        assert sum(queue.get()[0] for _ in range(count)) == sum_of(count)


def pass_in_crowd(queue, side, count):
    if side < 2:
        pass_items(queue, 0, count)
        return
    for _ in range(count):
        queue.get()


def pass_large(size, queue, side, count):
    for _ in range(count):
        if side == 0:
            queue.put(large(size))
        else:
            assert len(queue.get()) == size


def round_trips(queues, side, count):
    for _ in range(count):
        if side == 0:
            queues[1].put(items(1)[0])
            queues[0].get()
        else:
            queues[0].put(queues[1].get())


def queue():
    queue = CONTEXT.Queue()
    # What a child that has died leaves in it shall not keep us.
    queue.cancel_join_thread()
    return queue


KINDS = {
    "queue": (queue, pass_items),
    "crowd": (queue, pass_in_crowd),
    "queues": (lambda: (queue(), queue()), round_trips),
    "large": (queue, functools.partial(pass_large, 64 * MIB)),
    "mib": (queue, functools.partial(pass_large, MIB)),
}
# How many processes have a side each, where they are not two.
SIDES = {"crowd": 4}
