"""The steps on one scan: what each reads, what it writes, and how. The only module of a cohort that calls the tasks.

A step is a function of a `Work`. It writes files, and returns an `Outcome`; what it raises is the scan's failure. Raise a step's
revision where equal inputs give another result than before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import output_path, write_derivative_sidecar
from spineseg_cli.cohort.labels import find_label
from spineseg_cli.cohort.ledger import CORRECTED, DONE, EMPTY, SKIPPED
from spineseg_cli.cohort.networks import Networks
from spineseg_cli.cohort.settings import Settings, as_dict
from spineseg_cli.core.image.nifti import check_same_grid, read_volume, read_volumes, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.segmentation import Segmentation
from spineseg_cli.core.localization.localizer import Localizer, MaskLocalizer
from spineseg_cli.tasks.task import TASKS


@dataclass(frozen=True)
class Outcome:
    """What came of a step: its state (see `ledger.Entry`), the files that it wrote, a message, and numbers for the table."""

    state: str
    files: tuple[Path, ...] = ()
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """A scan at work.

    Parameters
    ----------
    scan : Scan
    out : Path
        The folder of the derivatives.
    settings : Settings
    networks : Networks
        Of the process; they stay loaded from scan to scan.
    """

    scan: Scan
    out: Path
    settings: Settings
    networks: Networks

    @cached_property
    def image(self) -> Volume:
        """The scan's voxels: one volume of a 4-D image, or their mean."""
        if self.scan.volume is not None:
            return read_volumes(self.scan.path)[self.scan.volume]
        return read_volume(self.scan.path, volumes="mean")

    def label(self, kind: str) -> Path | None:
        """Return the label made by hand that takes the place of a result, if there is one and the settings say so."""
        return find_label(self.scan, kind) if self.settings.labels == "use" else None

    def output(self, kind: str) -> Path:
        """Return where a derivative goes."""
        return output_path(self.out, self.scan, kind)

    def existing(self, *kinds: str) -> dict[str, Path]:
        """Return those derivatives of the run's own steps that are there, by kind."""
        made = [kind for kind in kinds if MADE_BY[kind] in self.settings.steps]
        return {kind: self.output(kind) for kind in made if self.output(kind).is_file()}

    def mask(self, path: Path) -> Volume:
        """Return a mask that lies on the scan's grid; raises GridMismatchError if it does not."""
        mask = read_volume(path, kind="mask")
        check_same_grid(self.image, mask, str(self.scan.relative), str(path.name))
        return mask

    def write(self, kind: str, volume: Volume, sources: list[Path], details: dict) -> Path:
        """Write an image with its sidecar, and return its path."""
        path = self.output(kind)
        write_volume(path, volume, volume.data.dtype)
        write_derivative_sidecar(path, self.scan, sources, self.out, details)
        return path


@dataclass(frozen=True)
class Step:
    """A step of the work on a scan.

    Parameters
    ----------
    revision : int
    run : callable
        Takes a `Work`, and returns an `Outcome`.
    options : callable
        Returns what of the settings the result depends on, JSON values.
    weights : callable
        Returns the checksums of the networks that the result depends on.
    reads : callable
        Returns the files that are read, by what they are.
    """

    revision: int
    run: Callable[[Work], Outcome]
    options: Callable[[Settings], dict]
    weights: Callable[[Work], list[str]]
    reads: Callable[[Work], dict[str, Path]]


def _line_predictor(work: Work) -> Predictor:
    return work.networks.predictor("centerline", "centerline")


def _cord_predictor(work: Work) -> Predictor:
    return work.networks.predictor("cord", work.settings.cord.model)


def _gray_predictor(work: Work) -> Predictor:
    return work.networks.predictor("gm", work.settings.gm.model)


def _localizer(work: Work, task: str, predictor: Predictor) -> Localizer:
    return work.networks.localizer(task, predictor, work.settings.centerline.method if task == "centerline" else "optic")


def _weights(work: Work, task: str, predictor: Predictor) -> list[str]:
    """Return the checksums of a task's network, and of those that find the cord for it."""
    localizer = _localizer(work, task, predictor)
    parts = (getattr(localizer, part, None) for part in ("search", "cord"))
    return [predictor.sha256, *(part.sha256 for part in parts if part is not None)]


def _with_label(work: Work, *kinds: str) -> dict[str, Path]:
    """Return the scan, and the labels of these kinds that take the place of results."""
    labels = {f"{kind} label": work.label(kind) for kind in kinds}
    return {"scan": work.scan.path} | {name: path for name, path in labels.items() if path}


def _image_details(predictor: Predictor, segmentation: Segmentation) -> dict:
    """Return what a sidecar says of a segmentation."""
    runtime = {} if segmentation.runtime == "none" else {"Runtime": type(predictor.runtime.runtime).__name__}
    notes = {"Notes": list(segmentation.notes)} if segmentation.notes else {}
    return {
        "Model": {"Name": predictor.name, "SHA256": predictor.sha256},
        **runtime,
        "Threshold": segmentation.threshold,
        **notes,
    }


