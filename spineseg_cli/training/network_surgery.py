"""What a run's network starts as: built by its configuration, with the weights of another one, all or some of them.

Network surgery: subnetworks that start untrained, or stay as they are.

De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021. A U-Net's encoder ends
at its last pooling, and its decoder begins at its first up-sampling; the bottleneck is between them. The dilated network for gray
matter has neither: its trunk is taken for the encoder, its branches for the bottleneck, and what follows their concatenation for
the decoder.
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
# Of the dilated network.
FIRST_OF_BRANCHES = "branch1x1_1"


def starting_network(config: TrainingConfig, start: Model | None = None) -> keras.Model:
    """Return the network of a configuration, in the precision that it is trained in: untrained, or with weights to start from.

    What is drawn at random, here and later, is drawn by the seed of the configuration.

    Raises InputError if the network has no such options.
    """
    given = None if start is None else start.load_network()  # before the seed is set: it draws weights too
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.optimizer.precision)
    try:
        network = build_network(**config.network.as_dict)
    except TypeError as error:
        raise InputError(f"the configuration {config.name} gives its network unknown options: {error}") from error
    finally:
        keras.mixed_precision.set_global_policy("float32")
    if given is not None:
        # Slices that are resampled are like their neighbors; the scan's own may be far apart.
        take_weights(network, given, spread="even" if config.inference.resample_slices else "center")
    return network


def take_weights(network: keras.Model, given: keras.Model, spread: str = "even") -> None:
    """Give a network the weights of another.

    The kernels of a 2-D network are inflated for a 3-D one, by `spread`: see `networks.inflate`. Where the other has one output
    channel and the network more, each channel gets that one.

    Raises
    ------
    WeightsError
        If a 2-D network is not the counterpart of a 3-D one.
    ValueError
        If the networks differ otherwise.
    """
    if len(given.inputs[0].shape) < len(network.inputs[0].shape):
        inflate_from_2d(given, network, spread)
        return
    weights = given.get_weights()
    if given.outputs[0].shape[-1] == 1 < network.outputs[0].shape[-1]:
        weights = [np.broadcast_to(old, new.shape) for old, new in zip(weights, network.get_weights(), strict=True)]
    network.set_weights(weights)


def reinitialize(network: keras.Model, part: str) -> None:
    """Give the layers of a subnetwork new, untrained weights, drawn by Keras' random seed.

    Parameters
    ----------
    network : keras.Model
        A U-Net of `networks`, or the dilated network.
    part : str
        One of `training.choices.REINITIALIZED`.

    Raises
    ------
    InputError
        If the network has no such subnetwork.
    """
    chosen = layers_of(network, part)
    fresh = {layer.name: layer for layer in keras.models.clone_model(network).layers}
    for layer in chosen:
        layer.set_weights(fresh[layer.name].get_weights())


def freeze(network: keras.Model, part: str) -> None:
    """Keep the weights of a subnetwork as they are, statistics of batch normalization too; before the network is compiled.

    Parameters and errors are those of `reinitialize`.
    """
    for layer in layers_of(network, part):
        layer.trainable = False


def freeze_only(network: keras.Model, parts: Iterable[str]) -> None:
    """Keep the weights of some subnetworks as they are, and of no other; before the network is compiled.

    Raises InputError if the network has no such subnetwork.
    """
    for layer in network.layers:
        layer.trainable = True
    for part in parts:
        freeze(network, part)


def layers_of(network: keras.Model, part: str) -> list[keras.Layer]:
    """Return the layers with weights of a subnetwork, in order.

    Raises InputError if the network has no such subnetwork.
    """
    parts = _parts(network)
    chosen = [layer for layer in network.layers if layer.weights and parts[layer.name] in REINITIALIZED[part]]
    if not chosen:
        raise InputError(f"the network {network.name} has no {part}; expected a U-Net, or the dilated network for gray matter")
    return chosen


def _parts(network: keras.Model) -> dict[str, str]:
    """Return the subnetwork that each layer belongs to, by its name; "" for all if the network has no such parts."""
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
