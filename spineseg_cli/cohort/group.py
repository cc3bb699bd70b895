"""The group level: the tables of a cohort, and its page.

=====================================  ================================================================================
OUT/group_measures.tsv                 a row a scan and level (or range of levels), and one of each whole scan
OUT/group_summary.tsv                  a row a scan: what came of each step, doubt, area, volumes
OUT/group_metrics_cord.tsv, ..._gm     masks against those in derivatives/labels, with `labels: compare`
OUT/group_to_correct.txt               where masks of scans that raters have failed go once they are corrected
OUT/qc/index.html                      the page
=====================================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import PAGE_FOLDER, output_path
from spineseg_cli.cohort.labels import find_label, label_path
from spineseg_cli.cohort.ledger import EMPTY, FAILED, FOLDER, Ledger
from spineseg_cli.cohort.locks import locked
from spineseg_cli.cohort.ratings import BAD_MARKS
from spineseg_cli.cohort.session import state_of
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps import STEPS
from spineseg_cli.core.files import write_json, write_text
from spineseg_cli.core.tables import read_rows, write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.columns import describe

if TYPE_CHECKING:
    from spineseg_cli.reports.page import ScanState

SUMMARY = {
    "participant_id": "Subject",
    "session_id": "Session",
    "scan": "Path of the scan in the data set",
    "contrast": "BIDS suffix of the scan",
    "state": "done, corrected (a mask made by hand took the automatic one's place), empty (no cord found), failed, or not done",
    "doubt": "0: nothing odd, to 1: surely wrong; from the confidence of the slices, and plain rules. From 0.5 on: look at it",
    "reasons": "What the doubt is for",
    "confidence_cord": "Mean confidence of the axial slices of the cord's mask: the probability that a slice's mask is good",
    "confidence_gray": "The same of the gray matter's mask",
    "area_mm2": "Mean area of the cord perpendicular to its direction",
    "length_mm": "Length of cord in the mask",
    "cord_mm3": "Volume of the cord's mask",
    "gray_mm3": "Volume of the gray matter's mask",
    "message": "Why a step failed or was skipped, and what is to be known of the result",
}
NUMBERS = ("doubt", "confidence_cord", "confidence_gray", "area_mm2", "length_mm", "cord_mm3", "gray_mm3")

# What the entries of the page bear as their command, and the state of a scan that no step has seen.
COMMAND, NOT_DONE = "spineseg", "not done"

# Columns of a scan's table that say where it is from; the group's tables have their own.
OWN_KEYS = ("file", "sub", "ses", "run")
SCOPES = ("level", "whole")


@dataclass(frozen=True)
class GroupResult:
    """The files that the group level has written, and how many scans there are, and are not finished."""

    files: tuple[Path, ...]
    scans: int
    unfinished: int


def run_group(scans: Sequence[Scan], out: Path, settings: Settings, ratings: Sequence[Sequence[dict]] = ()) -> GroupResult:
    """Write the tables and the page of what the participant level has done.

    Parameters
    ----------
    scans : sequence of Scan
        The scans that count.
    out : Path
        The folder of the derivatives.
    ratings : sequence of tables
        Rows that raters have exported from the page, a table a rater; see `ratings.read_ratings`.

    Raises
    ------
    InputError
        If nothing of these scans was done yet.
    """
    ledgers = {scan: Ledger(out, scan) for scan in scans}
    if not any(ledger.entries for ledger in ledgers.values()):
        raise InputError(f"nothing of these scans was done yet in {out}: run the level participant first")
    from spineseg_cli.reports.page import listed_rows, read_entries, write_page

    report, states = out / PAGE_FOLDER, [_state_of(scan, ledger) for scan, ledger in ledgers.items()]
    with locked(out / FOLDER / "lock", "the same folder"):
        listed = {row["title"]: row for row in listed_rows(read_entries(report)[0], COMMAND, states) if row["command"] == COMMAND}
        files = [_write_summary(out, ledgers, states, listed), *_write_measures(out, ledgers)]
        if settings.labels == "compare":
            files += _write_metrics(out, scans)
        if ratings:
            files.append(_write_to_correct(out, scans, ratings))
        if (report / "entries").is_dir():
            files.append(write_page(report, COMMAND, states))
    unfinished = sum(state.state in (FAILED, NOT_DONE) for state in states)
    return GroupResult(tuple(files), len(scans), unfinished)


def _write_summary(
    out: Path, ledgers: Mapping[Scan, Ledger], states: Sequence[ScanState], listed: Mapping[str, Mapping[str, Any]]
) -> Path:
    rows = [
        _summary_row(scan, ledger, state, listed.get(scan.title, {}))
        for (scan, ledger), state in zip(ledgers.items(), states, strict=True)
    ]
    return _write_tsv(out / "group_summary.tsv", rows, {name: {"Description": text} for name, text in SUMMARY.items()})


def _state_of(scan: Scan, ledger: Ledger) -> ScanState:
    """Return what came of a scan, and all that its steps have to say."""
    from spineseg_cli.reports.page import ScanState

    states = {name: ledger.entries[name].state for name in STEPS if name in ledger.entries}
    messages = list(dict.fromkeys(entry.message for entry in ledger.entries.values() if entry.state == FAILED and entry.message))
    state = state_of(states) if states else NOT_DONE
    return ScanState(scan.title, scan.entities["sub"], scan.entities.get("ses", ""), scan.suffix, state, "; ".join(messages))


def _summary_row(scan: Scan, ledger: Ledger, state: ScanState, listed: Mapping[str, Any]) -> dict[str, str]:
    """Return a row of the summary; doubt and reasons are those that the page lists."""
    facts = {name: value for entry in ledger.entries.values() for name, value in entry.facts.items()}
    facts |= {name: round(listed[name], 3) for name in ("doubt",) if name in listed}
    row = dict.fromkeys(SUMMARY, "n/a") | _head(scan) | {
        "contrast": scan.suffix,
        "state": state.state,
        "reasons": "; ".join(listed.get("reasons", ())) or "n/a",
        "message": _messages(ledger) or "n/a",
    }  # fmt: skip
    return row | {name: str(facts[name]) for name in NUMBERS if name in facts}


def _messages(ledger: Ledger) -> str:
    """Return what the steps have to say, each thing once, after the names of the steps that say it."""
    said: dict[str, list[str]] = {}
    nothing = [name for name in ("centerline", "cord") if name in ledger.entries and ledger.entries[name].state == EMPTY]
    for name, entry in ledger.entries.items():
        if name in nothing[:-1]:
            continue  # the step after it says the same of its search
        if entry.message:
            said.setdefault(entry.message, []).append(name)
    return "; ".join(f"{', '.join(names)}: {message}" for message, names in said.items())


def _write_measures(out: Path, ledgers: dict[Scan, Ledger]) -> list[Path]:
    rows: list[dict] = []
    columns: dict[str, None] = {}
    for scan, ledger in ledgers.items():
        entry = ledger.entries.get("measures")
        path = output_path(out, scan, "measures")
        if entry is None or entry.state == FAILED or not path.is_file():
            continue
        for row in read_rows(path):
            if row["scope"] in SCOPES:
                measures = {name: value for name, value in row.items() if name not in OWN_KEYS}
                rows.append(_head(scan) | {"contrast": scan.suffix} | measures)
                columns |= dict.fromkeys(measures)
    if not rows:
        return []
    header = ["participant_id", "session_id", "scan", "contrast", *columns]
    meaning = {name: {"Description": SUMMARY[name]} for name in header[:4]} | describe(list(columns))
    return [_write_tsv(out / "group_measures.tsv", [{name: row.get(name) or "n/a" for name in header} for row in rows], meaning)]


def _write_metrics(out: Path, scans: Sequence[Scan]) -> list[Path]:
    """Write how far the masks agree with those in `derivatives/labels`."""
    from spineseg_cli.cohort.comparison import compare_masks

    files = []
    for kind, name in (("cord", "cord"), ("gray", "gm")):
        listed = [(output_path(out, scan, kind), find_label(scan, kind)) for scan in scans]
        pairs = [(mask, label) for mask, label in listed if label and mask.is_file()]
        if pairs:
            files += compare_masks(out / f"group_metrics_{name}.tsv", pairs, out)
    return files


def _write_to_correct(out: Path, scans: Sequence[Scan], ratings: Sequence[Sequence[dict]]) -> Path:
    """Write which masks raters have failed, and where the corrected ones are searched for."""
    failed = {row["scan"] for rows in ratings for row in rows if row["mark"] in BAD_MARKS}
    lines = [f"{scan.title}\t{label_path(scan, 'cord').as_posix()}" for scan in scans if scan.title in failed]
    path = out / "group_to_correct.txt"
    write_text(path, "".join(f"{line}\n" for line in lines))
    return path


def _head(scan: Scan) -> dict[str, str]:
    session = scan.entities.get("ses")
    return {
        "participant_id": f"sub-{scan.entities['sub']}",
        "session_id": f"ses-{session}" if session else "n/a",
        "scan": scan.title,
    }


def _write_tsv(path: Path, rows: Sequence[dict[str, str]], meaning: dict) -> Path:
    """Write a table with its data dictionary beside it."""
    write_rows(path, list(rows[0]), _plain(rows), delimiter="\t")
    write_json(path.with_suffix(".json"), meaning)
    return path


def _plain(rows: Iterable[dict[str, str]]) -> Iterable[dict[str, str]]:
    """Return rows whose cells are one line without tabs each."""
    return ({name: " ".join(str(value).split()) for name, value in row.items()} for row in rows)
