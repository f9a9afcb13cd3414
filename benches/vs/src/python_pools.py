"""The pools' kinds of work: tasks for two workers, which stay. Those that begin with `pebble` want that package."""

import concurrent.futures
import functools
import math
import multiprocessing

CONTEXT = multiprocessing.get_context("spawn")


def square(x):
    return x * x


@functools.cache
def pool():
    return CONTEXT.Pool(2)


@functools.cache
def executor():
    return concurrent.futures.ProcessPoolExecutor(2, mp_context=CONTEXT)


@functools.cache
def pebble_pool():
    # Only here: the children, which import all this, do not need it.
    import pebble

    return pebble.ProcessPool(max_workers=2, context=CONTEXT)


def chunk(count):
    """What `Pool.map` takes by itself; the others take one item if nothing is said."""
    return math.ceil(count / (4 * 2))


def right(results, count):
    assert sum(results) == sum(x * x for x in range(count))


def pool_map(count):
    right(pool().map(square, range(count)), count)


def pool_map_1(count):
    right(pool().map(square, range(count), chunksize=1), count)


def executor_map(count):
    right(executor().map(square, range(count), chunksize=chunk(count)), count)


def executor_map_1(count):
    right(executor().map(square, range(count)), count)


def pebble_map(count):
    right(pebble_pool().map(square, range(count), chunksize=chunk(count)).result(), count)


def pebble_map_1(count):
    right(pebble_pool().map(square, range(count)).result(), count)


def pool_apply(count):
    for x in range(count):
        assert pool().apply(square, (x,)) == x * x


ALONE = {
    "pool-map": pool_map,
    "pool-map-1": pool_map_1,
    "executor-map": executor_map,
    "executor-map-1": executor_map_1,
    "pebble-map": pebble_map,
    "pebble-map-1": pebble_map_1,
    "pool-apply": pool_apply,
}
