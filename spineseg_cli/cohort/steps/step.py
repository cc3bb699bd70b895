"""What a step is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps.work import Work


@dataclass(frozen=True)
class Outcome:
    """What came of a step.

    Parameters
    ----------
    state : str
        See `ledger.Entry`.
    files : tuple of Path
        What was written.
    message : str
        What a user should know.
    facts : dict
        Numbers for the table, JSON values.
    """

    state: str
    files: tuple[Path, ...] = ()
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of the work on a scan.

    Parameters
    ----------
    revision : int
        To be raised where equal inputs give another result than before.
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
    options: Callable[[Settings], dict[str, Any]]
    weights: Callable[[Work], list[str]]
    reads: Callable[[Work], dict[str, Path]]


def no_weights(work: Work) -> list[str]:
    """Return the checksums of no network: the `weights` of a step that needs none."""
    return []
