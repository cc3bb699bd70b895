"""The MR contrasts of synthetic training images: ranges of the intensities of white matter, gray matter and CSF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.registry import Entry, Registry


@dataclass(frozen=True)
class ContrastRanges:
    """Ranges that the intensities of one contrast are drawn from. The background is drawn independently."""

    # Lowest and highest value.
    white: tuple[float, float]
    gray: tuple[float, float]
    csf: tuple[float, float]
    relative: bool = True  # whether the values of gray matter and CSF are ratios to white matter, or intensities

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Return the intensities of white matter, gray matter and CSF."""
        white, gray, csf = (rng.uniform(*limits) for limits in (self.white, self.gray, self.csf))
        if not self.relative:
            return white, min(gray, white * 0.93), csf
        return white, white * gray, white * csf


class RandomContrast:
    """A contrast in which the three tissues have random intensities, in any order of brightness."""

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Return the intensities of white matter, gray matter and CSF."""
        white, csf = rng.uniform(0.1, 1.0, 2)
        difference = rng.uniform(0.06, 0.5) * rng.choice([-1, 1])
        return float(white), float(np.clip(white + difference, 0.02, 1.3)), float(csf)


Range = tuple[float, float]


def _entry(help_text: str, weight: float, white: Range, gray: Range, csf: Range, relative: bool = True) -> Entry:
    return Entry(ContrastRanges(white, gray, csf, relative), help_text, facts={"weight": weight})


# Each contrast has a method `draw`. The fact `weight` says how often the contrast is drawn by default (0 if it is absent).
CONTRASTS = Registry(
    "contrasts",
    {
        "t2s": _entry("T2*-weighted", 0.45, (0.40, 0.60), (1.05, 1.55), (0.95, 2.40)),
        "t2": _entry("T2-weighted", 0.1, (0.25, 0.40), (1.05, 1.40), (1.80, 3.50)),
        "t1": _entry("T1-weighted", 0.06, (0.55, 0.75), (0.75, 0.95), (0.20, 0.60), relative=False),
        "psir": _entry("phase-sensitive inversion recovery", 0.06, (0.70, 0.95), (0.45, 0.85), (0.05, 0.40), relative=False),
        "dwi": _entry("diffusion-weighted", 0.05, (0.50, 0.70), (0.90, 1.35), (0.10, 0.70)),
        "mt": _entry("magnetization transfer", 0.08, (0.35, 0.50), (1.02, 1.25), (0.90, 1.80)),
        # With the short echo times of gradient echoes, CSF is about as bright as the cord.
        "pd": _entry("proton density", 0.0, (0.35, 0.60), (1.05, 1.40), (0.60, 1.10)),
        "random": Entry(RandomContrast(), "any order of brightness", facts={"weight": 0.2}),
    },
)


def default_weights() -> dict[str, float]:
    """Return the relative frequency of each contrast, for configurations that set none."""
    return {name: entry.facts.get("weight", 0.0) for name, entry in CONTRASTS.items()}