# The centerline


def make_centerline(work: Work) -> Outcome:
    """Find the centerline: of the mask or centerline made by hand if there is one, else in the scan."""
    from spineseg_cli.core.files import atomic_path
    from spineseg_cli.tasks.centerline import centerline_of_mask

    settings = work.settings
    fit = {"algorithm": settings.centerline.algorithm, "smooth_mm": settings.centerline.smooth_mm}
    label = work.label("centerline") or work.label("cord")
    if label:
        centerline, details, sources = centerline_of_mask(work.mask(label), **fit), {"Method": "fitseg"}, [label]
    else:
        predictor = _line_predictor(work)
        centerline = TASKS["centerline"].predict(work.image, predictor, _localizer(work, "centerline", predictor), **fit)
        details = {"Method": settings.centerline.method, "Model": {"Name": predictor.name, "SHA256": predictor.sha256}}
        sources = [work.scan.path]
    image = work.write("centerline", centerline.mask, sources, details | {"Curve": fit})
    table = work.output("centerline_table")
    header, rows = centerline.table()
    with atomic_path(table) as temporary:
        lines = [",".join(map(str, row)) for row in (header, *rows)]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = (image, _sidecar(image), table)
    if not len(centerline.slices):
        return Outcome(EMPTY, files, "no cord found")
    return Outcome(CORRECTED if label else DONE, files, facts={"confidence": round(float(np.median(centerline.confidence)), 3)})


# The cord


def make_cord(work: Work) -> Outcome:
    """Segment the cord, or take the mask that was made by hand."""
    label = work.label("cord")
    if label:
        mask = _as_mask(work.mask(label))
        image = work.write("cord", mask, [label], {"Description": "Cord mask made or corrected by hand"})
        return _mask_outcome(mask, (image, _sidecar(image)), CORRECTED, "")
    predictor = _cord_predictor(work)
    threshold = work.settings.cord.threshold
    segmentation = TASKS["cord"].predict(work.image, predictor, _localizer(work, "cord", predictor), threshold=threshold)
    image = work.write("cord", segmentation.mask, [work.scan.path], _image_details(predictor, segmentation))
    return _mask_outcome(segmentation.mask, (image, _sidecar(image)), DONE, " ".join(segmentation.notes))


# Gray and white matter


def make_gray_matter(work: Work) -> Outcome:
    """Segment gray and white matter within the cord's mask, where the scan is axial and fine enough."""
    options = work.settings.gm
    cord_path, label = work.output("cord"), work.label("gray")
    if not label and (reason := _unfit_for_gray_matter(work.image, options.max_in_plane_mm)):
        return Outcome(SKIPPED, message=reason)
    cord = work.mask(cord_path)
    if not cord.data.any():
        return Outcome(SKIPPED, message="no cord was found")
    sources = [work.scan.path, cord_path]
    if label:
        gray, details = _as_mask(work.mask(label)), {"Description": "Gray-matter mask made or corrected by hand"}
        sources = [label, cord_path]
    else:
        predictor = _gray_predictor(work)
        # A cord mask made by hand is followed, and published networks follow any; else the cord is searched for as `seg_gm` does,
        # which tells where gray matter ends.
        follow = work.label("cord") is not None or predictor.published
        localizer = MaskLocalizer(mask=cord, name="the cord mask") if follow else _localizer(work, "gm", predictor)
        segmentation = TASKS["gm"].predict(
            work.image, predictor, localizer, cord=cord if follow else None, threshold=options.threshold, tta=options.tta
        )
        # The cord's own mask counts: gray and white matter add up to it.
        gray = segmentation.mask.with_data(segmentation.mask.data & (cord.data > 0.5).astype(np.uint8))
        details = _image_details(predictor, segmentation) | {"TTA": options.tta}
    white = gray.with_data((cord.data > 0.5).astype(np.uint8) & (1 - (gray.data > 0.5).astype(np.uint8)))
    paths = [work.write("gray", gray, sources, details), work.write("white", white, sources, details)]
    state = EMPTY if not gray.data.any() else CORRECTED if label else DONE
    message = "no gray matter found" if state == EMPTY else ""
    files = tuple(file for path in paths for file in (path, _sidecar(path)))
    return Outcome(state, files, message, {"gray_mm3": round(gray.volume_mm3, 1)})


def _unfit_for_gray_matter(image: Volume, max_in_plane_mm: float) -> str:
    """Return why gray matter cannot be seen in a scan; "" if it may be."""
    right_left, front_back, along = to_rpi(image, copy=False).spacing_mm
    in_plane = max(right_left, front_back)
    if in_plane > max_in_plane_mm + 1e-3:
        return f"axial voxels of {right_left:.2g} x {front_back:.2g} mm are too large for gray matter"
    return "the scan is not axial" if along < in_plane - 1e-3 else ""


