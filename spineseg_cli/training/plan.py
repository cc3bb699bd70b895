"""The plan of a fine-tuning run, made and checked before anything slow starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineseg_cli.core.file_checks import check_space, check_writable
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.tasks.registry import TASKS
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.adapt import adapt_to_scans, adapt_to_weights
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.datasets import SplitData, search_of
from spineseg_cli.training.data.find_scans import ScanSource, find_scans
from spineseg_cli.training.data.labeled_scans import LabeledScan, check_scans
from spineseg_cli.training.data.scan_tables import read_traits
from spineseg_cli.training.data.split import Split, SplitRequest, read_split, split_folds, split_subjects
from spineseg_cli.training.run import Run
from spineseg_cli.training.state import Selection, selection_of
from spineseg_cli.weights.find import find_model
from spineseg_cli.weights.model import Model

SCRATCH = "scratch"

# For the estimate of disk space. The number of times that a run stores its weights: trained, best and last, in the state with the
# moments of the optimizer, and exported; the size of weights if it is not known; and the size of reports and tables.
COPIES_OF_WEIGHTS = 10
UNKNOWN_WEIGHTS_BYTES = 10e6
SPARE_BYTES = 20e6


@dataclass(frozen=True)
class FinetunePlan:
    """The plan of a run, which has been checked."""

    task: Task
    folder: Path
    data: Path  # the folder or table in which the scans are listed
    scans: list[LabeledScan]
    split: Split
    config: TrainingConfig
    start: Model | None  # the initial weights; None for untrained weights
    # The weights that the new ones are compared with: `start`, otherwise the shipped model of the task, if there is one.
    baseline: Model | None
    search: Predictor | None = None  # the network that finds the cord for crops, if `data.crop_centers` is "network"

    def scans_of(self, subset: str) -> list[LabeledScan]:
        """Return the scans of the subjects in a subset."""
        return [scan for scan in self.scans if self.split[scan.subject] == subset]

    @property
    def training_data(self) -> SplitData:
        """The training and validation data."""
        return SplitData(self.config, self.scans, self.split, folder_of(self.data), self.search)

    @property
    def overlap(self) -> float:
        """The overlap of the patches of a 3-D network."""
        return self.config.sampling.patch_overlap

    @property
    def selection(self) -> Selection:
        """The criterion for the best epoch."""
        return selection_of(self.config, self.task)

    def open_run(self) -> Run:
        """Return the run in the folder. Raises InputError if it was started with other settings."""
        return Run(self.folder, self.config, self.started_with, self.selection)

    @property
    def started_with(self) -> dict[str, Any]:
        """Everything besides the configuration that determines the run: the split, the initial weights, and the user's masks."""
        started = {"split": self.split, "init": self.start and self.start.sha256, "masks": self._masks()}
        return started | ({"finder": self.search.sha256} if self.search else {})

    def _masks(self) -> dict[str, str]:
        """Return the sha256 of each mask of the user, by path. A run with corrected masks is a different run."""
        paths = [path for scan in self.scans for path in scan.all_masks if self.folder not in path.parents]
        return {str(path): file_sha256(path) for path in paths}


def find_start(task: str, name_or_path: str | None, kernel: str | None = None) -> Model | None:
    """Return the initial weights of a task, one of `tasks.registry.TASKS`; None for "scratch", untrained weights.

    They are those of a shipped model or a weights file, by default of the task's model. `kernel`, "2d" or "3d", are the
    dimensions that the network must have.

    Raises WeightsError if there are no such weights, or they do not have the outputs that the task needs or the wanted
    dimensions; InputError if the task has no network of these dimensions.
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
    """Return the default training configuration of a task: its name, or the path of a YAML file."""
    volumetric = kernel == "3d" or (start is not None and start.dimensions == 3)
    return TASKS[task].training_configs[3 if volumetric else 2]


def make_plans(
    task: str, source: ScanSource, out: Path, template: TrainingConfig, start: Model | None, request: SplitRequest | None = None
) -> list[FinetunePlan]:
    """Find and check the scans, split the subjects, and return one plan, or one for each fold.

    `task` is a name in `tasks.registry.TASKS`. `template` is the configuration before it is adapted to the initial weights
    `start` (None for untrained ones) and to the scans; its seed also determines the split. Folds have subfolders of `out`.

    Raises InputError if the data, the split or the configuration is invalid.
    """
    request = request or SplitRequest()
    if not template.data.labeled_scans:
        raise InputError(f"the configuration {template.name} trains on no scans: start from a copy of finetune_{task}")
    scans = find_scans(source, task)
    check_scans(scans)
    subjects = sorted({scan.subject for scan in scans})
    strata = read_traits(source.data, request.stratify, source.person) if request.stratify else None
    name = out.resolve().name.replace(".", "_") or "finetune"
    if request.folds:
        splits = split_folds(subjects, request.folds, request.fractions[1], template.seed, strata)
        runs = [(out / f"fold-{k}", f"{name}_fold-{k}") for k in range(1, request.folds + 1)]
    else:
        given = read_split(request.file, subjects) if request.file else None
        splits, runs = [given or split_subjects(subjects, *request.fractions, template.seed, strata)], [(out, name)]
    plans = [
        make_plan(task, source.data, folder, scans, split, template.with_changes({"name": run}), start)
        for (folder, run), split in zip(runs, splits, strict=True)
    ]
    check_space(out, sum(_bytes(plan) for plan in plans))
    return plans


def make_plan(
    task: str, data: Path, folder: Path, scans: Sequence[LabeledScan], split: Split, template: TrainingConfig, start: Model | None
) -> FinetunePlan:
    """Return the plan of a run in `folder`: the template, adapted to the checked scans, the split and the initial weights.

    `data` is the folder or table of the scans; the other parameters are those of `make_plans`. Raises InputError if the
    configuration is not suitable, or `folder` cannot be written to.
    """
    check_writable(folder / "split.tsv")
    validated_on = [subject for subject, subset in split.items() if subset == "validation"]
    config = template.with_changes({"validation.subjects": validated_on})
    config = config if start is None else adapt_to_weights(config, start)
    config, scans = adapt_to_scans(config, scans, split, folder, folder_of(data))
    wanted, baseline = TASKS[task], start
    if baseline is None and wanted.models:
        baseline = find_model(wanted.model_name(3 if config.sampling.crop_depth else 2))
    return FinetunePlan(wanted, folder, data, scans, split, config, start, baseline, search_of(config))


def folder_of(data: Path) -> Path:
    """Return the folder of `data`: `data` itself, or the folder of a table of scans."""
    return data if data.is_dir() else data.parent


def _bytes(plan: FinetunePlan) -> float:
    """Return an estimate of the bytes that a run writes; a mask is assumed to be as large as its image."""
    masks = sum(scan.image.stat().st_size for scan in plan.scans_of("test"))
    weights = plan.baseline.path.stat().st_size if plan.baseline else UNKNOWN_WEIGHTS_BYTES
    return COPIES_OF_WEIGHTS * weights + masks + SPARE_BYTES
