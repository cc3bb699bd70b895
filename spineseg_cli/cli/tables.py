"""How a command's tables are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from spineseg_cli.cli.console import counted, report


def write_csv_output(path: Path, header: Sequence[str], rows: Iterable[Sequence], verbose: int) -> None:
    """Write rows of numbers, and report their number."""
    from spineseg_cli.core.tables import write_rows

    rows = list(rows)
    write_rows(path, header, rows)
    report(f"{path}: {counted(len(rows), 'slice')}", verbose)


def write_table_output(path: Path, table, inputs: list[Path], details: dict, verbose: int) -> None:
    """Write a `Table` and its sidecar, and report its length."""
    from spineseg_cli.core.provenance import write_sidecar
    from spineseg_cli.metrics.table import write_table

    write_table(path, table)
    write_sidecar(path, inputs, details)
    report(f"wrote {path}: {counted(len(table.rows), 'row')}", verbose)
