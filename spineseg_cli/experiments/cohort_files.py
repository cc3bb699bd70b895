"""Cohorts of phantoms written as a BIDS folder: images, masks, and the table of participants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import write_json
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.tables import write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.cohorts import ExVivoCohort, PhantomCohort
from spineseg_cli.synthesis.anatomy import level_mm
from spineseg_cli.synthesis.exvivo import make_exvivo_cord
from spineseg_cli.synthesis.phantom import make_phantom

SUFFIXES = {"t1": "T1w", "t2": "T2w", "t2s": "T2star"}
SETTINGS = "cohort.json"
LABELS = Path("derivatives") / "labels"


def write_cohort(cohort: PhantomCohort | ExVivoCohort, folder: Path) -> Path:
    """Write the scans of a cohort and their masks as a BIDS folder, and return the folder. Existing scans are not made again.

    `participants.tsv` has the columns participant_id, region, contrast and size_scale, or, for `exvivo`, participant_id, slices
    and count. For `exvivo`, `split.tsv` lists whether a scan is for training, validation or test.

    Raises InputError if the folder holds another cohort, or cannot be written to.
    """
    settings = {"cohort": cohort.model_dump(mode="json")}
    path = folder / SETTINGS
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise InputError(f"{folder} holds another cohort: choose another output folder, or remove this one")
    write_json(path, settings)
    description = {"Name": "spineseg phantoms", "BIDSVersion": "1.8.0", "License": "CC0", "GeneratedBy": [{"Name": "spineseg"}]}
    write_json(folder / "dataset_description.json", description | {"DatasetType": "raw"})
    write_json(folder / LABELS / "dataset_description.json", description | {"DatasetType": "derivative"})
    if isinstance(cohort, PhantomCohort):
        _write_phantoms(cohort, folder)
    else:
        _write_exvivo(cohort, folder)
    return folder


def _write_phantoms(cohort: PhantomCohort, folder: Path) -> None:
    """Write the scans and masks of all subjects that are not there yet, and the table of participants."""
    regions, rows = list(cohort.regions.items()), []
    for index in range(cohort.subjects):
        rng = np.random.default_rng([cohort.seed, index])
        draws = {name: float(rng.uniform(*getattr(cohort, name))) for name in ("size_scale", "noise", "bias", "gamma")}
        region, vertebrae = regions[index % len(regions)]
        contrast = cohort.contrasts[(index // len(regions)) % len(cohort.contrasts)]
        scale = draws["size_scale"]
        range_mm = _scanned_range_mm(cohort, vertebrae, scale, rng)
        offset_mm = tuple(rng.uniform(-3, 3, 2).tolist())
        subject = f"sub-{index + 1:02d}"
        rows.append((subject, region, contrast, f"{scale:.3f}"))
        if _paths(folder, subject, SUFFIXES[contrast])["gray"].is_file():  # the last file of a scan that is written
            continue
        phantom = make_phantom(
            contrast=contrast,
            region=range_mm,
            spacing_mm=cohort.spacing_mm,
            fov_mm=(cohort.fov_mm[0] * scale, cohort.fov_mm[1] * scale),
            size_scale=scale,
            noise=draws["noise"],
            bias=draws["bias"],
            offset_mm=offset_mm,
            seed=1000 * cohort.seed + index,
        )
        image = phantom.image.with_data(_with_gamma(phantom.image.data, draws["gamma"]))
        _write_scan(folder, subject, SUFFIXES[contrast], image, phantom.cord, phantom.gray_matter)
    write_rows(folder / "participants.tsv", ("participant_id", "region", "contrast", "size_scale"), rows, delimiter="\t")


def _scanned_range_mm(
    cohort: PhantomCohort, vertebrae: Sequence[str], size_scale: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the range below the top of C1 that is scanned: a whole region, or a slab at a random position in it."""
    first, last = vertebrae
    top, bottom = (level * size_scale for level in (level_mm(first, 0.0), level_mm(last, 1.0)))
    if cohort.slab_mm is not None and cohort.slab_mm * size_scale < bottom - top:
        top += float(rng.uniform(0, bottom - top - cohort.slab_mm * size_scale))
        bottom = top + cohort.slab_mm * size_scale
    return top, bottom


def _with_gamma(data: np.ndarray, gamma: float) -> np.ndarray:
    """Return intensities raised to the power `gamma` relative to their 99th percentile."""
    high = float(np.percentile(data, 99))
    return (high * (data / high) ** gamma).astype(np.float32)


def _exvivo_subsets(cohort: ExVivoCohort) -> dict[str, tuple[list[int], str]]:
    """Return the slices of each subject of the cohort, and the subset that it belongs to."""
    step = cohort.slices // cohort.train
    train = [step // 2 + step * index for index in range(cohort.train)]
    halfway = np.linspace(0, cohort.train - 2, cohort.validation).round().astype(int)
    validation = [train[index] + step // 2 for index in halfway]
    labeled = sorted(train + validation)
    gaps = zip([-1, *labeled], [*labeled, cohort.slices], strict=True)
    slabs = [range(start + 1, stop) for start, stop in gaps if stop - start > 1]
    subsets = {"sub-train": (train, "train"), "sub-validation": (validation, "validation")}
    return subsets | {f"sub-slab{index:02d}": (list(slab), "test") for index, slab in enumerate(slabs, start=1)}


def _write_exvivo(cohort: ExVivoCohort, folder: Path) -> None:
    """Write the slices of each subject, unless all are there, and the tables of participants and of the split."""
    subsets = _exvivo_subsets(cohort)
    if not all(_paths(folder, subject, "T2star")["gray"].is_file() for subject in subsets):
        scan = make_exvivo_cord(**cohort.model_dump(exclude={"kind", "train", "validation"}))
        for subject, (slices, _) in subsets.items():
            _write_scan(folder, subject, "T2star", *(_slices_of(v, slices) for v in (scan.image, scan.cord, scan.gray_matter)))
    rows = [(subject, f"{slices[0]}-{slices[-1]}", str(len(slices))) for subject, (slices, _) in subsets.items()]
    write_rows(folder / "participants.tsv", ("participant_id", "slices", "count"), rows, delimiter="\t")
    listed = [(subject, subset) for subject, (_, subset) in subsets.items()]
    write_rows(folder / "split.tsv", ("participant_id", "subset"), listed, delimiter="\t")


def _slices_of(volume: Volume, slices: list[int]) -> Volume:
    """Return some slices of a volume as a volume, whose slice thickness is the mean distance of these slices."""
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * slices[0]
    affine[:3, 2] *= (slices[-1] - slices[0]) / max(len(slices) - 1, 1) or 1.0
    return Volume(volume.data[:, :, slices], affine)


def _paths(folder: Path, subject: str, suffix: str) -> dict[str, Path]:
    """Return the paths of a subject's image and masks."""
    stem, truth = f"{subject}_{suffix}", folder / LABELS / subject / "anat"
    return {
        "image": folder / subject / "anat" / f"{stem}.nii.gz",
        "cord": truth / f"{stem}_label-SC_seg.nii.gz",
        "gray": truth / f"{stem}_label-GM_seg.nii.gz",
    }


def _write_scan(folder: Path, subject: str, suffix: str, image: Volume, cord: Volume, gray: Volume) -> None:
    """Write a subject's image and masks."""
    paths = _paths(folder, subject, suffix)
    write_volume(paths["image"], image, np.float32)
    write_volume(paths["cord"], cord, np.uint8)
    write_volume(paths["gray"], gray, np.uint8)
