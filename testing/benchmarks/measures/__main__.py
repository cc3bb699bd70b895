"""How right `measure_cord` is: `python -m testing.benchmarks.measures [shapes] [limits] [...]`.

shapes     errors on tubes whose size is known, by shape, voxel and tilt, of soft and of binary masks; the usual tolerance is 3 %
limits     sizes that have the same binary mask: the error that no method can fall below
diameters  the same of diameters, of smooth sections of any shape
averaged   soft masks of seg_cord averaged to voxels of 4 mm, against the masks themselves
coverage   how often 95 % intervals hold the truth: 200 masks with outlines moved at random
edges      errors of the area inside the image's edge, on phantoms with roots and noise, and how often its intervals hold
contrasts  areas by mask and by the image's edge, of each subject with several contrasts, and from masks half a voxel off
own_masks  the same from the masks of seg_cord
starts     how far the edge depends on the mask it is searched from, in every labeled scan
segments   errors of the estimated spinal segments, on simulated subjects and on the PAM50 template, whole and in part
people     which segments are estimated in masks of the neck, to the chest, and of the lumbar cord
calibration  factors of the intervals of the estimated segments, learned from other simulated subjects
alignment  how far two times of a simulated subject without levels are misaligned
two_masks  the same of masks of people: of a scan, and of the scan with noise, without its top
times      seconds of the command
"""

import click

from testing.benchmarks.measures.averaged import averaged
from testing.benchmarks.measures.calibration import calibration
from testing.benchmarks.measures.contrasts import contrasts, own_masks
from testing.benchmarks.measures.coverage import coverage, edges
from testing.benchmarks.measures.diameters import diameters
from testing.benchmarks.measures.limits import limits
from testing.benchmarks.measures.segments import people, segments
from testing.benchmarks.measures.shapes import shapes
from testing.benchmarks.measures.starts import starts
from testing.benchmarks.measures.times import times
from testing.benchmarks.measures.two_times import alignment, two_masks

PARTS = {
    part.__name__: part
    for part in (
        shapes,
        limits,
        diameters,
        averaged,
        coverage,
        edges,
        contrasts,
        own_masks,
        starts,
        segments,
        people,
        calibration,
        alignment,
        two_masks,
        times,
    )
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Print the tables asked for, or all."""
    for part in parts or PARTS:
        click.echo(f"\n{part}")
        PARTS[part]()


if __name__ == "__main__":
    main()
