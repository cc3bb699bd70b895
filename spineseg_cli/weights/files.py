"""Weights files: spineseg's, which are written here too, and the published Keras-2 files.

A spineseg weights file is a Keras `.weights.h5` file with one attribute more, `spineseg`: JSON that names the network, its
outputs and its inference configuration. So the two cannot be separated, and one sha256 covers both.

The TFLite export of weights that a user has trained is the same network for LiteRT, in a file beside it. The checksums of both
are in the weights file, so that an export of other weights, or one that was changed, is not used for them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import atomic_path, check_present, file_sha256
from spineseg_cli.core.inference.config import PUBLISHED_CENTERLINE, PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.core.inference.legacy_names import current_metadata
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.model import Model

METADATA_ATTRIBUTE = "spineseg"

# What the networks of the published files predict, and from what.
PUBLISHED = {"aspp": (("gray_matter",), PUBLISHED_GRAY_MATTER), "centerline_unet": (("centerline",), PUBLISHED_CENTERLINE)}

# The checksums, as JSON; files of version 0.9 call it so too.
CHECKSUMS_ATTRIBUTE = "spineseg_twin"


def read_model(path: Path) -> Model:
    """Return what a weights file says of itself, without loading Keras.

    Raises WeightsError if the file is missing, damaged, or neither spineseg's nor a published network that is known; InputError
    if its content was not fetched.
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
    """Return the model in a weights file, from its checksum and its metadata.

    Raises WeightsError if the metadata is damaged, or asks for what this version does not know.
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
    """Return what `described_model` needs."""
    return {"network": model.network, "outputs": list(model.outputs), "inference": model.config.to_dict()}


def write_model(
    network: Any,
    path: Path,
    options: dict[str, Any],
    outputs: tuple[str, ...],
    config: InferenceConfig,
    tflite: Path | None = None,
) -> Model:
    """Write a network's weights and metadata to `path`, which ends in `.weights.h5`; the file appears whole or not at all.

    Returns what `read_model` would return of it.

    Parameters
    ----------
    network : keras.Model
        Not compiled: an optimizer's state would be written too.
    options : dict
        What `networks.build_network` built it from.
    outputs : tuple of str
        What each output channel is.
    config : InferenceConfig
        How its windows are cut, and how its probabilities are read.
    tflite : Path, optional
        Its TFLite export, which is to lie beside it.
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
    """Copy a weights file with its kernels in 16 bits, which Keras turns into float32 as it reads them.

    A kernel's weight then errs by at most 2**-11 of itself. Vectors, such as biases, stay as they are.
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
    """Return where the TFLite export of the weights NAME.weights.h5 lies: NAME.tflite beside it."""
    return path.with_name(path.name.removesuffix(".weights.h5") + ".tflite")


def attach_tflite(file: Any, tflite: Path) -> None:
    """Enter the checksums of a TFLite export into an open weights file, whose weights and metadata are written already."""
    file.attrs[CHECKSUMS_ATTRIBUTE] = json.dumps(_checksums(file, tflite))


def attached_tflite(path: Path, file: Any) -> Path | None:
    """Return the TFLite export of an open weights file; None if there is none, or either was changed since it was attached."""
    tflite = tflite_path(path)
    if CHECKSUMS_ATTRIBUTE not in file.attrs or not tflite.is_file():
        return None
    return tflite if file.attrs[CHECKSUMS_ATTRIBUTE] == json.dumps(_checksums(file, tflite)) else None


def _checksums(file: Any, tflite: Path) -> dict[str, str]:
    """Return the sha256 of the export, and of the attributes and every array, with its name and type, of a weights file."""
    import h5py

    metadata = {name: str(value) for name, value in file.attrs.items() if name != CHECKSUMS_ATTRIBUTE}
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode())
            digest.update(np.asarray(item[()]).tobytes())

    file.visititems(add)
    return {"weights": digest.hexdigest(), "twin": file_sha256(tflite)}
