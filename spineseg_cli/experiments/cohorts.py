"""Descriptions of cohorts of phantoms, so that a study can be run without any data. `cohort_files` writes them to disk.

There are two kinds. `phantoms` are subjects of given sizes, regions and contrasts, with one scan each. `exvivo` is one long scan
in which a few evenly spaced slices are labeled for training, as in the ex vivo study of Perone et al. 2018.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from spineseg_cli.synthesis.anatomy import NAMES
from spineseg_cli.synthesis.scanner import PHANTOM_CONTRASTS
from spineseg_cli.training.config_types import Section


def _increasing(limits: tuple[float, float]) -> tuple[float, float]:
    """Return the limits of a range; raise ValueError if the upper one comes first."""
    if limits[0] > limits[1]:
        raise ValueError("expected the lower limit of a range first")
    return limits


def _downwards(ends: tuple[str, str]) -> tuple[str, str]:
    """Return the names of two vertebrae; raise ValueError if the lower one comes first."""
    if NAMES.index(ends[0]) > NAMES.index(ends[1]):
        raise ValueError("expected the upper vertebra of a region first")
    return ends


Strength = Annotated[float, Field(ge=0, le=4)]
Factor = Annotated[float, Field(ge=0.1, le=4)]
StrengthRange = Annotated[tuple[Strength, Strength], AfterValidator(_increasing)]
FactorRange = Annotated[tuple[Factor, Factor], AfterValidator(_increasing)]
Region = Annotated[tuple[Literal[NAMES], Literal[NAMES]], AfterValidator(_downwards)]
SpacingMm = tuple[PositiveFloat, PositiveFloat, PositiveFloat]


class PhantomCohort(Section):
    """Subjects with one scan each. Values are drawn uniformly from their ranges; contrasts and regions are taken in turn."""

    kind: Literal["phantoms"]
    subjects: Annotated[int, Field(ge=3)]
    # The first and the last vertebra of each region, by its name. Each subject is scanned in one region, which is listed in the
    # column `region` of participants.tsv.
    regions: Annotated[dict[str, Region], Field(min_length=1)]
    slab_mm: PositiveFloat | None = None  # length of an adult's scan, at a random position in the region; None scans all of it
    contrasts: Annotated[tuple[Literal[PHANTOM_CONTRASTS], ...], Field(min_length=1)] = ("t2s",)
    # See `synthesis.phantom.make_phantom`.
    size_scale: FactorRange = (1.0, 1.0)
    noise: StrengthRange = (0.03, 0.03)
    bias: StrengthRange = (0.2, 0.2)
    # Exponent that is applied to the intensities over the scan's 99th percentile, so that contrast differs between subjects.
    gamma: FactorRange = (1.0, 1.0)
    # See `synthesis.phantom.make_phantom`; the field of view is that of an adult.
    spacing_mm: SpacingMm = (0.5, 0.5, 5.0)
    fov_mm: tuple[PositiveFloat, PositiveFloat] = (80.0, 80.0)
    seed: NonNegativeInt = 1


class ExVivoCohort(Section):
    """One scan, divided into evenly spaced training slices, validation slices halfway between two of these, and test slices.

    The test slices are grouped into slabs of neighboring slices. Each slab counts as a subject, so that scores can be compared in
    pairs.
    """

    kind: Literal["exvivo"]
    slices: int = 480
    train: Annotated[int, Field(ge=2)] = 15
    validation: Annotated[int, Field(ge=1)] = 7
    # See `synthesis.exvivo.make_exvivo_cord`.
    spacing_mm: SpacingMm = (0.1, 0.1, 0.5)
    side_mm: PositiveFloat = 18.0
    start_mm: NonNegativeFloat = 5.0
    noise: NonNegativeFloat = 0.05
    bias: NonNegativeFloat = 0.3
    seed: NonNegativeInt = 1

    @model_validator(mode="after")
    def _check(self):
        """Raise ValueError if there are too few slices for the training, or too many for validation."""
        if self.slices < 4 * self.train:
            raise ValueError(f"expected four times as many slices as are trained on, {4 * self.train} or more")
        if self.validation >= self.train:
            raise ValueError(f"expected fewer than {self.train} slices for validation, as they lie between those trained on")
        return self


Cohort = Annotated[PhantomCohort | ExVivoCohort, Field(discriminator="kind")]
