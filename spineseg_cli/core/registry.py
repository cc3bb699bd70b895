"""Lazy registries, each the only list of a kind of object that users can choose by name.

Choices and help texts of the commands come from a registry, and objects are imported only when they are used. Other packages add
entries in their metadata, without a change to this one, such as in `setup.cfg`::

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
    """An entry of a registry."""

    target: Any  # the object, or its import path as a text, "package.module:attribute"
    help: str = ""
    options: Mapping[str, Any] | None = None  # its options with their defaults; None if they are not known before it is imported
    facts: Mapping[str, Any] = field(default_factory=dict)  # further properties that are known without importing it


class Registry(Mapping[str, Entry]):
    """The entries of one kind by name, in order.

    `kind` is in the plural, such as "losses". Other packages add entries by the entry point group `spineseg.KIND`.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]):
        self.kind, self._entries = kind, dict(entries)

    def load(self, name: str) -> Any:
        """Import and return the object of a name. Raises InputError if there is no such name."""
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
        """Return a list of the names with their descriptions, for a help text."""
        return "; ".join(f"{name}: {entry.help}" if entry.help else name for name, entry in self.items())


class LoadedRegistry(Mapping[str, T]):
    """A registry whose values are the objects themselves; those of other packages are imported on access."""

    def __init__(self, kind: str, entries: Mapping[str, Entry]):
        self._registry = Registry(kind, entries)

    def __getitem__(self, name: str) -> T:
        """Return the object of a name; raise InputError, which lists the names, if there is no such name."""
        return self._registry.load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry)

    def __len__(self) -> int:
        return len(self._registry)


class UnknownName(InputError, KeyError):
    """A name that a registry does not have; it is a KeyError, too, as mappings require."""

    __str__ = InputError.__str__


@cache
def _added_by_others(kind: str) -> dict[str, Entry]:
    """Return the entries that installed packages add to a kind; cached, as reading their metadata is slow."""
    from importlib.metadata import entry_points

    return {point.name: Entry(point.value) for point in entry_points(group=f"spineseg.{kind}")}
