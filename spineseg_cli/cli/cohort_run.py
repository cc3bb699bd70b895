"""The stages of `spineseg` (import of DICOM files, participant level, group level), with their messages to the user."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from spineseg_cli.cli.console import complain, progress_bar, report
from spineseg_cli.cohort.ledger import CORRECTED, SKIPPED
from spineseg_cli.core.ranges import counted

# Steps whose masks may be replaced by manual ones.
MASKS = {"cord": "cord", "gm": "gray matter"}


def run_participants(plan, settings, jobs: int, scheduler: str | None, cluster: str | None, dry_run: bool, verbose: int) -> str:
    """Carry out a plan; return a sentence on what failed, "" if nothing did."""
    if dry_run:
        _show_pending(plan, settings.device, verbose)
        return ""
    results, start = [], time.monotonic()
    try:
        with _pool(plan, settings, jobs, scheduler, cluster) as pool:
            for result in _progress(plan, pool, verbose, start):
                results.append(result)
    except KeyboardInterrupt:
        complain(f"spineseg: {len(results)} of {len(plan.jobs)} sessions are finished; the same command goes on from here")
        raise
    _show_table(results, verbose)
    _say_if_none_is_automatic(results, plan.bids, verbose)
    busy = sum(result.is_busy for result in results)
    failed = sum(result.failed for result in results) - busy
    scans = sum(len(result.scans) for result in results)
    seconds = time.monotonic() - start
    failed_scans = sum(scan.failed for result in results for scan in result.scans)
    done = f"{counted(len(results), 'session')}, {counted(scans, 'scan')}"
    report(f"{done}, {failed_scans} failed, in {seconds:.0f} s: {plan.out}", verbose)
    sentences = []
    if failed:
        sentences.append(f"{failed} of {len(results)} sessions failed; --only-failed tries these again")
    if busy:
        sentences.append(f"{busy} of {len(results)} sessions are in the hands of another run; run this again when it has ended")
    return ", and ".join(sentences)


def _pool(plan, settings, jobs: int, scheduler: str | None, cluster: str | None):
    if scheduler or cluster:
        from spineseg_cli.cohort.cluster import ClusterPool

        return ClusterPool(plan, jobs=jobs, address=scheduler, queue=cluster, device=settings.device)
    from spineseg_cli.cohort.pool import LocalPool

    return LocalPool(min(jobs, len(plan.jobs)), settings.device)


def _progress(plan, pool, verbose: int, start: float):
    """Yield the results of a plan as they come, with a progress bar on stderr if it is a terminal, else a line for each session.

    Why scans failed is said at once, or, on a terminal, after the bar. `start` is when the run began, of `time.monotonic`.
    """
    from spineseg_cli.cohort.participant import run_plan

    bar = progress_bar(run_plan(plan, pool), len(plan.jobs), min(verbose, 1), unit="session")  # also with -v 2, none in a log
    later = []
    for count, result in enumerate(bar, 1):
        bar.set_postfix_str(result.session)
        if bar.disable:
            if verbose:
                scans = f"{counted(len(result.scans), 'scan')}, {sum(scan.failed for scan in result.scans)} failed"
                after = f"{count} of {len(plan.jobs)} sessions after {time.monotonic() - start:.0f} s"
                complain(f"spineseg: {after}: {result.session}, {scans}")
            _say_why_failed(result, verbose)
        else:
            later.append(result)
        yield result
    for result in sorted(later, key=lambda result: result.session):
        _say_why_failed(result, verbose)


def _say_why_failed(result, verbose: int) -> None:
    """Print on stderr why scans of a session, or all of it, failed."""
    for scan in result.scans:
        if scan.failed and verbose:
            why = next((text for name, text in scan.messages.items() if scan.states[name] == "failed"), "")
            complain(f"spineseg: {scan.scan}: {why}")
    if result.error:
        complain(f"spineseg: {result.session}: {result.error}")


def _show_pending(plan, device: str, verbose: int) -> None:
    from spineseg_cli.cohort.participant import pending_steps

    pending = pending_steps(plan, device)
    for scan, steps in pending.items():
        report(f"{scan}: {', '.join(steps) if steps else 'finished'}", verbose)
    report(f"{sum(bool(steps) for steps in pending.values())} of {len(pending)} scans would be worked on", verbose)


def _show_table(results, verbose: int) -> None:
    """Print a line for each scan, with the states of its steps and a message."""
    for result in sorted(results, key=lambda result: result.session):
        for scan in result.scans:
            steps = " ".join(f"{name}:{state}" for name, state in scan.states.items() if state != "done") or "done"
            again = "" if scan.computed else " (was finished)"
            message = "" if scan.failed else next(iter(scan.messages.values()), "")
            report(f"{scan.scan}  {steps}{again}{'  ' + message if message else ''}", verbose)


def _say_if_none_is_automatic(results, bids: Path, verbose: int) -> None:
    """Note on stderr that all masks come from `derivatives/labels`, so that the tables do not evaluate automatic masks."""
    scans = [scan for result in results for scan in result.scans]
    manual = [
        what for name, what in MASKS.items() if {scan.states.get(name, SKIPPED) for scan in scans} - {SKIPPED} == {CORRECTED}
    ]
    if manual and verbose:
        complain(
            f"spineseg: no {' or '.join(manual)} was segmented: every scan has a mask in {bids / 'derivatives/labels'}, which is "
            "taken for corrected; --set labels=compare segments all scans, and compares"
        )


def say_what_is_odd(bids: Path, scans, selection, verbose: int) -> None:
    """Note on stderr what in a data set is probably not what its owner means; `scans` are those that are processed."""
    from spineseg_cli.cohort.oddities import oddities

    for sentence in oddities(bids, scans, selection) if verbose else ():
        complain(f"spineseg: {sentence}")


def convert_dicom(folder: Path, bids: Path, dry_run: bool, verbose: int) -> None:
    """Sort and convert DICOM files into a BIDS folder; with `dry_run`, write only the table of series."""
    from spineseg_cli.cohort.dicom.bids_import import import_dicom

    imported = import_dicom(folder, bids, only_table=dry_run)
    for row in sorted(imported.rows, key=lambda row: (row.subject, row.use == "no", row.path)):
        target = str(row.path) if row.use == "yes" else f"left out, of sub-{row.subject}"
        report(f"{row.protocol or 'no name'}, {row.size}: {target}{f' ({row.note})' if row.note else ''}", verbose)
    if dry_run:
        report(f"{imported.table}: edit it, then run this command without --dry-run", verbose)
    else:
        report(f"{len(imported.written)} images written to {bids}, by {imported.table}", verbose)


def run_group(bids: Path, out: Path, selection, settings, rating_files: Sequence[Path], verbose: int) -> str:
    """Write the tables and the page of a cohort; return a sentence on unfinished scans, "" if there are none."""
    from spineseg_cli.cohort.group import run_group as write_group
    from spineseg_cli.cohort.participant import choose_scans
    from spineseg_cli.cohort.ratings import rater_agreement, read_ratings

    scans = choose_scans(bids, selection, settings)
    ratings = [read_ratings(path) for path in rating_files]
    files, unfinished = write_group(scans, out, settings, ratings)
    for path in files:
        report(str(path), verbose)
    for (first, one), (second, other) in combinations(zip(rating_files, ratings, strict=True), 2):
        count, kappa = rater_agreement(one, other)
        value = "not defined" if math.isnan(kappa) else f"{kappa:.2f}"
        report(f"{first.name} and {second.name}: {count} results marked by both, Cohen's kappa {value}", verbose)
    say_what_is_odd(bids, scans, selection, verbose)
    return f"{unfinished} of {len(scans)} scans are not finished: see {out / 'group_summary.tsv'}" if unfinished else ""
