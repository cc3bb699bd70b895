"""The cord with and without a magnetization transfer pulse: one anatomy, plain in the first scan and hard to see in the second.

Train once with each pair left out, then compare its two masks by the weights that never saw it:

    for p in sct_example sub-01_acq sub-03_acq; do
        python -m spineseg_cli.cli.train --config cord --init BASE.weights.h5 --leave-out $p --out runs/pairs-$p
    done
    python -m testing.benchmarks.cord_across_mt "runs/pairs-{pair}/cord.weights.h5"

A path without {pair}, or a shipped model's name, is used for all of them, with {fold} as in `cord_left_out.py`.

Of the slices with cord in both masks: `DSC`, their Dice coefficient; `off_on`, the area without the pulse over that with it;
`least` and `most`, the same of the worst slices.
"""

from __future__ import annotations

import click
import numpy as np

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.metrics.overlap import confusion, dice
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.weights.find import find_custom, find_model
from testing.scans import FOLD_A, development_data

# pair: the scans with the pulse, and without
ERRSM = "dev/errsm/sub-{0}/anat/sub-{0}_{1}"
PAIRS = {
    "sct_example": ("unlabelled/sct_example_mt1", "unlabelled/sct_example_mt0"),
    "sub-01_acq": ("unlabelled/sub-01_acq-MTon_MTS", "unlabelled/sub-01_acq-MToff_MTS"),
    "sub-03_acq": ("unlabelled/sub-03_acq-MTon_MTS", "unlabelled/sub-03_acq-MToff_MTS"),
    "errsm23": (ERRSM.format("errsm23", "mt-on_MTS"), ERRSM.format("errsm23", "mt-off_MTS")),
    **{name: (ERRSM.format(name, "mt-on_MTS"), ERRSM.format(name, "flip-10_spgr")) for name in ("pilot7", "pilot8", "pilot9")},
}


@click.command()
@click.argument("weights", default="cord")
def main(weights: str) -> None:
    """Print one row a pair."""
    root = development_data()
    changes = []
    localizer = NetworkLocalizer(search=find_model("centerline").predictor("cpu"))
    click.echo("pair".ljust(16) + "".join(c.rjust(10) for c in ("slices", "DSC", "off_on", "least", "most")))
    for pair, names in PAIRS.items():
        predictor = find_custom(weights.format(pair=pair, fold="A" if pair in FOLD_A else "B"), "cord").predictor("cpu")
        scans = [to_rpi(read_volume(root / f"{name}.nii.gz")) for name in names]
        on, off = (segment_cord(scan, predictor, localizer).mask.data > 0 for scan in scans)
        both = on.any(axis=(0, 1)) & off.any(axis=(0, 1))
        on, off = on[..., both], off[..., both]
        ratios = off.sum(axis=(0, 1)) / on.sum(axis=(0, 1))
        row = (dice(confusion(off, on)), off.sum() / on.sum(), np.min(ratios), np.max(ratios))
        click.echo(pair.ljust(16) + f"{both.sum():10d}" + "".join(f"{value:10.3f}" for value in row))
        changes.append(abs(off.sum() / on.sum() - 1))
    click.echo(f"mean of the absolute changes: {100 * np.mean(changes):.1f} %")


if __name__ == "__main__":
    main()
