"""What a fine-tuning run trains and validates on: labeled scans by the split, and synthetic images beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.batches import CropBatches
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.training.data.labeled_slices import ScanSlice, scan_slices
from spineseg_cli.training.data.slices import load_maps
from spineseg_cli.training.data.standard_scale import learn_landmarks
from spineseg_cli.training.data.validation import validation_set
from spineseg_cli.weights.model import find_model

log = logging.getLogger(__name__)


def finder_of(recipe: Recipe) -> Predictor | None:
    """Return the shipped network that finds the cord, if a recipe's crops are centered by it, or else None."""
    return find_model("centerline").predictor() if recipe.centerline == "auto" else None


def load_material(
    recipe: Recipe,
    scans: Sequence[LabeledScan],
    split: Mapping[str, str],
    maps_root: Path,
    finder: Predictor | None = None,
) -> tuple[CropBatches, tuple[np.ndarray, np.ndarray]]:
    """Return a recipe's batches from the scans of the part "train", and the crops of those of the part "validation".

    Parameters
    ----------
    recipe : Recipe
        Its first source of scans says how many slices of each are taken, and what lies beyond the labeled ones.
    scans : sequence of LabeledScan
    split : mapping of str to str
        The part of each subject.
    maps_root : Path
        Where the globs of the recipe's `maps` start.
    finder : Predictor, optional
        A network that crops from scans are centered by.

    Raises
    ------
    InputError
        If a file cannot be read, or a part has no labeled slice.
    """
    parts = {}
    for part in ("train", "validation"):
        found = [_slices(scan, recipe, finder) for scan in scans if split[scan.subject] == part]
        parts[part] = [scan for scan in found if scan]
        if not parts[part]:
            raise InputError(f"no slice of the part {part!r} is labeled")
    steps = InferenceConfig.from_dict(recipe.preprocessing)
    maps = load_maps(recipe.maps, maps_root, (), steps.spacing_mm, recipe.surroundings_mm) if recipe.real_share < 1 else []
    batches = CropBatches(recipe, maps, parts["train"])
    return batches, validation_set(recipe, parts["validation"])


def learn_standard_scale(recipe: Recipe, scans: Sequence[LabeledScan]) -> list[float]:
    """Return the landmarks of the standard scale of `scans`, in the windows that the recipe's network sees."""
    return learn_landmarks([_slices(scan, recipe) for scan in scans], InferenceConfig.from_dict(recipe.preprocessing).window)


def with_maps_that_exist(recipe: Recipe, maps_root: Path) -> Recipe:
    """Return the recipe without those sources of label maps whose files are not there; without any, it trains on scans alone."""
    maps = [source for source in recipe.maps if "cord" not in source or any(maps_root.glob(source["cord"]))]
    if len(maps) < len(recipe.maps):
        log.warning("%d of %d sources of label maps are not under %s", len(recipe.maps) - len(maps), len(recipe.maps), maps_root)
    return replace(recipe, maps=maps, real_share=recipe.real_share if maps else 1)


def _slices(scan: LabeledScan, recipe: Recipe, finder: Predictor | None = None) -> list[ScanSlice]:
    steps, source = InferenceConfig.from_dict(recipe.preprocessing), recipe.scans[0]
    grays = scan.grays if "gray_matter" in recipe.outputs else ()
    return scan_slices(
        scan.image,
        scan.cord,
        grays,
        recipe.raters,
        steps.per_slice,
        source.get("slices"),
        scan.complete or source.get("complete"),
        steps.spacing_mm,
        recipe.surroundings_mm,
        finder,
    )
