"""The predictor, a loaded network with its inference configuration, which tasks and localizers use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.runtime import Runtime
from spineseg_cli.core.inference.stack import predict_stack
from spineseg_cli.core.inference.tta import predict_augmented, predict_mirrored
from spineseg_cli.core.timing import timed


@dataclass(frozen=True)
class Predictor:
    """A network on a device, with the configuration to apply it to a scan; `weights.Model.predictor` creates one.

    The network is loaded at its first prediction and kept: one predictor serves any number of scans.
    """

    name: str  # the name of its weights
    sha256: str  # the checksum of its weights
    outputs: tuple[str, ...]  # the meaning of each channel: "gray_matter", "cord" or "centerline"
    config: InferenceConfig
    open_runtime: Callable[[], Runtime] = field(repr=False, compare=False)  # returns the network, loaded on the device
    device: str = "auto"  # "auto", "cpu" or "gpu"
    precision: str = "int8"  # that of the arithmetic on the CPU, if there is a choice: "int8" or "float32"
    overlap: float = 0.5  # that of neighboring patches of a 3-D network, as a fraction of their length, from 0 to below 1
    published: bool = False  # whether the weights are those of a publication, which are applied as by their authors
    checksums: tuple[str, ...] = ()  # those of all files of its weights: also of the exports, one of which runs on the CPU

    @cached_property
    def runtime(self) -> Runtime:
        """The loaded network. Raises WeightsError or RuntimeUnavailableError if it cannot be loaded."""
        with timed(f"loading {self.name}"):
            return self.open_runtime()

    @property
    def runtime_name(self) -> str:
        """The name of the runtime; results are equal to the byte only between equal runtimes."""
        return type(self.runtime).__name__

    def channel(self, *outputs: str) -> int:
        """Return the index of the first output channel that is one of `outputs`. Raises ValueError if there is none."""
        for index, output in enumerate(self.outputs):
            if output in outputs:
                return index
        raise ValueError(f"{self.name} predicts {', '.join(self.outputs)}; expected {' or '.join(outputs)}")

    def predict(self, windows: np.ndarray, inside: np.ndarray, distance_mm: float, *, tta: bool = False) -> np.ndarray:
        """Return the network's probabilities in the windows of n slices, shape (n, side, side, channels), float32.

        `windows`, shape (n, side, side), hold the intensities of an RPI scan, extracted by `config.windows`; `inside`, bool, of
        the same shape, says which samples lie in the image. Slices are in increasing order and `distance_mm` apart; a 3-D network
        takes them as adjacent. With `tta`, the predictions of a 2-D network are averaged over mirrored and rotated copies.
        """
        inputs = self.config.standardize(windows, inside)
        if self.config.depth:
            return predict_stack(self.runtime, inputs, distance_mm, self.config, self.overlap)
        if tta:
            return predict_augmented(self.runtime, inputs)
        return predict_mirrored(self.runtime, inputs) if self.config.mirror else self.runtime.predict(inputs)
