"""An option whose values are the names of a registry.

Entries of other packages are looked up only for help, or for a name that the registry itself does not have, since this takes
longer than the rest of a command's start.
"""

from __future__ import annotations

from typing import Any

import click

from spineseg_cli.core.registry import Registry


class RegistryOption(click.Option):
    """An option that takes a name in `registry`; its help lists the names with their descriptions."""

    def __init__(self, names: list[str], *, registry: Registry, **kwargs: Any):
        super().__init__(names, type=_NameOf(registry), **kwargs)
        self.registry = registry

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = self.registry.in_words()
        return super().get_help_record(ctx)


class _NameOf(click.Choice):
    """The click type of a name in a registry."""

    def __init__(self, registry: Registry):
        self.registry, self.case_sensitive = registry, True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        """All names."""
        return tuple(self.registry)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value if value in self.registry else super().convert(value, param, ctx)
