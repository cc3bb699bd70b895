"""The range test: its suggestion for hand-made losses, and a run by the command."""

import csv

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from testing.training.runs import CONFIG, Batches

pytestmark = pytest.mark.usefixtures("tensorflow")


def test_smoothing():
    """m_n = w m_(n-1) + (1 - w) x_n, over 1 - w^n"""
    from spineseg_cli.training.lr_range_test import smooth

    assert smooth(np.array([2, 4, 8]), 0.5) == pytest.approx([2, (0.5 * 1 + 2) / 0.75, (0.5 * 2.5 + 4) / 0.875])
    assert smooth(np.full(20, 3)) == pytest.approx([3] * 20)


def test_the_rate_where_the_loss_falls_fastest():
    from spineseg_cli.training.lr_range_test import RangeTest

    rates = np.logspace(-10, 1, 1101)
    falling, rising = 1 / (1 + np.exp(-4 * (np.log10(rates) + 4))), 1 / (1 + np.exp(-8 * (np.log10(rates) + 1)))
    test = RangeTest(rates, 1 - falling + 5 * rising)
    # Smoothing lags by 19 steps of 0.01 decades.
    assert np.log10(test.steepest) == pytest.approx(-4 + 0.19, abs=0.05)
    assert -3 < np.log10(test.tenth_of_minimum) + 1 < -1.5
    assert "suggested learning rate: 0.0001" in test.verdict
    assert RangeTest(rates, rising).steepest == 1e-10, "it only rises"


def test_a_run_at_rising_rates():
    from spineseg_cli.training.lr_range_test import range_test

    config = CONFIG.with_changes({"optimizer.steps_per_epoch": 12})
    test = range_test(config, Batches(config), epochs=1)
    assert test.rates == pytest.approx(10.0 ** np.arange(-10, 2), rel=1e-4)
    assert np.isfinite(test.losses).all()
    assert test.losses[0] == pytest.approx(test.losses[1], abs=0.1), "nothing is learned at first"


def test_from_the_command_line(tmp_path):
    from spineseg_cli.cli.train import main

    content = {
        "network": {"name": "unet2d", "filters": 2, "depth": 1, "classes": 2},
        "data": {"label_maps": [{"phantom": 1}]},
        "sampling": {"crop_sizes": [32]},
        "optimizer": {"batch_size": 1, "steps_per_epoch": 2},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    chart = tmp_path / "rates.svg"
    arguments = ["--config", str(tmp_path / "tiny.yaml"), "--device", "cpu", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--range-test", str(chart), "--precision", "mixed_bfloat16"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("suggested learning rate: ")
    rows = list(csv.DictReader(chart.with_suffix(".csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == list("012345")
    assert "<svg" in chart.read_text()
    for wrong, message in (([], "give either --out"), (["--range-test", "a.png"], "expected a chart that ends in .svg")):
        result = CliRunner().invoke(main, [*arguments, *wrong])
        assert (result.exit_code, message in result.stderr) == (2, True)
