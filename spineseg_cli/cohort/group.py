"""The group level: the tables and the page of a cohort.

=====================================  ================================================================================
OUT/group_measures.tsv                 one row for each scan and level (or range of levels), and one for each whole scan
OUT/group_summary.tsv                  one row for each scan: the state of its steps, doubt, area, volumes
OUT/group_metrics_cord.tsv, ..._gm     metrics against the masks in derivatives/labels, with `labels: compare`
OUT/group_to_correct.txt               scans that raters have failed, and the paths for their corrected masks
OUT/qc/index.html                      the page
=====================================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import PAGE_FOLDER, output_path
from spineseg_cli.cohort.labels import label_path
from spineseg_cli.cohort.ledger import EMPTY, FAILED, LEDGER_FOLDER, Ledger
from spineseg_cli.cohort.locks import locked
from spineseg_cli.cohort.ratings import BAD_MARKS
from spineseg_cli.cohort.session import state_of
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps import STEPS
from spineseg_cli.core.files import write_json, write_text
from spineseg_cli.core.tables import read_rows, write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.tables.columns import describe

if TYPE_CHECKING:
    from spineseg_cli.reports.qc.page import ScanState

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

# The command in the page's entries of a cohort, and the state of a scan that no step has processed.
COMMAND, NOT_DONE = "spineseg", "not done"

# Columns of a scan's table that identify the scan, which are replaced by those of the group's table; rows that are copied to it.
OWN_KEYS = ("file", "sub", "ses", "run")
SCOPES = ("level", "whole")


def run_group(
    scans: Sequence[Scan], out: Path, settings: Settings, ratings: Sequence[Sequence[dict]] = ()
) -> tuple[list[Path], int]:
    """Write the tables and the page of the results of the participant level.

    Returns the files that were written, and the number of scans that are not finished.

    Raises InputError if no step has been done for any of these scans.

    With `labels: compare` in the settings, metrics against the labels are written too. `ratings` holds a table of rows for
    each rater, exported from the page: see `ratings.read_ratings`.
    """
    ledgers = {scan: Ledger(out, scan) for scan in scans}
    if not any(ledger.entries for ledger in ledgers.values()):
        raise InputError(f"nothing of these scans was done yet in {out}: run the level participant first")
    from spineseg_cli.reports.qc.page import listed_rows, read_entries, write_page

    report, states = out / PAGE_FOLDER, [_state_of(scan, ledger) for scan, ledger in ledgers.items()]
    with locked(out / LEDGER_FOLDER / "lock", "the same folder"):
        listed = {row["title"]: row for row in listed_rows(read_entries(report)[0], COMMAND, states) if row["command"] == COMMAND}
        files = [_write_summary(out, ledgers, states, listed), *_write_measures(out, ledgers)]
        if settings.labels == "compare":
            from spineseg_cli.cohort.comparison import write_label_metrics

            files += write_label_metrics(out, scans)
        if ratings:
            files.append(_write_to_correct(out, scans, ratings))
        if (report / "entries").is_dir():
            files.append(write_page(report, COMMAND, states))
    return files, sum(state.state in (FAILED, NOT_DONE) for state in states)


def _write_summary(
    out: Path, ledgers: Mapping[Scan, Ledger], states: Sequence[ScanState], listed: Mapping[str, Mapping[str, Any]]
) -> Path:
    rows = [
        _summary_row(scan, ledger, state, listed.get(scan.title, {}))
        for (scan, ledger), state in zip(ledgers.items(), states, strict=True)
    ]
    return _write_tsv(out / "group_summary.tsv", rows, {name: {"Description": text} for name, text in SUMMARY.items()})


def _state_of(scan: Scan, ledger: Ledger) -> ScanState:
    """Return the state of a scan, and the messages of its failed steps."""
    from spineseg_cli.reports.qc.page import ScanInfo, ScanState

    states = {name: ledger.entries[name].state for name in STEPS if name in ledger.entries}
    messages = list(dict.fromkeys(entry.message for entry in ledger.entries.values() if entry.state == FAILED and entry.message))
    state = state_of(states) if states else NOT_DONE
    info = ScanInfo(scan.title, scan.entities["sub"], scan.entities.get("ses", ""), scan.suffix)
    return ScanState(info, state, "; ".join(messages))


def _summary_row(scan: Scan, ledger: Ledger, state: ScanState, listed: Mapping[str, Any]) -> dict[str, str]:
    """Return a scan's row of the summary; `listed` is its row on the page, which gives doubt and reasons."""
    facts = {name: value for entry in ledger.entries.values() for name, value in entry.facts.items()}
    if "doubt" in listed:
        facts["doubt"] = round(listed["doubt"], 3)
    known = {
        "contrast": scan.suffix,
        "state": state.state,
        "reasons": "; ".join(listed.get("reasons", ())),
        "message": _messages(ledger),
        **{name: str(facts[name]) for name in NUMBERS if name in facts},
    }
    return dict.fromkeys(SUMMARY, "n/a") | _head(scan) | {name: text for name, text in known.items() if text}


def _messages(ledger: Ledger) -> str:
    """Return the messages of the steps, each once, with the names of the steps that give it."""
    steps_by_message: dict[str, list[str]] = {}
    empty = [name for name in ("centerline", "cord") if name in ledger.entries and ledger.entries[name].state == EMPTY]
    for name, entry in ledger.entries.items():
        if name in empty[:-1]:
            continue  # if centerline and cord are both empty, both messages are about the same search
        if entry.message:
            steps_by_message.setdefault(entry.message, []).append(name)
    return "; ".join(f"{', '.join(names)}: {message}" for message, names in steps_by_message.items())


def _write_measures(out: Path, ledgers: Mapping[Scan, Ledger]) -> list[Path]:
    """Write the measures of levels and whole scans as one table; return its path, or nothing if there are no measures."""
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


def _write_to_correct(out: Path, scans: Sequence[Scan], ratings: Sequence[Sequence[dict]]) -> Path:
    """Write a list of the scans whose masks raters have failed, and of the paths at which corrected masks are expected."""
    failed = {row["scan"] for rows in ratings for row in rows if row["mark"] in BAD_MARKS}
    lines = [f"{scan.title}\t{label_path(scan, 'cord').as_posix()}" for scan in scans if scan.title in failed]
    path = out / "group_to_correct.txt"
    write_text(path, "".join(f"{line}\n" for line in lines))
    return path


def _head(scan: Scan) -> dict[str, str]:
    """Return the columns that identify a scan."""
    session = scan.entities.get("ses")
    return {
        "participant_id": f"sub-{scan.entities['sub']}",
        "session_id": f"ses-{session}" if session else "n/a",
        "scan": scan.title,
    }


def _write_tsv(path: Path, rows: Sequence[dict[str, str]], meaning: dict) -> Path:
    """Write a table with its data dictionary beside it."""
    cells = ({name: " ".join(str(value).split()) for name, value in row.items()} for row in rows)  # no tabs, no line breaks
    write_rows(path, list(rows[0]), cells, delimiter="\t")
    write_json(path.with_suffix(".json"), meaning)
    return path
