"""Tasks: what spineseg can find in a scan, each with all of its facts in one place.

Whatever depends on the task reads it here: which weights fit, which networks find the cord for it, what its labels are called,
what its results are evaluated by. This module imports nothing slow, so that help texts can list what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.metrics.metric_set import CENTERLINE_METRICS, MASK_METRICS, MetricSet

if TYPE_CHECKING:
    from spineseg_cli.core.image.volume import Volume
    from spineseg_cli.core.inference.predictor import Predictor
    from spineseg_cli.core.localization.localizer import Localizer
    from spineseg_cli.weights.model import Model


@dataclass(frozen=True)
class LabelKind:
    """A kind of mask that experts draw.

    Parameters
    ----------
    key : str
        Its name in tables of scans and in training configurations.
    output : str
        The output channel that predicts it.
    adjective : str
        What messages call a mask of it, as in "a gray-matter mask".
    file_pattern : re.Pattern
        The end of its files' names among the derivatives of a BIDS folder.
    file_hint : str
        The same, as users write it.
    """

    key: str
    output: str
    adjective: str
    file_pattern: re.Pattern[str]
    file_hint: str


GRAY_MATTER_LABEL = LabelKind(
    "gray_matter",
    "gray_matter",
    "gray-matter",
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
LABELS = {label.key: label for label in (GRAY_MATTER_LABEL, CORD_LABEL)}


@dataclass(frozen=True)
class Task:
    """Something that spineseg finds in a scan.

    Parameters
    ----------
    name : str
        Its name in commands, configurations and the registry of models.
    display_name : str
        What reports call its result.
    command : str
        The command that users run for it.
    module : str
        The module with its `predict(scan, predictor, localizer, **options)` and `evaluate(name, result, reference_names,
        references)`; it is imported when one of them is called.
    outputs : tuple of str
        Its weights predict one of these.
    extra_outputs : tuple of str
        Its weights may predict these beside it.
    label : LabelKind
        What it learns from.
    metrics : MetricSet
        What its results are evaluated by.
    models : mapping of int to str
        The shipped model for networks of 2 and of 3 dimensions; the first is the default.
    companions : mapping of str to str
        The shipped models that find the cord for it, by their part in a `NetworkLocalizer`: "search" and "cord". The part that is
        missing is played by the task's own network, or by none.
    color : tuple of int
        The red, green and blue of its outlines in pictures, 0 to 255.
    """

    name: str
    display_name: str
    command: str
    module: str
    outputs: tuple[str, ...]
    label: LabelKind
    metrics: MetricSet
    models: Mapping[int, str]
    companions: Mapping[str, str]
    color: tuple[int, int, int]
    extra_outputs: tuple[str, ...] = field(default=())

    def model_name(self, dimensions: int | None = None) -> str:
        """Return the name of the shipped model, of networks with 2 or 3 `dimensions` if they are given.

        Raises InputError if the task has no such network.
        """
        if dimensions is None:
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
        from spineseg_cli.weights.model import find_custom

        return find_custom(name_or_path or self.model_name(dimensions), *self.outputs)

    def check_trainable(self, model: Model) -> None:
        """Raise WeightsError if training cannot start from a model, for what it predicts or how many dimensions it has."""
        if not set(model.outputs) <= {*self.outputs, *self.extra_outputs}:
            allowed = " and ".join(sorted({*self.outputs, *self.extra_outputs}))
            raise WeightsError(
                f"expected weights that predict {allowed} alone for the task {self.name}; those of {model.name} predict "
                f"{', '.join(model.outputs)}"
            )
        if model.dimensions not in self.models:
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
        from spineseg_cli.weights.model import find_model

        if mask is None and predictor.published and "search" in self.companions:
            return ImageCenterLocalizer()
        alike = {"device": predictor.device, "precision": predictor.precision}
        parts = {part: find_model(name).predictor(**alike) for part, name in self.companions.items()}
        own_part = next((part for part in ("search", "cord") if part not in parts), None)
        if own_part:
            parts[own_part] = predictor
        if mask is None:
            return NetworkLocalizer(**parts, method=method, brain=brain)
        if own_part != "cord":
            return MaskLocalizer(mask=mask)
        return MaskLocalizer(mask=mask, search=parts.get("search"), cord=predictor)

    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer | None = None, **options: Any) -> Any:
        """Return what the task finds in a scan, an object with a `mask`: what its command writes.

        Parameters
        ----------
        scan : Volume
            The scan, shape (nx, ny, nz), stored in any orientation.
        predictor : Predictor
            The task's network.
        localizer : Localizer, optional
            What finds the cord; by default that of `localizer`.
        options
            See the function of that name in the task's module.

        Raises
        ------
        InputError
            If an option or the localizer's mask is wrong.
        """
        return import_module(self.module).predict(scan, predictor, localizer or self.localizer(predictor), **options)

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
        return import_module(self.module).evaluate(name, result, reference_names, references)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="gm",
            display_name="gray matter",
            command="seg_gm",
            module="spineseg_cli.tasks.gray_matter",
            outputs=("gray_matter",),
            extra_outputs=("cord",),
            label=GRAY_MATTER_LABEL,
            metrics=MASK_METRICS,
            models={2: "gm"},
            companions={"search": "centerline", "cord": "cord"},
            color=(255, 60, 60),
        ),
        Task(
            name="cord",
            display_name="cord",
            command="seg_cord",
            module="spineseg_cli.tasks.cord",
            outputs=("cord",),
            label=CORD_LABEL,
            metrics=MASK_METRICS,
            models={2: "cord", 3: "cord3d"},
            companions={"search": "centerline"},
            color=(80, 200, 255),
        ),
        Task(
            name="centerline",
            display_name="centerline",
            command="get_centerline",
            module="spineseg_cli.tasks.centerline",
            outputs=("cord", "centerline"),
            label=CORD_LABEL,
            metrics=CENTERLINE_METRICS,
            models={2: "centerline"},
            companions={"cord": "cord"},
            color=(255, 220, 50),
        ),
    )
}
