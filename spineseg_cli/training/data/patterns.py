"""Labeled scans from two globs, of the images and of their masks."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from spineseg_cli.core.image.file_names import is_nifti_name, stem_of
from spineseg_cli.core.ranges import listed_names
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.sources import match_masks

log = logging.getLogger(__name__)

SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


def pair_by_patterns(folder: Path, images: str, masks: str, what: str) -> list[tuple[str, Path, list[Path]]]:
    """Return the subject, the path and the masks of each image that has a mask, in order.

    A mask belongs to an image of the same subject. If there are several, it belongs to the one whose name has the most leading
    words in common with its own.

    Raises InputError if a glob matches nothing, or a mask may belong to two images or to none.

    `images` and `masks` are globs relative to `folder`, such as "scans/*_T2w.nii.gz" and "masks/*_cord.nii.gz": see
    `subject_of`. `what` names the structure in the masks, for messages.
    """
    subjects_by_image = _subjects_by_file(folder, images, "images")
    subjects_by_mask = _subjects_by_file(folder, masks, "masks")
    both = sorted(subjects_by_image.keys() & subjects_by_mask.keys())
    if both:
        raise InputError(f"expected images and masks to be different files; {both[0]} matches both {images!r} and {masks!r}")
    of_image: dict[Path, list[Path]] = {image: [] for image in subjects_by_image}
    for mask, subject in subjects_by_mask.items():
        same = [image for image, other in subjects_by_image.items() if other == subject]
        if len(same) == 1:
            of_image[same[0]].append(mask)
            continue
        candidates = same or list(subjects_by_image)
        for image, matched in zip(candidates, match_masks(candidates, [mask], what), strict=True):
            of_image[image] += matched
    without = [image.name for image, matched in of_image.items() if not matched]
    if without:
        log.warning("left out for want of a mask: %d of %d images (%s)", len(without), len(of_image), listed_names(without))
    return [(subject, image, of_image[image]) for image, subject in subjects_by_image.items() if of_image[image]]


def subject_of(path: Path, pattern: str) -> str:
    """Return the subject of a file that matches a glob.

    It is sub-NAME if the path contains that; otherwise the folder that a wildcard of the glob matches (`*/t2.nii.gz`);
    otherwise the part of the name that the first wildcard matches (`*_T2w.nii.gz`).

    `path` is relative to the folder of the glob. If the glob contains `**`, folders are not taken as subjects.
    """
    named = SUBJECT.search(path.as_posix())
    if named:
        return named.group()
    *folders, name = Path(pattern).parts
    if "**" not in folders:
        for part, folder in zip(folders, path.parts, strict=False):
            if _has_wildcard(part):
                return folder
    stem = stem_of(path.name)
    regex = "".join({"*": "(.*?)", "?": "(.)"}.get(letter, re.escape(letter)) for letter in name)
    matched = re.fullmatch(regex, path.name)
    first = matched.group(1) if matched and matched.groups() else ""
    return stem_of(first).strip("_-.") or stem


def _subjects_by_file(folder: Path, pattern: str, what: str) -> dict[Path, str]:
    """Return the subject of each NIfTI file that matches a glob, in order. Raises InputError, which names `what`, without one."""
    if not folder.is_dir():
        raise InputError(f"expected a folder that the patterns start from; {folder} is none")
    try:
        matches = sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"expected a pattern that starts from {folder}, like 'scans/*_T2w.nii.gz'; got {pattern!r}") from error
    files = [path for path in matches if not path.is_dir() and is_nifti_name(path.name)]
    if not files:
        raise InputError(f"expected {what} (.nii or .nii.gz) that match {pattern!r} under {folder}; found none")
    return {path: subject_of(path.relative_to(folder), pattern) for path in files}


def _has_wildcard(text: str) -> bool:
    return any(letter in text for letter in "*?[")
