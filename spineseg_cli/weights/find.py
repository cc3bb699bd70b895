"""Models by their names in the registry, or by the paths of weights files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spineseg_cli.core.files import file_sha256
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.files import described_model, read_model
from spineseg_cli.weights.model import Model
from spineseg_cli.weights.registry import models_folder, registry


def find_model(name: str) -> Model:
    """Return a shipped model after checking its checksum.

    Raises WeightsError if there is no such model, or its file is missing or damaged.
    """
    if name not in registry():
        raise WeightsError(f"no model {name!r}; expected a weights file, or one of: {', '.join(registry())}")
    entry = registry()[name]
    path = _checked(name, entry["file"], entry["sha256"])
    tflite, int8 = (_checked(name, entry[kind], entry[f"{kind}_sha256"]) if kind in entry else None for kind in ("lite", "int8"))
    # The registry also holds the metadata, since importing h5py takes longer than segmenting a slice.
    model = described_model(path, entry["sha256"], entry["metadata"]) if "metadata" in entry else read_model(path)
    return replace(model, name=name, tflite=tflite, int8=int8)


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
