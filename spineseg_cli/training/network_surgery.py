"""The initial network of a run: built from its configuration, with some or all of the weights of another network.

In network surgery, some subnetworks are reinitialized and others frozen: de Broux. Segmentation of the lumbosacral spinal cord by
fine-tuning. Polytechnique Montreal, 2021. The encoder of a U-Net ends at its last pooling, and its decoder begins at its first
up-sampling; the bottleneck is in between. The dilated network for gray matter has neither: there, the trunk is the encoder, the
branches are the bottleneck, and the layers from their concatenation on are the decoder.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import layers

from spineseg_cli.errors import InputError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.inflate import inflate_from_2d
from spineseg_cli.training.choices import REINITIALIZED, SUBNETWORKS
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.weights.model import Model

POOLINGS = (layers.MaxPooling2D, layers.MaxPooling3D)
UPSAMPLINGS = (layers.UpSampling2D, layers.UpSampling3D, layers.Conv2DTranspose)
# The first layer of the branches of the dilated network.
FIRST_OF_BRANCHES = "branch1x1_1"


def starting_network(config: TrainingConfig, start: Model | None = None) -> keras.Model:
    """Return the network of a configuration in its training precision, untrained or with initial weights.

    The random seed of Keras is set to that of the configuration.

    Raises InputError if the network does not have the configured options.
    """
    given = None if start is None else start.load_network()  # before the seed is set, since building a network draws weights
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.optimizer.precision)
    try:
        network = build_network(**config.network.as_dict)
    except TypeError as error:
        raise InputError(f"the configuration {config.name} gives its network unknown options: {error}") from error
    finally:
        keras.mixed_precision.set_global_policy("float32")
    if given is not None:
        # Resampled slices resemble their neighbors; the original slices of a scan may be far apart.
        take_weights(network, given, spread="even" if config.inference.resample_slices else "center")
    return network


def take_weights(network: keras.Model, given: keras.Model, spread: str = "even") -> None:
    """Set the weights of a network to those of another network.

    The kernels of a 2-D network are inflated for a 3-D network, by `spread`: see `networks.inflate`. If the other network has one
    output channel and this one has more, each channel gets the weights of that one.

    Raises WeightsError if the other network is 2-D and not the counterpart of this 3-D network, and ValueError if the networks
    differ otherwise.
    """
    if len(given.inputs[0].shape) < len(network.inputs[0].shape):
        inflate_from_2d(given, network, spread)
        return
    weights = given.get_weights()
    if given.outputs[0].shape[-1] == 1 < network.outputs[0].shape[-1]:
        weights = [np.broadcast_to(old, new.shape) for old, new in zip(weights, network.get_weights(), strict=True)]
    network.set_weights(weights)


def reinitialize(network: keras.Model, part: str) -> None:
    """Reinitialize the layers of a subnetwork with random weights, which depend on the seed of Keras.

    Raises InputError if the network has no such subnetwork.

    `network` is a U-Net of `networks`, or the dilated network; `part` is one of `training.choices.REINITIALIZED`.
    """
    chosen = layers_of(network, part)
    fresh = {layer.name: layer for layer in keras.models.clone_model(network).layers}
    for layer in chosen:
        layer.set_weights(fresh[layer.name].get_weights())


def freeze_only(network: keras.Model, parts: Iterable[str]) -> None:
    """Freeze the weights of some subnetworks, including the statistics of batch normalization, and unfreeze all others.

    Call it before the network is compiled. Raises InputError if the network has no such subnetwork.
    """
    frozen = {layer.name for part in parts for layer in layers_of(network, part)}
    for layer in network.layers:
        layer.trainable = layer.name not in frozen


def layers_of(network: keras.Model, part: str) -> list[keras.Layer]:
    """Return the layers of a subnetwork that have weights, in order.

    Raises InputError if the network has no such subnetwork.
    """
    parts = _parts(network)
    chosen = [layer for layer in network.layers if layer.weights and parts[layer.name] in REINITIALIZED[part]]
    if not chosen:
        raise InputError(f"the network {network.name} has no {part}; expected a U-Net, or the dilated network for gray matter")
    return chosen


def _parts(network: keras.Model) -> dict[str, str]:
    """Return the subnetwork of each layer, by the name of the layer; "" for all layers if the network has no subnetworks."""
    names, kinds = [layer.name for layer in network.layers], [type(layer) for layer in network.layers]
    pooled = [index for index, kind in enumerate(kinds) if kind in POOLINGS]
    raised = [index for index, kind in enumerate(kinds) if kind in UPSAMPLINGS]
    if pooled and raised:
        bottleneck, decoder = pooled[-1], raised[0]
    elif FIRST_OF_BRANCHES in names:
        bottleneck, decoder = names.index(FIRST_OF_BRANCHES), kinds.index(layers.Concatenate)
    else:
        return dict.fromkeys(names, "")
    return {name: SUBNETWORKS[(index >= bottleneck) + (index >= decoder)] for index, name in enumerate(names)}