# Measures


def make_measures(work: Work) -> Outcome:
    """Measure the cord: a row a slice, a row a level where levels are known, and one of the whole."""
    from spineseg_cli.morphometry.measure import measure_cord
    from spineseg_cli.morphometry.rows import empty_row, make_rows, name_parts
    from spineseg_cli.morphometry.table import write_dictionary, write_rows

    settings = work.settings.measures
    masks = {kind: work.mask(path) for kind, path in work.existing("cord", "gray", "white").items()}
    levels = {kind: work.mask(path) for kind, path in _levels(work).items()}
    image = {"image": work.image} if settings.edge else {}
    estimate = settings.levels == "estimate" and not levels
    measures = measure_cord(**masks, **image, **levels, estimate_levels=estimate)
    given = {name: name in masks or name in image for name in ("gray", "white", "image")}
    rows = make_rows(measures) if measures else [empty_row(**given, segments=estimate)]
    head = {"file": work.scan.title, **name_parts(work.scan.relative)}
    table = work.output("measures")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_rows(table, [head | row for row in rows])
    write_dictionary(table, list(head | rows[0]))
    whole = rows[-1]
    facts = {name: _rounded(whole.get(name)) for name in ("area_mm2", "length_mm", "area_edge_mm2", "area_gray_mm2")}
    facts = {name: value for name, value in facts.items() if value is not None} | {"flags": whole["flags"]}
    return Outcome(DONE if measures else EMPTY, (table, work.output("measures_dictionary")), facts=facts)


def _levels(work: Work) -> dict[str, Path]:
    """Return the labels of levels: of discs, or else of vertebrae."""
    if work.settings.measures.levels == "none" or work.settings.labels == "ignore":
        return {}
    labels = {kind: find_label(work.scan, kind) for kind in ("discs", "levels")}
    return dict([(kind, path) for kind, path in labels.items() if path][:1])


# Pictures


def make_pictures(work: Work) -> Outcome:
    """Add the results to the page, and write their surfaces if these are asked for."""
    from spineseg_cli.cohort.pictures import add_to_page, write_surfaces

    masks = {kind: work.mask(path) for kind, path in work.existing("centerline", "cord", "gray").items()}
    facts, entry_files = add_to_page(work, masks)
    return Outcome(DONE, (*entry_files, *write_surfaces(work, masks)), facts=facts)


# What the modules of a cohort see of the steps


STEPS: dict[str, Step] = {
    "centerline": Step(
        1, make_centerline, lambda s: as_dict(s.centerline) | {"labels": s.labels, "volumes": s.volumes},
        lambda work: _weights(work, "centerline", _line_predictor(work)),
        lambda work: _with_label(work, "centerline", "cord"),
    ),
    "cord": Step(
        1, make_cord, lambda s: as_dict(s.cord) | {"labels": s.labels, "volumes": s.volumes},
        lambda work: _weights(work, "cord", _cord_predictor(work)), lambda work: _with_label(work, "cord"),
    ),
    "gm": Step(
        1, make_gray_matter, lambda s: as_dict(s.gm) | {"labels": s.labels, "volumes": s.volumes},
        lambda work: _weights(work, "gm", _gray_predictor(work)),
        lambda work: _with_label(work, "gray") | work.existing("cord"),
    ),
    "measures": Step(
        1, make_measures, lambda s: as_dict(s.measures) | {"labels": s.labels, "volumes": s.volumes}, lambda work: [],
        lambda work: {"scan": work.scan.path} | work.existing("cord", "gray", "white") | _levels(work),
    ),
    "pictures": Step(
        1, make_pictures, lambda s: as_dict(s.pictures) | {"volumes": s.volumes}, lambda work: [],
        lambda work: {"scan": work.scan.path} | work.existing("centerline", "cord", "gray", "white", "measures"),
    ),
}  # fmt: skip

# Which step makes what others read.
MADE_BY = {"centerline": "centerline", "cord": "cord", "gray": "gm", "white": "gm", "measures": "measures"}

# What a step cannot do without.
NEEDS = {"gm": "cord", "measures": "cord", "pictures": "cord"}


def _as_mask(volume: Volume) -> Volume:
    """Return 1 in the voxels that are at least half filled, uint8."""
    return volume.with_data((volume.data >= 0.5).astype(np.uint8))


def _mask_outcome(mask: Volume, files: tuple[Path, ...], state: str, message: str) -> Outcome:
    facts = {"cord_mm3": round(mask.volume_mm3, 1)}
    return Outcome(state if mask.data.any() else EMPTY, files, message or ("" if mask.data.any() else "no cord found"), facts)


def _sidecar(image: Path) -> Path:
    return image.with_name(image.name.removesuffix(".nii.gz") + ".json")


def _rounded(value) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 2)
