"""The sources of data that a configuration names: globs of label maps and labeled scans, and generated label maps.

Masks are matched to scans by their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spineseg_cli.core.image.file_names import stem_of
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.tasks.registry import label_kinds
from spineseg_cli.training.data.label_maps import label_slices, spine_slices
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.phantoms import (
    brainstem_slices,
    cauda_equina_slices,
    conus_slices,
    phantom_slices,
    phantom_stacks,
)

if TYPE_CHECKING:
    from spineseg_cli.training.config import TrainingConfig
    from spineseg_cli.training.config_data import LabeledScans, LabelMaps

# The generators of label slices, by the field of a configuration.
SLICE_GENERATORS: dict[str, Callable[..., list[LabelSlice]]] = {
    "phantom": phantom_slices,
    "cauda_equina": cauda_equina_slices,
    "conus": conus_slices,
    "brainstem": brainstem_slices,
}

# The generators of stacks of label slices; each stack counts as a source.
STACK_GENERATORS = {"phantom_stacks": phantom_stacks}


def load_label_maps(config: TrainingConfig, data: Path, leave_out: Iterable[str] = ()) -> list[list[LabelSlice]]:
    """Return the label slices of each source of a configuration, repeated by its weight, without sources that are left out.

    Globs are relative to `data`; `leave_out` are subjects: see `is_of_any`. Raises InputError if files are missing, unreadable,
    or do not match each other.
    """
    leave_out, spacing_mm = tuple(leave_out), config.inference.spacing_mm
    loaded: list[list[LabelSlice]] = []
    grid = (spacing_mm, config.data.source_fov_mm)
    for source in config.data.label_maps:
        slices: list[LabelSlice] = []
        for kind, count in source.generated.items():
            if kind in STACK_GENERATORS:
                loaded += STACK_GENERATORS[kind](count, *grid) * source.weight
            else:
                slices += SLICE_GENERATORS[kind](count, *grid)
        spines = _spines_of(source, data, leave_out) if source.spine else []
        maps = _maps_of(source, data, leave_out) if source.cord and not source.spine else []
        slices += [label for files in spines for label in spine_slices(*files, source.step, *grid)]
        slices += [label for files in maps for label in label_slices(*files, source.step, spacing_mm)]
        loaded += [slices] * source.weight
    return [slices for slices in loaded if slices]


def _spines_of(source: LabelMaps, data: Path, leave_out: Sequence[str]) -> list[tuple[Path, Path, Path]]:
    """Return the image, the mask of the cord and the label image of the spine of each scan of a source."""
    images = find_files(data, source.image or "", leave_out)
    paired = (pair_masks(images, find_files(data, getattr(source, name), leave_out), name) for name in ("cord", "spine"))
    return [(image, cord, spine) for image, (cord, *_), (spine, *_) in zip(images, *paired, strict=True)]


def _maps_of(source: LabelMaps, data: Path, leave_out: Sequence[str]) -> list[tuple[Path, Path | None, Path | None]]:
    """Return the maps of cord, gray matter and CSF that belong together, with None for kinds that are not given."""
    cords, *others = (
        find_files(data, pattern, leave_out) if pattern else None for pattern in (source.cord, source.gray_matter, source.csf)
    )
    counts = {len(paths) for paths in (cords, *others) if paths is not None}
    if len(counts) > 1:
        raise InputError(f"expected as many files for each label of {source}; found {sorted(counts)}")
    nothing: list[Path | None] = [None] * max(counts)
    grays, fluids = ([*paths] if paths else nothing for paths in others)
    return list(zip(cords or (), grays, fluids, strict=True))


def find_labeled_scans(
    sources: Sequence[LabeledScans], data: Path, leave_out: Iterable[str] = (), subjects: Iterable[str] | None = None
) -> list[tuple[LabeledScan, LabeledScans]]:
    """Return the labeled scans of the sources, each with its source.

    Raises InputError if files are missing, or a mask may belong to several scans.

    Globs are relative to `data`. With `subjects`, only the scans of these are returned, with these names as subjects;
    otherwise, the subject of a scan is the name of its file.
    """
    leave_out, scans = tuple(leave_out), []
    for source in sources:
        images = find_files(data, source.image, leave_out)
        masks: dict[str, list[list[Path]]] = {}
        for key, kind in label_kinds().items():
            if globs := source.globs_of(key):
                files = [path for glob in globs for path in find_files(data, glob, leave_out)]
                masks[key] = pair_masks(images, files, kind.adjective)
        spines = pair_masks(images, find_files(data, source.spine, leave_out), "spine") if source.spine else None
        for index, image in enumerate(images):
            named = [image.name] if subjects is None else [s for s in subjects if is_of_any(image.relative_to(data), [s])]
            if named:
                of_image = {key: tuple(paths[index]) for key, paths in masks.items()}
                spine = spines[index][0] if spines else None
                scans.append((LabeledScan(named[0], image, of_image, source.label_coverage, spine), source))
    return scans


def check_left_out(sources: Sequence[LabeledScans], data: Path, names: Iterable[str]) -> None:
    """Raise InputError if no scan is of a subject in `names`, which is then probably misspelled."""
    paths = [path.relative_to(data) for source in sources for path in find_files(data, source.image)]
    missing = [name for name in names if not any(is_of_any(path, [name]) for path in paths)]
    if paths and missing:
        raise InputError(
            f"nothing to leave out: no scan under {data} is of {' or '.join(missing)}; give whole names of subjects, such as "
            "sub-01, or a pattern, such as 'sub-01*'"
        )


def find_files(root: Path, pattern: str, leave_out: Iterable[str] = ()) -> list[Path]:
    """Return the files under `root` that match a glob, sorted, without those of the subjects that are left out.

    Raises InputError if no file matches the glob.
    """
    paths = sorted(root.glob(pattern))
    if not paths:
        raise InputError(
            f"expected training files matching {pattern} under {root}; found none: set SPINESEG_SHARED to the data's folder"
        )
    return [path for path in paths if not is_of_any(path.relative_to(root), leave_out)]


def is_of_any(path: Path, subjects: Iterable[str]) -> bool:
    """Return whether the name of a file, or of one of its folders, starts with one of `subjects`, with or without "sub-".

    Names are compared as a whole: "sub-1" and "1" match "sub-1Ses2", but not "sub-10". A `*` matches letters and digits.
    """
    return any(_pattern(subject).search(path.as_posix()) for subject in subjects)


def _pattern(subject: str) -> re.Pattern:
    name = "[A-Za-z0-9]*".join(re.escape(part) for part in subject.removeprefix("sub-").split("*"))
    return re.compile(rf"(?:^|/)(?:sub-)?{name}(?:Ses[0-9]+)?(?![A-Za-z0-9])")


def pair_masks(images: Sequence[Path], masks: Sequence[Path], what: str) -> list[list[Path]]:
    """Return what `match_masks` returns. Raises InputError also if an image has no mask."""
    matched = match_masks(images, masks, what)
    for image, of_image in zip(images, matched, strict=True):
        if not of_image:
            raise InputError(f"expected a {what} mask for {image}; no file that matches is named like it")
    return matched


def match_masks(images: Sequence[Path], masks: Sequence[Path], what: str) -> list[list[Path]]:
    """Return the masks of each image, in order. A mask belongs to the image with the most leading words in common.

    Words are separated by `_`, `-` and `.`, so that `sub-01_T2star_gmseg.nii.gz` belongs to `sub-01_T2star.nii.gz` and not to
    `sub-01_T2star_run-2.nii.gz`. An image may have several masks, of several raters.

    Raises InputError if a mask matches several images equally well, or none.

    `what` names the structure in the masks, for messages.
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
    """Return the number of common leading words, and the negative number of remaining words of the image."""
    common = 0
    for a, b in zip(image, mask, strict=False):
        if a != b:
            break
        common += 1
    return common, common - len(image)
