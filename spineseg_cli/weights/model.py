"""Weights: shipped models, custom files, and the published Keras-2 files.

A spineseg weights file is a Keras `.weights.h5` file with one attribute more, `spineseg`: JSON that names the network, its
outputs and its inference configuration. So the two cannot be separated, and one sha256 covers both.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.inference.config import PUBLISHED_CENTERLINE, PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.core.inference.legacy_names import current_metadata
from spineseg_cli.core.inference.litert import Int8LiteRTRuntime, LiteRTRuntime, litert_available
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.runtime import Runtime, TensorFlowRuntime
from spineseg_cli.core.presence import check_present
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.registry import models_folder, registry
from spineseg_cli.weights.tflite import attached_tflite

METADATA_ATTRIBUTE = "spineseg"

# What the networks of the published files predict, and from what.
PUBLISHED = {
    "aspp": (("gray_matter",), PUBLISHED_GRAY_MATTER),
    "centerline_unet": (("centerline",), PUBLISHED_CENTERLINE),
}


@dataclass(frozen=True)
class Model:
    """A weights file that is known to be whole, and what its metadata says.

    Parameters
    ----------
    name : str
        Name in the registry, or the file's.
    path : Path
        The weights file.
    sha256 : str
        Its checksum.
    network : dict
        Options of `networks.build_network`.
    outputs : tuple of str
        What each output channel is: "gray_matter", "cord", "centerline".
    config : InferenceConfig
        How its windows are cut, and how its probabilities are read.
    legacy : bool
        Whether the file is a published Keras-2 one.
    tflite : Path or None
        Its TFLite export, for LiteRT on the CPU.
    int8 : Path or None
        The TFLite export with weights and activations of eight bits.
    """

    name: str
    path: Path
    sha256: str
    network: dict[str, Any]
    outputs: tuple[str, ...]
    config: InferenceConfig
    legacy: bool = False
    tflite: Path | None = None
    int8: Path | None = None

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

        Raises
        ------
        WeightsError
            If the weights do not fit their network.
        RuntimeUnavailableError
            If a GPU was asked for and there is none.
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


def find_model(name: str) -> Model:
    """Return the shipped model called `name`, its sum checked.

    Raises
    ------
    WeightsError
        If there is no such model, or its file is missing or damaged.
    """
    if name not in registry():
        raise WeightsError(f"no model {name!r}; expected a weights file, or one of: {', '.join(registry())}")
    entry = registry()[name]
    path = _checked(name, entry["file"], entry["sha256"])
    tflite, int8 = (_checked(name, entry[kind], entry[f"{kind}_sha256"]) if kind in entry else None for kind in ("lite", "int8"))
    return replace(read_model(path), name=name, tflite=tflite, int8=int8)


def _checked(name: str, file: str, sha256: str) -> Path:
    path = models_folder() / file
    digest = file_sha256(path) if path.is_file() else "of no file"
    if digest != sha256:
        raise WeightsError(
            f"weights of {name!r} are damaged: {path.name} has sha256 {digest[:12]}, expected {sha256[:12]}; reinstall spineseg"
        )
    return path


def find_custom(name_or_path: str, *outputs: str) -> Model:
    """Return a model from a weights file, or from the registry if there is no such file.

    Raises WeightsError if there is neither, or if the model predicts none of `outputs` ("gray_matter", "cord", "centerline").
    """
    path = Path(name_or_path)
    model = read_model(path) if path.is_file() or path.is_symlink() else find_model(name_or_path)
    if not set(outputs) & set(model.outputs):
        raise WeightsError(
            f"expected weights that predict {' or '.join(outputs)}; {name_or_path} predict {', '.join(model.outputs)}"
        )
    return model


def read_model(path: Path) -> Model:
    """Return what a weights file says of itself, without loading Keras.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or neither spineseg's nor a published network that is known.
    InputError
        If its content was not fetched.
    """
    import h5py

    from spineseg_cli.networks.legacy import is_legacy, legacy_options

    if not path.is_file() and not path.is_symlink():
        raise WeightsError(f"no weights file {path}")
    check_present(path)
    try:
        with h5py.File(path, "r") as file:
            metadata = file.attrs.get(METADATA_ATTRIBUTE)
            tflite = attached_tflite(path, file)
            published = legacy_options(file) if metadata is None and is_legacy(file) else None
    except OSError as error:
        raise WeightsError(
            f"expected weights in HDF5 (.weights.h5, .hdf5 or .h5); {path} is damaged or something else"
        ) from error
    digest = file_sha256(path)
    if published is not None:
        return Model(path.stem, path, digest, published, *PUBLISHED[published["name"]], legacy=True)
    if metadata is None:
        raise WeightsError(
            f"{path} has no spineseg metadata, and is not a published gray-matter or centerline network: use weights that "
            "`finetune` wrote"
        )
    if not path.name.endswith(".weights.h5"):  # Keras reads other names as other formats
        raise WeightsError(f"expected a weights file whose name ends in .weights.h5; got {path.name!r}: rename it")
    try:
        content = current_metadata(json.loads(metadata))
        network, outputs, inference = (content[key] for key in ("network", "outputs", "inference"))
        config = InferenceConfig.from_dict(inference)
        if faults := config.faults():
            raise ValueError(f"impossible {', '.join(faults)}")
        return Model(path.name.split(".")[0], path, digest, dict(network), tuple(outputs), config, tflite=tflite)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"the metadata in {path} is damaged ({error!r}): copy or write the weights again") from error


def average_weights(models: Sequence[Model]) -> Any:
    """Return the network of `models` with the mean of their weights, a `keras.Model`.

    The mean of runs that were trained on from one another errs less than each: Wortsman et al., Model soups, ICML 2022
    (arXiv:2203.05482).

    Raises
    ------
    WeightsError
        If the models have different networks or outputs, or their weights do not fit.
    """
    kinds = {(json.dumps(model.network, sort_keys=True), model.outputs) for model in models}
    if len(kinds) != 1:
        raise WeightsError(f"expected weights of one network with the same outputs; got {sorted(kinds)}")
    networks = [model.load_network() for model in models]
    networks[0].set_weights([sum(parts) / len(networks) for parts in zip(*(n.get_weights() for n in networks), strict=True)])
    return networks[0]


def write_model(network: Any, path: Path, options: dict[str, Any], outputs: tuple[str, ...], config: InferenceConfig) -> None:
    """Write a network's weights and metadata to `path`, which ends in `.weights.h5`.

    Parameters
    ----------
    network : keras.Model
        Not compiled: an optimizer's state would be written too.
    path : Path
        The file to write.
    options : dict
        What `networks.build_network` built it from.
    outputs : tuple of str
        What each output channel is.
    config : InferenceConfig
        How its windows are cut, and how its probabilities are read.
    """
    import h5py

    network.save_weights(path)
    metadata = {"network": options, "outputs": list(outputs), "inference": config.to_dict()}
    with h5py.File(path, "a") as file:
        file.attrs[METADATA_ATTRIBUTE] = json.dumps(metadata)
