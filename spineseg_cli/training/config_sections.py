"""The sections of a training configuration; `training.config` puts them together, and checks them against each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StrictBool,
    model_validator,
)

from spineseg_cli.synthesis.generator import WIDE_SHIFT_MM
from spineseg_cli.training.choices import (
    CROP_CENTERS,
    FROZEN,
    GENERATED_SLICES,
    GENERATED_STACKS,
    LABEL_COVERAGE,
    PRECISIONS,
    RATERS,
    REINITIALIZED,
    SELECTED_BY,
    SUBNETWORKS,
)
from spineseg_cli.training.config_types import (
    Contrast,
    Metric,
    Probability,
    Profile,
    Schedule,
    Section,
)


class LabelMaps(Section):
    """Labels to synthesize images from: from files, or generated.

    Parameters
    ----------
    cord, gray_matter, csf : str, optional
        Globs of maps of fractions or masks, on one grid.
    image, spine : str, optional
        Globs of scans and of the label images of their spines, beside `cord`: see `training.data.spine_maps`.
    step : int
        Every so many slices of a map are taken.
    weight : int
        How often the source is drawn, as a multiple of the others.
    phantom, cauda_equina, conus, brainstem, phantom_stacks : int, optional
        Generated label maps, so many subjects or sections: see `training.data.phantoms`.
    """

    cord: str | None = None
    gray_matter: str | None = None
    csf: str | None = None
    image: str | None = None
    spine: str | None = None
    step: PositiveInt = 1
    weight: PositiveInt = 1
    phantom: PositiveInt | None = None
    cauda_equina: PositiveInt | None = None
    conus: PositiveInt | None = None
    brainstem: PositiveInt | None = None
    phantom_stacks: PositiveInt | None = None

    @property
    def generated(self) -> dict[str, int]:
        """How much is generated, by what generates it."""
        counts = {kind: getattr(self, kind) for kind in (*GENERATED_SLICES, *GENERATED_STACKS)}
        return {kind: count for kind, count in counts.items() if count}


class LabeledScans(Section):
    """Labeled scans, found by globs; a mask belongs to the scan whose name it starts with.

    Parameters
    ----------
    image : str
    cord : str, optional
    gray_matter : str or sequence of str
        The masks of several raters are one glob that matches them all, or several globs.
    spine : str, optional
        Label images of the spine: slices are then centered on its canal.
    max_slices : int, optional
        So many slices of each scan are trained on, evenly spread.
    trim_slices : int
        So many labeled slices at either end are not.
    label_coverage : {"above", "below", "both"}, optional
        Where the labels end with the cord: the slices beyond are trained on too, as slices without cord.
    """

    image: str
    cord: str | None = None
    gray_matter: Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = ()
    spine: str | None = None
    max_slices: PositiveInt | None = None
    trim_slices: NonNegativeInt = 0
    label_coverage: Literal[LABEL_COVERAGE] | None = None


class Data(Section):
    """What is trained on.

    Parameters
    ----------
    label_maps : sequence of LabelMaps
        Drawn evenly, but for their weights. Globs start from the folder of the data.
    labeled_scans : sequence of LabeledScans
        Scans are drawn evenly.
    scan_fraction : float
        Of the crops, those that come from scans; the others are synthesized.
    raters : {"each", "mean"}
        One of several raters' masks is drawn for each crop, or their mean is a soft label.
    crop_centers : {"labels", "network"}
        Crops from scans are centered on the labels, or where the shipped network finds the cord, as those of the commands are.
    learn_nyul : bool
        Learn a Nyul scale of intensities from the training scans; the weights apply it.
    source_fov_mm : float
        Side of the slices of scans and phantoms that crops are cut from.
    """

    label_maps: tuple[LabelMaps, ...] = ()
    labeled_scans: tuple[LabeledScans, ...] = ()
    scan_fraction: Probability = 0.0
    raters: Literal[RATERS] = "each"
    crop_centers: Literal[CROP_CENTERS] = "labels"
    learn_nyul: StrictBool = False
    source_fov_mm: Annotated[float, Field(gt=0)] = 80.0


class Sampling(Section):
    """How crops are cut, and how synthetic ones are drawn.

    Parameters
    ----------
    crop_sizes : sequence of int
        Samples a side; one is drawn for each batch.
    crop_depth : int
        Slices of a crop of a 3-D network, as far apart as its samples; 0 for a 2-D network.
    patch_overlap : float
        Of neighboring 3-D patches of a scan, as a fraction of their depth, in training and in the test.
    center_jitter_mm : float
        Crops from scans are moved off the center by up to so much.
    far_shift_prob, far_shift_mm : float
        How often, and how far, synthetic images with surroundings are shifted, so that the cord may lie at the edge or outside.
    cropped_fov_prob : float
        How often crops reach beyond the image: see `training.data.transforms.cropped_field`.
    contrasts : mapping of str to float
        How often each contrast is synthesized; by default as `synthesis.contrasts` says.
    uses_per_crop : int
        How often each crop is used in its epoch, every other time mirrored: where making crops takes longer than learning from
        them.
    """

    crop_sizes: Annotated[tuple[Annotated[int, Field(ge=8)], ...], Field(min_length=1)] = (96, 112, 128)
    crop_depth: NonNegativeInt = 0
    patch_overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    center_jitter_mm: NonNegativeFloat = 0.0
    far_shift_prob: Probability = 0.0
    far_shift_mm: NonNegativeFloat = WIDE_SHIFT_MM
    cropped_fov_prob: Probability = 0.0
    contrasts: dict[Contrast, NonNegativeFloat] = Field(default_factory=dict)
    uses_per_crop: PositiveInt = 1


class Augmentation(Section):
    """What is done to crops.

    Parameters
    ----------
    profile : str
        Of crops from scans: a name of `training.choices.AUGMENTATIONS`.
    mirror : bool, optional
        Half of the crops from scans are mirrored, or none; by default as the profile does.
    sagittal_prob : float
        How often crops look as if they had been acquired in sagittal slices of 1.5 to 5 mm.
    masked_prob : float
        How often crops have one value outside a region near their center.
    intensity_jitter : float
        Standard deviation of a shift of standardized intensities, and of the logarithm of a factor.
    """

    profile: Profile = "default"
    mirror: StrictBool | None = None
    sagittal_prob: Probability = 0.0
    masked_prob: Probability = 0.0
    intensity_jitter: NonNegativeFloat = 0.0


class Optimizer(Section):
    """How long, how fast and on what a network is trained; the optimizer is Adam.

    Parameters
    ----------
    learning_rate : float
        The highest.
    schedule : NamedOptions
        How it changes: a name of `training.choices.SCHEDULES` and its options.
    batch_size, steps_per_epoch, epochs : int
    averaged_epochs : int
        The run ends with the mean of the weights at the ends of so many of its last epochs; 0 for the weights of the best, or the
        last, epoch.
    precision : str
        Of activations.
    gpus : int or "all"
        On how many GPUs a batch is spread; a run may go on with another number of them.
    """

    learning_rate: NonNegativeFloat = 1e-3
    schedule: Schedule = Field(default="poly", validate_default=True)
    batch_size: PositiveInt = 16
    steps_per_epoch: PositiveInt = 100
    epochs: PositiveInt = 10
    averaged_epochs: NonNegativeInt = 0
    precision: Literal[PRECISIONS] = "float32"
    gpus: PositiveInt | Literal["all"] = 1

    @property
    def in_words(self) -> str:
        """The size of an epoch."""
        return f"{self.steps_per_epoch} batches of {self.batch_size}"


class SecondPhase(Section):
    """The second of two phases, from the best weights of the first, in which all of the network is trained but what is frozen."""

    freeze: Literal[FROZEN] | None = None
    learning_rate: NonNegativeFloat = 1e-5
    epochs: PositiveInt | None = None


class Surgery(Section):
    """Which subnetworks of the network start untrained, and which stay as they are.

    Parameters
    ----------
    reinitialize : str, optional
        Of `training.choices.REINITIALIZED`.
    freeze : {"encoder", "decoder"}, optional
    second_phase : SecondPhase, optional
        With it, the first phase trains what was reinitialized, all else frozen.
    """

    reinitialize: Literal[tuple(REINITIALIZED)] | None = None
    freeze: Literal[FROZEN] | None = None
    second_phase: SecondPhase | None = None

    @model_validator(mode="after")
    def _check(self):
        if self.freeze and self.reinitialize and self.freeze in REINITIALIZED[self.reinitialize]:
            raise ValueError(f"reinitialize {self.reinitialize} and freeze {self.freeze} would leave layers untrained for ever")
        if self.second_phase and not self.reinitialize:
            raise ValueError("a second_phase needs a part of the network to reinitialize")
        if self.second_phase and self.freeze:
            raise ValueError("leave out freeze: second_phase says what is frozen")
        return self

    @property
    def frozen_at_first(self) -> tuple[str, ...]:
        """The subnetworks that are frozen in the first phase."""
        if self.second_phase is None:
            return (self.freeze,) if self.freeze else ()
        return tuple(part for part in SUBNETWORKS if part not in REINITIALIZED[self.reinitialize])


class EarlyStopping(Section):
    """When a phase ends before its last epoch.

    Parameters
    ----------
    patience : int
        After so many epochs that are not better than the last good one.
    min_delta : float
        What counts as better.
    monitor : {"selection", "loss"}
        What is watched: what chooses the best epoch, or the validation loss.
    """

    patience: PositiveInt
    min_delta: NonNegativeFloat = 0.0
    monitor: Literal["selection", "loss"] = "selection"


class Validation(Section):
    """What says which epoch is the best, and when to stop.

    Parameters
    ----------
    subjects : sequence of str
        Whole subjects, by name, that are not trained on. `finetune` draws them.
    select_by : {"command", "crops"}
        The best epoch is that of the best primary metric of the task, by the complete command on the validation subjects, or
        of the lowest loss on crops of them. Only `finetune` runs the command.
    metrics : sequence of str
        What is watched beside the loss, of `training.choices.TRAINING_METRICS`.
    early_stopping : EarlyStopping, optional
    include_initial_weights : bool
        The weights that a run starts from may be its best epoch. False compares what training alone gives.
    """

    subjects: tuple[str, ...] = ()
    select_by: Literal[SELECTED_BY] = "crops"
    metrics: tuple[Metric, ...] = ("dice",)
    early_stopping: EarlyStopping | None = None
    include_initial_weights: StrictBool = True

    @model_validator(mode="after")
    def _check(self):
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("expected each of the metrics once")
        if self.early_stopping and not self.subjects:
            raise ValueError("early_stopping needs validation subjects")
        return self
