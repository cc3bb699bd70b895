"""The function `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib

from spineseg_cli.api.images import ImageLike, load_image
from spineseg_cli.metrics import table
from spineseg_cli.metrics.evaluate import DEFAULT_THRESHOLD, Case
from spineseg_cli.metrics.evaluate import evaluate as compare


@dataclass(frozen=True)
class Evaluation:
    """Every metric of a mask against its references.

    Attributes
    ----------
    rows : list of dict
        Rows with the columns of the command's table: one for each reference, and for their majority if there are several, each
        followed by those of its slices if `per_slice`.
    """

    rows: list[dict[str, Any]]
    _table: table.Table = field(repr=False)

    def __repr__(self) -> str:
        """Return how many rows there are, and the Dice coefficient; the rows fill a screen."""
        return f"Evaluation({len(self.rows)} rows, DSC {self['DSC']:.4f})"

    def __getitem__(self, metric: str) -> float:
        """Return a metric, such as "DSC", of the whole volume; with several references, that of their majority."""
        volumes = [row for row in self.rows if row["level"] == "volume"]
        return float(volumes[-1][metric])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rows, and their summary, to a .csv, .tsv or .json file. Raises InputError if that fails."""
        table.write_table(Path(path), self._table)


def evaluate(
    prediction: ImageLike,
    references: ImageLike | Sequence[ImageLike],
    *,
    per_slice: bool = False,
    label: int | None = None,
    threshold: float = DEFAULT_THRESHOLD,
) -> Evaluation:
    """Compare a mask with the masks of one or more experts, as the command `compute_metrics` does.

    Parameters
    ----------
    prediction : path or nibabel.Nifti1Image
        The mask.
    references : path or nibabel.Nifti1Image, or a sequence of them
        The experts' masks, on its grid.
    per_slice : bool
        Whether to compare each axial slice, too.
    label : int, optional
        Value of the voxels to compare in label images, instead of those above the threshold.
    threshold : float
        Value above which a voxel is in the mask.

    Raises
    ------
    SpinesegError
        If an image cannot be used; the message says what to do.

    Examples
    --------
    >>> from spineseg_cli import evaluate
    >>> evaluate(cord_mask, cord_mask)["DSC"]
    1.0
    >>> [row["slice"] for row in evaluate(cord_mask, cord_mask, per_slice=True).rows][:3]
    [None, 0, 1]
    """
    several = [references] if isinstance(references, (str, os.PathLike, nib.Nifti1Image)) else list(references)
    names = tuple(_name(image, f"reference {n}") for n, image in enumerate(several, 1))
    volumes = tuple(load_image(image, "mask") for image in several)
    case = Case(_name(prediction, "prediction"), load_image(prediction, "mask"), names, volumes)
    compared = compare([case], per_slice=per_slice, label=label, threshold=threshold)
    return Evaluation(list(compared.rows), compared)


def _name(image: ImageLike, default: str) -> str:
    if isinstance(image, (str, os.PathLike)):
        return str(Path(image))
    return image.get_filename() or default
