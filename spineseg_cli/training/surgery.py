"""Network surgery: parts of a network that start untrained, or stay as they are.

De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021. A U-Net's contraction ends
at its last pooling, and its expansion begins at its first up-sampling; the bottleneck is between them. The dilated network for
gray matter has neither: its trunk is taken for the contraction, its branches for the bottleneck, and what follows their
concatenation for the expansion.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
from keras import layers

from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.choices import PARTS, SURGERIES

POOLINGS = (layers.MaxPooling2D, layers.MaxPooling3D)
UPSAMPLINGS = (layers.UpSampling2D, layers.UpSampling3D, layers.Conv2DTranspose)
# Of the dilated network.
FIRST_OF_BRANCHES = "branch1x1_1"


def replace_part(network: keras.Model, part: str) -> None:
    """Give the layers of a part new, untrained weights, drawn by Keras' random seed.

    Parameters
    ----------
    network : keras.Model
        A U-Net of `networks`, or the dilated network.
    part : str
        One of `training.configs.choices.SURGERIES`.

    Raises
    ------
    InputError
        If the network has no such part.
    """
    chosen = layers_of(network, part)
    fresh = {layer.name: layer for layer in keras.models.clone_model(network).layers}
    for layer in chosen:
        layer.set_weights(fresh[layer.name].get_weights())


def freeze_part(network: keras.Model, part: str) -> None:
    """Keep the weights of a part as they are, statistics of batch normalization too; before the network is compiled.

    Parameters and errors are those of `replace_part`.
    """
    for layer in layers_of(network, part):
        layer.trainable = False


def freeze_only(network: keras.Model, parts: Iterable[str]) -> None:
    """Keep the weights of some parts as they are, and of no other; before the network is compiled.

    Raises InputError if the network has no such part.
    """
    for layer in network.layers:
        layer.trainable = True
    for part in parts:
        freeze_part(network, part)


def layers_of(network: keras.Model, part: str) -> list[keras.Layer]:
    """Return the layers with weights of a part of a network, in order.

    Raises InputError if the network has no such part.
    """
    parts = _parts(network)
    chosen = [layer for layer in network.layers if layer.weights and parts[layer.name] in SURGERIES[part]]
    if not chosen:
        raise InputError(f"the network {network.name} has no {part}; expected a U-Net, or the dilated network for gray matter")
    return chosen


def _parts(network: keras.Model) -> dict[str, str]:
    """Return the part that each layer belongs to, by its name; "" for all if the network has no such parts."""
    names, kinds = [layer.name for layer in network.layers], [type(layer) for layer in network.layers]
    pooled = [place for place, kind in enumerate(kinds) if kind in POOLINGS]
    raised = [place for place, kind in enumerate(kinds) if kind in UPSAMPLINGS]
    if pooled and raised:
        bottleneck, expansion = pooled[-1], raised[0]
    elif FIRST_OF_BRANCHES in names:
        bottleneck, expansion = names.index(FIRST_OF_BRANCHES), kinds.index(layers.Concatenate)
    else:
        return dict.fromkeys(names, "")
    return {name: PARTS[(place >= bottleneck) + (place >= expansion)] for place, name in enumerate(names)}
