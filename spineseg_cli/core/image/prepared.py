"""A scan as the pipelines read it."""

from __future__ import annotations

from spineseg_cli.core.image.intensity import clip_outliers, in_usual_units, without_padding
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume


def prepared(image: Volume) -> Volume:
    """Return an image in RPI, without padding and spikes, in usual units; several tasks on one image get the same.

    Where nothing is to be mended, it shares the memory of `image`.
    """
    return image.once("prepared", lambda: in_usual_units(clip_outliers(without_padding(to_rpi(image, copy=False)))))
