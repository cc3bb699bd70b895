"""The sections of a training configuration that say what is trained on; see `training.config`."""

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
from spineseg_cli.training.choices import (
    CROP_CENTERS,
    GENERATED_SLICES,
    GENERATED_STACKS,
    LABEL_COVERAGE,
    RATERS,
)
from spineseg_cli.training.config_types import (
    Contrast,
    Probability,
    Profile,
    Section,
)

# One glob, or several.
Globs = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


class LabelMaps(Section):
    """Labels to synthesize images from: from files, or generated.

    Parameters
    ----------
    cord, gray_matter, csf : str, optional
        Globs of maps of fractions or masks, on one grid.
    image, spine : str, optional
        Globs of scans and of the label images of their spines, beside `cord`: see `training.data.label_maps`.
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

    Beside the fields below, that of another kind of mask (`tasks.registry.label_kinds`) may take the part of `gray_matter`.

    Parameters
    ----------
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
    gray_matter: Globs = ()
    spine: str | None = None
    max_slices: PositiveInt | None = None
    trim_slices: NonNegativeInt = 0
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

    @property
    def structure(self) -> str | None:
        """The kind of masks that there are beside those of the cord."""
        return next((name for name in label_kinds() if name != "cord" and self.globs_of(name)), None)


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
    far_shift_mm: NonNegativeFloat = FAR_SHIFT_MM
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
    echo_planar_prob : float
        How often crops are distorted along one axis, as echo-planar images are, by a standard deviation of up to 2 mm.
    drop_out_prob : float
        How often crops lose signal on one side, as gradient echoes do beside air and metal.
    lost_side_prob : float
        How often crops lose signal on one side up to their middle, smoothly or abruptly.
    masked_prob : float
        How often crops have one value outside a region near their center.
    noise_prob : float
        How often crops get heavy Rician noise: up to three tenths of their brightest intensities.
    spike_prob : float
        How often crops are striped, as by a spike in k-space.
    aliasing_prob : float
        How often the far side of a crop wraps around onto one of its sides.
    turned_prob : float
        How often crops are turned by up to 60 degrees and shrunk, to half their size at most. Stacks of slices are not.
    intensity_jitter : float
        Standard deviation of a shift of standardized intensities, and of the logarithm of a factor.
    """

    profile: Profile = "default"
    mirror: StrictBool | None = None
    sagittal_prob: Probability = 0.0
    echo_planar_prob: Probability = 0.0
    drop_out_prob: Probability = 0.0
    lost_side_prob: Probability = 0.0
    masked_prob: Probability = 0.0
    noise_prob: Probability = 0.0
    spike_prob: Probability = 0.0
    aliasing_prob: Probability = 0.0
    turned_prob: Probability = 0.0
    intensity_jitter: NonNegativeFloat = 0.0
