"""What a task is: something that spineseg can find in a scan, with all of its facts in one place.

Whatever depends on the task reads it here: which weights fit, which networks find the cord for it, what its labels are called,
what its results are evaluated by. This module imports nothing slow: help texts list the facts of tasks.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.metrics.metric_set import MetricSet

if TYPE_CHECKING:
    from spineseg_cli.core.image.volume import Volume
    from spineseg_cli.core.inference.predictor import Predictor
    from spineseg_cli.core.localization.localizer import Localizer
    from spineseg_cli.weights.model import Model


@dataclass(frozen=True)
class LabelKind:
    """A kind of mask that experts draw: of the cord, or of a structure in it.

    Parameters
    ----------
    key : str
        Its name in tables of scans and in training configurations, and that of the output channel that predicts it.
    adjective : str
        What messages call a mask of it, as in "a gray-matter mask".
    column : str
        Its name in the columns of a training's history, as in "dice_gray".
    file_pattern : re.Pattern
        The end of its files' names among the derivatives of a BIDS folder.
    file_hint : str
        The same, as users write it.
    """

    key: str
    adjective: str
    column: str
    file_pattern: re.Pattern[str]
    file_hint: str


GRAY_MATTER_LABEL = LabelKind(
    "gray_matter",
    "gray-matter",
    "gray",
    re.compile(r"_(label-GM_(seg|mask)|gmseg)[^_/]*\.nii(\.gz)?$"),
    "*_label-GM_seg.nii.gz or *_gmseg*.nii.gz",
)
CORD_LABEL = LabelKind(
    "cord",
    "cord",
    "cord",
    re.compile(r"^((?!_label-).)*_seg(-manual)?\.nii(\.gz)?$|_label-SC_(seg|mask)[^_/]*\.nii(\.gz)?$"),
    "*_label-SC_seg.nii.gz, *_seg-manual.nii.gz or *_seg.nii.gz",
)


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """Something that spineseg finds in a scan. A subclass says how, by `predict`; `tasks.registry` lists the tasks.

    Parameters
    ----------
    name : str
        Its name in commands, configurations and the registry of models.
    display_name : str
        What reports call its result.
    command : str
        The command that users run for it.
    outputs : tuple of str
        Its weights predict one of these.
    extra_outputs : tuple of str
        Its weights may predict these beside it.
    label : LabelKind
        What it learns from.
    metrics : MetricSet
        What its results are evaluated by.
    models : mapping of int to str
        The shipped model for networks of 2 and of 3 dimensions; the first is the default. A new task may have none.
    training_configs : mapping of int to str
        The configuration that networks of so many dimensions are trained by: a name of the package's, or a YAML file.
    companions : mapping of str to str
        The shipped models that find the cord for it, by their part in a `NetworkLocalizer`: "search" and "cord". The part that is
        missing is played by the task's own network, or by none.
    color : tuple of int
        The red, green and blue of its outlines in pictures, 0 to 255.
    """

    name: str
    display_name: str
    command: str
    outputs: tuple[str, ...]
    label: LabelKind
    metrics: MetricSet
    models: Mapping[int, str]
    training_configs: Mapping[int, str]
    companions: Mapping[str, str]
    color: tuple[int, int, int]
    extra_outputs: tuple[str, ...] = field(default=())

    def model_name(self, dimensions: int | None = None) -> str:
        """Return the name of the shipped model, of networks with 2 or 3 `dimensions` if they are given.

        Raises InputError if there is none.
        """
        if dimensions is None:
            if not self.models:
                raise InputError(f"no weights for the task {self.name} are shipped: name a file, or start from scratch")
            return next(iter(self.models.values()))
        if dimensions not in self.models:
            raise InputError(f"the task {self.name} has no {dimensions}-D network: leave out --kernel {dimensions}d")
        return self.models[dimensions]

    def find_model(self, name_or_path: str | None = None, dimensions: int | None = None) -> Model:
        """Return weights for the task: a file, a model of the registry, or by default the shipped one.

        Parameters
        ----------
        name_or_path : str, optional
            A weights file, or the name of a shipped model.
        dimensions : {2, 3}, optional
            Take the shipped model with so many dimensions.

        Raises
        ------
        WeightsError
            If there are no such weights, or they do not predict one of the task's outputs.
        InputError
            If the task has no network with so many dimensions.
        """
        from spineseg_cli.weights.find import find_custom

        return find_custom(name_or_path or self.model_name(dimensions), *self.outputs)

    def check_trainable(self, model: Model) -> None:
        """Raise WeightsError if training cannot start from a model, for what it predicts or how many dimensions it has."""
        if not set(model.outputs) <= {*self.outputs, *self.extra_outputs}:
            allowed = " and ".join(sorted({*self.outputs, *self.extra_outputs}))
            raise WeightsError(
                f"expected weights that predict {allowed} alone for the task {self.name}; those of {model.name} predict "
                f"{', '.join(model.outputs)}"
            )
        if model.dimensions not in self.training_configs:
            raise WeightsError(f"the task {self.name} has no {model.dimensions}-D network; that of {model.name} is one")

    def localizer(
        self,
        predictor: Predictor,
        mask: Volume | None = None,
        *,
        method: Literal["optic", "cnn"] = "optic",
        brain: bool | None = None,
    ) -> Localizer:
        """Return what finds the cord for the task when users run its command: the one rule for companion weights.

        A localizer keeps its networks loaded: make it once, and use it for all scans.

        Parameters
        ----------
        predictor : Predictor
            The task's network. Published gray-matter weights are used as their authors used them, at the image's center.
        mask : Volume, optional
            A mask of the cord, or of its centerline, that says where the cord is.
        method, brain
            See `core.localization.localizer.NetworkLocalizer`.
        """
        from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer, NetworkLocalizer
        from spineseg_cli.weights.find import find_model

        if mask is None and predictor.published and "search" in self.companions:
            return ImageCenterLocalizer()
        device, precision = predictor.device, predictor.precision
        parts = {part: find_model(name).predictor(device, precision=precision) for part, name in self.companions.items()}
        own_part = next((part for part in ("search", "cord") if part not in parts), None)
        if own_part:
            parts[own_part] = predictor
        if mask is None:
            return NetworkLocalizer(search=parts["search"], cord=parts.get("cord"), method=method, brain=brain)
        if own_part != "cord":
            return MaskLocalizer(mask=mask)
        return MaskLocalizer(mask=mask, search=parts.get("search"), cord=predictor)

    @abstractmethod
    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer, **options: Any) -> Any:
        """Return what the task finds in a scan, an object with a `mask`: what its command writes.

        Parameters
        ----------
        scan : Volume
            The scan, shape (nx, ny, nz), stored in any orientation.
        predictor : Predictor
            The task's network.
        localizer : Localizer
            What finds the cord; the method `localizer` gives that of the task's command.
        options
            The task's own.

        Raises
        ------
        InputError
            If an option or the localizer's mask is wrong.
        """

    def evaluate(
        self, name: str, result: Any, reference_names: Sequence[str], references: Sequence[Volume]
    ) -> list[dict[str, Any]]:
        """Return a row of metrics for each reference of a result, as `metrics.table.Table` holds them.

        Parameters
        ----------
        name : str
            What the result is called in the table.
        result : object
            What `predict` gave, or its mask.
        reference_names : sequence of str
            What the references are called.
        references : sequence of Volume
            The experts' masks, on the grid of the result; several are several raters'.
        """
        from spineseg_cli.metrics.evaluate import evaluate_result  # loads what no command that segments needs

        return evaluate_result(name, result, reference_names, references)
