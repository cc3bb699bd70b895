"""A recipe fitted to the weights it starts from and to the scans it is given."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.training.configs.choices import KEEP_SCALE
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.dataset import LabeledScan
from spineseg_cli.training.data.material import learn_standard_scale, with_maps_that_exist
from spineseg_cli.training.data.split import Split
from spineseg_cli.weights.model import Model

# Of networks that take intensities on the scale of the whole scan.
SCALE_KEEPING_AUGMENTATION = KEEP_SCALE[0]


def fit_to_weights(recipe: Recipe, start: Model) -> Recipe:
    """Return the recipe with what must be as it was for the weights to start from.

    A published network's heat of the centerline is trained as the cord.
    """
    expected = InferenceConfig.from_dict(recipe.preprocessing)
    # Thresholds belong to the loss, which is the recipe's; those of contrasts were chosen for the old weights.
    steps = replace(start.config, threshold=expected.threshold, contrast_thresholds=expected.contrast_thresholds)
    same_windows = (steps.spacing_mm, steps.window) == (expected.spacing_mm, expected.window)
    scaled = not steps.per_slice and recipe.augmentation not in KEEP_SCALE
    return replace(
        recipe,
        network=dict(start.network),
        outputs=["cord" if output == "centerline" else output for output in start.outputs],
        preprocessing=steps.to_dict(),
        crop_sizes=recipe.crop_sizes if same_windows else [steps.window],
        crop_depth=(recipe.crop_depth or steps.depth) if steps.depth else 0,
        augmentation=SCALE_KEEPING_AUGMENTATION if scaled else recipe.augmentation,
    )


def fit_to_scans(recipe: Recipe, scans: list[LabeledScan], split: Split, out: Path, maps_root: Path) -> tuple[Recipe, list]:
    """Return the recipe with the scans that are trained and validated on, and all scans.

    The standard scale that it asks for is learned, unless the weights to start from bring theirs; label maps that are not there
    are left out. A scan without a mask of the cord, where the network has an output for it, gets the name of a file that is to
    be drawn.

    Raises InputError if a scan that the standard scale is learned from is flat.
    """
    recipe = with_maps_that_exist(recipe, maps_root)
    if recipe.nyul and not recipe.preprocessing.get("landmarks"):
        landmarks = learn_standard_scale(recipe, [scan for scan in scans if split[scan.subject] == "train"])
        recipe = replace(recipe, preprocessing=recipe.preprocessing | {"landmarks": landmarks})
    if {"gray_matter", "cord"} <= set(recipe.outputs):
        scans = [
            scan if scan.cord or split[scan.subject] == "test" else replace(scan, cord=out / "cord" / _drawn_cord_name(scan))
            for scan in scans
        ]
    sources = [_source(scan, recipe) for scan in scans if split[scan.subject] != "test"]
    return replace(recipe, scans=sources), list(scans)


def _drawn_cord_name(scan: LabeledScan) -> str:
    """Return a file's name for the cord that is drawn about a scan's gray matter: another one if either changes."""
    sums = "".join(file_sha256(path) for path in (scan.image, *scan.grays))
    return f"{scan.subject}_{hashlib.sha256(sums.encode()).hexdigest()[:12]}_seg.nii.gz"


def _source(scan: LabeledScan, recipe: Recipe) -> dict:
    """Return a scan as a recipe's source of scans, with the options of the recipe's first one."""
    files = {"image": str(scan.image), "gray": [str(path) for path in scan.grays], "cord": str(scan.cord or "")}
    options = {name: value for name, value in recipe.scans[0].items() if name not in files}
    if recipe.crop_depth:
        options.pop("slices", None)
    complete = {"complete": scan.complete} if scan.complete else {}
    return {name: value for name, value in files.items() if value} | options | complete
