"""The ledger of a scan: which steps are finished, from which inputs, so that a stopped run can be resumed.

A step is finished if its key is the one in the ledger, and its files have not changed since the step wrote them. The key is a
digest of the content of the inputs, the weights, the options, and the version of the code. Entries do not contain times,
machines or processes, so that a run that was killed and resumed leaves the same ledger as an uninterrupted one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.files import file_sha256, write_json

# The folder of ledgers and locks among the derivatives.
LEDGER_FOLDER = ".spineseg"

# States of a step. A failed step is repeated by the next run.
DONE, EMPTY, CORRECTED, SKIPPED, FAILED = "done", "empty", "corrected", "skipped", "failed"
FINISHED = (DONE, EMPTY, CORRECTED, SKIPPED)


@dataclass(frozen=True)
class Entry:
    """The result of a step for a scan."""

    key: str  # digest of everything that the result depends on, "" for a failed step
    # "done", "empty" (no cord found), "corrected" (a mask made by hand was taken instead), "skipped" (the step does not apply to
    # the scan) or "failed".
    state: str
    message: str = ""  # a message for the user: why the step failed or was skipped, or a warning about its result
    # sha256 of each file that was written, by its path relative to the derivatives.
    outputs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # numbers for the table and the page


class Ledger:
    """The entries of one scan, which are stored in a file. A damaged file is treated as missing."""

    def __init__(self, out: Path, scan: Scan):
        self.out = out
        self.path = out / LEDGER_FOLDER / scan.folder / f"{scan.result_stem}.json"
        self.entries = _read(self.path)

    def is_done(self, step: str, key: str) -> bool:
        """Whether a step is finished with this key, and its files are unchanged."""
        entry = self.entries.get(step)
        if entry is None or entry.key != key or entry.state not in FINISHED:
            return False
        return all(digest_of(self.out / name) == digest for name, digest in entry.outputs.items())

    def outputs(self, step: str) -> dict[str, str]:
        """Return the outputs that a step has written: see `Entry.outputs`."""
        return self.entries[step].outputs if step in self.entries else {}

    def changed_by_hand(self, step: str) -> list[str]:
        """Return the outputs of a step that exist but differ from what the step wrote."""
        return [name for name, digest in self.outputs(step).items() if digest_of(self.out / name) not in ("", digest)]

    def record(self, step: str, entry: Entry) -> None:
        """Set the entry of a step, and write the ledger."""
        self.entries[step] = entry
        write_json(self.path, {"steps": {name: asdict(self.entries[name]) for name in self.entries}})


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, "" if it does not exist."""
    return file_sha256(path) if path.is_file() else ""


def _read(path: Path) -> dict[str, Entry]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Entry(**entry) for name, entry in content["steps"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
