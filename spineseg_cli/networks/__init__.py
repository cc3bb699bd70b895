"""The networks, each in its own module, written in Keras 3 for any backend.

The module of a network describes its options. Several networks have these:

========  ============================================================================
filters   number of filters of the first level; each level below has twice as many
depth     number of times that the resolution is halved
classes   number of sigmoid output channels
dropout   fraction of the channels of the deepest level that is dropped in training
========  ============================================================================

`inflate` makes a 3-D network from a 2-D one, `export` and `export_stacks` write networks for LiteRT, and `legacy` reads published
weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spineseg_cli.core.registry import Entry, Registry

_HERE = "spineseg_cli.networks"

# Each is a function of its options that returns an untrained `keras.Model`. The facts of 3-D networks give their dimensions, and
# whether `networks.export` can write them for LiteRT.
NETWORKS = Registry(
    "networks",
    {
        "aspp": Entry(f"{_HERE}.aspp:build_aspp", "dilated convolutions, Perone et al. 2018"),
        "unet2d": Entry(f"{_HERE}.unet2d:build_unet2d", "U-Net"),
        "perone_unet2d": Entry(f"{_HERE}.perone_unet2d:build_perone_unet2d", "the U-Net that Perone et al. 2018 compare with"),
        "centerline_unet": Entry(f"{_HERE}.centerline_unet:build_centerline_unet", "dilated U-Net, Gros et al. 2019"),
        "unet3d": Entry(f"{_HERE}.unet3d:build_unet3d", "3-D U-Net, Gros et al. 2019", facts={"dimensions": 3, "litert": False}),
        "unet3d_inplane": Entry(
            f"{_HERE}.unet3d_inplane:build_unet3d_inplane",
            "3-D U-Net that pools in slices alone",
            facts={"dimensions": 3, "litert": True},
        ),
        "ra_unet": Entry(f"{_HERE}.ra_unet:build_ra_unet", "residual attention-aware U-Net, Bueno et al. 2022"),
    },
)


def build_network(name: str, **options):
    """Return the untrained network called `name`, a `keras.Model`. Keras is imported only here.

    Raises InputError if there is no such network.
    """
    return NETWORKS.load(name)(**options)


def sees_stacks(name: str, options: Mapping[str, Any]) -> bool:
    """Whether a network with these options reads stacks of slices. Raises InputError if there is no such network."""
    return options.get("dimensions", NETWORKS[name].facts.get("dimensions", 2)) == 3


def runs_on_litert(name: str) -> bool:
    """Whether `networks.export` can write a network for LiteRT. Raises InputError if there is no such network."""
    return NETWORKS[name].facts.get("litert", True)
