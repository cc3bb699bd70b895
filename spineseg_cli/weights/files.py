"""Reading and writing of weights files, and reading of published Keras-2 files.

A weights file of spineseg is a Keras `.weights.h5` file with an additional attribute, `spineseg`: metadata in JSON, with the
network, its outputs and its inference configuration. Weights and metadata thus stay together, and one sha256 covers both.

The TFLite export of trained weights, for LiteRT, is a file beside them. The weights file holds the checksums of both, so that the
export is not used after either was changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.file_checks import check_present
from spineseg_cli.core.files import atomic_path, file_sha256
from spineseg_cli.core.inference.config import PUBLISHED_CENTERLINE, PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.core.inference.legacy_names import current_metadata
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.model import Model

METADATA_ATTRIBUTE = "spineseg"

# The outputs and the inference configuration of the published networks.
PUBLISHED = {"aspp": (("gray_matter",), PUBLISHED_GRAY_MATTER), "centerline_unet": (("centerline",), PUBLISHED_CENTERLINE)}

# The attribute with the checksums, as JSON. The name is that of version 0.9, whose files are still read.
CHECKSUMS_ATTRIBUTE = "spineseg_twin"


def read_model(path: Path) -> Model:
    """Return the model in a weights file, by its metadata and without loading Keras.

    Raises WeightsError if the file is missing, damaged, or neither of spineseg nor a known published network; InputError if its
    content was not fetched.
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
        content = json.loads(metadata)
    except ValueError as error:
        raise _damaged(path, error) from error
    return replace(described_model(path, digest, content), tflite=tflite)


def described_model(path: Path, sha256: str, metadata: dict[str, Any]) -> Model:
    """Return the model in a weights file, given its checksum and its metadata.

    Raises WeightsError if the metadata is damaged, or has settings that this version does not know.
    """
    try:
        content = current_metadata(metadata)
        network, outputs, inference = (content[key] for key in ("network", "outputs", "inference"))
        config = InferenceConfig.from_dict(inference)
        if faults := config.faults():
            raise ValueError(f"impossible {', '.join(faults)}")
        return Model(_name_of(path), path, sha256, dict(network), tuple(outputs), config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _name_of(path: Path) -> str:
    return path.name.split(".")[0]


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"the metadata in {path} is damaged ({error!r}): copy or write the weights again")


def metadata_of(model: Model) -> dict[str, Any]:
    """Return the metadata of a model, for `described_model`."""
    return {"network": model.network, "outputs": list(model.outputs), "inference": model.config.to_dict()}


def write_model(
    network: Any,
    path: Path,
    options: dict[str, Any],
    outputs: tuple[str, ...],
    config: InferenceConfig,
    tflite: Path | None = None,
) -> Model:
    """Write the weights and metadata of a network to `path`, which ends in `.weights.h5`, completely or not at all.

    Returns the model, as `read_model` would.

    `network`, a `keras.Model`, is not compiled, since the state of an optimizer would be written too; `options` are those
    with which `networks.build_network` has built it; `outputs` are the meanings of its channels; `tflite` is its export, at
    `tflite_path(path)`.
    """
    import h5py

    metadata = json.dumps({"network": options, "outputs": list(outputs), "inference": config.to_dict()})
    with atomic_path(path) as temporary:
        network.save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs[METADATA_ATTRIBUTE] = metadata
            if tflite:
                attach_tflite(file, tflite)
    return Model(_name_of(path), path, file_sha256(path), options, tuple(outputs), config, tflite=tflite)


def write_half(source: Path, path: Path) -> None:
    """Copy a weights file with its kernels in float16, which Keras converts to float32 when it reads them.

    The relative error of a weight is at most 2**-11. Vectors, such as biases, are not changed.
    """
    import h5py

    with h5py.File(source, "r") as full, h5py.File(path, "w") as half:
        half.attrs.update(full.attrs)

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                target = half.require_group(name)
            else:
                target = half.create_dataset(name, data=item[()], dtype=np.float16 if item.ndim > 1 else None)
            target.attrs.update(item.attrs)

        full.visititems(copy)


def tflite_path(path: Path) -> Path:
    """Return the path of the TFLite export of the weights NAME.weights.h5: NAME.tflite in the same folder."""
    return path.with_name(path.name.removesuffix(".weights.h5") + ".tflite")


def attach_tflite(file: Any, tflite: Path) -> None:
    """Write the checksums of a TFLite export to an open weights file, whose weights and metadata are already written."""
    file.attrs[CHECKSUMS_ATTRIBUTE] = json.dumps(_checksums(file, tflite))


def attached_tflite(path: Path, file: Any) -> Path | None:
    """Return the path of the TFLite export of an open weights file; None without one, or if either file was changed since."""
    tflite = tflite_path(path)
    if CHECKSUMS_ATTRIBUTE not in file.attrs or not tflite.is_file():
        return None
    return tflite if file.attrs[CHECKSUMS_ATTRIBUTE] == json.dumps(_checksums(file, tflite)) else None


def _checksums(file: Any, tflite: Path) -> dict[str, str]:
    """Return the sha256 of the export, and that of the attributes and the named arrays of a weights file."""
    import h5py

    metadata = {name: str(value) for name, value in file.attrs.items() if name != CHECKSUMS_ATTRIBUTE}
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode())
            digest.update(np.asarray(item[()]).tobytes())

    file.visititems(add)
    return {"weights": digest.hexdigest(), "twin": file_sha256(tflite)}
