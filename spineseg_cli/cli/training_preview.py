"""Show training crops of a configuration: `python -m spineseg_cli.cli.training_preview --config gm_synthetic -o crops.png`."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import common_options, data_option

CONFIG_HELP = "A training configuration by name, a YAML file, or a folder: every configuration in it. (--recipe is its old name.)"
OUTPUT_HELP = "Picture to write (.png); of a folder of configurations, the folder of their pictures."


@click.command(name="training_preview", cls=SpinesegCommand)
@click.option("--config", "--recipe", "config", required=True, help=CONFIG_HELP)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=OUTPUT_HELP)
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Crops to show.")
@click.option("--seed", type=int, help="[default: the configuration's]")
@click.option("--leave-out", multiple=True, metavar="SUBJECT", help="Leave out a subject, as train does. May be repeated.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Change a field, as train does.")
@data_option
@common_options
def main(config, output, count, seed, leave_out, assignments, data, verbose):
    """Write a picture of the crops that a configuration trains on: its scans and contrasts, at its spacing, with their targets.

    They are those of the first batches. Of the stacks of a 3-D network, the slice in the middle is shown.
    """
    from spineseg_cli.core.yaml_files import parse_changes
    from spineseg_cli.training.config_files import load_config

    changes = parse_changes(assignments) | ({} if seed is None else {"seed": seed})
    several = Path(config).is_dir()
    names = sorted(map(str, Path(config).glob("*.yaml"))) if several else [config]
    for name in names:
        loaded = load_config(name, changes)
        path = output / f"{loaded.name}.png" if several else output
        seconds = _write_preview(loaded, path, count, data, leave_out)
        report(f"{path}: {count} crops, {count / seconds:.0f} a second", verbose)


def _write_preview(config, path: Path, count: int, data: Path, leave_out) -> float:
    """Write the picture; return the time that the crops took, in seconds."""
    import time

    from PIL import Image

    from spineseg_cli.core.files import atomic_path
    from spineseg_cli.training.data.datasets import ConfiguredData
    from spineseg_cli.training.data.preview import preview_batches

    batches = ConfiguredData(config, data, leave_out).batches()
    start = time.perf_counter()
    picture = preview_batches(batches, count)
    seconds = time.perf_counter() - start
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
    return seconds


if __name__ == "__main__":
    main()
