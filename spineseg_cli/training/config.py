"""The typed configuration of a training run: everything that determines the run, except for its data.

`training.config_files` reads it from YAML. The commands that segment must not import this module, since they are installed
without pydantic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import Field, NonNegativeInt, model_validator

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.yaml_files import merged, nested
from spineseg_cli.networks import sees_stacks
from spineseg_cli.tasks.task import CORD_LABEL
from spineseg_cli.training.choices import AUGMENTATIONS, SCHEDULES, SYNTHETIC_OUTPUTS
from spineseg_cli.training.config_data import Augmentation, Data, Sampling
from spineseg_cli.training.config_files import checked
from spineseg_cli.training.config_sections import Optimizer, Phase, Surgery, Validation
from spineseg_cli.training.config_types import Inference, Loss, Network, Output, Section


class TrainingConfig(Section):
    """The configuration of a training run. Sizes of crops are in samples of the `spacing_mm` of `inference`."""

    name: str  # name of the trained weights
    network: Network  # a name in `networks.NETWORKS`, and its options
    # The channels of the network: the cord, a structure in it, or both; keys of `tasks.registry.label_kinds`.
    outputs: tuple[Output, ...] = Field(default=("gray_matter", "cord"), min_length=1)
    # See `training.config_data`.
    data: Data = Data()
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    # How the input of the network is prepared and its output is read; stored with the weights.
    inference: Inference = InferenceConfig()
    # A name in `training.choices.LOSSES`, and its options.
    loss: Loss = Field(default="dice_cross_entropy", validate_default=True)
    # See `training.config_sections`.
    optimizer: Optimizer = Optimizer()
    surgery: Surgery = Surgery()
    validation: Validation = Validation()
    seed: NonNegativeInt = 0  # seed of the split, the crops and the initial weights

    @property
    def structure(self) -> str | None:
        """The output besides the cord, of which there may be masks of several raters; None if the cord is the only output."""
        return next((output for output in self.outputs if output != CORD_LABEL.key), None)

    @property
    def phases(self) -> list[Phase]:
        """The phases of a run in order: one, or two if a reinitialized subnetwork is first trained alone."""
        optimizer, second = self.optimizer, self.surgery.second_phase
        phases = [Phase(self.surgery.frozen_at_first, optimizer.learning_rate, optimizer.epochs)]
        if second is not None:
            frozen = (second.freeze,) if second.freeze else ()
            phases.append(Phase(frozen, second.learning_rate, second.epochs or optimizer.epochs))
        return phases

    @property
    def total_epochs(self) -> int:
        """The largest number of epochs of a run, over all phases."""
        return sum(phase.epochs for phase in self.phases)

    def with_changes(self, changes: Mapping[str, Any], replaced: Collection[str] = ()) -> TrainingConfig:
        """Return a configuration with changed values after checking it.

        `changes` holds values by field, such as "optimizer.epochs"; mappings are merged into the old ones. The old values
        of the fields `replaced` are discarded instead.
        """
        content = {name: value for name, value in self.model_dump().items() if name not in replaced}
        return checked(merged(content, nested(changes)), f"the configuration {self.name}")

    @model_validator(mode="after")
    def _check_outputs(self):
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("expected each of the outputs once")
        classes = self.network.options.get("classes", 1)
        if classes != len(self.outputs):
            raise ValueError(f"the network has {classes} classes, and there are {len(self.outputs)} outputs")
        if len(set(self.outputs) - {"cord"}) > 1:
            raise ValueError(f"expected the cord, a structure in it, or both, as outputs; got {', '.join(self.outputs)}")
        return self

    @model_validator(mode="after")
    def _check_data(self):
        data, labels = self.data, set(self.outputs)
        if data.label_maps and not labels <= set(SYNTHETIC_OUTPUTS):
            raise ValueError(f"no images are synthesized with a {self.structure}: leave out data.label_maps")
        for number, source in enumerate(data.label_maps):
            given = {name for name in ("cord", "gray_matter") if getattr(source, name)}
            if not source.generated and not {"cord"} | labels <= given:
                needed = " and ".join(sorted({"cord"} | labels))
                raise ValueError(f"data.label_maps.{number} needs {needed}, or a generated source")
        for number, scans in enumerate(data.labeled_scans):
            missing = [name for name in sorted(labels) if not scans.globs_of(name)]
            if missing:
                raise ValueError(f"data.labeled_scans.{number} needs {' and '.join(missing)}")
            if self.sampling.crop_depth and scans.max_slices:
                raise ValueError("leave out max_slices for a 3-D network, which takes neighboring slices")
        if not data.label_maps and data.scan_fraction < 1:
            raise ValueError("expected data.label_maps, or a scan_fraction of 1")
        if not data.labeled_scans and data.scan_fraction > 0:
            raise ValueError("expected data.labeled_scans, since scan_fraction is above 0")
        if not data.labeled_scans and self.validation.subjects:
            raise ValueError("there are no data.labeled_scans to validate on")
        return self

    @model_validator(mode="after")
    def _check_crops(self):
        spacing_mm, sampling = self.inference.spacing_mm, self.sampling
        largest = int(self.data.source_fov_mm / spacing_mm)
        factor = 2 ** self.network.options.get("depth", 3) if "unet" in self.network.name else 1
        for size in sampling.crop_sizes:
            if size > largest or size % factor:
                raise ValueError(f"sampling.crop_sizes must be multiples of {factor}, at most {largest}; got {size}")
        volumetric = sees_stacks(self.network.name, self.network.options)
        if bool(sampling.crop_depth) != volumetric or sampling.crop_depth % 2:
            raise ValueError(f"sampling.crop_depth must be even for a 3-D network, 0 for others; got {sampling.crop_depth}")
        if volumetric and self.augmentation.intensity_jitter:
            raise ValueError("augmentation.intensity_jitter must be 0 for a 3-D network")
        if sampling.contrasts and not sum(sampling.contrasts.values()):
            raise ValueError("expected a contrast with a weight above 0 in sampling.contrasts")
        return self

    @model_validator(mode="after")
    def _check_intensities(self):
        keeping = [name for name, entry in AUGMENTATIONS.items() if entry.facts.get("keeps_intensities")]
        if not self.inference.per_slice and self.augmentation.profile not in keeping:
            raise ValueError(
                f"inference.per_slice: false standardizes whole scans, which the augmentation {self.augmentation.profile} "
                f"undoes; expected one of {', '.join(keeping)}"
            )
        if self.inference.normalization == "minmax" and not self.inference.per_slice:
            raise ValueError("minmax scales each slice; expected inference.per_slice: true with it")
        return self

    @model_validator(mode="after")
    def _check_averaging(self):
        averaged, start_share = self.optimizer.averaged_epochs, self.optimizer.start_share
        if averaged > self.optimizer.epochs:
            raise ValueError(f"there are {self.optimizer.epochs} epochs, and optimizer.averaged_epochs is {averaged}")
        for name in [name for name, given in (("averaged_epochs", averaged), ("start_share", start_share)) if given]:
            if self.validation.subjects or self.surgery.second_phase:
                raise ValueError(f"optimizer.{name} is for a run of one phase without validation, which chooses an epoch")
        return self

    @model_validator(mode="after")
    def _check_schedule(self):
        schedule, options = self.optimizer.schedule, self.optimizer.schedule.options
        if SCHEDULES[schedule.name].facts.get("needs_validation") and not self.validation.subjects:
            raise ValueError(f"the schedule {schedule.name} needs validation subjects")
        if options.get("lowest", 0) > self.optimizer.learning_rate:
            raise ValueError(f"the schedule's lowest rate must be at most the learning_rate; got {options['lowest']:g}")
        if not options.get("factor", 0) < 1:
            raise ValueError(f"the schedule's factor must be below 1; got {options['factor']:g}")
        if options.get("per", "step") not in ("step", "epoch"):
            raise ValueError(f"the schedule counts per step or epoch; got {options['per']!r}")
        if self.loss.options.get("gamma", 1) == 0:
            raise ValueError("the loss needs a gamma above 0")
        return self
