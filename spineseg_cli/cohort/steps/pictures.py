"""The step `pictures`: the entry of a scan on the page, and, if the settings ask for them, surfaces as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spineseg_cli.cohort.derivatives import PAGE_FOLDER
from spineseg_cli.cohort.ledger import DONE
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult
from spineseg_cli.core.files import read_json
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.provenance import sidecar_path

NAMES = {"centerline": "centerline", "cord": "cord", "gray": "gray matter"}


def make_pictures(context: StepContext) -> StepResult:
    """Add the results to the page, and write surfaces if the settings ask for them."""
    masks = {kind: context.mask(path) for kind, path in context.existing("centerline", "cord", "gray").items()}
    facts, entry_files = _add_to_page(context, masks)
    return StepResult(DONE, (*entry_files, *_write_surfaces(context, masks)), facts=facts)


def _add_to_page(context: StepContext, masks: Mapping[str, Volume]) -> tuple[dict, tuple[Path, ...]]:
    """Write the entry of a scan on the page; return numbers for the table, and the files that were written."""
    from spineseg_cli.reports.qc.entry import Result, acquisition_date, write_entry
    from spineseg_cli.reports.qc.page import ScanInfo

    scan, entities = context.scan, context.scan.entities
    date = acquisition_date(sidecar_path(scan.path))[:10]  # without the time of day, which may identify the subject
    result = Result(
        context.image,
        {NAMES[kind]: mask for kind, mask in masks.items()},
        _details(context),
        views=("axial", "sagittal"),
        confidences=_confidences(context),
        table=context.output("measures") if "measures" in context.settings.steps else None,
    )
    files, doubt = write_entry(
        context.out / PAGE_FOLDER,
        (scan.folder / scan.result_stem).as_posix(),
        ScanInfo(scan.title, entities["sub"], entities.get("ses", ""), scan.suffix, date),
        "spineseg",
        result,
        with_3d=context.settings.pictures.volume_3d,
    )
    return {"doubt": doubt.value, "reasons": list(doubt.reasons)}, files


def _sidecars(context: StepContext) -> dict[str, Path]:
    """Return the sidecars of the masks, by kind."""
    paths = {kind: sidecar_path(path) for kind, path in context.existing("cord", "gray").items()}
    return {kind: path for kind, path in paths.items() if path.is_file()}


def _details(context: StepContext) -> dict:
    """Return the details that the page shows beside the pictures: the steps, and their notes."""
    notes = [str(note) for path in _sidecars(context).values() for note in read_json(path).get("Notes", ())]
    return {"Steps": list(context.settings.steps), **({"Notes": notes} if notes else {})}


def _confidences(context: StepContext) -> dict[str, dict]:
    """Return the confidence of the masks, by their names on the page. Masks that were made by hand have none."""
    contents = {NAMES[kind]: read_json(path).get("Confidence") for kind, path in _sidecars(context).items()}
    return {name: content for name, content in contents.items() if content}


def _write_surfaces(context: StepContext, masks: Mapping[str, Volume]) -> tuple[Path, ...]:
    """Write the surfaces of cord and gray matter as GIfTI or STL, if the settings ask for them."""
    kind = context.settings.pictures.surfaces
    if kind == "none":
        return ()
    from spineseg_cli.reports.pictures.surfaces import surface_of, write_gifti, write_stl

    write = {"gifti": write_gifti, "stl": write_stl}[kind]
    paths = []
    for name in ("cord", "gray"):
        surface = surface_of(masks[name]) if name in masks else None
        if surface is not None:
            paths.append(context.output(f"{name}_surface_{kind}"))
            write(paths[-1], surface)
    return tuple(paths)


def _inputs(context: StepContext) -> dict[str, Path]:
    sidecars = {f"{kind} sidecar": path for kind, path in _sidecars(context).items()}
    return {"scan": context.scan.path} | context.existing("centerline", "cord", "gray", "white", "measures") | sidecars


PICTURES = Step(
    revision=3,
    run=make_pictures,
    reads=_inputs,
)
