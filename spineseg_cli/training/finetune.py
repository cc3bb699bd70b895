"""Weights from a user's own labeled scans, and what they are worth on subjects that were not trained on.

The commands' pipelines come in as functions, so that scores are those of the complete command, automatic centerline included.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.runtime import Runtime, import_tensorflow, native_stderr_muted
from spineseg_cli.metrics.path import PATH_METRICS
from spineseg_cli.metrics.table import KEYS, Table, write_table
from spineseg_cli.reports.account import Account, write_card, write_curves, write_report
from spineseg_cli.training.data.material import load_material
from spineseg_cli.training.data.split import write_split
from spineseg_cli.training.outcome import Outcome, account_of
from spineseg_cli.training.plan import Plan
from spineseg_cli.training.run_record import START, RunRecord
from spineseg_cli.weights.model import Model, find_model, read_model, write_model
from spineseg_cli.weights.tflite import attach_twin, twin_path

log = logging.getLogger(__name__)


class Found(Protocol):
    """What a task's pipeline gives: a segmentation, or a centerline."""

    @property
    def mask(self) -> Volume:
        """uint8, on the grid of the image."""
        ...


class Segment(Protocol):
    """A task's complete pipeline; without `centerline`, it looks for the cord. That of gray matter gives the cord too.

    That of a 3-D network is also given the `overlap` of its patches.
    """

    def __call__(
        self, image: Volume, model: Model, *, centerline: Volume | None = None, runtime: Runtime | None = None
    ) -> Found: ...


# A prediction's name, the prediction, its references' names, the references: rows of `metrics.table.Table`, or of the task
# centerline with `metrics.path.PATH_METRICS`.
Compare = Callable[[str, Found, Sequence[str], Sequence[Volume]], Iterable[dict]]


def finetune(
    plans: Sequence[Plan], out: Path, segment: Segment, compare: Compare, device: str = "auto", verbose: int = 0
) -> Account:
    """Carry out plans, and write to each run's folder its weights, scores, card and page; of several, a page of all to `out`.

    After a run that the user has stopped, no other is begun. Parameters and errors are those of `run_plan`. Beside what
    `training.loop.train` writes, a run's folder holds:

    ==========================  ===========================================================
    split.tsv, config.yaml      who was trained on, and how
    NAME.tflite                 the light twin of the weights of a 2-D network
    sessions.json               for how long, on what
    cord/                       cord masks that had to be drawn
    before.csv, after.csv       every metric of each test scan
    test/                       the masks that these are of
    curves.svg                  losses and scores by epoch
    model_card.md, report.html  the account of it
    ==========================  ===========================================================

    Returns
    -------
    Account
        Of the run, or of all folds together.
    """
    outcomes = []
    for plan in plans:
        outcomes.append(run_plan(plan, segment, compare, device, verbose))
        account = account_of(outcomes[-1:])
        write_curves(plan.out / "curves.svg", account)
        write_card(plan.out / "model_card.md", account)
        write_report(plan.out / "report.html", account)
        if outcomes[-1].stopped:
            break
    if len(plans) > 1:
        account = account_of(outcomes)
        write_report(out / "report.html", account)
    return account


def run_plan(plan: Plan, segment: Segment, compare: Compare, device: str = "auto", verbose: int = 0) -> Outcome:
    """Score the test subjects, train, and score them again; a run that was killed goes on where it was.

    Ctrl-C during training ends it; the best weights so far are then written and scored.

    Parameters
    ----------
    plan : Plan
    segment, compare : functions
        See `Segment` and `Compare`.
    device : {"auto", "cpu", "gpu"}
    verbose : int
        See `training.loop.train`.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If the folder holds a run with other settings, or the device has too little memory.
    """
    _check_run(plan)
    write_split(plan.out / "split.tsv", plan.split)
    _draw_missing_cords(plan, segment)
    before, old = _score(plan, plan.baseline, "before", segment, compare, device)
    record = RunRecord(plan.out)
    weights, stopped = _train(plan, record, device, verbose)
    after, new = _score(plan, read_model(weights), "after", segment, compare, device)
    masks = list(zip(plan.scans_of("test"), old, new, strict=True))
    return Outcome(plan, weights, before, after, masks, record, stopped)


