"""What a fine-tuning run will do, settled before anything slow starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.files import check_space, check_writable, file_sha256
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.adapt import adapt_to_scans, adapt_to_weights
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.datasets import SplitData, search_of
from spineseg_cli.training.data.find_scans import find_scans
from spineseg_cli.training.data.labeled_scans import LabeledScan, check_scans
from spineseg_cli.training.data.scan_tables import read_traits
from spineseg_cli.training.data.split import Split, read_split, split_folds, split_subjects
from spineseg_cli.training.run import Run
from spineseg_cli.training.state import Selection, selection_of
from spineseg_cli.weights.find import find_model
from spineseg_cli.weights.model import Model

SCRATCH = "scratch"

# A run keeps its weights so many times: trained, best and last, in the state with the optimizer's moments, and exported.
COPIES_OF_WEIGHTS = 10
# Where none are known yet.
UNKNOWN_WEIGHTS_BYTES = 10e6
# For reports, tables and the like.
SPARE_BYTES = 20e6


@dataclass(frozen=True)
class FinetunePlan:
    """A run that is known to be possible.

    Parameters
    ----------
    folder : Path
        Of the run.
    data : Path
        What the scans were found in.
    split : dict of str to str
        The subset of each subject.
    config : TrainingConfig
        As it is trained by.
    start : Model or None
        The weights that training starts from; None for untrained ones.
    baseline : Model or None
        What the new weights are compared with: `start`, or else the task's shipped model, if there is one.
    search : Predictor or None
        What finds the cord for the crops, where `data.crop_centers` is network.
    """

    task: Task
    folder: Path
    data: Path
    scans: list[LabeledScan]
    split: Split
    config: TrainingConfig
    start: Model | None
    baseline: Model | None
    search: Predictor | None = None

    def scans_of(self, subset: str) -> list[LabeledScan]:
        """Return the scans of the subjects in a subset."""
        return [scan for scan in self.scans if self.split[scan.subject] == subset]

    @property
    def training_data(self) -> SplitData:
        """What is trained and validated on."""
        return SplitData(self.config, self.scans, self.split, folder_of(self.data), self.search)

    @property
    def overlap(self) -> float:
        """Of the patches of a 3-D network."""
        return self.config.sampling.patch_overlap

    @property
    def selection(self) -> Selection:
        """What chooses the best epoch."""
        return selection_of(self.config, self.task)

    def open_run(self) -> Run:
        """Return the run in the folder; raise InputError if that was started otherwise."""
        return Run(self.folder, self.config, self.started_with, self.selection)

    @property
    def started_with(self) -> dict[str, Any]:
        """What decides the run beside its configuration: the split, the weights to start from, and the user's masks."""
        started = {"split": self.split, "init": self.start and self.start.sha256, "masks": self._masks()}
        return started | ({"finder": self.search.sha256} if self.search else {})

    def _masks(self) -> dict[str, str]:
        """Return the sha256 of each of the user's masks, by its path: a run on masks that were corrected is another run."""
        paths = [path for scan in self.scans for path in scan.all_masks if self.folder not in path.parents]
        return {str(path): file_sha256(path) for path in paths}


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
    wanted = TASKS[task]
    dimensions = int(kernel[0]) if kernel else None
    if dimensions not in (None, *wanted.training_configs):
        raise InputError(f"the task {task} has no {dimensions}-D network: leave out --kernel {kernel}")
    if name_or_path == SCRATCH:
        return None
    model = wanted.find_model(name_or_path, dimensions)
    wanted.check_trainable(model)
    if dimensions not in (None, model.dimensions):
        raise WeightsError(
            f"expected weights of a {dimensions}-D network for this run; those of {model.name} are of a {model.dimensions}-D one"
        )
    return model


def config_for(task: str, start: Model | None, kernel: str | None = None) -> str:
    """Return the configuration that a task is trained by, unless the user chooses one: a name, or a YAML file."""
    volumetric = kernel == "3d" or (start is not None and start.dimensions == 3)
    return TASKS[task].training_configs[3 if volumetric else 2]


