"""A model: a weights file that is known to be whole, and the network that it is of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.litert import Int8LiteRTRuntime, LiteRTRuntime, litert_available
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import Runtime, TensorFlowRuntime
from spineseg_cli.errors import WeightsError


@dataclass(frozen=True)
class Model:
    """A weights file that is known to be whole, and what its metadata says."""

    name: str  # name in the registry, or the file's
    path: Path
    sha256: str
    network: dict[str, Any]  # options of `networks.build_network`
    outputs: tuple[str, ...]  # what each output channel is: "gray_matter", "cord", "centerline"
    config: InferenceConfig  # how its windows are cut, and how its probabilities are read
    legacy: bool = False  # whether the file is a published Keras-2 one
    tflite: Path | None = None  # its TFLite export, for LiteRT on the CPU
    int8: Path | None = None  # the TFLite export with weights and activations of eight bits

    @property
    def dimensions(self) -> int:
        """2 for a network that sees slices, 3 for one that sees stacks of them."""
        return 3 if self.config.depth else 2

    def predictor(
        self, device: str = "auto", *, precision: str = "int8", contrast: str = "auto", overlap: float = 0.5
    ) -> Predictor:
        """Return the network as a predictor, which loads it when it first predicts.

        Parameters
        ----------
        device : {"auto", "cpu", "gpu"}
            The device that the network runs on; see `open_runtime`.
        precision : {"int8", "float32"}
            Of the network's arithmetic on the CPU; see `open_runtime`.
        contrast : {"auto", "t1", "t2", "t2s", "dwi"}
            The scan's contrast, for weights that have a threshold of their own for it; others heed none.
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
        )

    def open_runtime(self, device: str = "auto", precision: str = "int8") -> Runtime:
        """Return the network loaded on `device` ("auto", "cpu" or "gpu"): LiteRT where it will do, else TensorFlow.

        "auto" takes the GPU only for weights without a TFLite export: others are done on the CPU before TensorFlow has started.
        A `precision` of "int8" takes the export of eight bits where there is one; "float32" never does.

        Raises WeightsError if the weights do not fit their network, and RuntimeUnavailableError if a GPU was asked for and there
        is none.
        """
        if device != "gpu" and litert_available():
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
                    warnings.simplefilter("error", UserWarning)  # Keras warns of layers that it leaves untrained
                    network.load_weights(self.path)
        except (TypeError, ValueError, KeyError, OSError, UserWarning) as error:
            reason = str(error).strip().split("\n")[0]
            raise WeightsError(
                f"the weights in {self.path} do not fit the network {self.network} that its metadata names: {reason}"
            ) from error
        return network
