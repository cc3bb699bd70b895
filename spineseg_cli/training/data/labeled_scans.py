"""A labeled scan, and the checks of scans before a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi, turned_to
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.task import CORD_LABEL, LabelKind

LEAST_SUBJECTS = 3


@dataclass(frozen=True)
class LabeledScan:
    """A scan and its masks."""

    subject: str  # The subject. Scans of one subject stay together when subjects are split.
    image: Path
    # The masks by kind (a key of `tasks.registry.label_kinds`), one for each rater. There is at most one of the cord.
    masks: Mapping[str, tuple[Path, ...]]
    # The ends at which the labels end because the cord ends, of `training.choices.LABEL_COVERAGE`.
    label_coverage: str | None = None
    spine: Path | None = None  # a label image of the spine: see `training.data.label_maps`

    @property
    def cord(self) -> Path | None:
        """The mask of the cord, None if there is none."""
        return next(iter(self.masks_of(CORD_LABEL)), None)

    @property
    def all_masks(self) -> tuple[Path, ...]:
        """All masks of the scan."""
        return tuple(path for paths in self.masks.values() for path in paths)

    def masks_of(self, label: LabelKind) -> tuple[Path, ...]:
        """Return the masks of one kind, one for each rater."""
        return self.masks.get(label.key, ())

    def with_cord(self, path: Path) -> LabeledScan:
        """Return the scan with another mask of the cord."""
        return replace(self, masks={**self.masks, CORD_LABEL.key: (path,)})


def check_scans(scans: Sequence[LabeledScan]) -> None:
    """Read all files, and raise InputError or GridMismatchError for the first that is not suitable for training.

    There must be at least three subjects. Images and masks must be readable and 3-D. Each mask must be on the grid of its
    image, in any orientation, have values from 0 to 1, and not be empty, and each kind of mask must have a slice in common with
    the cord.
    """
    subjects = sorted({scan.subject for scan in scans})
    if len(subjects) < LEAST_SUBJECTS:
        raise InputError(
            f"expected labeled scans of {LEAST_SUBJECTS} subjects or more, to train, validate and test on; found "
            f"{len(subjects)} ({', '.join(subjects)})"
        )
    for scan in scans:
        image, slices = read_volume(scan.image), {}
        for path in scan.all_masks:
            mask = read_volume(path, kind="mask")
            check_same_grid(image, turned_to(mask, image), str(scan.image), str(path))
            low, high = float(mask.data.min()), float(mask.data.max())
            if low < 0 or high > 1:
                raise InputError(f"expected a mask of values from 0 to 1; {path} has {low:g} to {high:g}: make it 0 and 1")
            if high <= 0.5:
                raise InputError(f"the mask {path} is empty: draw it, or leave this scan out")
            slices[path] = set(np.flatnonzero((to_rpi(mask).data > 0.5).any(axis=(0, 1))))
        for key, paths in scan.masks.items():
            if scan.cord and not slices[scan.cord] & {k for path in paths for k in slices[path]}:
                name = key.replace("_", " ")
                raise InputError(f"no slice of {scan.image} has both {name} and cord in its masks: draw both in some slices")
