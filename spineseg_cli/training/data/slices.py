"""The sources that a recipe names: label maps and labeled scans, by globs, and label maps that come from no file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.generator import SPACING_MM, LabelSlice
from spineseg_cli.training.data.labeled_slices import SURROUNDINGS_MM, ScanSlice, label_slices, scan_slices
from spineseg_cli.training.data.pairing import pair_masks
from spineseg_cli.training.data.phantoms import (
    brainstem_slices,
    cauda_equina_slices,
    conus_slices,
    phantom_slices,
    phantom_stacks,
)
from spineseg_cli.training.data.spine_maps import spine_slices

# Label slices that come from no file, by the name that a recipe's `maps` know them by.
SLICE_MAKERS = {
    "phantom": phantom_slices,
    "cauda_equina": cauda_equina_slices,
    "conus": conus_slices,
    "brainstem": brainstem_slices,
}

# The same, of which each item is a source by itself.
STACK_MAKERS = {"phantom_stacks": phantom_stacks}


def load_maps(
    sources: Sequence[dict],
    data: Path,
    leave_out: Iterable[str] = (),
    spacing_mm: float = SPACING_MM,
    side_mm: float = SURROUNDINGS_MM,
) -> list[list[LabelSlice]]:
    """Return the label slices of each source in a recipe's `maps`, as often as its weight; globs start from the folder `data`.

    Their samples are `spacing_mm` apart; those of phantoms have `side_mm` a side.

    Raises InputError if a source's files are missing, unreadable or not in pairs; a source that is wholly left out is dropped.
    """
    found = []
    for source in sources:
        weight = source.get("weight", 1)
        for kind in STACK_MAKERS.keys() & source.keys():
            found += STACK_MAKERS[kind](source[kind], spacing_mm, side_mm) * weight
        parts = [
            label for kind, make in SLICE_MAKERS.items() if kind in source for label in make(source[kind], spacing_mm, side_mm)
        ]
        if "spine" in source:
            images = find_files(data, source["image"], leave_out)
            paired = (pair_masks(images, find_files(data, source[name], leave_out), name) for name in ("cord", "spine"))
            for image, (cord, *_), (spine, *_) in zip(images, *paired, strict=True):
                parts += spine_slices(image, cord, spine, source.get("step", 1), spacing_mm, side_mm)
        elif "cord" in source:
            files = [find_files(data, source[name], leave_out) if name in source else None for name in ("cord", "gray", "csf")]
            counts = {len(paths) for paths in files if paths is not None}
            if len(counts) > 1:
                raise InputError(f"expected as many files for each label of {source}; found {sorted(counts)}")
            files = [[None] * len(files[0]) if paths is None else paths for paths in files]
            step = source.get("step", 1)
            parts += [label for paths in zip(*files, strict=True) for label in label_slices(*paths, step, spacing_mm)]
        found += [parts] * weight
    return [source for source in found if source]


def load_scans(
    sources: Sequence[dict],
    data: Path,
    leave_out: Iterable[str] = (),
    only: Iterable[str] | None = None,
    raters: str = "each",
    per_slice: bool = True,
    spacing_mm: float = SPACING_MM,
    side_mm: float = SURROUNDINGS_MM,
    finder: Predictor | None = None,
) -> list[list[ScanSlice]]:
    """Return the labeled slices of each scan in a recipe's `scans`; globs start from the folder `data`.

    `only` keeps the scans whose path holds one of these names; for the other options see `scan_slices`. Raises as it does,
    and InputError if files are missing or a mask cannot be told to belong to one scan.
    """
    found = []
    for source in sources:
        images = find_files(data, source["image"], leave_out)
        patterns = source.get("gray", [])
        patterns = [patterns] if isinstance(patterns, str) else patterns
        grays = [path for pattern in patterns for path in find_files(data, pattern, leave_out)]
        own_grays = pair_masks(images, grays, "gray-matter") if patterns else [[] for _ in images]
        cords, spines = (
            pair_masks(images, find_files(data, source[name], leave_out), name) if name in source else None
            for name in ("cord", "spine")
        )
        for place, image in enumerate(images):
            if only is None or _holds_any(image.relative_to(data), only):
                cord = cords[place][0] if cords else None
                options = (source.get("slices"), source.get("complete"), spacing_mm, side_mm, finder)
                more = {"spine": spines[place][0] if spines else None, "trim": source.get("trim", 0)}
                found.append(scan_slices(image, cord, own_grays[place], raters, per_slice, *options, **more))
    return [scan for scan in found if scan]


def check_left_out(sources: Sequence[dict], data: Path, names: Iterable[str]) -> None:
    """Raise InputError if one of `names` is in no path of a recipe's `scans`: it would not be left out, but misspelt."""
    paths = [path.relative_to(data) for source in sources for path in find_files(data, source["image"])]
    missing = [name for name in names if not any(_holds_any(path, [name]) for path in paths)]
    if paths and missing:
        raise InputError(f"nothing to leave out: no scan under {data} holds {' or '.join(missing)} in its path")


def find_files(root: Path, pattern: str, leave_out: Iterable[str] = ()) -> list[Path]:
    """Return the files under `root` that match the glob `pattern`, in order, but for those whose path holds a left-out name.

    Raises InputError if nothing matches `pattern`.
    """
    found = sorted(root.glob(pattern))
    if not found:
        raise InputError(
            f"expected training files matching {pattern} under {root}; found none: set SPINESEG_SHARED to the data's folder"
        )
    return [path for path in found if not _holds_any(path.relative_to(root), leave_out)]


def _holds_any(path: Path, names: Iterable[str]) -> bool:
    return any(name in str(path) for name in names)