def make_plans(
    task: str,
    data: Path,
    out: Path,
    template: TrainingConfig,
    start: Model | None,
    *,
    split_file: Path | None = None,
    fractions: tuple[float, float] = (0.2, 0.2),
    stratify: str | None = None,
    folds: int | None = None,
    patterns: tuple[str, str] | None = None,
    label_coverage: str | None = None,
    person: str | None = None,
) -> list[FinetunePlan]:
    """Find and check the scans, split the subjects, and return a plan, or one for each fold.

    Parameters
    ----------
    task : str
        The name of one of `tasks.registry.TASKS`.
    data : Path
        See `data.find_scans.find_scans`.
    out : Path
        The run's folder; folds have a folder each in it.
    template : TrainingConfig
        Its seed splits too.
    start : Model or None
        See `find_start`.
    split_file : Path, optional
        See `data.split.read_split`; by default the split is drawn.
    fractions : (float, float)
        Of the subjects to test and to validate on.
    stratify : str, optional
        A column: see `data.scan_tables.read_traits`.
    folds : int, optional
        Test on every subject once, in so many runs.
    patterns, label_coverage, person
        See `data.find_scans.find_scans`.

    Raises
    ------
    InputError
        If anything about the data, the split or the configuration is wrong.
    """
    scans = find_scans(data, task, patterns, label_coverage, person)
    check_scans(scans)
    subjects = sorted({scan.subject for scan in scans})
    strata = read_traits(data, stratify, person) if stratify else None
    name = out.resolve().name.replace(".", "_") or "finetune"
    if folds:
        splits = split_folds(subjects, folds, fractions[1], template.seed, strata)
        runs = [(out / f"fold-{k}", f"{name}_fold-{k}") for k in range(1, folds + 1)]
    else:
        given = read_split(split_file, subjects) if split_file else None
        splits, runs = [given or split_subjects(subjects, *fractions, template.seed, strata)], [(out, name)]
    plans = [make_plan(task, data, *run, scans, split, template, start) for run, split in zip(runs, splits, strict=True)]
    check_space(out, sum(_bytes(plan) for plan in plans))
    return plans


def make_plan(
    task: str,
    data: Path,
    folder: Path,
    name: str,
    scans: Sequence[LabeledScan],
    split: Split,
    template: TrainingConfig,
    start: Model | None,
) -> FinetunePlan:
    """Return a plan: the template with the scans, the split, and the network and inference of the weights to start from.

    Raises InputError if the configuration does not fit, or `folder` cannot be written to.
    """
    check_writable(folder / "split.tsv")
    if not template.data.labeled_scans:
        raise InputError(f"the configuration {template.name} trains on no scans: start from a copy of finetune_{task}")
    validated_on = [subject for subject, subset in split.items() if subset == "validation"]
    config = template.with_changes({"name": name, "validation.subjects": validated_on})
    config = config if start is None else adapt_to_weights(config, start)
    config, scans = adapt_to_scans(config, scans, split, folder, folder_of(data))
    wanted, baseline = TASKS[task], start
    if baseline is None and wanted.models:
        baseline = find_model(wanted.model_name(3 if config.sampling.crop_depth else 2))
    return FinetunePlan(wanted, folder, data, scans, split, config, start, baseline, search_of(config))


def folder_of(data: Path) -> Path:
    """Return the folder that `data`, a folder or a table of scans, is or lies in."""
    return data if data.is_dir() else data.parent


def _bytes(plan: FinetunePlan) -> float:
    """Return about how much a run will write; a mask takes less than the image that it is of."""
    masks = sum(scan.image.stat().st_size for scan in plan.scans_of("test"))
    weights = plan.baseline.path.stat().st_size if plan.baseline else UNKNOWN_WEIGHTS_BYTES
    return COPIES_OF_WEIGHTS * weights + masks + SPARE_BYTES
