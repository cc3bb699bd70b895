"""The CPU runtime of shipped models, based on LiteRT, TensorFlow's light interpreter.

It starts in a tenth of a second, while TensorFlow takes seconds, and gives the same probabilities to float precision.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from spineseg_cli.errors import WeightsError

# Number of copies of a network that run in parallel: for small networks, this is faster than several threads in one copy.
MAX_COPIES = 4

# The environment variable that limits the number of CPUs.
THREADS_VARIABLE = "SPINESEG_THREADS"


class LiteRTRuntime:
    """A `.tflite` network of a fixed window size on the CPU.

    Raises WeightsError if the file, `.tflite` or `.tflite.gz`, cannot be read.
    """

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        from spineseg_cli.core.inference.runtime import native_stderr_muted

        cpus = usable_cpus()
        copies = min(cpus, MAX_COPIES)
        try:
            content = zlib.decompress(path.read_bytes(), wbits=31) if path.suffix == ".gz" else None
            network = {"model_content": content} if content else {"model_path": str(path)}
            with native_stderr_muted():
                self._interpreters = [Interpreter(**network, num_threads=cpus // copies) for _ in range(copies)]
                for interpreter in self._interpreters:
                    interpreter.allocate_tensors()
        except (ValueError, RuntimeError, zlib.error) as error:
            raise WeightsError(f"{path} is not a readable LiteRT network: reinstall spineseg") from error
        self._threads = ThreadPoolExecutor(copies)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for interpreter in self._interpreters:
            self._idle.put(interpreter)
        self._input = self._interpreters[0].get_input_details()[0]
        self._output = self._interpreters[0].get_output_details()[0]

    def predict(self, windows: np.ndarray) -> np.ndarray:
        """Return probabilities, float32, shape (n, height, width, classes), for windows of shape (n, height, width).

        It may be called from several threads at the same time.
        """
        expected = tuple(self._input["shape"][1:-1])
        if windows.shape[1:] != expected:
            raise ValueError(f"this network reads windows of {expected}; got {windows.shape[1:]}")
        probabilities = np.empty((len(windows), *self._output["shape"][1:]), np.float32)
        # All copies take windows from one queue, since on a busy machine one copy may be much slower than another.
        queue = iter(list(zip(windows, probabilities, strict=True)))
        list(self._threads.map(self._predict_from, [queue] * len(self._interpreters)))
        return probabilities

    def _predict_from(self, queue: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        """Predict the window of each pair in a queue by one copy of the network, into the pair's array of probabilities."""
        interpreter = self._idle.get()  # never blocks: there is one interpreter per thread
        try:
            for window, probability in queue:
                interpreter.tensor(self._input["index"])()[0, ..., 0] = window  # views of its memory, which are not kept
                interpreter.invoke()
                probability[:] = interpreter.tensor(self._output["index"])()[0]
        finally:
            self._idle.put(interpreter)


class Int8LiteRTRuntime(LiteRTRuntime):
    """A `.tflite` network with 8-bit weights and activations, except in its first and last layers; it takes half the time."""


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, by its affinity and the variable `THREADS_VARIABLE`."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get(THREADS_VARIABLE, "")
    return min(count, int(limit)) if limit.isdigit() and int(limit) > 0 else count
