"""The Python libraries: how a pool of each is made, how it maps, and how it is left."""

import concurrent.futures
import contextlib
import multiprocessing


def at_once(results):
    """A call that gives all results or none."""

    def call(pool, function, items, seen):
        seen.all(lambda: results(pool, function, items))

    return call


def one_by_one(results):
    """A call that gives an iterator; one that goes on after an error is asked on."""

    def call(pool, function, items, seen):
        iterators = []
        seen.trying(lambda: iterators.append(iter(results(pool, function, items))))
        for iterator in iterators:
            while seen.next(lambda: next(iterator)):
                pass

    return call


def futures(pool, function, items, seen):
    submitted = []
    for item in items:
        # A pool may be broken before the last one.
        seen.trying(lambda item=item: submitted.append(pool.submit(function, item)))
    for future in concurrent.futures.as_completed(submitted):
        seen.next(future.result)


class Peer:
    package = None
    calls = {}

    def open(self):
        """A context manager, as it is used with the library."""
        raise NotImplementedError

    def again(self):
        """Where a library has a call for that: what it gives in place of a pool that is broken."""
        return None


class Pool(Peer):
    name = "`multiprocessing.Pool`"
    calls = {
        "map": at_once(lambda pool, function, items: pool.map(function, items, chunksize=1)),
        "imap_unordered": one_by_one(lambda pool, function, items: pool.imap_unordered(function, items)),
    }

    def open(self):
        return multiprocessing.Pool(2)


class Executor(Peer):
    name = "`ProcessPoolExecutor`"
    calls = {
        "map": at_once(lambda pool, function, items: list(pool.map(function, items))),
        "submit": futures,
    }

    def open(self):
        return concurrent.futures.ProcessPoolExecutor(2)


class Loky(Peer):
    name = "loky"
    package = "loky"
    calls = {
        "map": at_once(lambda pool, function, items: list(pool.map(function, items))),
        "submit": futures,
    }

    def open(self):
        # It ends with the program.
        return contextlib.nullcontext(self.again())

    def again(self):
        import loky

        return loky.get_reusable_executor(max_workers=2)


class Mpire(Peer):
    name = "mpire"
    package = "mpire"
    calls = {
        "map": at_once(lambda pool, function, items: pool.map(function, items, chunk_size=1)),
        "imap_unordered": one_by_one(lambda pool, function, items: pool.imap_unordered(function, items, chunk_size=1)),
    }

    def open(self):
        import mpire

        return mpire.WorkerPool(2, keep_alive=True)


class Pebble(Peer):
    name = "pebble"
    package = "pebble"
    calls = {
        "map": one_by_one(lambda pool, function, items: pool.map(function, items).result()),
    }

    def open(self):
        import pebble

        return pebble.ProcessPool(max_workers=2)


PEERS = {"pool": Pool(), "executor": Executor(), "loky": Loky(), "mpire": Mpire(), "pebble": Pebble()}
