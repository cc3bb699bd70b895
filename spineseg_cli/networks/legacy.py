"""Reading published Keras-2 HDF5 weights by topology.

Keras 2 named layers by type and order of creation (`batch_normalization_7`). Layers with explicit names are matched by name, and
normalization layers by the order of their numbers. A network with other names and no branches is matched layer by layer.
"""

from __future__ import annotations

import re
from pathlib import Path

from spineseg_cli.errors import WeightsError

# Layers by which the gray-matter network of Perone et al. is recognized.
ASPP_LAYERS = ("conv2d_1", "rate24_2", "amort", "predictions")


def is_legacy(file) -> bool:
    """Return whether an open `h5py.File` was written by Keras 2."""
    return _text(_root(file).attrs.get("keras_version", b"")).startswith("2.")


def legacy_options(file) -> dict:
    """Return the `build_network` options of the network in an open `h5py.File`.

    The gray-matter network of Perone et al. and the centerline network of Gros et al. are recognized.

    Raises WeightsError if it holds another network.
    """
    dilations = _centerline_dilations(file)
    if dilations:
        return {"name": "centerline_unet", "filters": _filters(file), "dilations": dilations}
    names = _layer_names(file)
    missing = [name for name in ASPP_LAYERS if name not in names]
    if missing:
        raise WeightsError(
            f"expected the gray-matter network of Perone et al. (layers {', '.join(ASPP_LAYERS)}) or the centerline network of "
            f"Gros et al.; {file.filename} holds {len(names)} layers without {', '.join(missing)}"
        )
    return {"name": "aspp", "filters": _filters(file)}


def load_legacy_weights(network, path: Path) -> None:
    """Set the weights of `network`, a `keras.Model`, from a published file.

    Raises WeightsError if a layer is missing in the file or has another shape there.
    """
    import h5py

    with h5py.File(path, "r") as file:
        layers = [layer for layer in network.layers if layer.weights]
        stored = _names_with_weights(file)
        if len(layers) != len(stored):
            raise WeightsError(
                f"{path} does not fit the network: expected {len(layers)} layers with weights, found {len(stored)} others"
            )
        for layer, name in zip(layers, _sources([layer.name for layer in layers], stored), strict=True):
            weights = _layer_weights(file, name)
            expected, shapes = [tuple(w.shape) for w in layer.weights], [w.shape for w in weights]
            if expected != shapes:
                raise WeightsError(f"{path} does not fit the network: layer {name} has shapes {shapes}, expected {expected}")
            layer.set_weights(weights)


def _sources(layers: list[str], stored: list[str]) -> list[str]:
    """Return the name of the stored layer for each layer."""
    normalizations = [
        sorted((n for n in names if n.startswith("batch_normalization")), key=_number) for names in (layers, stored)
    ]
    by_number = dict(zip(*normalizations, strict=False))
    sources = [by_number.get(name, name) for name in layers]
    return sources if set(sources) == set(stored) else stored


def _centerline_dilations(file) -> int:
    """Return the number of layers at the bottom of the centerline network in a file, 0 if it holds another network."""
    config = _text(file.attrs.get("model_config", ""))
    rates = [int(rate) for rate in re.findall(r'"dilation_rate": \[(\d+),', config)]
    dilations = len(rates) - 9  # two layers at each of two levels down and two levels up, and the output
    bottom = [2**i for i in range(dilations)]
    return dilations if rates == [1, 2, 1, 2, *bottom, 1, 1, 1, 1, 1] else 0


def _root(file):
    return file.get("model_weights", file)


def _layer_names(file) -> list[str]:
    return [_text(name) for name in _root(file).attrs.get("layer_names", [])]


def _names_with_weights(file) -> list[str]:
    return [name for name in _layer_names(file) if len(_root(file)[name].attrs["weight_names"])]


def _filters(file) -> int:
    first = _names_with_weights(file)[0]
    return int(_layer_weights(file, first)[0].shape[-1])


def _layer_weights(file, name: str) -> list:
    group = _root(file)[name]
    return [group[_text(weight)][()] for weight in group.attrs["weight_names"]]


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(name: str) -> int:
    digits = re.search(r"(\d+)$", name)
    return int(digits.group()) if digits else 0
