"""One file a network, written in Keras 3 for any backend."""

from __future__ import annotations

from importlib import import_module

from spineseg_cli.errors import InputError

NETWORKS = {
    "aspp": "build_aspp",
    "unet2d": "build_unet2d",
    "perone_unet2d": "build_perone_unet2d",
    "centerline_unet": "build_centerline_unet",
    "unet3d": "build_unet3d",
    "ra_unet": "build_ra_unet",
}


def build_network(name: str, **options):
    """Return the untrained network called `name`, a `keras.Model`; Keras is imported here, not before.

    Raises InputError if there is no such network.
    """
    if name not in NETWORKS:
        raise InputError(f"no network {name!r}; expected one of {', '.join(NETWORKS)}")
    module = import_module(f"spineseg_cli.networks.{name}")
    return getattr(module, NETWORKS[name])(**options)
