"""Preparation of a scan for the pipelines."""

from __future__ import annotations

from spineseg_cli.core.image.intensity import clip_outliers, in_usual_units, without_padding
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume


def prepared(image: Volume) -> Volume:
    """Return an image in RPI, without padding and outliers, in usual units; the result is cached for all tasks on the image.

    If only the orientation differs, the result shares the memory of `image`.
    """
    return image.once("prepared", lambda: in_usual_units(clip_outliers(without_padding(to_rpi(image, copy=False)))))
