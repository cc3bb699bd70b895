"""What a fine-tuning run will do, settled before anything slow starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spineseg_cli.core.files import check_writable
from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.errors import InputError, NotAvailableError, WeightsError
from spineseg_cli.training.augmentation import KEEP_SCALE
from spineseg_cli.training.dataset import LabelledScan, check_scans, find_scans, read_traits
from spineseg_cli.training.material import with_maps_that_exist
from spineseg_cli.training.recipe import Recipe
from spineseg_cli.training.recipe_checks import check_recipe
from spineseg_cli.training.split import Split, read_split, split_folds, split_subjects
from spineseg_cli.weights import Model, find_custom, find_model

# Each task's own output; a model of the task "gm" may predict the cord beside it.
OUTPUTS = {"gm": "gray_matter", "cord": "cord"}
ALLOWED = {"gm": {"gray_matter", "cord"}, "cord": {"cord"}}
SCRATCH = "scratch"

# Of networks that take intensities on the scale of the whole scan.
SCALE_KEEPING_AUGMENTATION = KEEP_SCALE[0]


@dataclass(frozen=True)
class Plan:
    """A run that is known to be possible.

    Parameters
    ----------
    task : str
        Of `OUTPUTS`.
    out : Path
        The run's folder.
    data : Path
        What the scans were found in.
    scans : list of LabelledScan
    split : dict of str to str
        The part of each subject.
    recipe : Recipe
        As it is trained by.
    start : Model or None
        The weights that training starts from; None for untrained ones.
    baseline : Model
        What the new weights are compared with: `start`, or else the task's shipped model.
    """

    task: str
    out: Path
    data: Path
    scans: list[LabelledScan]
    split: Split
    recipe: Recipe
    start: Model | None
    baseline: Model

    def scans_of(self, part: str) -> list[LabelledScan]:
        """Return the scans of the subjects in a part."""
        return [scan for scan in self.scans if self.split[scan.subject] == part]

    @property
    def folder(self) -> Path:
        """The folder of the data."""
        return folder_of(self.data)


def find_start(task: str, name_or_path: str | None) -> Model | None:
    """Return the weights to start from: a file, a shipped model's name, by default the task's; None for "scratch".

    Raises
    ------
    WeightsError
        If there are no such weights, or they do not predict what the task needs.
    NotAvailableError
        If their network is three-dimensional.
    """
    if name_or_path == SCRATCH:
        return None
    model = find_custom(name_or_path or task, OUTPUTS[task])
    if not set(model.outputs) <= ALLOWED[task]:
        raise WeightsError(
            f"expected weights that predict {' and '.join(sorted(ALLOWED[task]))} alone for the task {task}; those of "
            f"{model.name} predict {', '.join(model.outputs)}"
        )
    if model.preprocessing.depth:
        raise NotAvailableError(
            f"the weights of {model.name} are of a 3-D network, which finetune cannot train yet: use a 2-D one"
        )
    return model


def make_plans(
    task: str,
    data: Path,
    out: Path,
    template: Recipe,
    start: Model | None,
    *,
    split_file: Path | None = None,
    shares: tuple[float, float] = (0.2, 0.2),
    stratify: str | None = None,
    folds: int | None = None,
) -> list[Plan]:
    """Find and check the scans, split the subjects, and return a plan, or one for each fold.

    Parameters
    ----------
    task : {"gm", "cord"}
    data : Path
        See `dataset.find_scans`.
    out : Path
        The run's folder; folds have a folder each in it.
    template : Recipe
        Its seed splits too.
    start : Model or None
        See `find_start`.
    split_file : Path, optional
        See `split.read_split`; by default the split is drawn.
    shares : (float, float)
        Of the subjects to test and to validate on.
    stratify : str, optional
        A column: see `dataset.read_traits`.
    folds : int, optional
        Test on every subject once, in so many runs.

    Raises
    ------
    InputError
        If anything about the data, the split or the recipe is wrong.
    """
    scans = find_scans(data, task)
    check_scans(scans)
    subjects = sorted({scan.subject for scan in scans})
    strata = read_traits(data, stratify) if stratify else None
    name = out.resolve().name.replace(".", "_") or "finetune"
    if folds:
        splits = split_folds(subjects, folds, shares[1], template.seed, strata)
        places = [(out / f"fold-{k}", f"{name}_fold-{k}") for k in range(1, folds + 1)]
    else:
        drawn = None if split_file else split_subjects(subjects, *shares, template.seed, strata)
        splits, places = [drawn or read_split(split_file, subjects)], [(out, name)]
    return [make_plan(task, data, *place, scans, split, template, start) for place, split in zip(places, splits, strict=True)]


def make_plan(
    task: str,
    data: Path,
    out: Path,
    name: str,
    scans: Sequence[LabelledScan],
    split: Split,
    template: Recipe,
    start: Model | None,
) -> Plan:
    """Return a plan: the template with the scans, the split, and the network and preprocessing of the weights to start from.

    A scan without a mask of the cord, where the network has an output for it, gets the name of a file that is to be drawn.

    Raises InputError if the recipe does not fit, or `out` cannot be written to.
    """
    check_writable(out / "split.tsv")
    if not template.scans:
        raise InputError(f"the recipe {template.name} trains on no scans: start from a copy of finetune_{task}")
    recipe = replace(template, name=name, validation=[subject for subject, part in split.items() if part == "validation"])
    recipe = with_maps_that_exist(recipe if start is None else _fitted(recipe, start), folder_of(data))
    if {"gray_matter", "cord"} <= set(recipe.outputs):
        scans = [
            scan if scan.cord or split[scan.subject] == "test" else replace(scan, cord=out / "cord" / f"{place:03d}_seg.nii.gz")
            for place, scan in enumerate(scans, start=1)
        ]
    recipe = replace(recipe, scans=[_source(scan, recipe) for scan in scans if split[scan.subject] != "test"])
    check_recipe(recipe, "this fine-tuning")
    return Plan(task, out, data, list(scans), split, recipe, start, start or find_model(task))


def folder_of(data: Path) -> Path:
    """Return the folder that `data`, a folder or a table of scans, is or lies in."""
    return data if data.is_dir() else data.parent


def _fitted(recipe: Recipe, start: Model) -> Recipe:
    """Return the recipe with what must be as it was for the weights to start from."""
    expected = Preprocessing.from_dict(recipe.preprocessing)
    steps = replace(start.preprocessing, threshold=expected.threshold)  # it belongs to the loss, which is the recipe's
    same_windows = (steps.spacing_mm, steps.window) == (expected.spacing_mm, expected.window)
    scaled = not steps.per_slice and recipe.augmentation not in KEEP_SCALE
    return replace(
        recipe,
        network=dict(start.network),
        outputs=list(start.outputs),
        preprocessing=steps.to_dict(),
        crop_sizes=recipe.crop_sizes if same_windows else [steps.window],
        augmentation=SCALE_KEEPING_AUGMENTATION if scaled else recipe.augmentation,
    )


def _source(scan: LabelledScan, recipe: Recipe) -> dict:
    """Return a scan as a recipe's source of scans, with the options of the recipe's first one."""
    files = {"image": str(scan.image), "gray": [str(path) for path in scan.grays], "cord": str(scan.cord or "")}
    options = {name: value for name, value in recipe.scans[0].items() if name not in files}
    return {name: value for name, value in files.items() if value} | options
