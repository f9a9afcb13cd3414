"""Reads what to do, one turn a line, and answers how many nanoseconds it took.

`start METHOD` is a child's start and join, `starts METHOD COUNT ON_THEIR_WAY` are many. `KIND BATCHES BATCH` are batches of messages to a child that stays, each
followed by its answer; the first line of a kind starts the child. `alone KIND COUNT` and `together KIND COUNT [CORE CORE]` are in
python_locks.py, with the queues' kinds in python_queues.py and the pools' in python_pools.py. To `version PACKAGE` the answer is
the version; nothing, if that is not installed.
"""

import collections
import functools
import importlib.metadata
import multiprocessing
import platform
import sys
import time

import python_locks

NUMBER = 1 << 40 | 41
# As in message.rs; a tuple, since that is what pickle is fastest with.
READING = (7_000_001, 4711, 2, 1_767_225_600_123_456_789, (52.5163, 13.3777, 34.0), 21.375, 0.0625)
# Only a number here: a child imports all this, and would make the bytes, too.
LARGE = 64 << 20


def give_next(connection, x):
    connection.send(x + 1)


def start_and_join(context):
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=give_next, args=(sender, 41))
    process.start()
    sender.close()
    answer = receiver.recv()
    process.join()
    receiver.close()
    assert answer == 42


def start_many(context, count, on_their_way):
    """So many starts, of which some are not joined yet when the next one comes."""
    running = collections.deque()
    for x in range(count):
        if len(running) == on_their_way:
            running.popleft().join()
        process = context.Process(target=abs, args=(x,))
        process.start()
        running.append(process)
    for process in running:
        process.join()


def answer_numbers(connection, batch):
    answer_batches(connection.recv, lambda number: number, connection, batch)


def answer_readings(connection, batch):
    answer_batches(connection.recv, lambda reading: reading[0], connection, batch)


def answer_queue(queue, connection, batch):
    answer_batches(queue.get, lambda reading: reading[0], connection, batch)


def answer_bytes(connection, batch):
    answer_batches(connection.recv_bytes, len, connection, batch)


def answer_batches(receive, weight, connection, batch):
    try:
        while True:
            connection.send(sum(weight(receive()) for _ in range(batch)))
    except EOFError:
        pass


class Peer:
    """A child that answers batches, and our ends of what leads to it."""

    def __init__(self, kind, batch):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        ends, self.send, self.batch = (theirs,), self.connection.send, batch
        if kind == "numbers":
            target, self.message, weight = answer_numbers, NUMBER, NUMBER
        elif kind == "readings":
            target, self.message, weight = answer_readings, READING, READING[0]
        elif kind == "queue":
            target, self.message, weight = answer_queue, READING, READING[0]
            queue = context.Queue()
            # What a child that has died leaves in it shall not keep us.
            queue.cancel_join_thread()
            ends, self.send = (queue, theirs), queue.put
        elif kind == "bytes":
            target, self.message, weight = answer_bytes, bytes([1]) * LARGE, LARGE
            self.send = self.connection.send_bytes
        self.answer = weight * batch
        context.Process(target=target, args=(*ends, batch), daemon=True).start()
        # Else nobody would see the child's end.
        theirs.close()

    def exchange(self, batches):
        for _ in range(batches):
            for _ in range(self.batch):
                self.send(self.message)
            answer = self.connection.recv()
            assert answer == self.answer


@functools.cache
def peer(kind, batch):
    return Peer(kind, batch)


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def turn(command, *arguments):
    if command == "start":
        return functools.partial(start_and_join, multiprocessing.get_context(*arguments))
    if command == "starts":
        method, count, on_their_way = arguments
        return functools.partial(start_many, multiprocessing.get_context(method), int(count), int(on_their_way))
    if command in ("alone", "together"):
        return python_locks.turn(command, *arguments)
    batches, batch = map(int, arguments)
    return functools.partial(peer(command, batch).exchange, batches)


if __name__ == "__main__":
    print(f"CPython {platform.python_version()}", flush=True)
    for line in iter(sys.stdin.readline, ""):
        if line.startswith("version "):
            print(version(line.split()[1]), flush=True)
            continue
        work = turn(*line.split())
        start = time.perf_counter_ns()
        work()
        print(time.perf_counter_ns() - start, flush=True)
