"""The sections of a training configuration about its data; see `training.config`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StrictBool,
    model_validator,
)

from spineseg_cli.synthesis.generator import FAR_SHIFT_MM
from spineseg_cli.tasks.registry import label_kinds
from spineseg_cli.training.choices import LABEL_COVERAGE
from spineseg_cli.training.config_types import Contrast, Probability, Profile, Section

# The fields of `LabelMaps` that name a generator: see `training.data.sources`.
GENERATORS = ("phantom", "cauda_equina", "conus", "brainstem", "phantom_stacks")

# One glob, or several.
Globs = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


class LabelMaps(Section):
    """A source of label maps from which images are synthesized: files or a generator."""

    # Globs of maps of fractions or masks, all on one grid.
    cord: str | None = None
    gray_matter: str | None = None
    csf: str | None = None
    # Globs of scans and of label images of the spine, in addition to `cord`: see `training.data.label_maps`.
    image: str | None = None
    spine: str | None = None
    step: PositiveInt = 1  # every `step`-th slice of a map is taken
    weight: PositiveInt = 1  # how often the source is drawn relative to the others
    # The number of subjects or sections that a generator makes: see `training.data.phantoms`.
    phantom: PositiveInt | None = None
    cauda_equina: PositiveInt | None = None
    conus: PositiveInt | None = None
    brainstem: PositiveInt | None = None
    phantom_stacks: PositiveInt | None = None

    @property
    def generated(self) -> dict[str, int]:
        """The number of subjects or sections of each generator that is used."""
        counts = {kind: getattr(self, kind) for kind in GENERATORS}
        return {kind: count for kind, count in counts.items() if count}


class LabeledScans(Section):
    """A source of labeled scans, given by globs. A mask belongs to the scan with whose name its own name starts.

    A field of another kind of mask (`tasks.registry.label_kinds`) may be given instead of `gray_matter`.
    """

    # Globs of the scans and of the masks of the cord.
    image: str
    cord: str | None = None
    gray_matter: Globs = ()  # globs of the masks of gray matter; masks of several raters are matched by one glob or by several
    spine: str | None = None  # Glob of label images of the spine. Slices are then centered on the spinal canal.
    max_slices: PositiveInt | None = None  # the largest number of slices per scan, evenly spaced
    trim_slices: NonNegativeInt = 0  # the number of labeled slices that are left out at each end
    # The ends at which the labels end because the cord ends. Slices beyond are trained on as slices without cord.
    label_coverage: Literal[LABEL_COVERAGE] | None = None

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Globs]

    @model_validator(mode="after")
    def _check(self):
        kinds = label_kinds()
        for name in self.__pydantic_extra__:
            if name not in kinds:
                raise ValueError(f"{name} is not a field of a configuration")
        drawn = [name for name in kinds if name != "cord" and self.globs_of(name)]
        if len(drawn) > 1:
            raise ValueError(f"expected masks of one structure in the cord; got those of {' and '.join(drawn)}")
        return self

    def globs_of(self, label: str) -> tuple[str, ...]:
        """Return the globs of the masks of one kind."""
        globs = getattr(self, label, None) or ()
        return (globs,) if isinstance(globs, str) else globs


class Data(Section):
    """The training data."""

    # Sources of synthetic images, drawn in proportion to their weights. Globs are relative to the folder of the data.
    label_maps: tuple[LabelMaps, ...] = ()
    labeled_scans: tuple[LabeledScans, ...] = ()  # sources of scans; all scans are drawn equally often
    scan_fraction: Probability = 0.0  # fraction of crops that come from scans; the others are synthesized
    # Whether the mask of one rater is drawn for each crop, or the mean of all raters is taken as a soft label.
    raters: Literal["each", "mean"] = "each"
    # Whether crops from scans are centered on the labels, or on the cord as the shipped network finds it, as in the commands.
    crop_centers: Literal["labels", "network"] = "labels"
    # Whether a Nyul scale of intensities is learned from the training scans and stored with the weights.
    learn_nyul: StrictBool = False
    source_fov_mm: Annotated[float, Field(gt=0)] = 80.0  # side of the slices of scans and phantoms from which crops are cut


class Sampling(Section):
    """How crops are cut from scans and synthesized."""

    # Sizes of crops, in samples per side; one of them is drawn for each batch.
    crop_sizes: Annotated[tuple[Annotated[int, Field(ge=8)], ...], Field(min_length=1)] = (96, 112, 128)
    crop_depth: NonNegativeInt = 0  # the number of slices of a crop for a 3-D network; 0 for a 2-D network
    # Overlap of neighboring 3-D patches of a scan, as a fraction of their depth, in training and in evaluations.
    patch_overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    center_jitter_mm: NonNegativeFloat = 0.0  # the largest random shift of crops from scans along each axis
    # Probability and size of a large shift of synthetic images with surroundings, so that the cord may lie at the edge or
    # outside.
    far_shift_prob: Probability = 0.0
    far_shift_mm: NonNegativeFloat = FAR_SHIFT_MM
    # Probability that a crop extends beyond the image: see `training.data.transforms.cropped_field`.
    cropped_fov_prob: Probability = 0.0
    # Relative frequencies of synthetic contrasts; by default those of `synthesis.contrasts`.
    contrasts: dict[Contrast, NonNegativeFloat] = Field(default_factory=dict)
    # The number of times that each crop is used in an epoch, mirrored every other time. More than 1 pays where making a crop
    # takes longer than a training step.
    uses_per_crop: PositiveInt = 1


class Augmentation(Section):
    """The augmentation of crops."""

    profile: Profile = "default"  # the augmentation of crops from scans, a name in `training.choices.AUGMENTATIONS`
    mirror: StrictBool | None = None  # whether half of the crops from scans are mirrored, or none; by default the profile decides
    sagittal_prob: Probability = 0.0  # probability that a crop simulates an acquisition in sagittal slices of 1.5 to 5 mm
    # Probability of a distortion along one axis, like that of echo-planar images, with a standard deviation of up to 2 mm.
    echo_planar_prob: Probability = 0.0
    drop_out_prob: Probability = 0.0  # probability of signal loss on one side, like that of gradient echoes near air and metal
    # Probability of signal loss on one side that reaches up to the middle, smoothly or abruptly.
    lost_side_prob: Probability = 0.0
    masked_prob: Probability = 0.0  # probability that everything outside a region near the center of a crop has one value
    noise_prob: Probability = 0.0  # probability of heavy Rician noise, up to 0.3 times the brightest intensities
    spike_prob: Probability = 0.0  # probability of stripes, as a spike in k-space causes
    aliasing_prob: Probability = 0.0  # probability that the far side of a crop wraps around onto the near side
    # Probability that a crop is rotated by up to 60 degrees and shrunk to half its size at most. Stacks of slices are not.
    turned_prob: Probability = 0.0
    # Standard deviation of a random shift of standardized intensities, and of the logarithm of a random factor.
    intensity_jitter: NonNegativeFloat = 0.0
