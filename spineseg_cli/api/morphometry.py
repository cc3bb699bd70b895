"""The function `measure_cord`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.api.choices import LevelKind, check_choice
from spineseg_cli.api.images import ImageLike, load_image, load_mask
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry import measure
from spineseg_cli.morphometry.tables.files import check_table_path, write_dictionary, write_rows
from spineseg_cli.morphometry.tables.rows import make_rows


@dataclass(frozen=True)
class Measurements:
    """The measures along a cord: a row for each slice, one for each level if there are levels, and one for the whole.

    Attributes
    ----------
    rows : list of dict
        Rows with the columns of the command's table; the standard error of each measure is in a column `..._se`. Empty if no
        voxel of the mask is at least half filled.
    measures : morphometry.CordMeasures or None
        The profile from which the rows were computed.
    """

    rows: list[dict[str, Any]]
    measures: measure.CordMeasures | None = field(repr=False)

    def __repr__(self) -> str:
        """Return how many rows there are, and the mean area; the rows fill a screen."""
        area = f", area_mm2 of the whole {self.rows[-1]['area_mm2']:.2f}" if self.rows else ""
        return f"Measurements({len(self.rows)} rows{area})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rows to a .csv, .tsv or .json file, and the description of the columns to a file beside it.

        Raises InputError if that fails, or there are no rows.
        """
        if not self.rows:
            raise InputError("there is nothing to write: no voxel of the mask is at least half filled")
        check_table_path(Path(path), append=False)
        write_rows(Path(path), self.rows)
        write_dictionary(Path(path), list(self.rows[0]))


def measure_cord(
    cord: ImageLike,
    *,
    gray: ImageLike | None = None,
    white: ImageLike | None = None,
    image: ImageLike | None = None,
    centerline: ImageLike | None = None,
    levels: ImageLike | None = None,
    discs: ImageLike | None = None,
    level_kind: LevelKind = "vertebral",
    estimate_levels: bool = False,
    per_slice: bool | None = None,
    per_level: bool | None = None,
) -> Measurements:
    """Measure the cord along its length, as the command `measure_cord` does.

    Parameters
    ----------
    cord : path or nibabel.Nifti1Image
        A cord mask, or the fraction of each voxel that is cord; the other images are on its grid.
    gray, white : path or nibabel.Nifti1Image, optional
        Masks of gray and white matter.
    image : path or nibabel.Nifti1Image, optional
        The scan, for the area inside its own edge.
    centerline : path or nibabel.Nifti1Image, optional
        A mask that gives the cord's direction instead of `cord`.
    levels, discs : path or nibabel.Nifti1Image, optional
        Labels of levels, or of discs.
    level_kind : {"vertebral", "spinal"}
        The kind of levels in `levels`.
    estimate_levels : bool
        Whether to estimate spinal segments from the cord alone; experimental.
    per_slice, per_level : bool, optional
        Whether there is a row for each slice, and for each level; by default both, and one for the whole cord.

    Raises
    ------
    SpinesegError
        If an image cannot be used; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import measure_cord
    >>> measured = measure_cord(cord_mask)
    >>> 20 < measured.rows[-1]["area_mm2"] < 120
    True
    >>> measured.save(folder / "areas.csv")
    """
    check_choice("level_kind", level_kind, LevelKind)
    measures = measure.measure_cord(
        load_image(cord, "mask"),
        gray=load_mask(gray),
        white=load_mask(white),
        image=None if image is None else load_image(image),
        centerline=load_mask(centerline),
        levels=load_mask(levels),
        discs=load_mask(discs),
        level_kind=level_kind,
        estimate_levels=estimate_levels,
    )
    rows = [] if measures is None else make_rows(measures, per_slice=per_slice, per_level=per_level)
    return Measurements(rows, measures)
