"""Validation of arguments that are one of several choices, with the same errors as in the commands."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from spineseg_cli.errors import InputError

Device: TypeAlias = Literal["auto", "cpu", "gpu"]
Precision: TypeAlias = Literal["int8", "float32"]
Search: TypeAlias = Literal["optic", "cnn"]
CenterlineMethod: TypeAlias = Literal["optic", "cnn", "fitseg"]
Curve: TypeAlias = Literal["bspline", "nurbs", "polyfit", "linear"]
Contrast: TypeAlias = Literal["auto", "t1", "t2", "t2s", "dwi"]
Kernel: TypeAlias = Literal["2d", "3d"]
LevelKind: TypeAlias = Literal["vertebral", "spinal"]


def check_choice(argument: str, value: object, choices: Any) -> None:
    """Raise InputError if the `value` of an argument is not among the `choices`, a Literal."""
    if value not in get_args(choices):
        raise InputError(f"{argument} is {value!r}; expected one of {', '.join(map(repr, get_args(choices)))}")
