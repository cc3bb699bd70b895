"""Whether `finetune --task gm` on a few scans makes weights worse: every expert-labeled subject left out in turn, several seeds.

    python -m testing.benchmarks.gm_finetune "runs/{fold}/gm.weights.h5" --out runs/gm_finetune

`{fold}` becomes A or B, whichever left out the subject in question (see `gm_card.FOLDS`), so that neither the start nor the
fine-tuned weights have seen it. Of the other subjects the seed draws one to validate on, and the rest are trained on. Printed are
the Dice coefficients of the complete command on the subject's scans, before and after, and whether the losses are bearable.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.training.config_files import load_config
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.scan_tables import person_of
from spineseg_cli.training.finetune import run_plan
from spineseg_cli.training.plan import find_start, make_plan
from testing.benchmarks.gm_card import EXPERTS, FOLDS, label_path, scan_path

# What may be lost: by the mean over all subjects of a seed, and by any one of them.
MEAN_LOSS, WORST_LOSS = 0.002, 0.01


def write_table(path: Path) -> Path:
    """Write the table of the experts' scans that `finetune` reads."""
    rows = ["subject\timage\tgray_matter\tcord"]
    for name in EXPERTS:
        files = (scan_path(name), label_path(name, "gray"), label_path(name, "cord"))
        rows.append("\t".join([person_of(name), *(str(file.resolve()) for file in files)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def split_of(tested: str, seed: int) -> dict[str, str]:
    """Return the subset of each subject: `tested` is tested on, another validated on, the rest trained on."""
    subjects = sorted({person_of(name) for name in EXPERTS})
    others = [name for name in subjects if name != tested]
    validated = others[np.random.default_rng([seed, subjects.index(tested)]).integers(len(others))]
    return {name: "test" if name == tested else "validation" if name == validated else "train" for name in subjects}


@click.command()
@click.argument("weights")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--epochs", type=int, help="At most; by default the configuration's.")
@click.option("--steps", type=int, help="Batches in an epoch; by default the configuration's.")
def main(weights: str, out: Path, seeds: int, epochs: int | None, steps: int | None) -> None:
    """Print a row for each seed and subject, and each seed's mean."""
    import_tensorflow()
    table = write_table(out / "scans.tsv")
    scans = find_scans(ScanSource(table), "gm")
    changes = {"epochs": epochs, "steps_per_epoch": steps}
    changes = {f"optimizer.{name}": value for name, value in changes.items() if value}
    means, worst = [], 0.0
    for seed in range(1, seeds + 1):
        gains = []
        for tested in sorted({person_of(name) for name in EXPERTS}):
            fold = next(fold for fold, names in FOLDS.items() if any(person_of(name) == tested for name in names))
            start = find_start("gm", weights.format(fold=fold))
            folder = out / f"{tested}-{seed}"
            template = load_config("finetune_gm", changes | {"name": tested.replace("-", "_"), "seed": seed})
            plan = make_plan("gm", table, folder, scans, split_of(tested, seed), template, start)
            result = run_plan(plan, "cpu")
            before, after = (part.mean("DSC") for part in (result.before, result.after))
            gains.append(after - before)
            click.echo(
                f"seed {seed}  {tested:10s}  {before:.3f} to {after:.3f}  {after - before:+.3f}  {result.run.best_in_words}"
            )
        means.append(float(np.mean(gains)))
        worst = min(worst, *gains)
        click.echo(f"seed {seed}  mean {means[-1]:+.4f}, worst {min(gains):+.3f}")
    verdict = "holds" if min(means) >= -MEAN_LOSS and worst >= -WORST_LOSS else "does not hold"
    click.echo(f"mean at least -{MEAN_LOSS:g} and each at least -{WORST_LOSS:g}, whatever the seed: {verdict}")


if __name__ == "__main__":
    main()
