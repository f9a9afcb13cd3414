# The other half of main.rs: subtracts the mean of some numbers and divides by their standard deviation, in place.
import math
import sys

try:
    from multiprocessing import resource_tracker
    from multiprocessing.shared_memory import SharedMemory
except ImportError:  # before 3.8, or built without it
    sys.exit(77)

# To open a segment must not be to own it: a Python that owns it removes its name at exit.
if sys.version_info >= (3, 13):
    memory = SharedMemory(sys.argv[1], track=False)
else:
    memory = SharedMemory(sys.argv[1])
    resource_tracker.unregister(memory._name, "shared_memory")

try:
    import numpy
except ImportError:
    numbers = memory.buf.cast("d")
    mean = math.fsum(numbers) / len(numbers)
    deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
    for i in range(len(numbers)):
        numbers[i] = (numbers[i] - mean) / deviation
    tool = "a memoryview, for want of numpy"
else:
    numbers = numpy.ndarray(memory.size // 8, dtype=numpy.float64, buffer=memory.buf)
    mean, deviation = numbers.mean(), numbers.std()
    numbers -= mean
    numbers /= deviation
    tool = "numpy " + numpy.__version__

version = sys.version.split()[0]
print(f"Python {version} with {tool} finds mean {mean:.3f}, deviation {deviation:.3f}", flush=True)
del numbers  # what still looks into the memory keeps it open
memory.close()
