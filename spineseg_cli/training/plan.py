"""What a fine-tuning run will do, settled before anything slow starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spineseg_cli.core.files import check_writable, file_sha256
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.training.configs.checks import check_recipe
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.dataset import LabeledScan, check_scans, find_scans, read_traits
from spineseg_cli.training.data.material import finder_of
from spineseg_cli.training.data.split import Split, read_split, split_folds, split_subjects
from spineseg_cli.training.disk import check_space
from spineseg_cli.training.fitting import fit_to_scans, fit_to_weights
from spineseg_cli.weights.model import Model, find_custom, find_model

# Each task's own output; a model of the task "gm" may predict the cord beside it.
OUTPUTS = {"gm": ("gray_matter",), "cord": ("cord",), "centerline": ("cord", "centerline")}
ALLOWED = {"gm": {"gray_matter", "cord"}, "cord": {"cord"}, "centerline": {"cord", "centerline"}}
SCRATCH = "scratch"

# Shipped models by task and kernel, in two dimensions or three; the first of a task is its default.
MODELS = {("gm", "2d"): "gm", ("cord", "2d"): "cord", ("cord", "3d"): "cord3d", ("centerline", "2d"): "centerline"}

# A run keeps its weights so many times: trained, best and last, in the state with the optimizer's moments, and exported.
COPIES_OF_WEIGHTS = 10
# For reports, tables and the like.
SPARE_BYTES = 20e6


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
    scans : list of LabeledScan
    split : dict of str to str
        The part of each subject.
    recipe : Recipe
        As it is trained by.
    start : Model or None
        The weights that training starts from; None for untrained ones.
    baseline : Model
        What the new weights are compared with: `start`, or else the task's shipped model.
    finder : Predictor or None
        What finds the cord for the crops, where the recipe's `centerline` is auto.
    """

    task: str
    out: Path
    data: Path
    scans: list[LabeledScan]
    split: Split
    recipe: Recipe
    start: Model | None
    baseline: Model
    finder: Predictor | None = None

    def scans_of(self, part: str) -> list[LabeledScan]:
        """Return the scans of the subjects in a part."""
        return [scan for scan in self.scans if self.split[scan.subject] == part]

    def masks(self) -> dict[str, str]:
        """Return the sha256 of each of the user's masks, by its path: a run on masks that were corrected is another run."""
        paths = [path for scan in self.scans for path in scan.masks if self.out not in path.parents]
        return {str(path): file_sha256(path) for path in paths}

    @property
    def folder(self) -> Path:
        """The folder of the data."""
        return folder_of(self.data)


def find_start(task: str, name_or_path: str | None, kernel: str | None = None) -> Model | None:
    """Return the weights to start from: a file, a shipped model's name, by default the task's; None for "scratch".

    With a `kernel`, "2d" or "3d", their network has that many dimensions.

    Raises
    ------
    WeightsError
        If there are no such weights, or they do not predict what the task needs or have another number of dimensions.
    InputError
        If the task has no network of so many dimensions.
    """
    shipped = _shipped(task, kernel)
    if name_or_path == SCRATCH:
        return None
    model = find_custom(name_or_path or shipped, *OUTPUTS[task])
    if not set(model.outputs) <= ALLOWED[task]:
        raise WeightsError(
            f"expected weights that predict {' and '.join(sorted(ALLOWED[task]))} alone for the task {task}; those of "
            f"{model.name} predict {', '.join(model.outputs)}"
        )
    found = "3d" if model.config.depth else "2d"
    if (task, found) not in MODELS or found != (kernel or found):
        raise WeightsError(
            f"expected weights of a {kernel or '2d'} network for this run; those of {model.name} are of a {found} one"
        )
    return model


def recipe_for(task: str, start: Model | None, kernel: str | None = None) -> str:
    """Return the name of the recipe that a task is trained by, unless the user chooses one."""
    solid = kernel == "3d" or (start is not None and start.config.depth > 0)
    return f"finetune_{task}3d" if solid else f"finetune_{task}"


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
    patterns: tuple[str, str] | None = None,
    complete: str | None = None,
) -> list[Plan]:
    """Find and check the scans, split the subjects, and return a plan, or one for each fold.

    Parameters
    ----------
    task : {"gm", "cord", "centerline"}
    data : Path
        See `data.dataset.find_scans`.
    out : Path
        The run's folder; folds have a folder each in it.
    template : Recipe
        Its seed splits too.
    start : Model or None
        See `find_start`.
    split_file : Path, optional
        See `data.split.read_split`; by default the split is drawn.
    shares : (float, float)
        Of the subjects to test and to validate on.
    stratify : str, optional
        A column: see `data.dataset.read_traits`.
    folds : int, optional
        Test on every subject once, in so many runs.
    patterns, complete
        See `data.dataset.find_scans`.

    Raises
    ------
    InputError
        If anything about the data, the split or the recipe is wrong.
    """
    scans = find_scans(data, task, patterns, complete)
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
    plans = [make_plan(task, data, *place, scans, split, template, start) for place, split in zip(places, splits, strict=True)]
    check_space(out, sum(_bytes(plan) for plan in plans))
    return plans


def make_plan(
    task: str,
    data: Path,
    out: Path,
    name: str,
    scans: Sequence[LabeledScan],
    split: Split,
    template: Recipe,
    start: Model | None,
) -> Plan:
    """Return a plan: the template with the scans, the split, and the network and preprocessing of the weights to start from.

    See `fitting`.

    Raises InputError if the recipe does not fit, or `out` cannot be written to.
    """
    check_writable(out / "split.tsv")
    if not template.scans:
        raise InputError(f"the recipe {template.name} trains on no scans: start from a copy of finetune_{task}")
    recipe = replace(template, name=name, validation=[subject for subject, part in split.items() if part == "validation"])
    recipe = recipe if start is None else fit_to_weights(recipe, start)
    check_recipe(recipe, "this fine-tuning")
    recipe, scans = fit_to_scans(recipe, list(scans), split, out, folder_of(data))
    check_recipe(recipe, "this fine-tuning")
    baseline = start or find_model(_shipped(task, "3d" if recipe.crop_depth else "2d"))
    return Plan(task, out, data, scans, split, recipe, start, baseline, finder_of(recipe))


def folder_of(data: Path) -> Path:
    """Return the folder that `data`, a folder or a table of scans, is or lies in."""
    return data if data.is_dir() else data.parent


def _shipped(task: str, kernel: str | None) -> str:
    """Return the name of a task's shipped model. Raises InputError if there is none in so many dimensions."""
    for (known, dimensions), name in MODELS.items():
        if known == task and dimensions == (kernel or dimensions):
            return name
    raise InputError(f"the task {task} has no network of kernel {kernel}: leave out --kernel")


def _bytes(plan: Plan) -> float:
    """Return about how much a run will write; a mask takes less than the image that it is of."""
    masks = sum(scan.image.stat().st_size for scan in plan.scans_of("test"))
    return COPIES_OF_WEIGHTS * plan.baseline.path.stat().st_size + masks + SPARE_BYTES
