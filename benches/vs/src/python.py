"""One start and join per line of input, by the start method that the line names; answers in nanoseconds."""

import multiprocessing
import platform
import sys
import time


def child(connection, x):
    connection.send(x + 1)


def start_and_join(context):
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender, 41))
    process.start()
    sender.close()
    answer = receiver.recv()
    process.join()
    receiver.close()
    assert answer == 42


if __name__ == "__main__":
    print(f"CPython {platform.python_version()}", flush=True)
    for line in iter(sys.stdin.readline, ""):
        context = multiprocessing.get_context(line.strip())
        start = time.perf_counter_ns()
        start_and_join(context)
        print(time.perf_counter_ns() - start, flush=True)
