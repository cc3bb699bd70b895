"""Show what a recipe trains on: `python -m spineseg_cli.cli.contact_sheet --recipe gm_synthetic -o sheet.png`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import verbosity_option


@click.command(name="contact_sheet", cls=SpinesegCommand)
@click.option("--recipe", required=True, help="A recipe of the package by name, or a YAML file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Picture to write (.png).")
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Crops to show.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data. [default: $SPINESEG_SHARED/data]")
@verbosity_option
def main(recipe, output, count, seed, data, verbose):
    """Write a picture of crops that a recipe trains on, contours of cord and gray matter drawn in."""
    import time

    import numpy as np
    from skimage.io import imsave

    from spineseg_cli.core.files import atomic_path
    from spineseg_cli.synthesis.contact_sheet import contact_sheet
    from spineseg_cli.synthesis.generator import synthesize
    from spineseg_cli.training.configs.files import load_recipe
    from spineseg_cli.training.data.slices import load_maps

    data = data or Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
    maps = load_maps(load_recipe(recipe).maps, data)
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    crops = []
    for place in range(count):
        source = maps[place % len(maps)]
        crops.append(synthesize(source[rng.integers(len(source))], 128, rng))
    seconds = time.perf_counter() - start
    with atomic_path(output) as temporary:
        imsave(temporary, contact_sheet(*zip(*crops, strict=True)), check_contrast=False)
    report(f"{output}: {count} crops, {count / seconds:.0f} a second", verbose)


if __name__ == "__main__":
    main()
