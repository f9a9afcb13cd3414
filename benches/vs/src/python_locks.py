"""The work of the locks' and queues' tables: of this process alone, or with children that do their part of it at the same time.

A kind is what they have, and what each side does with it so many times; the first line of a kind makes both.
"""

import functools
import multiprocessing
import os

import python_pools
import python_queues

CONTEXT = multiprocessing.get_context("spawn")


def lock_and_unlock(lock, _side, count):
    acquire, release = lock.acquire, lock.release
    for _ in range(count):
        acquire()
        release()


def count_up(value, _side, count):
    lock = value.get_lock()
    for _ in range(count):
        with lock:
            value.value += 1


def make_and_drop(make, _side, count):
    for _ in range(count):
        make()


def play(throw, catch, things, side, count):
    for _ in range(count):
        if side == 0:
            throw(things, 1)
            catch(things, 0)
        else:
            catch(things, 1)
            throw(things, 0)


def throw_event(events, to):
    events[to].set()


def catch_event(events, side):
    events[side].wait()
    events[side].clear()


def throw_permit(semaphores, to):
    semaphores[to].release()


def catch_permit(semaphores, side):
    semaphores[side].acquire()


def throw_turn(things, to):
    condition, turn = things
    with condition:
        turn.value = to
        condition.notify()


def catch_turn(things, side):
    condition, turn = things
    with condition:
        condition.wait_for(lambda: turn.value == side)


def meet(barrier, _side, count):
    for _ in range(count):
        barrier.wait()


KINDS = {
    "lock": (CONTEXT.Lock, lock_and_unlock),
    "rlock": (CONTEXT.RLock, lock_and_unlock),
    "semaphore": (CONTEXT.Semaphore, lock_and_unlock),
    "value": (lambda: CONTEXT.Value("Q"), count_up),
    "new": (lambda: CONTEXT.Lock, make_and_drop),
    "events": (lambda: (CONTEXT.Event(), CONTEXT.Event()), functools.partial(play, throw_event, catch_event)),
    "semaphores": (
        lambda: (CONTEXT.Semaphore(0), CONTEXT.Semaphore(0)),
        functools.partial(play, throw_permit, catch_permit),
    ),
    "condition": (
        lambda: (CONTEXT.Condition(), CONTEXT.Value("i", lock=False)),
        functools.partial(play, throw_turn, catch_turn),
    ),
    "barrier": (lambda: CONTEXT.Barrier(2), meet),
    **python_queues.KINDS,
}


def obey(connection, kind, things, side, cores):
    if cores:
        os.sched_setaffinity(0, {cores[1]})
    _, half = KINDS[kind]
    try:
        while True:
            half(things, side, connection.recv())
            connection.send(None)
    except EOFError:
        pass


@functools.cache
def things_of(kind):
    make, _ = KINDS[kind]
    return make()


@functools.cache
def partner(kind, side, cores):
    connection, theirs = CONTEXT.Pipe()
    CONTEXT.Process(target=obey, args=(theirs, kind, things_of(kind), side, cores), daemon=True).start()
    theirs.close()
    # The first time it is asked for anything it has to be started, which takes long.
    connection.send(0)
    connection.recv()
    return connection


def together(connections, half, things, count, cores):
    if cores:
        os.sched_setaffinity(0, {cores[0]})
    for connection in connections:
        connection.send(count)
    half(things, 0, count)
    for connection in connections:
        connection.recv()


def turn(command, kind, count, *cores):
    if kind in python_pools.ALONE:
        return functools.partial(python_pools.ALONE[kind], int(count))
    (_, half), things, count = KINDS[kind], things_of(kind), int(count)
    if command == "alone":
        return functools.partial(half, things, 0, count)
    cores = tuple(map(int, cores))
    sides = range(1, python_queues.SIDES.get(kind, 2))
    partners = [partner(kind, side, cores) for side in sides]
    return functools.partial(together, partners, half, things, count, cores)
