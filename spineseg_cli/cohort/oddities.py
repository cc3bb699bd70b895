"""What in a data set is probably not what its owner means: subjects without a scan, contradictory names, labels of no scan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from spineseg_cli.cohort.bids import DATATYPES, Scan, find_scans
from spineseg_cli.cohort.labels import ENDINGS, LABELS_FOLDER, is_label_of
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.core.image.file_names import is_nifti_name, stem_of
from spineseg_cli.core.ranges import listed_names


def oddities(bids: Path, chosen: Sequence[Scan], selection: Selection) -> list[str]:
    """Return sentences on what is odd in a data set, of which `chosen` scans are processed; none if nothing is odd.

    Subjects without a scan are named only if the selection leaves no subject out on purpose.
    """
    scans = find_scans(bids)
    sentences = [_contradictions(chosen), _labels_of_no_scan(bids, scans)]
    if selection.is_of_all_subjects:
        sentences.insert(0, _subjects_left_out(bids, scans, chosen))
    return [sentence for sentence in sentences if sentence]


def _subjects_left_out(bids: Path, scans: Sequence[Scan], chosen: Sequence[Scan]) -> str:
    folders = [path.name for path in sorted(bids.iterdir()) if path.name.startswith("sub-") and path.is_dir()]
    taken = {scan.relative.parts[0] for scan in chosen}
    images: dict[str, str] = {}
    for scan in scans:
        images.setdefault(scan.relative.parts[0], scan.relative.name)
    left_out = [name for name in folders if name not in taken]
    if not left_out:
        return ""
    folders_of_scans = f"{', '.join(DATATYPES[:-1])} or {DATATYPES[-1]}"
    reasons = [
        f"{name} ({f'there is {images[name]}' if name in images else f'no image in {folders_of_scans}'})" for name in left_out
    ]
    return (
        f"{len(left_out)} of {len(folders)} subjects have no scan that is worked on: {listed_names(reasons)}; rename what has "
        "another name than sub-01_T2w.nii.gz, or name its contrast with --suffix"
    )


def _contradictions(scans: Sequence[Scan]) -> str:
    odd = []
    for scan in scans:
        folders, named = scan.session.split("/"), {f"{key}-{value}" for key, value in scan.entities.items()}
        if any(folder.startswith(("sub-", "ses-")) and folder not in named for folder in folders):
            odd.append(scan.relative.as_posix())
    if not odd:
        return ""
    names = listed_names(odd)
    return f"another subject or session in the name of a scan than in that of its folder: {names}; tables have the scan's"


def _labels_of_no_scan(bids: Path, scans: Sequence[Scan]) -> str:
    in_folder: dict[Path, list[Scan]] = {}
    for scan in scans:
        in_folder.setdefault(scan.folder, []).append(scan)
    odd = [
        path.as_posix() for path in _labels(bids / LABELS_FOLDER)
        if not any(is_label_of(path.name, scan, kind) for scan in in_folder.get(path.parent, ()) for kind in ENDINGS)
    ]  # fmt: skip
    if not odd:
        return ""
    return (
        f"labels in {bids / LABELS_FOLDER} that belong to no scan, and are not used: {listed_names(odd)}; that of "
        f"sub-01/anat/sub-01_T2w.nii.gz is sub-01/anat/sub-01_T2w{ENDINGS['cord'][0]}.nii.gz"
    )


def _labels(root: Path) -> Iterator[Path]:
    """Yield the paths, relative to `root`, of images that are named as the labels that are used; others may lie there, too."""
    for folder, names, files in os.walk(root, followlinks=True):
        names.sort()
        for name in sorted(files):
            stem = stem_of(name)
            if is_nifti_name(name) and not name.startswith(".") and any(
                stem.endswith((ending, f"{ending}-manual")) and "_label-" not in stem.removesuffix("-manual").removesuffix(ending)
                for endings in ENDINGS.values() for ending in endings
            ):  # fmt: skip
                yield (Path(folder) / name).relative_to(root)
