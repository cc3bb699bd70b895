"""Published Keras-2 HDF5 weights, read by topology.

Keras 2 named layers by type and order of creation (`batch_normalization_7`). Layers that were given a name keep it here;
the others are matched by type and number.
"""

from __future__ import annotations

import re
from pathlib import Path

from spineseg_cli.errors import WeightsError

# What tells the gray-matter network of Perone et al. from any other: its last dilated layer and its bottleneck.
ASPP_LAYERS = ("conv2d_1", "rate24_2", "amort", "predictions")


def is_legacy(file) -> bool:
    """Return whether an open `h5py.File` was written by Keras 2."""
    return _text(_root(file).attrs.get("keras_version", b"")).startswith("2.")


def legacy_gray_matter_options(file) -> dict:
    """Return the `build_network` options of the gray-matter network in an open `h5py.File`.

    Raises WeightsError if it holds another network.
    """
    names = _layer_names(file)
    missing = [name for name in ASPP_LAYERS if name not in names]
    if missing:
        raise WeightsError(
            f"expected the gray-matter network of Perone et al. (layers {', '.join(ASPP_LAYERS)}); {file.filename} holds "
            f"{len(names)} layers without {', '.join(missing)}"
        )
    return {"name": "aspp", "filters": int(_layer_weights(file, "conv2d_1")[0].shape[-1])}


def load_legacy_weights(network, path: Path) -> None:
    """Set the weights of `network`, a `keras.Model`, from a published file.

    Raises WeightsError if a layer is missing in the file or has another shape there.
    """
    import h5py

    with h5py.File(path, "r") as file:
        names = _layer_names(file)
        normalisations = sorted((n for n in names if n.startswith("batch_normalization")), key=_number)
        own = [layer for layer in network.layers if layer.weights]
        own_normalisations = sorted((x for x in own if x.name.startswith("batch_normalization")), key=lambda x: _number(x.name))
        pairs = list(zip(own_normalisations, normalisations, strict=False))
        pairs += [(layer, layer.name) for layer in own if not layer.name.startswith("batch_normalization")]
        if len(pairs) != len(own) or any(name not in names for _, name in pairs):
            found = sum(len(_root(file)[name].attrs["weight_names"]) > 0 for name in names)
            raise WeightsError(f"{path} does not fit the network: expected {len(own)} layers with weights, found {found} others")
        for layer, name in pairs:
            weights = _layer_weights(file, name)
            expected, found = [tuple(w.shape) for w in layer.weights], [w.shape for w in weights]
            if expected != found:
                raise WeightsError(f"{path} does not fit the network: layer {name} has shapes {found}, expected {expected}")
            layer.set_weights(weights)


def _root(file):
    return file.get("model_weights", file)


def _layer_names(file) -> list[str]:
    return [_text(name) for name in _root(file).attrs.get("layer_names", [])]


def _layer_weights(file, name: str) -> list:
    group = _root(file)[name]
    return [group[_text(weight)][()] for weight in group.attrs["weight_names"]]


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(name: str) -> int:
    digits = re.search(r"(\d+)$", name)
    return int(digits.group()) if digits else 0
