"""Recipes: everything that decides a training run."""

from __future__ import annotations

from dataclasses import dataclass, field

from spineseg_cli.synthesis.generator import WIDE_SHIFT_MM


@dataclass(frozen=True)
class Recipe:
    """A training run. Globs are relative to the data folder; crops are in samples of the preprocessing's `spacing_mm`.

    Parameters
    ----------
    name : str
    network : dict
        Name and options for `networks.build_network`.
    maps : list of dict
        Labels to synthesize from: {cord, gray, csf (optional), step (optional)} with a glob each, gray optional where it is
        no output, or any of {phantom: subjects, conus: subjects, cauda_equina: subjects, brainstem: sections}: phantoms' cords,
        sections about their tips, and what lies below and above a cord without being one; {phantom_stacks: subjects} for a 3-D
        network; or {image, cord, spine}, scans and their label images, as `data.spine_maps` reads them. Sources are drawn evenly;
        one with a `weight`, a number, as often as so many.
    scans : list of dict
        Labeled scans: {image, gray, cord} with a glob each; masks find their scan by name. Several raters' masks of a scan
        are one glob that matches them all, or a list of globs. An output's label may be left out if it is not asked for.
        With `slices`, a number, only so many slices of each scan are trained on; with `complete`, "above",
        "below" or "both", slices beyond the labeled ones are trained on too, as slices without cord, no more than have it. With
        `trim`, a number, so many labeled slices at either end are not; with `spine`, slices are centered on the canal.
    outputs : list of str
        What the network's channels are, of `choices.OUTPUTS`.
    loss : dict
        Name and options, of `choices.LOSSES`.
    preprocessing : dict
        Fields of `core.inference.config.InferenceConfig`, for the weights' card.
    real_share : float
        Share of crops that come from scans; 1 trains on scans alone.
    wide_share : float
        Share of the crops synthesized with surroundings that are shifted far: see `synthesis.generator.synthesize`.
    wide_shift_mm : float
        How far.
    contrasts : dict
        Shares of the contrasts that are synthesized, of `synthesis.painting.CONTRAST_SHARES`, and those by default.
    sagittal_share : float
        Share of the crops, from scans and synthesized, that look as if they had been acquired in sagittal slices of 1.5 to 5 mm.
    surroundings_mm : float
        Side of the slices of scans and phantoms that crops are cut from.
    narrow_share : float
        Share of the crops that reach beyond the image: see `data.transforms.narrow_field`.
    masked_share : float
        Share of the crops that have one value outside a region near their center: see `data.transforms.masked`.
    level_jitter : float
        Standard deviation of a shift of standardized intensities, and of the logarithm of a factor.
    augmentation : str
        Of `choices.AUGMENTATIONS`, for crops from scans.
    flips : bool, optional
        Mirror crops from scans, right for left, half of the time, or never; by default as the augmentation does.
    jitter_mm : float
        How far the center of a crop from a scan is moved off the cord's, beside the augmentation's own shift: see
        `data.stacks.wandering`.
    centerline : str
        Of `choices.CENTERLINES`: crops from scans are centered on the labels, or where a network finds the cord in each slice, as
        those of the commands are.
    nyul : bool
        Learn a standard scale of intensities from the scans that are trained on: see `core.standard_scale.learn_scale`. The
        command `finetune` does so; other runs take `landmarks` in `preprocessing`.
    raters : str
        Of `choices.RATERS`.
    validation : list of str
        Whole subjects, by a part of their paths, that are not trained on; the loss on their scans picks the best epoch.
    early_stopping : dict or None
        {patience, min_delta}: stop after so many epochs whose validation loss is not lower by so much.
    batch, steps, epochs : int
        Crops a batch, batches an epoch, epochs.
    crop_sizes : list of int
        One is drawn for each batch.
    crop_depth : int
        Slices a crop, as far apart as its samples, for a 3-D network; 0 for a 2-D network.
    overlap : float
        Of a 3-D network's neighboring patches of a scan, as a share of their length, 0 to below 1: which are trained on, and
        how the test scans are segmented.
    learning_rate : float
        The highest.
    schedule : str or dict
        How it changes: a name of `choices.SCHEDULES`, or {name, ...} with options. "poly": falling to 0, by the two fields
        below. "constant". {triangular, lowest, half_cycle, by}: from `lowest` to `learning_rate` and back, each way in
        `half_cycle` steps or epochs, whichever `by` says. {halve, factor, patience}: times `factor` after `patience` epochs
        without a lower validation loss.
    decay_power : float
        Of the poly schedule, ``learning_rate (1 - n / N)^decay_power``.
    decay_by : str
        What n counts, of `choices.DECAYS`.
    scores : list of str
        What is watched beside the loss, of `choices.SCORES`.
    precision : str
        Of `choices.PRECISIONS`.
    gpus : int or str
        GPUs that a batch is parted over, or "all"; a run may go on with another number of them.
    surgery : str, optional
        Of `choices.SURGERIES`: a part of the network that starts untrained.
    freeze : str, optional
        Of `choices.FROZEN`: a part of the network that stays as it is.
    unfreeze : dict or None
        {keep, learning_rate, epochs}, for two phases in one run: first the part in `surgery` is trained, the rest frozen, by
        the fields above; then, from the best weights of that, everything but what is kept, of `choices.KEPT`. Defaults:
        "none", 1e-5, and as many epochs.
    keep_start : bool
        The weights that a run starts from may be its best epoch; False compares what training alone gives.
    seed : int
    """

    name: str
    network: dict
    maps: list[dict] = field(default_factory=list)
    scans: list[dict] = field(default_factory=list)
    outputs: list[str] = field(default_factory=lambda: ["gray_matter", "cord"])
    loss: dict = field(default_factory=lambda: {"name": "dice_cross_entropy"})
    preprocessing: dict = field(default_factory=dict)
    real_share: float = 0.0
    wide_share: float = 0.0
    wide_shift_mm: float = WIDE_SHIFT_MM
    contrasts: dict = field(default_factory=dict)
    sagittal_share: float = 0.0
    surroundings_mm: float = 80.0
    narrow_share: float = 0.0
    masked_share: float = 0.0
    level_jitter: float = 0.0
    augmentation: str = "default"
    flips: bool | None = None
    jitter_mm: float = 0.0
    centerline: str = "exact"
    nyul: bool = False
    raters: str = "each"
    validation: list[str] = field(default_factory=list)
    early_stopping: dict | None = None
    batch: int = 16
    crop_sizes: list[int] = field(default_factory=lambda: [96, 112, 128])
    crop_depth: int = 0
    overlap: float = 0.5
    epochs: int = 10
    steps: int = 100
    learning_rate: float = 1e-3
    schedule: dict | str = "poly"
    decay_power: float = 0.9
    decay_by: str = "step"
    scores: list[str] = field(default_factory=lambda: ["dice"])
    precision: str = "float32"
    gpus: int | str = 1
    surgery: str | None = None
    freeze: str | None = None
    unfreeze: dict | None = None
    keep_start: bool = True
    seed: int = 0
