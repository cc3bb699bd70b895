"""Vertebral and spinal levels: their names, and lists of levels as users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from spineseg_cli.core.ranges import ranges_of
from spineseg_cli.errors import InputError

VERTEBRAL = tuple([f"C{i}" for i in range(1, 8)] + [f"T{i}" for i in range(1, 13)] + [f"L{i}" for i in range(1, 6)] + ["S1"])
SPINAL = tuple(f"{part}{i + 1}" for part, count in (("C", 8), ("T", 12), ("L", 5), ("S", 5)) for i in range(count))
NAMES = {"vertebral": VERTEBRAL, "spinal": SPINAL, "spinal_estimate": SPINAL}


def level_name(number: int, kind: str) -> str:
    """Return the name of a level, such as "C3" for 3; "" if it has none."""
    names = NAMES[kind]
    return names[number - 1] if 1 <= number <= len(names) else ""


def level_number(name: str, kind: str) -> int:
    """Return the number of a level given by name ("C3") or number ("3"). Raises InputError if there is no such level."""
    names = NAMES[kind]
    if name.upper() in names:
        return names.index(name.upper()) + 1
    if name.isdigit() and 1 <= int(name) <= len(names):
        return int(name)
    advice = ": a range has a colon, as C2:C4" if "-" in name else ""
    raise InputError(f"expected a {kind} level from {names[0]} to {names[-1]}, or its number; got {name!r}{advice}")


def parse_levels(text: str, kind: str) -> list[int]:
    """Return the numbers of a list of levels such as "2:4", "C2:C4" or "C2,C5"; raises as `level_number` and `parse_list` do."""
    return parse_list(text, lambda name: level_number(name, kind))


def parse_list(text: str, to_number: Callable[[str], int] = int) -> list[int]:
    """Return the numbers of a list such as "5:20" or "3,4,7:9", in increasing order; both ends of a range are included.

    Raises
    ------
    InputError
        If the text is not such a list.
    """
    numbers: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition(":")
            low = to_number(first.strip())
            high = to_number(last.strip()) if last else low
            numbers |= set(range(min(low, high), max(low, high) + 1))
    except ValueError as error:
        raise InputError(f"expected numbers such as 5:20 or 3,4,7:9; got {text!r}") from error
    return sorted(numbers)


def format_list(numbers: Iterable[int]) -> str:
    """Return numbers as ranges such as "5:20", separated by ";", as SCT writes them."""
    return ";".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges_of(sorted(numbers)))
