"""What eight bits change: `seg_cord` with --precision int8 and float32 on the development scans.

    python -m testing.benchmarks.precision

Of each scan: `DSC`, the Dice coefficient of the two masks; `change`, what int8 adds to the Dice coefficient with the reference;
`edge`, what it adds to the ratio of the mask's area to that inside the image's edge (not of lumbar scans, whose edge is not seen
all around); `lower` and `upper`, by how many slices the mask's ends differ.
"""

from __future__ import annotations

import click
import numpy as np

from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.registry import TASKS
from testing.outline import area_to_edge
from testing.scans import dev_scans, development_data

COLUMNS = ("DSC", "change", "edge", "lower", "upper")


@click.command()
def main() -> None:
    """Print one row a scan, and the mean and the worst."""
    task, rows = TASKS["cord"], []
    predictors = [task.find_model().predictor("cpu", precision=precision) for precision in ("float32", "int8")]
    click.echo("scan".ljust(34) + "".join(column.rjust(10) for column in COLUMNS))
    for scan in dev_scans():
        image, reference = scan.volumes()
        masks = [segment_cord(image, predictor, task.localizer(predictor)).mask for predictor in predictors]
        full, small = (mask.data > 0 for mask in masks)
        if not (full.any() and small.any()):
            click.echo(scan.name.ljust(34) + "  no cord found")
            continue
        scores = [dice(confusion(data, reference)) for data in (full, small)]
        shared = development_data().parent
        ratios = [np.nan, np.nan] if scan.is_lumbar else [area_to_edge(shared, image, mask) for mask in masks]
        ends = np.subtract(*(np.flatnonzero(data.any(axis=(0, 1)))[[0, -1]] for data in (small, full)))
        rows.append([dice(confusion(full, small)), np.diff(scores)[0], np.diff(ratios)[0], *ends])
        click.echo(scan.name.ljust(34) + "".join(f"{value:10.4f}" for value in rows[-1]))
    for name, values in (("mean", np.nanmean(rows, axis=0)), ("largest, either sign", np.nanmax(np.abs(rows), axis=0))):
        click.echo(name.ljust(34) + "".join(f"{value:10.4f}" for value in values))


if __name__ == "__main__":
    main()
