"""The lumbosacral cord and its tip, by several weights of the cord.

    python -m testing.benchmarks.lumbosacral [--centerline WEIGHTS] [CORD_WEIGHTS...]

On the lower part of the whole-cord template (experts' cord mask, and below it, where that is cut off, what its map of vertebral
levels covers), and on phantoms of other seeds than those that are trained on. `DSC`: of all slices with cord that are scored.
`DSC_40mm`: of the last 40 mm above the tip. `end_mm`: how far the mask's end lies below the tip (above it, if negative; of the
template, the tip is the lowest section of more than 2 mm2). `below_mm3`: of the mask, under the tip.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.metrics.agreement import agreement
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.weights.find import find_custom
from testing.scans import development_data

# contrast, voxel size in mm, size of the subject over that of the average adult
PHANTOMS = (
    ("t2", (0.7, 0.7, 3.0), 1.0),
    ("t2", (1.0, 1.0, 1.0), 0.75),
    ("t2s", (0.5, 0.5, 5.0), 1.0),
    ("t1", (1.0, 1.0, 1.0), 1.0),
    ("t2", (0.5, 0.5, 4.0), 1.15),
    ("t2s", (0.6, 0.6, 3.0), 0.65),
    ("t1", (0.8, 0.8, 2.0), 0.9),
    ("t2", (0.8, 0.8, 2.0), 1.05),
)
FIRST_SEED = 100
# Above the tip, of phantoms and of the template.
SCORED_MM = 110.0
LEAST_TIP_MM2 = 2.0


def phantoms():
    """Yield the name, the image and the cord of each phantom."""
    for seed, (contrast, spacing_mm, scale) in enumerate(PHANTOMS, FIRST_SEED):
        tip_mm = CONUS_TIP_MM * scale
        phantom = make_phantom(
            contrast=contrast,
            region=(tip_mm - SCORED_MM * scale, tip_mm + 50.0 * scale),
            spacing_mm=spacing_mm,
            fov_mm=(90.0, 90.0),
            size_scale=scale,
            noise=0.06,
            seed=seed,
        )
        yield f"phantom {contrast} {spacing_mm[2]:g} mm", to_rpi(phantom.image), to_rpi(phantom.cord).data > 0


def template(root: Path):
    """Return the name, the image and the cord of the template."""
    image, cord, levels = (
        to_rpi(read_volume(root / f"PAM50_small_{part}.nii.gz", kind=kind))
        for part, kind in (("t2", "image"), ("cord", "mask"), ("levels", "mask"))
    )
    return "pam50_small", image, (cord.data > 0.5) | (levels.data > 0)


def score(image: Volume, cord: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Return every number of one mask."""
    height_mm, pixel_mm2 = image.spacing_mm[2], float(np.prod(image.spacing_mm[:2]))
    tip = int(np.flatnonzero(cord.sum(axis=(0, 1)) * pixel_mm2 > LEAST_TIP_MM2)[0])
    lowest = np.flatnonzero(mask.any(axis=(0, 1)))
    dice = {}
    for name, length_mm in (("DSC", SCORED_MM), ("DSC_40mm", 40.0)):
        part = slice(0, tip + round(length_mm / height_mm))
        dice[name] = agreement(mask[:, :, part], cord[:, :, part], image.spacing_mm, 1.0)["DSC"]
    end_mm = (tip - int(lowest[0])) * height_mm if len(lowest) else float("nan")
    return dice | {"end_mm": end_mm, "below_mm3": mask[:, :, :tip].sum() * pixel_mm2 * height_mm}


@click.command()
@click.argument("weights", nargs=-1)
@click.option("--centerline", default="centerline", show_default=True)
def main(weights: tuple[str, ...], centerline: str) -> None:
    """Print a row a scan and weights (cord and lumbosacral by default), and the mean of the phantoms."""
    localizer = NetworkLocalizer(search=find_custom(centerline, "cord", "centerline").predictor("cpu"))
    ways = {name: find_custom(name, "cord").predictor("cpu") for name in weights or ("cord", "lumbosacral")}
    root = development_data() / "dev" / "pam50_small"
    rows: dict[str, list[dict]] = {way: [] for way in ways}
    click.echo("scan".ljust(20) + "way".ljust(14) + "".join(c.rjust(12) for c in ("DSC", "DSC_40mm", "end_mm", "below_mm3")))
    for name, image, cord in (*phantoms(), template(root)):
        for way, predictor in ways.items():
            mask = to_rpi(segment_cord(image, predictor, localizer).mask).data > 0
            row = score(image, cord, mask)
            click.echo(name.ljust(20) + way.ljust(14) + "".join(f"{value:12.3f}" for value in row.values()))
            if name.startswith("phantom"):
                rows[way].append(row)
    for way, found in rows.items():
        means = [float(np.mean([row[column] for row in found])) for column in found[0]]
        click.echo("phantoms, mean".ljust(20) + way.ljust(14) + "".join(f"{value:12.3f}" for value in means))


if __name__ == "__main__":
    main()
