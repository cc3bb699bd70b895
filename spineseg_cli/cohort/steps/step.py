"""A step of the processing of a scan, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps.context import StepContext


@dataclass(frozen=True)
class StepResult:
    """The result of a step.

    Parameters
    ----------
    state : str
        See `ledger.Entry`.
    message : str
        A message for the user.
    facts : dict
        Numbers for the table of the cohort, as JSON values.
    """

    state: str
    files: tuple[Path, ...] = ()
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of the processing of a scan.

    Parameters
    ----------
    revision : int
        Must be increased when the code changes such that equal inputs give another result.
    options : callable
        Returns the settings that the result depends on, as JSON values.
    weights : callable
        Returns the checksums of the networks that the result depends on.
    reads : callable
        Returns the files that the step reads, by a name for each.
    """

    revision: int
    run: Callable[[StepContext], StepResult]
    options: Callable[[Settings], dict[str, Any]]
    weights: Callable[[StepContext], list[str]]
    reads: Callable[[StepContext], dict[str, Path]]


def no_weights(context: StepContext) -> list[str]:
    """Return an empty list: the `weights` of a step that uses no network."""
    return []
