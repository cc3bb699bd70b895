"""Lazy registries: one list of each kind of thing that a user can name, and the only one.

Choices and help texts of the commands come from a registry, and what a name stands for is imported when it is used, not before.
A package of your own adds an entry in its metadata, without a change to this one; in its `setup.cfg`::

    [options.entry_points]
    spineseg.losses =
        hinge = my_package.losses:Hinge
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from spineseg_cli.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """An entry of a registry.

    Parameters
    ----------
    target : object
        What the name stands for; a text is the place that it is imported from, "package.module:attribute".
    help : str
        What it is, in a few words.
    options : mapping of str to object, optional
        Its options with their defaults; None if they are not known before it is imported.
    facts : mapping of str to object
        What else is known of it without importing it.
    """

    target: Any
    help: str = ""
    options: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Registry(Mapping[str, Entry]):
    """The entries of one kind, in order, by their names.

    Parameters
    ----------
    kind : str
        In the plural: "losses". The metadata of other packages add to the group `spineseg.KIND`.
    entries : mapping of str to Entry
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]):
        self.kind, self._entries = kind, dict(entries)

    def load(self, name: str) -> Any:
        """Return what a name stands for, imported now. Raises InputError if there is no such name."""
        target = self[name].target
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a name; raise InputError, which lists the names, if there is none."""
        if name in self._entries:
            return self._entries[name]
        added = _added_by_others(self.kind)
        if name not in added:
            raise UnknownName(f"{name!r} is not one of the {self.kind}; expected one of {', '.join(self)}")
        return added[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._entries
        yield from (name for name in _added_by_others(self.kind) if name not in self._entries)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def in_words(self) -> str:
        """Return every name with what it is, for a help text."""
        return "; ".join(f"{name}: {entry.help}" if entry.help else name for name, entry in self.items())


class LoadedRegistry(Mapping[str, T]):
    """A registry whose values are what the names stand for: of other packages, imported when they are asked for.

    Parameters
    ----------
    kind, entries
        See `Registry`.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]):
        self._registry = Registry(kind, entries)

    def __getitem__(self, name: str) -> T:
        """Return what a name stands for; raise InputError, which lists the names, if there is no such name."""
        return self._registry.load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry)

    def __len__(self) -> int:
        return len(self._registry)


class UnknownName(InputError, KeyError):
    """A name that a registry does not have; a KeyError too, as a mapping promises."""

    __str__ = InputError.__str__


@cache
def _added_by_others(kind: str) -> dict[str, Entry]:
    """Return the entries that the metadata of installed packages add to a kind: reading it takes longer than many a command."""
    from importlib.metadata import entry_points

    return {point.name: Entry(point.value) for point in entry_points(group=f"spineseg.{kind}")}
