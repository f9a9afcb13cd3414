"""The pools' kinds of work: tasks for two workers, which stay."""

import concurrent.futures
import functools
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


def right(results, count):
    assert sum(results) == sum(x * x for x in range(count))


def pool_map(count):
    right(pool().map(square, range(count)), count)


def pool_map_1(count):
    right(pool().map(square, range(count), chunksize=1), count)


def executor_map(count):
    right(executor().map(square, range(count)), count)


def pool_apply(count):
    for x in range(count):
        assert pool().apply(square, (x,)) == x * x


ALONE = {
    "pool-map": pool_map,
    "pool-map-1": pool_map_1,
    "executor-map": executor_map,
    "pool-apply": pool_apply,
}
