"""spineseg: segment the spinal cord and its gray matter on MRI.

The commands, as functions that take paths or nibabel images and return objects with nibabel images in them::

    from spineseg_cli import segment_cord

    cord = segment_cord("sub-01_T2w.nii.gz")
    cord.mask.shape, cord.probability
    cord.save("sub-01_T2w_seg.nii.gz")

Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.26.0"

TYPE_CHECKING = False  # importing it from `typing` would delay the start of commands
if TYPE_CHECKING:
    from typing import Any

    from spineseg_cli.api.evaluation import evaluate
    from spineseg_cli.api.localization import find_centerline
    from spineseg_cli.api.morphometry import measure_cord
    from spineseg_cli.api.segmentation import segment_cord, segment_gray_matter
    from spineseg_cli.api.training import finetune
    from spineseg_cli.errors import SpinesegError

__all__ = ["SpinesegError", "evaluate", "find_centerline", "finetune", "measure_cord", "segment_cord", "segment_gray_matter"]

# Where each name comes from.
_SOURCES = {
    "SpinesegError": "spineseg_cli.errors",
    "evaluate": "spineseg_cli.api.evaluation",
    "find_centerline": "spineseg_cli.api.localization",
    "finetune": "spineseg_cli.api.training",
    "measure_cord": "spineseg_cli.api.morphometry",
    "segment_cord": "spineseg_cli.api.segmentation",
    "segment_gray_matter": "spineseg_cli.api.segmentation",
}


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_SOURCES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
