"""How `spineseg --dicom` says what becomes of DICOM files."""

from __future__ import annotations

from pathlib import Path

from spineseg_cli.cli.console import report


def convert_dicom(folder: Path, bids: Path, dry_run: bool, verbose: int) -> None:
    """Sort and convert DICOM files into a BIDS folder; with `dry_run`, write the table of series alone."""
    from spineseg_cli.cohort.dicom.bids_import import import_dicom

    imported = import_dicom(folder, bids, only_table=dry_run)
    for row in sorted(imported.rows, key=lambda row: (row.subject, row.use == "no", row.path)):
        goal = str(row.path) if row.use == "yes" else f"left out, of sub-{row.subject}"
        report(f"{row.protocol or 'no name'}, {row.size}: {goal}{f' ({row.note})' if row.note else ''}", verbose)
    if dry_run:
        report(f"{imported.table}: edit it, then run this command without --dry-run", verbose)
    else:
        report(f"{len(imported.written)} images written to {bids}, by {imported.table}", verbose)
