"""The phases of a run: one, or two where a subnetwork is reinitialized, trained alone, and then the rest with it.

De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021: network surgery at a rate
of 1e-3 with the rest frozen, then all of the network, or all but its encoder or decoder, at 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

from spineseg_cli.training.choices import SCHEDULES
from spineseg_cli.training.config import TrainingConfig


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same subnetworks are trained.

    Parameters
    ----------
    frozen : tuple of str
        Subnetworks that stay as they are, of `training.choices.SUBNETWORKS`.
    learning_rate : float
        The highest.
    epochs : int
        At most.
    """

    frozen: tuple[str, ...]
    learning_rate: float
    epochs: int


def phases_of(config: TrainingConfig) -> list[Phase]:
    """Return the phases of a run, in order."""
    optimizer, second = config.optimizer, config.surgery.second_phase
    phases = [Phase(config.surgery.frozen_at_first, optimizer.learning_rate, optimizer.epochs)]
    if second is not None:
        frozen = (second.freeze,) if second.freeze else ()
        phases.append(Phase(frozen, second.learning_rate, second.epochs or optimizer.epochs))
    return phases


def total_epochs(config: TrainingConfig) -> int:
    """Return how many epochs a run has at most, all phases together."""
    return sum(phase.epochs for phase in phases_of(config))


def rate_in_words(config: TrainingConfig) -> str:
    """Return the learning rates of a run, and how they change."""
    schedule = config.optimizer.schedule
    words = SCHEDULES[schedule.name].facts.get("in_words", schedule.name).format_map(schedule.options)
    return f"{', then '.join(f'{phase.learning_rate:g}' for phase in phases_of(config))}, {words}"


def surgery_in_words(config: TrainingConfig) -> str:
    """Return which subnetworks a run reinitializes, and which it freezes in each phase."""
    frozen = ", then ".join(" and ".join(phase.frozen) or "nothing" for phase in phases_of(config))
    return f"{config.surgery.reinitialize or 'nothing'}, {frozen}"
