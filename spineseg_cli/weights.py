"""Weights: shipped models, custom files, and the published Keras-2 files.

A spineseg weights file is a Keras `.weights.h5` file with one attribute more, `spineseg`: JSON that names the network, its
outputs and its preprocessing. So the two cannot be parted, and one sha256 covers both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.preprocessing import PUBLISHED_GRAY_MATTER, Preprocessing
from spineseg_cli.errors import WeightsError
from spineseg_cli.registry import models_folder, registry

CARD_ATTRIBUTE = "spineseg"


@dataclass(frozen=True)
class Model:
    """A weights file that is known to be whole, and what its card says.

    Parameters
    ----------
    name : str
        Name in the registry, or the file's.
    path : Path
    sha256 : str
    network : dict
        Options of `networks.build_network`.
    outputs : tuple of str
        What each output channel is: "gray_matter", "cord".
    preprocessing : Preprocessing
    legacy : bool
        Whether the file is a published Keras-2 one.
    """

    name: str
    path: Path
    sha256: str
    network: dict
    outputs: tuple[str, ...]
    preprocessing: Preprocessing
    legacy: bool = False

    def load_network(self):
        """Return the network with its weights, a `keras.Model`. Raises WeightsError if they do not fit."""
        from spineseg_cli.networks import build_network
        from spineseg_cli.networks.legacy import load_legacy_weights

        network = build_network(**self.network)
        if self.legacy:
            load_legacy_weights(network, self.path)
            return network
        try:
            network.load_weights(self.path)
        except (ValueError, KeyError, OSError) as error:
            raise WeightsError(
                f"the weights in {self.path} do not fit the network {self.network} that its card names: {error}"
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
    model = read_model(models_folder() / entry["file"])
    if model.sha256 != entry["sha256"]:
        raise WeightsError(
            f"the weights of {name!r} are damaged: sha256 {model.sha256[:12]}..., expected {entry['sha256'][:12]}...: reinstall"
        )
    return Model(**{**vars(model), "name": name})


def find_custom(name_or_path: str, output: str) -> Model:
    """Return a model from a weights file, or from the registry if there is no such file.

    Raises WeightsError if there is neither, or if the model does not predict `output` ("gray_matter" or "cord").
    """
    model = read_model(Path(name_or_path)) if Path(name_or_path).exists() else find_model(name_or_path)
    if output not in model.outputs:
        raise WeightsError(f"expected weights that predict {output}; {name_or_path} predict {', '.join(model.outputs)}")
    return model


def read_model(path: Path) -> Model:
    """Return what a weights file says of itself, without loading Keras.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or neither spineseg's nor a published gray-matter network.
    """
    import h5py

    from spineseg_cli.networks.legacy import is_legacy, legacy_gray_matter_options

    if not path.is_file():
        raise WeightsError(f"no weights file {path}")
    try:
        with h5py.File(path, "r") as file:
            card = file.attrs.get(CARD_ATTRIBUTE)
            legacy_options = legacy_gray_matter_options(file) if card is None and is_legacy(file) else None
    except OSError as error:
        raise WeightsError(
            f"expected weights in HDF5 (.weights.h5, .hdf5 or .h5); {path} is damaged or something else"
        ) from error
    digest = file_sha256(path)
    if legacy_options is not None:
        return Model(path.stem, path, digest, legacy_options, ("gray_matter",), PUBLISHED_GRAY_MATTER, legacy=True)
    if card is None:
        raise WeightsError(
            f"{path} holds no spineseg card and is no published gray-matter network: use weights that `finetune` wrote"
        )
    content = json.loads(card)
    preprocessing = Preprocessing.from_dict(content["preprocessing"])
    return Model(path.name.split(".")[0], path, digest, content["network"], tuple(content["outputs"]), preprocessing)


def write_model(network, path: Path, options: dict, outputs: tuple[str, ...], preprocessing: Preprocessing) -> None:
    """Write a network's weights and card to `path`, which ends in `.weights.h5`.

    Parameters
    ----------
    network : keras.Model
        Not compiled: an optimizer's state would be written too.
    path : Path
    options : dict
        What `networks.build_network` built it from.
    outputs : tuple of str
    preprocessing : Preprocessing
    """
    import h5py

    network.save_weights(path)
    card = {"network": options, "outputs": list(outputs), "preprocessing": preprocessing.to_dict()}
    with h5py.File(path, "a") as file:
        file.attrs[CARD_ATTRIBUTE] = json.dumps(card)
