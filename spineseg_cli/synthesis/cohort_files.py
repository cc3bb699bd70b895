"""Cohorts of phantoms written as a BIDS folder: images, masks, and the table of participants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.core.files import write_json, write_text
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.cohort import KINDS, Cohort, ExVivoCohort, PhantomCohort
from spineseg_cli.synthesis.exvivo import make_exvivo_cord
from spineseg_cli.synthesis.morphometry import level_mm
from spineseg_cli.synthesis.phantom import make_phantom

SUFFIXES = {"t1": "T1w", "t2": "T2w", "t2s": "T2star"}
SETTINGS = "cohort.json"
LABELS = Path("derivatives") / "labels"


def write_cohort(cohort: Cohort, folder: Path) -> Path:
    """Write the scans and their truth, a BIDS folder, and return it; what is there already is not made again.

    `participants.tsv` has the columns participant_id, region, contrast and size_scale, or for `exvivo` participant_id and the
    slices; and `split.tsv` the part of each scan, where the cohort decides it.

    Raises InputError if the folder holds another cohort, or cannot be written to.
    """
    settings = {"cohort": _as_json(cohort)}
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


def _as_json(cohort: Cohort) -> dict[str, Any]:
    return json.loads(json.dumps({"kind": next(k for k, c in KINDS.items() if isinstance(cohort, c)), **asdict(cohort)}))


def _write_phantoms(cohort: PhantomCohort, folder: Path) -> None:
    regions, rows = list(cohort.regions.items()), []
    for index in range(cohort.subjects):
        rng = np.random.default_rng([cohort.seed, index])
        draws = {name: float(rng.uniform(*getattr(cohort, name))) for name in ("size_scale", "noise", "bias", "gamma")}
        region, (first, last) = regions[index % len(regions)]
        contrast = cohort.contrasts[(index // len(regions)) % len(cohort.contrasts)]
        scale = draws["size_scale"]
        top, bottom = (level * scale for level in (level_mm(first, 0.0), level_mm(last, 1.0)))
        if cohort.slab_mm is not None and cohort.slab_mm * scale < bottom - top:
            top += float(rng.uniform(0, bottom - top - cohort.slab_mm * scale))
            bottom = top + cohort.slab_mm * scale
        offset_mm = tuple(rng.uniform(-3, 3, 2).tolist())
        subject = f"sub-{index + 1:02d}"
        rows.append((subject, region, contrast, f"{scale:.3f}"))
        if _paths(folder, subject, SUFFIXES[contrast])["gray"].is_file():  # the last that is written
            continue
        phantom = make_phantom(
            contrast=contrast,
            region=(top, bottom),
            spacing_mm=_spacing(cohort),
            fov_mm=(float(cohort.fov_mm[0]) * scale, float(cohort.fov_mm[1]) * scale),
            size_scale=scale,
            noise=draws["noise"],
            bias=draws["bias"],
            offset_mm=offset_mm,
            seed=1000 * cohort.seed + index,
        )
        image = phantom.image.with_data(_with_gamma(phantom.image.data, draws["gamma"]))
        _write_scan(folder, subject, SUFFIXES[contrast], image, phantom.cord, phantom.gray_matter)
    _write_table(folder / "participants.tsv", ("participant_id", "region", "contrast", "size_scale"), rows)


def _spacing(cohort: Cohort) -> tuple[float, float, float]:
    x, y, z = (float(step) for step in cohort.spacing_mm)
    return x, y, z


def _with_gamma(data: np.ndarray, gamma: float) -> np.ndarray:
    high = float(np.percentile(data, 99))
    return (high * (data / high) ** gamma).astype(np.float32)


def _write_exvivo(cohort: ExVivoCohort, folder: Path) -> None:
    step = cohort.slices // cohort.train
    train = [step // 2 + step * index for index in range(cohort.train)]
    halfway = np.linspace(0, cohort.train - 2, cohort.validation).round().astype(int)
    validation = [train[index] + step // 2 for index in halfway]
    known = sorted(train + validation)
    between = zip([-1, *known], [*known, cohort.slices], strict=True)
    unseen = [range(start + 1, stop) for start, stop in between if stop - start > 1]
    parts = {"sub-train": (train, "train"), "sub-validation": (validation, "validation")}
    parts |= {f"sub-slab{index:02d}": (list(run), "test") for index, run in enumerate(unseen, start=1)}
    if not all(_paths(folder, subject, "T2star")["gray"].is_file() for subject in parts):
        scan = make_exvivo_cord(
            slices=cohort.slices,
            spacing_mm=_spacing(cohort),
            side_mm=cohort.side_mm,
            start_mm=cohort.start_mm,
            noise=cohort.noise,
            bias=cohort.bias,
            seed=cohort.seed,
        )
        for subject, (slices, _) in parts.items():
            _write_scan(folder, subject, "T2star", *(_slices_of(v, slices) for v in (scan.image, scan.cord, scan.gray_matter)))
    rows = [(subject, f"{slices[0]}-{slices[-1]}", str(len(slices))) for subject, (slices, _) in parts.items()]
    _write_table(folder / "participants.tsv", ("participant_id", "slices", "count"), rows)
    _write_table(folder / "split.tsv", ("participant_id", "part"), [(subject, part) for subject, (_, part) in parts.items()])


def _slices_of(volume: Volume, slices: list[int]) -> Volume:
    """Return some slices as a volume; those that are far apart are as thick as they are far apart, on average."""
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * slices[0]
    affine[:3, 2] *= (slices[-1] - slices[0]) / max(len(slices) - 1, 1) or 1.0
    return Volume(volume.data[:, :, slices], affine)


def _paths(folder: Path, subject: str, suffix: str) -> dict[str, Path]:
    stem, truth = f"{subject}_{suffix}", folder / LABELS / subject / "anat"
    return {
        "image": folder / subject / "anat" / f"{stem}.nii.gz",
        "cord": truth / f"{stem}_label-SC_seg.nii.gz",
        "gray": truth / f"{stem}_label-GM_seg.nii.gz",
    }


def _write_scan(folder: Path, subject: str, suffix: str, image: Volume, cord: Volume, gray: Volume) -> None:
    paths = _paths(folder, subject, suffix)
    write_volume(paths["image"], image, np.float32)
    write_volume(paths["cord"], cord, np.uint8)
    write_volume(paths["gray"], gray, np.uint8)


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_text(path, "\n".join("\t".join(row) for row in (header, *rows)) + "\n")
