"""What was done of a scan, from which inputs: the ledger by which a run goes on where another was stopped.

A step is done if its key is that in the ledger, and its files are still what the step has written. The key is a digest of the
inputs' content, the weights, the options, and the version of what computes the result. No entry holds a time, a place or a
process: an undisturbed run and one that was killed and resumed leave equal ledgers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.files import file_sha256, write_json

FOLDER = ".spineseg"

# States of a step. What has failed is tried again by the next run.
DONE, EMPTY, CORRECTED, SKIPPED, FAILED = "done", "empty", "corrected", "skipped", "failed"
FINISHED = (DONE, EMPTY, CORRECTED, SKIPPED)


@dataclass(frozen=True)
class Entry:
    """What came of a step on a scan.

    Parameters
    ----------
    key : str
        Digest of everything that the result depends on.
    state : str
        "done", "empty" (no cord found), "corrected" (a mask made by hand took its place), "skipped" (the step does not apply
        to the scan) or "failed".
    message : str
        What a user should know: why it failed, was skipped, or is in doubt.
    outputs : dict
        sha256 of each file that was written, by its path among the derivatives.
    facts : dict
        Numbers for the table and the page.
    """

    key: str
    state: str
    message: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """The entries of one scan, kept in a file; a file that is damaged counts as none.

    Parameters
    ----------
    out : Path
        The folder of the derivatives.
    """

    def __init__(self, out: Path, scan: Scan):
        self.out = out
        self.path = ledger_path(out, scan)
        self.entries = _read(self.path)

    def is_done(self, step: str, key: str) -> bool:
        """Whether a step is finished with this key, and its files are there as they were written."""
        entry = self.entries.get(step)
        return (
            entry is not None and entry.key == key and entry.state in FINISHED
            and all(digest_of(self.out / name) == digest for name, digest in entry.outputs.items())
        )  # fmt: skip

    def changed_by_hand(self, step: str) -> list[str]:
        """Return those outputs of a step that are there, but are no longer what the step has written."""
        entry = self.entries.get(step)
        outputs = entry.outputs if entry else {}
        return [name for name, digest in outputs.items() if digest_of(self.out / name) not in ("", digest)]

    def record(self, step: str, entry: Entry) -> None:
        """Enter what came of a step, and write the ledger."""
        self.entries[step] = entry
        write_json(self.path, {"steps": {name: asdict(self.entries[name]) for name in self.entries}})


def ledger_path(out: Path, scan: Scan) -> Path:
    """Return where the ledger of a scan lies."""
    return out / FOLDER / scan.folder / f"{scan.result_stem}.json"


def make_key(content: Mapping[str, Any]) -> str:
    """Return a digest of JSON values, whatever the order of their names."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, "" if it is not there."""
    return file_sha256(path) if path.is_file() else ""


def _read(path: Path) -> dict[str, Entry]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Entry(**entry) for name, entry in content["steps"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
