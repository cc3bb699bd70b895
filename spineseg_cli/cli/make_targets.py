"""Make the targets of the configuration `cord`: `python -m spineseg_cli.cli.make_targets --data DATA --out DATA/targets`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import common_options, data_option


@click.command(name="make_targets", cls=SpinesegCommand)
@data_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to; training reads DATA/targets.")
@click.option("--weights", default="cord", show_default=True, help="Cord weights, for scans without a mask.")
@click.option("--finder", "search", default="centerline", show_default=True, help="Weights that find the cord in them.")
@common_options
def main(data, out, weights, search, verbose):
    """Write cord masks moved to the edge that each image shows, as fractions of a voxel."""
    from spineseg_cli.core.localization.localizer import NetworkLocalizer
    from spineseg_cli.training.data.edge_targets import edge_targets, write_target
    from spineseg_cli.weights.find import find_custom

    predictor = find_custom(weights, "cord").predictor("cpu")
    localizer = NetworkLocalizer(search=find_custom(search, "cord", "centerline").predictor("cpu"))
    for target in edge_targets(data, predictor, localizer):
        for path in write_target(target, out):
            report(f"{path}: {target.target.volume_mm3:.0f} mm3", verbose)


if __name__ == "__main__":
    main()
