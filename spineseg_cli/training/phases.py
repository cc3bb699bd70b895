"""The phases of a run: one, or two where a part of the network is replaced, trained alone, and then the rest with it.

De Broux. Segmentation of the lumbosacral spinal cord by fine-tuning. Polytechnique Montreal, 2021: network surgery at a rate
of 1e-3 with the rest frozen, then all of the network, or all but its contraction or expansion, at 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

from spineseg_cli.training.configs.choices import PARTS, SCHEDULES, SURGERIES, UNFREEZING
from spineseg_cli.training.configs.recipe import Recipe


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same parts of a network are trained.

    Parameters
    ----------
    frozen : tuple of str
        Parts that stay as they are, of `training.configs.choices.PARTS`.
    learning_rate : float
        The highest.
    epochs : int
        At most.
    """

    frozen: tuple[str, ...]
    learning_rate: float
    epochs: int


def phases_of(recipe: Recipe) -> list[Phase]:
    """Return the phases of a run, the first first."""
    if recipe.unfreeze is None:
        return [Phase((recipe.freeze,) if recipe.freeze else (), recipe.learning_rate, recipe.epochs)]
    second = UNFREEZING | recipe.unfreeze
    kept = (second["keep"],) if second["keep"] in PARTS else ()
    rest = tuple(part for part in PARTS if part not in SURGERIES[recipe.surgery])
    return [
        Phase(rest, recipe.learning_rate, recipe.epochs),
        Phase(kept, second["learning_rate"], second["epochs"] or recipe.epochs),
    ]


def schedule_of(recipe: Recipe) -> dict:
    """Return a recipe's schedule with all its options."""
    given = {"name": recipe.schedule} if isinstance(recipe.schedule, str) else recipe.schedule
    return SCHEDULES[given["name"]] | given


def rate_in_words(recipe: Recipe) -> str:
    """Return how fast a run learns."""
    options = schedule_of(recipe)
    falling = {
        "poly": f"falling to 0 (power {recipe.decay_power:g})",
        "constant": "constant",
        "triangular": "up from {lowest:g} and down, each in {half_cycle} {by}s",
        "halve": "times {factor:g} after {patience} epochs without a lower validation loss",
    }[options["name"]].format_map(options)
    return f"{', then '.join(f'{phase.learning_rate:g}' for phase in phases_of(recipe))}, {falling}"


def parts_in_words(recipe: Recipe) -> str:
    """Return which parts of the network a run replaces and freezes."""
    frozen = ", then ".join(" and ".join(phase.frozen) or "nothing" for phase in phases_of(recipe))
    return f"{recipe.surgery or 'nothing'}, {frozen}"
