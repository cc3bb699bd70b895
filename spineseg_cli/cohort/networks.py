"""Networks that stay loaded, and remember what they have just predicted.

The steps on one scan look for the same cord in the same slices: what a network has said of equal windows is not asked again, so
that the results are those of the commands, byte by byte, in a part of their time.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.tasks.task import TASKS

# Predictions of the scan at hand are kept up to so many bytes in all.
MEMORY_BYTES = 256 << 20


class Networks:
    """The networks of a process: each is read and loaded once, whichever tasks need it.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
    """

    def __init__(self, device: str = "auto"):
        self.device = device
        self._predictors: dict[str, Predictor] = {}
        self._by_name: dict[tuple[str, str], Predictor] = {}
        self._localizers: dict[tuple[str, str, str], Localizer] = {}

    def predictor(self, task: str, name_or_path: str) -> Predictor:
        """Return a network for a task (a key of `TASKS`), by name or from a file; errors are those of `Task.find_model`."""
        key = task, name_or_path
        if key not in self._by_name:
            self._by_name[key] = self._shared(TASKS[task].find_model(name_or_path).predictor(self.device))
        return self._by_name[key]

    def localizer(self, task: str, predictor: Predictor, method: str = "optic") -> Localizer:
        """Return what finds the cord for a task, as its command would, with the networks that are loaded already."""
        key = task, predictor.sha256, method
        if key not in self._localizers:
            made = TASKS[task].localizer(predictor, method=method)
            parts = {part: getattr(made, part, None) for part in ("search", "cord")}
            self._localizers[key] = replace(made, **{part: self._shared(one) for part, one in parts.items() if one is not None})
        return self._localizers[key]

    def forget_scan(self) -> None:
        """Forget the predictions on the last scan; the networks stay."""
        for predictor in self._predictors.values():
            if "runtime" in vars(predictor):  # it was loaded
                predictor.runtime.forget()

    def _shared(self, predictor: Predictor) -> Predictor:
        """Return the one predictor of these weights, which remembers."""
        if predictor.sha256 not in self._predictors:
            remembering = replace(predictor, open_runtime=lambda: RememberingRuntime(predictor.open_runtime()))
            self._predictors[predictor.sha256] = remembering
        return self._predictors[predictor.sha256]


class RememberingRuntime:
    """A network that returns what it has predicted of equal windows before."""

    def __init__(self, runtime: Runtime):
        self.runtime = runtime
        self._known: dict[bytes, np.ndarray] = {}
        self._bytes = 0

    def predict(self, windows: np.ndarray) -> np.ndarray:
        """Return probabilities, float32, shape (n, height, width, classes), for windows of shape (n, height, width)."""
        windows = np.ascontiguousarray(windows)
        key = hashlib.blake2b(repr((windows.shape, windows.dtype.str)).encode() + windows.tobytes(), digest_size=32).digest()
        if key not in self._known:
            predicted = self.runtime.predict(windows)
            if self._bytes + predicted.nbytes > MEMORY_BYTES:
                return predicted
            self._bytes += predicted.nbytes
            self._known[key] = predicted
        return self._known[key].copy()  # a caller may write into it

    def forget(self) -> None:
        """Forget all predictions."""
        self._known.clear()
        self._bytes = 0
