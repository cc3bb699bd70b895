"""The step `pictures`: a scan's entry of the page, and surfaces as files if these are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spineseg_cli.cohort.bids import read_json, read_sidecar
from spineseg_cli.cohort.derivatives import PAGE_FOLDER, sidecar_of
from spineseg_cli.cohort.ledger import DONE
from spineseg_cli.cohort.settings import as_dict
from spineseg_cli.cohort.steps.step import Outcome, Step, no_weights
from spineseg_cli.cohort.steps.work import Work
from spineseg_cli.core.image.volume import Volume

NAMES = {"centerline": "centerline", "cord": "cord", "gray": "gray matter"}


def make_pictures(work: Work) -> Outcome:
    """Add the results to the page, and write their surfaces if these are asked for."""
    masks = {kind: work.mask(path) for kind, path in work.existing("centerline", "cord", "gray").items()}
    facts, entry_files = _add_to_page(work, masks)
    return Outcome(DONE, (*entry_files, *_write_surfaces(work, masks)), facts=facts)


def _add_to_page(work: Work, masks: Mapping[str, Volume]) -> tuple[dict, tuple[Path, ...]]:
    """Write a scan's entry of the page; return numbers for the table, and the files that were written."""
    from spineseg_cli.reports.qc import write_entry

    scan = work.scan
    named = {NAMES[kind]: mask for kind, mask in masks.items()}
    entry = write_entry(
        work.out / PAGE_FOLDER,
        name=(scan.folder / scan.result_stem).as_posix(),
        image=work.image,
        masks=named,
        title=scan.title,
        command="spineseg",
        details=_details(work),
        date=_date(read_sidecar(scan)),
        subject=scan.entities["sub"],
        session=scan.entities.get("ses", ""),
        contrast=scan.suffix,
        views=("axial", "sagittal"),
        confidences=_confidences(work),
        table=work.output("measures") if "measures" in work.settings.steps else None,
        with_3d=work.settings.pictures.volume_3d,
    )
    return {"doubt": entry.doubt, "reasons": list(entry.reasons)}, entry.files


def _sidecars(work: Work) -> dict[str, Path]:
    """Return the sidecars of the masks, by their kind."""
    paths = {kind: sidecar_of(path) for kind, path in work.existing("cord", "gray").items()}
    return {kind: path for kind, path in paths.items() if path.is_file()}


def _details(work: Work) -> dict:
    """Return what the page says beside the pictures: the steps, and what the steps have noted."""
    notes = [str(note) for path in _sidecars(work).values() for note in read_json(path).get("Notes", ())]
    return {"Steps": list(work.settings.steps), **({"Notes": notes} if notes else {})}


def _confidences(work: Work) -> dict[str, dict]:
    """Return the confidence of the masks, by their names on the page; masks made by hand have none."""
    contents = {NAMES[kind]: read_json(path).get("Confidence") for kind, path in _sidecars(work).items()}
    return {name: content for name, content in contents.items() if content}


def _write_surfaces(work: Work, masks: Mapping[str, Volume]) -> tuple[Path, ...]:
    """Write the surfaces of cord and gray matter, if the settings ask for them, as GIfTI or STL."""
    kind = work.settings.pictures.surfaces
    if kind == "none":
        return ()
    from spineseg_cli.reports.surfaces import surface_of, write_gifti, write_stl

    write = {"gifti": write_gifti, "stl": write_stl}[kind]
    paths = []
    for name in ("cord", "gray"):
        surface = surface_of(masks[name]) if name in masks else None
        if surface is not None:
            paths.append(work.output(f"{name}_surface_{kind}"))
            write(paths[-1], surface)
    return tuple(paths)


def _date(fields: dict) -> str:
    """Return the day that a sidecar tells; not the time of day, which may tell who the subject is."""
    return str(fields.get("AcquisitionDateTime") or fields.get("AcquisitionDate") or "")[:10]


def _inputs(work: Work) -> dict[str, Path]:
    sidecars = {f"{kind} sidecar": path for kind, path in _sidecars(work).items()}
    return {"scan": work.scan.path} | work.existing("centerline", "cord", "gray", "white", "measures") | sidecars


PICTURES = Step(
    revision=2,
    run=make_pictures,
    options=lambda settings: as_dict(settings.pictures) | {"volumes": settings.volumes},
    weights=no_weights,
    reads=_inputs,
)
