"""Stored evaluations of a variant, which are reused while everything that they depend on is unchanged."""

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.experiments.evaluations import ScanSet, recall, remember
from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.table import Table
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.evaluation import Evaluation
from spineseg_cli.weights.files import read_model


def write(path, seed):
    write_volume(path, Volume(np.random.default_rng(seed).random((4, 4, 2)).astype(np.float32), np.eye(4)))
    return path


@pytest.mark.parametrize("changed", [None, "image", "gray"])
def test_evaluations_are_of_these_bytes(tiny_weights, tmp_path, changed):
    """A corrected mask needs a new evaluation."""
    paths = {name: write(tmp_path / f"{name}.nii", seed) for seed, name in enumerate(("image", "gray", "found"))}
    chosen = ScanSet("test", [LabeledScan("sub-1", paths["image"], {"gray_matter": (paths["gray"],)})])
    row = {"level": "volume", "statistic": "value", "prediction": "found.nii", "reference": "gray.nii", "rater": "1", "slice": ""}
    model = read_model(tiny_weights)
    table = Table((row | dict.fromkeys(METRICS, 0.9),))
    remember(tmp_path, model, chosen, Evaluation(tuple(chosen.scans), table, (paths["found"],)))
    if changed:
        write(paths[changed], 7)
    assert (recall(tmp_path, model, chosen) is None) == (changed is not None)
