"""Write the clinical lumbar scans as T1w and as T2w without fat, painted from the labels of their spines: scans to train on.

    python -m testing.benchmarks.painted_scans FOLDER/painted

The configurations `centerline` and `cord` read them, with the cord masks and the labels of the scans that they were painted from.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi
from testing.scans import dev_scans
from testing.variants import painted

# Other ones than those that `cord_presence.py` scores.
FIRST_SEED = 5000

CONTRASTS = {"T1w": "t1", "TIRM": "tirm"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write two scans of each patient into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, scan in enumerate(dev_scans(("spider",))):
        for suffix, contrast in CONTRASTS.items():
            image, _ = painted(contrast, scan.spine(), FIRST_SEED + number)(*scan.volumes())
            stored = from_rpi(image.data.round(), read_volume(scan.image_path))
            write_volume(folder / f"sub-{scan.subject}_{suffix}.nii.gz", stored, np.int16)


if __name__ == "__main__":
    main()
