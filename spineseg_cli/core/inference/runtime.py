"""Runtimes, which apply a network to a batch of windows.

Pipelines depend only on the small `Runtime` interface. The TensorFlow runtime in this module runs any weights on CPU and GPU;
LiteRT (`core.inference.litert`) runs the TFLite exports of shipped models on the CPU.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from spineseg_cli.core.extras import require
from spineseg_cli.errors import RuntimeUnavailableError, SpinesegError

# Large enough to keep two to sixteen cores busy, small enough for 200x200 windows of a 64-filter network in 1.5 GB.
BATCH = 4


class Runtime(Protocol):
    """A loaded network on a device."""

    def predict(self, windows: np.ndarray) -> np.ndarray:
        """Return probabilities, float32, shape (n, height, width, classes), for windows of shape (n, height, width)."""
        ...


class TensorFlowRuntime:
    """A Keras network on TensorFlow.

    `load` builds the network, after TensorFlow is set up. The device "auto" is a GPU if there is one. Raises
    RuntimeUnavailableError if it is "gpu" and TensorFlow sees none.
    """

    def __init__(self, load: Callable[[], Any], device: str = "auto"):
        with native_stderr_muted():
            tensorflow = import_tensorflow(
                "a GPU" if device == "gpu" else "a network without a file for LiteRT in this precision"
            )
            gpus = find_gpus(tensorflow, device)
        self._device = "/GPU:0" if gpus else "/CPU:0"
        self._tensorflow = tensorflow
        with native_stderr_muted(), tensorflow.device(self._device):
            self._network = load()

    def predict(self, windows: np.ndarray) -> np.ndarray:
        """Return probabilities, float32, shape (n, height, width, classes), for windows of shape (n, height, width)."""
        batch = min(BATCH, len(windows))
        parts = []
        with self._tensorflow.device(self._device):
            for start in range(0, len(windows), batch):
                part = windows[start : start + batch, ..., None]
                # A short last batch is padded, since a new shape would need another compilation.
                filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
                parts.append(self._network.predict_on_batch(filled)[: len(part)])
        return np.concatenate(parts)


def import_tensorflow(what: str = "training") -> Any:
    """Import TensorFlow as Keras' backend, without its log messages and with deterministic operations, and return it.

    Raises RuntimeUnavailableError if it is not installed; the message says that `what` needs it.
    """
    require(what, "tensorflow", "keras")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # overrides the user's own setting
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    tensorflow.get_logger().setLevel("ERROR")
    tensorflow.config.experimental.enable_op_determinism()
    return tensorflow


def find_gpus(tensorflow: Any, device: str) -> list[Any]:
    """Return the GPUs that TensorFlow sees; none for the device "cpu".

    Raises RuntimeUnavailableError if the device is "gpu" and there is none.
    """
    gpus: list[Any] = [] if device == "cpu" else tensorflow.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise RuntimeUnavailableError(
            "asked for a GPU, but TensorFlow sees none: install the CUDA libraries with `pip install 'spineseg[gpu]'`, or use "
            "--device cpu"
        )
    return gpus


@contextlib.contextmanager
def native_stderr_muted() -> Iterator[None]:
    """Capture what native libraries write to stderr while they load, and print it only if loading fails.

    TensorFlow's C++ core prints messages before any log level can be set, and no environment variable prevents it.
    """
    with contextlib.ExitStack() as restore:
        try:
            saved = os.dup(2)
            restore.callback(os.close, saved)
            held = restore.enter_context(tempfile.TemporaryFile())
        except OSError:  # a process without a stderr, or without a folder for temporary files
            yield
            return
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except SpinesegError:  # its message suffices
            raise
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
