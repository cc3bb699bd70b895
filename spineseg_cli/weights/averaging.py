"""The mean of several weights of one network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from spineseg_cli.errors import WeightsError
from spineseg_cli.weights.model import Model


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
