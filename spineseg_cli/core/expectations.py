"""What a file's fields must be: each wrong one ends in one sentence that says where, what was expected and what there is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from spineseg_cli.errors import InputError


def expect_one_of(value: Any, known: Collection[str], where: str, what: str) -> None:
    """Raise InputError unless `value` is one of the names `known`."""
    expect(isinstance(value, str) and value in known, where, what, f"one of {', '.join(known)}", value)


def expect(holds: Any, where: str, what: str, expected: str, value: Any) -> None:
    """Raise InputError, its message starting with `where`, unless the expectation of the field `what` holds."""
    if not holds:
        raise InputError(f"{where}: {what} must be {expected}; got {value!r}")


def is_count(value: Any, least: int) -> bool:
    """Return whether `value` is a whole number of `least` or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: Any) -> bool:
    """Return whether `value` is a number of 0 or more."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def is_texts(value: Any) -> bool:
    """Return whether `value` is a list of texts, at least one."""
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def expect_named(options: dict[str, Any], known: Collection[str], where: str, what: str) -> None:
    """Raise InputError unless `options` are a mapping whose `name` is one of `known`."""
    expect(isinstance(options, dict) and "name" in options, where, what, "a name and options", options)
    expect_one_of(options["name"], known, where, f"{what} name")
