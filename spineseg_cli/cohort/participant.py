"""The participant level: planning which sessions to process, and processing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from spineseg_cli.cohort.bids import Scan, find_scans
from spineseg_cli.cohort.derivatives import describe_dataset
from spineseg_cli.cohort.ledger import FAILED, LEDGER_FOLDER, Ledger
from spineseg_cli.cohort.locks import locked
from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.cohort.session import Job, SessionResult, step_key
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps import STEPS, StepContext
from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.image.nifti import count_volumes
from spineseg_cli.errors import InputError, SpinesegError


@dataclass(frozen=True)
class Plan:
    """A run over a cohort: the data set, the folder of the derivatives, and the sessions to process."""

    bids: Path
    out: Path
    jobs: tuple[Job, ...]


def make_plan(
    bids: Path, out: Path, selection: Selection, settings: Settings, *, force: bool = False, only_failed: bool = False
) -> Plan:
    """Return the plan of a run, without writing anything.

    Raises InputError if there is nothing to do, or a folder cannot be read or written to.

    `bids` is the data set, `out` the folder of the derivatives. `force` repeats finished steps; `only_failed` takes only
    scans with a failed step.
    """
    if out.resolve() == bids.resolve():
        raise InputError(f"the derivatives would lie among the raw data: name a folder such as {bids}/derivatives/spineseg")
    check_writable(out / "dataset_description.json")
    check_writable(out / LEDGER_FOLDER / "lock")
    scans = choose_scans(bids, selection, settings)
    if only_failed:
        scans = [scan for scan in scans if any(entry.state == FAILED for entry in Ledger(out, scan).entries.values())]
        if not scans:
            raise InputError("no scan of these has failed: leave out --only-failed")
    sessions: dict[str, list[Scan]] = {}
    for scan in scans:
        sessions.setdefault(scan.session, []).append(scan)
    return Plan(bids, out, tuple(Job(name, tuple(of_it), out, settings, force) for name, of_it in sessions.items()))


def choose_scans(bids: Path, selection: Selection, settings: Settings) -> list[Scan]:
    """Return the scans to process; with `volumes: each`, one for each volume of a 4-D image.

    Raises InputError if there are none.
    """
    chosen = selection.choose(find_scans(bids))
    if settings.volumes != "each":
        return chosen
    scans = []
    for scan in chosen:
        count = count_volumes(scan.path)
        scans += [replace(scan, volume=index) for index in range(count)] if count > 1 else [scan]
    return scans


def run_plan(plan: Plan, pool) -> Iterator[SessionResult]:
    """Process the sessions of a plan in a pool (`LocalPool` or `cluster.ClusterPool`); yield each result when it is finished.

    First, the derivatives are described as a data set, and incomplete files of a killed run are removed.
    """
    with locked(plan.out / LEDGER_FOLDER / "lock", "the same folder"):
        for folder in (plan.out, plan.out / "qc"):
            for path in folder.glob(".partial-*"):
                path.unlink(missing_ok=True)
        describe_dataset(plan.out, plan.bids)
    yield from pool.run(plan.jobs)


def pending_steps(plan: Plan, device: str = "auto") -> dict[str, list[str]]:
    """Return the steps that a run would do for each scan, by its title: those whose inputs, weights, options or version changed.

    All steps after the first such step are listed, although their inputs may turn out to be unchanged.
    """
    networks, pending = NetworkCache(device), {}
    for job in plan.jobs:
        for scan in job.scans:
            context, ledger = StepContext(scan, plan.out, job.settings, networks), Ledger(plan.out, scan)
            steps = [name for name in STEPS if name in job.settings.steps]
            first = next((i for i, name in enumerate(steps) if job.force or not _is_done(name, context, ledger)), len(steps))
            pending[scan.title] = steps[first:]
    return pending


def _is_done(name: str, context: StepContext, ledger: Ledger) -> bool:
    try:
        return ledger.is_done(name, step_key(name, context))
    except (OSError, SpinesegError):
        return False
