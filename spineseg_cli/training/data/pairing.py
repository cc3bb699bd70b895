"""Which mask belongs to which scan, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from spineseg_cli.core.image.names import stem_of
from spineseg_cli.errors import InputError


def pair_masks(images: Sequence[Path], masks: Sequence[Path], what: str) -> list[list[Path]]:
    """Do what `match_masks` does; raise InputError as it does, and if an image has no mask."""
    matched = match_masks(images, masks, what)
    for image, of_image in zip(images, matched, strict=True):
        if not of_image:
            raise InputError(f"expected a {what} mask for {image}; no file that matches is named like it")
    return matched


def match_masks(images: Sequence[Path], masks: Sequence[Path], what: str) -> list[list[Path]]:
    """Return the masks of each image, in order: those whose name shares the most leading words with it.

    Words are what `_`, `-` and `.` separate, so that `sub-01_T2star_gmseg.nii.gz` goes with `sub-01_T2star.nii.gz`, not with
    `sub-01_T2star_run-2.nii.gz`. Several masks may belong to one image (several raters).

    Parameters
    ----------
    images, masks : sequence of Path
    what : str
        What the masks show, for messages.

    Raises
    ------
    InputError
        If a mask would fit two images as well, or fits none.
    """
    matched: list[list[Path]] = [[] for _ in images]
    words = [_words(image) for image in images]
    for mask in masks:
        scores = [_common_words(image, _words(mask)) for image in words]
        best = max(scores, default=(0, 0))
        fitting = [index for index, score in enumerate(scores) if score == best]
        if best[0] == 0 or len(fitting) != 1:
            names = [images[index].name for index in fitting[:2]]
            raise InputError(
                f"cannot tell which scan the {what} mask {mask} belongs to (as likely {' as '.join(names) or 'none'}): "
                "give masks names that start as their scan's"
            )
        matched[fitting[0]].append(mask)
    return matched


def _words(path: Path) -> list[str]:
    stem = stem_of(path.name)
    return re.split(r"[_\-.]", stem)


def _common_words(image: list[str], mask: list[str]) -> tuple[int, int]:
    """Return the number of leading words in common, and minus the number of the image's words left over."""
    common = 0
    for a, b in zip(image, mask, strict=False):
        if a != b:
            break
        common += 1
    return common, common - len(image)
