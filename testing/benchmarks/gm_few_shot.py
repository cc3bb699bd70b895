"""How many labeled slices a scan needs: fine-tuning on 15 of them against fine-tuning on all.

    python -m testing.benchmarks.gm_few_shot runs/gm_synthetic/gm_synthetic.weights.h5 --out runs/few_shot

The weights should have seen no scan. Both fine-tuned networks are scored on all slices of their scan, which the second of them
was trained on, and those of sub-10062 on its other session too.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_files import load_config
from spineseg_cli.weights.find import find_custom
from testing.benchmarks.gm_card import label_path, scan_path
from testing.scans import development_data

FOLDER = "dev/gm_challenge"
FEW, EVERY = 15, 1000  # slices at most
# Scan that is trained on, and scans that are scored; the others have no more than 15 labeled slices.
PAIRS = {
    "sub-10062Ses1": ("sub-10062Ses1", "sub-10062Ses2"),
    "sub-10062Ses2": ("sub-10062Ses2", "sub-10062Ses1"),
    "sub-9418": ("sub-9418",),
}


def config_for(name: str, slices: int, epochs: int) -> TrainingConfig:
    """Return the configuration `gm` with more weight on the scans, and those: so many slices of one."""
    image = f"{FOLDER}/{name}/anat/*_run-1_T2starw.nii.gz"
    cord, gray = (f"{FOLDER}/derivatives/labels/{name}/anat/*_{kind}-manual.nii.gz" for kind in ("seg", "gmseg"))
    source = {"image": image, "cord": cord, "gray_matter": gray, "max_slices": slices}
    optimizer = {"epochs": epochs, "learning_rate": 0.001}
    return load_config("gm", {"data": {"labeled_scans": [source], "scan_fraction": 0.6}, "optimizer": optimizer})


def dice_on(name: str, weights: Path) -> float:
    """Return the Dice coefficient of a scan, its cord's center given."""
    scan, predictor = read_volume(scan_path(name)), find_custom(str(weights), "gray_matter").predictor("cpu")
    gray, cord = (read_volume(label_path(name, kind), kind="mask") for kind in ("gray", "cord"))
    return dice(confusion(segment_gray_matter(scan, predictor, MaskLocalizer(mask=cord)).mask.data > 0, gray.data > 0.5))


@click.command()
@click.argument("weights", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--epochs", default=5, show_default=True)
def main(weights: Path, out: Path, epochs: int) -> None:
    """Print Dice before, with 15 slices, with all slices, and the difference of the last two."""
    import_tensorflow()
    from spineseg_cli.training.train import train

    click.echo(f"{'trained on':15s}{'scored on':15s}{'before':>8s}{FEW:>6d}{'all':>8s}{'loss':>8s}")
    losses = []
    for name, scored in PAIRS.items():
        few, every = (
            train(config_for(name, n, epochs), development_data(), out / f"{name}-{n}", init=weights) for n in (FEW, EVERY)
        )
        for other in scored:
            row = [dice_on(other, path) for path in (weights, few, every)]
            losses.append(row[2] - row[1])
            click.echo(f"{name:15s}{other:15s}{row[0]:8.3f}{row[1]:6.3f}{row[2]:8.3f}{losses[-1]:8.3f}")
    click.echo(f"mean loss {np.mean(losses):.3f}, largest {max(losses):.3f}")


if __name__ == "__main__":
    main()
