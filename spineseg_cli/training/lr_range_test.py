"""The learning-rate range test, which shows at which rates a network learns.

Smith. Cyclical learning rates for training neural networks. WACV 2017 (arXiv:1506.01186). Bueno et al. 2022 choose their rates
by it, with rates from 1e-10 to 10 in 2 to 5 epochs and a plot of the smoothed loss.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from spineseg_cli.core.files import write_text
from spineseg_cli.core.tables import write_rows
from spineseg_cli.errors import InputError
from spineseg_cli.reports.pictures.charts import draw_svg, rate_chart
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.crops import CropBatches
from spineseg_cli.training.progress import ProgressBar
from spineseg_cli.training.schedules import exponential
from spineseg_cli.training.trainer import Trainer
from spineseg_cli.weights.model import Model

LOWEST, HIGHEST, EPOCHS = 1e-10, 10.0, 3
# Weight of the past in the moving mean of the loss.
SMOOTHING = 0.95


@dataclass(frozen=True)
class RangeTest:
    """The losses of a network at increasing learning rates, up to the first loss that was not a number."""

    # Of shape (steps,), float64.
    rates: np.ndarray
    losses: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """The exponential moving mean of the losses, corrected for its beginning, shape (steps,)."""
        return smooth(self.losses)

    @property
    def steepest(self) -> float:
        """The rate, below that of the minimum, at which the smoothed loss decreases fastest per unit of the rate's logarithm."""
        lowest = int(np.argmin(self.smoothed))
        if lowest == 0:
            return float(self.rates[0])
        slopes = np.gradient(self.smoothed, np.log(self.rates))
        return float(self.rates[np.argmin(slopes[: lowest + 1])])

    @property
    def tenth_of_minimum(self) -> float:
        """A tenth of the rate at which the smoothed loss is lowest: a usual choice for the highest rate."""
        return float(self.rates[np.argmin(self.smoothed)] / 10)

    @property
    def verdict(self) -> str:
        """The sentence that says what the test found."""
        return (
            f"suggested learning rate: {self.steepest:.2g}, where the smoothed loss falls fastest (a tenth of the rate of its "
            f"minimum: {self.tenth_of_minimum:.2g})"
        )


def smooth(values: np.ndarray, weight: float = SMOOTHING) -> np.ndarray:
    """Return ``m_n / (1 - w^n)`` with ``m_n = w m_(n-1) + (1 - w) x_n`` and ``m_0 = 0``, of the same length."""
    return lfilter([1 - weight], [1, -weight], values) / (1 - weight ** np.arange(1, len(values) + 1))


def range_test(
    config: TrainingConfig, batches: CropBatches, start: Model | None = None, epochs: int = EPOCHS, verbose: int = 0
) -> RangeTest:
    """Train for some epochs at a rate that increases from batch to batch, and return the losses. The weights are discarded.

    The first phase of the configuration is tested, from the initial weights `start` or from untrained ones. Raises InputError if
    the loss is not a number from the first batch on.
    """
    steps = config.optimizer.steps_per_epoch
    trainer, total = Trainer(config, start), epochs * steps
    trainer.begin(config.phases[0], exponential(LOWEST, HIGHEST, total))
    rates, losses = [], []
    with closing(batches.stream()) as stream, ProgressBar(epochs, steps, shown=verbose > 0) as bar:
        for images, targets in islice(stream, total):
            rate, loss = trainer.rate, trainer.steps.train(images, targets)["loss"]
            if not np.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            bar.end_step()
    if not losses:
        raise InputError(f"the loss of {config.name} is not a number at the lowest rate, {LOWEST:g}: look at the images")
    return RangeTest(np.array(rates), np.array(losses))


def write_range_test(chart: Path, test: RangeTest, name: str) -> None:
    """Write the chart of a range test, SVG, and beside it a CSV: step, learning_rate, loss, smoothed_loss."""
    rows = zip(range(len(test.rates)), test.rates, test.losses, test.smoothed, strict=True)
    write_rows(chart.with_suffix(".csv"), ("step", "learning_rate", "loss", "smoothed_loss"), rows)
    lines = {"loss": test.losses.tolist(), "smoothed": test.smoothed.tolist()}
    title = f"{name}: loss by learning rate, suggested {test.steepest:.2g}"
    write_text(chart, draw_svg([rate_chart(title, test.rates.tolist(), lines, [test.steepest])], size_in=(6.6, 3.8)))
