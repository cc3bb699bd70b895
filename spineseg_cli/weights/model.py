"""A model: a weights file with the description of its network."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.extras import is_installed
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.litert import Int8LiteRTRuntime, LiteRTRuntime
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import Runtime, TensorFlowRuntime
from spineseg_cli.errors import WeightsError


@dataclass(frozen=True)
class Model:
    """A weights file that was checked, and its metadata."""

    name: str  # the name in the registry, or that of the file
    path: Path
    sha256: str
    network: dict[str, Any]  # the options of `networks.build_network`
    outputs: tuple[str, ...]  # the meaning of each output channel: "gray_matter", "cord" or "centerline"
    config: InferenceConfig
    legacy: bool = False  # whether the file is a published one of Keras 2
    tflite: Path | None = None  # the TFLite export, for LiteRT on the CPU
    int8: Path | None = None  # the TFLite export with 8-bit weights and activations

    @property
    def dimensions(self) -> int:
        """Number of dimensions of the network's input: 2 for slices, 3 for stacks of slices."""
        return 3 if self.config.depth else 2

    def predictor(
        self, device: str = "auto", *, precision: str = "int8", contrast: str = "auto", overlap: float = 0.5
    ) -> Predictor:
        """Return the network as a predictor, which loads it at its first prediction.

        Parameters
        ----------
        device, precision
            The parameters of `open_runtime`.
        contrast : {"auto", "t1", "t2", "t2s", "dwi"}
            The contrast of the scan; it matters only for weights with thresholds by contrast.
        overlap : float
            The overlap of neighboring patches of a 3-D network, as a fraction of their length, from 0 to below 1.
        """
        return Predictor(
            self.name,
            self.sha256,
            self.outputs,
            self.config.for_contrast(contrast),
            lambda: self.open_runtime(device, precision),
            device=device,
            precision=precision,
            overlap=overlap,
            published=self.legacy,
            checksums=(self.sha256, *(file_sha256(export) for export in (self.tflite, self.int8) if export)),
        )

    def open_runtime(self, device: str = "auto", precision: str = "int8") -> Runtime:
        """Return the loaded network, by LiteRT on the CPU if there is a TFLite export, otherwise by TensorFlow.

        Raises WeightsError if the weights do not fit their network, and RuntimeUnavailableError without the requested device.

        Parameters
        ----------
        device : {"auto", "cpu", "gpu"}
            The device on which the network runs. "auto" takes a GPU only for weights without a TFLite export, as the CPU has
            segmented most scans before TensorFlow has started.
        precision : {"int8", "float32"}
            The precision of the arithmetic on the CPU; "int8" takes the 8-bit export if there is one.
        """
        if device != "gpu" and is_installed("ai_edge_litert"):
            if self.int8 is not None and precision == "int8":
                return Int8LiteRTRuntime(self.int8)
            if self.tflite is not None:
                return LiteRTRuntime(self.tflite)
        return TensorFlowRuntime(self.load_network, device)

    def load_network(self) -> Any:
        """Return the network with its weights, a `keras.Model`. Raises WeightsError if they do not fit."""
        from spineseg_cli.networks import build_network
        from spineseg_cli.networks.legacy import load_legacy_weights

        try:
            network = build_network(**self.network)
            if self.legacy:
                load_legacy_weights(network, self.path)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", UserWarning)  # Keras warns of layers without weights in the file
                    network.load_weights(self.path)
        except (TypeError, ValueError, KeyError, OSError, UserWarning) as error:
            reason = str(error).strip().split("\n")[0]
            raise WeightsError(
                f"the weights in {self.path} do not fit the network {self.network} that its metadata names: {reason}"
            ) from error
        return network
