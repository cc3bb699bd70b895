"""LiteRT, TensorFlow's own light interpreter: the CPU runtime of shipped models.

It starts in a tenth of a second where TensorFlow takes seconds, and gives the same probabilities to float precision.
"""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from spineseg_cli.errors import WeightsError

# Copies of a network that read windows side by side: small networks gain more from it than from several threads in each.
MAX_COPIES = 4


def litert_available() -> bool:
    """Return whether LiteRT is installed; imports nothing."""
    return importlib.util.find_spec("ai_edge_litert") is not None


class LiteRTRuntime:
    """A `.tflite` network, of one fixed window size, on the CPU.

    Parameters
    ----------
    path : Path
        The `.tflite` file, or `.tflite.gz`.

    Raises
    ------
    WeightsError
        If the file cannot be read.
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

        Several threads may ask at the same time.
        """
        expected = tuple(self._input["shape"][1:-1])
        if windows.shape[1:] != expected:
            raise ValueError(f"this network reads windows of {expected}; got {windows.shape[1:]}")
        probabilities = np.empty((len(windows), *self._output["shape"][1:]), np.float32)
        # All copies take from one queue: on a busy machine, one may be much slower than another.
        queue = iter(list(zip(windows, probabilities, strict=True)))
        list(self._threads.map(self._predict_from, [queue] * len(self._interpreters)))
        return probabilities

    def _predict_from(self, queue: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        """Fill probabilities, the second of each pair in a queue, with what a copy of the network says about the window."""
        interpreter = self._idle.get()  # there are as many as threads
        try:
            for window, probability in queue:
                interpreter.set_tensor(self._input["index"], window[None, ..., None].astype(np.float32, copy=False))
                interpreter.invoke()
                probability[:] = interpreter.get_tensor(self._output["index"])[0]
        finally:
            self._idle.put(interpreter)


class Int8LiteRTRuntime(LiteRTRuntime):
    """A `.tflite` network whose weights and activations have eight bits, but for its first and last layers: half the time."""


def usable_cpus() -> int:
    """Return the processors this process may use: fewer than the machine has on a cluster, or where several work side by side."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("SPINESEG_THREADS", "")
    return min(count, int(asked)) if asked.isdigit() and int(asked) > 0 else count