def _draw_missing_cords(plan: Plan, segment: Segment) -> None:
    """Segment the cord, about the gray matter, in scans without a cord mask: the network is to go on finding it."""
    trained_on = plan.scans_of("train") + plan.scans_of("validation")
    missing = [scan for scan in trained_on if scan.cord and not scan.cord.is_file()]
    if not missing:
        return
    model = find_model("gm")
    log.warning("%d scans without a cord mask: the cord that %s finds in them is trained on", len(missing), model.name)
    runtime = model.open_runtime("auto")
    for scan in missing:
        gray = read_volume(scan.grays[0], kind="mask")
        found = segment(read_volume(scan.image), model, centerline=gray, runtime=runtime)
        write_volume(scan.cord, gray.with_data(np.maximum(found.cord.data, gray.data > 0.5)), np.uint8)


def _started_with(plan: Plan) -> dict:
    """Return what decides a run beside its recipe: the split, the weights to start from, and the user's masks."""
    init = plan.start and plan.start.sha256
    started = {"split": plan.split, "init": init, "masks": plan.masks()}
    return started | ({"finder": plan.finder.sha256} if plan.finder else {})


def _check_run(plan: Plan) -> None:
    with native_stderr_muted():
        import_tensorflow()
        from spineseg_cli.training.loop import check_run

    check_run(plan.recipe, plan.out, _started_with(plan))


def _train(plan: Plan, record: RunRecord, device: str, verbose: int) -> tuple[Path, bool]:
    """Return the weights, and whether the user has stopped the training before its end."""
    from spineseg_cli.training.device import training_device
    from spineseg_cli.training.loop import train_on, write_best

    init = plan.start and plan.start.path
    with atomic_path(plan.out / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(asdict(plan.recipe), sort_keys=False), encoding="utf-8")
    with training_device(device, plan.recipe.gpus) as hardware, record.session(hardware):
        material = load_material(plan.recipe, plan.scans, plan.split, plan.folder, plan.finder)
        try:
            weights = train_on(*material, plan.recipe, plan.out, _started_with(plan), init, verbose)
            return _with_twin(_with_own_card(weights, plan)), False
        except KeyboardInterrupt:
            weights = write_best(plan.recipe, plan.out)
            if weights is None:
                raise
            log.warning("stopped; the best weights so far are kept, and the same command goes on")
            return _with_twin(_with_own_card(weights, plan)), True


def _with_own_card(weights: Path, plan: Plan) -> Path:
    """Return the weights; if they are those that the run started from, with their card as it was: their thresholds are theirs."""
    if plan.start and RunRecord(plan.out).kept == START:
        network = plan.start.load_network()
        with atomic_path(weights) as temporary:
            write_model(network, temporary, plan.recipe.network, tuple(plan.recipe.outputs), plan.start.config)
        log.warning("no epoch had a lower validation loss than the weights it started from: these are kept as they were")
    return weights


def _with_twin(weights: Path) -> Path:
    """Write the light twin of weights whose windows have one size and one slice, and return the weights."""
    model = read_model(weights)
    if model.config.pad and not model.config.depth:
        from spineseg_cli.networks.export import write_lite_twin

        with native_stderr_muted():
            write_lite_twin(model.load_network(), model.config.window, twin_path(weights))
        attach_twin(weights)
    return weights


def _score(plan: Plan, model: Model, when: str, segment: Segment, compare: Compare, device: str) -> tuple[Table, list[Path]]:
    """Return every metric of the test scans, written to `when`.csv too, and the files of their masks."""
    rows, paths = [], []
    patches = {"overlap": plan.recipe.overlap} if model.config.depth else {}
    tested = plan.scans_of("test")
    runtime = model.open_runtime(device) if tested else None
    for place, scan in enumerate(tested, start=1):
        path = plan.out / "test" / f"{place:02d}_{scan.image.name.split('.')[0]}_{when}.nii.gz"
        found = segment(read_volume(scan.image), model, runtime=runtime, **patches)
        write_volume(path, found.mask, np.uint8)
        references = scan.grays if plan.task == "gm" else (scan.cord,)
        rows += compare(str(path), found, [str(r) for r in references], [read_volume(r, kind="mask") for r in references])
        paths.append(path)
    table = Table(tuple(rows))
    if rows and plan.task == "centerline":
        _write_paths(plan.out / f"{when}.csv", rows)
    elif rows:
        write_table(plan.out / f"{when}.csv", table)
    return table, paths


def _write_paths(path: Path, rows: Sequence[dict]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*KEYS, *PATH_METRICS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
