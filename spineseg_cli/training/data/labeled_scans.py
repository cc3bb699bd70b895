"""A labeled scan, and the checks of scans before a training."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.ranges import listed_names
from spineseg_cli.errors import InputError
from spineseg_cli.tasks.task import CORD_LABEL, LabelKind
from spineseg_cli.training.data.label_checks import MOST_FILLED, dark_slices, filled_fraction, implausible, labeled_slices

log = logging.getLogger(__name__)

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
    image, in any orientation, have values from 0 to 1, be neither empty nor fill its slices, and lie where the image is not 0
    everywhere, and each kind of mask must have a slice in common with the cord.

    One warning names the scans whose masks are implausible: see `label_checks.implausible`.
    """
    subjects = sorted({scan.subject for scan in scans})
    if len(subjects) < LEAST_SUBJECTS:
        raise InputError(
            f"expected labeled scans of {LEAST_SUBJECTS} subjects or more, to train, validate and test on; found "
            f"{len(subjects)} ({', '.join(subjects)})"
        )
    doubtful = [f"{scan.image.name} ({'; '.join(phrases)})" for scan in scans if (phrases := _check_scan(scan))]
    if doubtful:
        names = listed_names(doubtful)
        log.warning("masks of %d of %d scans look implausible: %s; check them", len(doubtful), len(scans), names)


def _check_scan(scan: LabeledScan) -> list[str]:
    """Return what is implausible about the masks of a scan; raises what `check_scans` raises."""
    image = to_rpi(read_volume(scan.image), copy=False)
    masks = {kind: [_read_mask(path, scan.image, image) for path in paths] for kind, paths in scan.masks.items()}
    slices = {kind: {k for mask in drawn for k in labeled_slices(mask)} for kind, drawn in masks.items()}
    for kind in masks:
        if scan.cord and not slices[CORD_LABEL.key] & slices[kind]:
            name = kind.replace("_", " ")
            raise InputError(f"no slice of {scan.image} has both {name} and cord in its masks: draw both in some slices")
    return implausible(image, masks)


def _read_mask(path: Path, image_path: Path, image: Volume) -> Volume:
    """Return a mask in RPI; raises what `check_scans` raises."""
    mask = to_rpi(read_volume(path, kind="mask"), copy=False)
    check_same_grid(image, mask, str(image_path), str(path))
    low, high = float(mask.data.min()), float(mask.data.max())
    if low < 0 or high > 1:
        raise InputError(f"expected a mask of values from 0 to 1; {path} has {low:g} to {high:g}: make it 0 and 1")
    slices = labeled_slices(mask)
    if not slices:
        raise InputError(f"the mask {path} is empty: draw it, or leave this scan out")
    if (filled := filled_fraction(mask, slices)) > MOST_FILLED:
        raise InputError(f"the mask {path} fills {filled:.0%} of its slices: exchange 0 and 1 if it is the background's")
    if len(dark_slices(image, slices)) == len(slices):
        raise InputError(f"the mask {path} is drawn only where {image_path} is 0: draw it where the image shows something")
    return mask
