"""The task: a structure that spineseg finds in a scan, with everything that depends on it in one place.

A task knows which weights fit, which networks find the cord for it, what its labels are called and which metrics evaluate its
results. This module has no slow imports, since help texts read it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
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
    """A kind of mask that experts draw: the cord, or a structure in it."""

    key: str  # its name in scan tables and training configurations, and the name of the output channel that predicts it
    adjective: str  # its name in messages, as in "a gray-matter mask"
    column: str  # its name in the columns of a training history, as in "dice_gray"
    file_pattern: re.Pattern[str]  # that of its file names in the derivatives of a BIDS folder
    file_hint: str  # the same pattern with wildcards, for messages


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
    """A structure that spineseg finds in a scan. Subclasses implement `predict`; `tasks.registry` lists the tasks."""

    name: str  # its name in commands, configurations and the registry of models
    display_name: str  # the name of its result in reports
    command: str  # the command that users run for it
    outputs: tuple[str, ...]  # network outputs of which its weights must predict one
    label: LabelKind  # the kind of mask that it is trained on
    metrics: MetricSet  # those of its results
    models: Mapping[int, str]  # the shipped ones by the number of dimensions, 2 or 3; the first is the default; may be empty
    training_configs: Mapping[int, str]  # likewise by the number of dimensions: a name from the package, or a YAML file
    # Shipped models that find the cord for it, by their role in a `NetworkLocalizer`: "search" and "cord". A missing role is
    # filled by the task's own network; if both are missing, that is "search".
    companions: Mapping[str, str]
    color: tuple[int, int, int]  # that of its outlines in pictures: red, green and blue, 0 to 255
    extra_outputs: tuple[str, ...] = field(default=())  # further outputs that its weights may predict

    def model_name(self, dimensions: int | None = None) -> str:
        """Return the name of the shipped model: the default, or that with the given number of `dimensions`, 2 or 3.

        Raises InputError if there is no such model.
        """
        if dimensions is None:
            if not self.models:
                raise InputError(f"no weights for the task {self.name} are shipped: name a file, or start from scratch")
            return next(iter(self.models.values()))
        if dimensions not in self.models:
            raise InputError(f"the task {self.name} has no {dimensions}-D network: leave out --kernel {dimensions}d")
        return self.models[dimensions]

    def find_model(self, name_or_path: str | PathLike[str] | None = None, dimensions: int | None = None) -> Model:
        """Return weights for the task: those of a file, a model of the registry, or by default the shipped model.

        `dimensions`, 2 or 3, are those of the shipped model. Raises WeightsError if the weights do not exist, or predict none of
        the task's outputs, and InputError if the task has no shipped model with that number of dimensions.
        """
        from spineseg_cli.weights.find import find_custom

        return find_custom(str(name_or_path or self.model_name(dimensions)), *self.outputs)

    def check_trainable(self, model: Model) -> None:
        """Raise WeightsError if training cannot start from a model because of its outputs or its number of dimensions."""
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
        centerline: Volume | None = None,
        cord: Volume | None = None,
        *,
        method: Literal["optic", "cnn"] = "optic",
        brain: bool | None = None,
    ) -> Localizer:
        """Return the localizer that the task's command uses; this method alone decides which companion weights are used.

        A localizer keeps its networks loaded: create it once and use it for all scans.

        Parameters
        ----------
        predictor : Predictor
            The task's network. Published gray-matter weights are applied at the image's center, as by their authors.
        centerline : Volume, optional
            A mask of the cord or of its centerline, used instead of a search.
        cord : Volume, optional
            A mask of the cord, used if there is no `centerline`.
        method, brain
            The options of `core.localization.localizer.NetworkLocalizer`.
        """
        from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer, NetworkLocalizer
        from spineseg_cli.weights.find import find_model

        mask, name = (cord, "the cord mask") if centerline is None else (centerline, "the centerline")
        if mask is None and predictor.published and "search" in self.companions:
            return ImageCenterLocalizer()
        own_part = next((part for part in ("search", "cord") if part not in self.companions), None)
        if mask is not None and own_part != "cord":
            return MaskLocalizer(mask=mask, name=name)
        device, precision = predictor.device, predictor.precision
        parts = {part: find_model(name).predictor(device, precision=precision) for part, name in self.companions.items()}
        if own_part:
            parts[own_part] = predictor
        if mask is not None:
            return MaskLocalizer(mask=mask, name=name, search=parts.get("search"), cord=predictor)
        return NetworkLocalizer(search=parts["search"], cord=parts.get("cord"), method=method, brain=brain)

    @abstractmethod
    def predict(self, scan: Volume, predictor: Predictor, localizer: Localizer, **options: Any) -> Any:
        """Return the result for a scan, an object with a `mask`, which the task's command writes.

        `scan` is stored in any orientation; `predictor` is the task's network; `localizer` finds the cord, as the one that
        `Task.localizer` returns for the task's command; `options` are further ones of the task.

        Raises InputError if an option or the localizer's mask is invalid.
        """

    def evaluate(
        self, name: str, result: Any, reference_names: Sequence[str], references: Sequence[Volume]
    ) -> list[dict[str, Any]]:
        """Return the metrics of a result, one row for each reference, as in `metrics.table.Table`.

        `name` and `reference_names` are those in the table; `result` is what `predict` returns, or its mask; `references` are the
        experts' masks on its grid, one per rater.
        """
        from spineseg_cli.metrics.evaluate import Case, evaluate  # not needed for segmentation, so not loaded before

        case = Case(name, getattr(result, "mask", result), tuple(reference_names), tuple(references))
        return list(evaluate([case]).rows)
